"""Returns freed memory to the system.

glibc keeps up to twice the largest freed block at the end of its heap. With 10,000 triggers, the list that the
operator's census reads is such a block: 273 to 287 MiB stayed resident after it, and 207 to 219 MiB with the fixed
limit here.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
"""glibc's name for the number of free bytes at the end of its heap from which it returns them (malloc.h)."""
_MOST_KEPT = 4 << 20
"""Bytes."""


def return_freed_memory() -> bool:
    """Makes the C library return freed memory, for the rest of the process.

    Returns:
        Whether it has this parameter; musl and macOS have other heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT) == 1
