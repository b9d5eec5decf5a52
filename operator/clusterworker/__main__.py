"""``python -m clusterworker``."""

import sys

from clusterworker.main import main

if __name__ == "__main__":
    sys.exit(main())
