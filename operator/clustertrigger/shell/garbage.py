"""Python's collector of cyclic garbage, kept from going through all triggers while some of them are due.

Each trigger is some two hundred objects. As shipped, Python looks through all of them whenever a quarter more have
come: with 2,000 triggers that held everything up for a quarter of a second, in the middle of a burst. Hardly any of our
objects refer to each other in circles, so nearly all are freed without it. Kopf's do: with the collector off while
10,000 objects were shown, it left 140 MiB behind.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (10_000, 20, 10)
"""Containers more than at the last look at the youngest; such looks until one at the middle ones, at the oldest."""


def look_rarely() -> None:
    """For the rest of the process."""
    gc.set_threshold(*_THRESHOLDS)


def exempt_what_is_loaded() -> None:
    """What is there now is there to stay, and is not looked at again; garbage among it is collected before.

    It is freed as ever when nothing refers to it any more.
    """
    gc.collect()
    gc.freeze()
