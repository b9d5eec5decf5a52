"""Defines what the operator's settings permit triggers to use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permitted:
    """What triggers may use."""

    priority_classes: Collection[str] | None = None
    """PriorityClasses that Pods can have; None if unknown."""
    spark: bool = True
    """Whether runs can have engine spark or auto."""


ANYTHING = Permitted()
"""Applies if the operator's settings are unknown."""
NOTHING = Permitted(priority_classes=(), spark=False)
