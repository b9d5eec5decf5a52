"""python3 -m harness.java prepare: install Java, once, where that is possible."""

import sys

from harness.java import prepare


def main(arguments: list[str]) -> int:
    """Run the one command there is; returns the exit code, which is 0 also where tests will be skipped."""
    if arguments != ["prepare"]:
        print(__doc__, file=sys.stderr)
        return 2
    if reason := prepare():
        print(f"java: {reason}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
