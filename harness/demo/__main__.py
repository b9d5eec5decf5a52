"""python3 -m harness.demo: real cluster, real data, real clusterings; the cluster stays up."""

import sys

from harness.cluster.errors import ClusterError
from harness.demo.steps import Demo


def main() -> int:
    """Runs the demo. Returns 1, after one line with the remedy, if a step fails."""
    demo = Demo()
    try:
        demo.run()
    except (ClusterError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        print(f"demo: {demo.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ndemo: interrupted; `make demo` continues from here, `make cluster-down` ends everything", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
