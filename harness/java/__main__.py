"""python3 -m harness.java prepare: installs Java, once, if possible."""

import sys

from harness.cluster.debian.optional import prepare_command
from harness.java import prepare

if __name__ == "__main__":
    sys.exit(prepare_command("java", __doc__, prepare, sys.argv[1:]))
