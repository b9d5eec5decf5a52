"""python3 -m harness.browser prepare: installs Chromium, once, if possible."""

import sys

from harness.browser.chromium import prepare
from harness.cluster.debian.optional import prepare_command

if __name__ == "__main__":
    sys.exit(prepare_command("browser", __doc__, prepare, sys.argv[1:]))
