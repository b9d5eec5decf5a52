"""python3 -m harness.servers prepare: fetches or builds the servers' programs, once."""

import sys

from harness.cluster.choose import docker_answers
from harness.cluster.commands import run
from harness.cluster.errors import ClusterError
from harness.servers.postgresql_program import IMAGE, program


def main(arguments: list[str]) -> int:
    """Runs the only command; returns the exit code."""
    if arguments != ["prepare"]:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        program()
    except ClusterError as error:
        if not docker_answers():
            print(f"servers: {error}", file=sys.stderr)
            return 2
        run(["docker", "pull", "--quiet", IMAGE])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
