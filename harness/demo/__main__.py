"""python3 -m harness.demo: real cluster, real data, real clusterings; leaves the cluster up."""

import sys

from harness.cluster.errors import ClusterError
from harness.demo.steps import Demo


def main() -> int:
    """Run the demo; 1 with one line that says what to do where a step fails."""
    demo = Demo()
    try:
        demo.run()
    except (ClusterError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        print(f"demo: {demo.way_out}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ndemo: interrupted; `make demo` continues from here, `make cluster-down` ends everything", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
