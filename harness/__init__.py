"""Supports tests, stories and benches: clusters, images, Helm, servers, control planes and the demo."""

import sys

# Before any module is loaded that an older Python cannot read: it would end in a traceback.
if sys.version_info < (3, 11):  # noqa: UP036 - what is run may be older than what is needed
    _FOUND = ".".join(map(str, sys.version_info[:3]))
    sys.exit("Python " + _FOUND + " is too old, 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...")
