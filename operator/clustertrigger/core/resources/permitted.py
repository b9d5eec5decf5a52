"""What the operator's settings permit triggers, besides what is valid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permitted:
    """What triggers may use."""

    priority_classes: Collection[str] | None = None
    """PriorityClasses of Pods; None where that is not known."""
    spark: bool = True
    """Whether runs may have engine spark or auto."""


ANYTHING = Permitted()
"""Where the operator's settings are not known."""
NOTHING = Permitted(priority_classes=(), spark=False)
