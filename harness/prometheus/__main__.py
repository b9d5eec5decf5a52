"""python3 -m harness.prometheus prepare: fetches promtool, once, if possible."""

import sys

from harness.cluster.debian.optional import prepare_command
from harness.prometheus import prepare

if __name__ == "__main__":
    sys.exit(prepare_command("prometheus", __doc__, prepare, sys.argv[1:]))
