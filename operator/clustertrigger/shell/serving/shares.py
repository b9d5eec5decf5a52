"""Counts how much of a limited space each of several sharers has taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class Shares:
    """The shares of a limited space.

    Args:
        space: How much there is for all sharers together.
    """

    def __init__(self, space: int) -> None:
        self._space = space
        self._taken: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """Number of sharers that have taken something."""
        return len(self._taken)

    def of(self, sharer: Hashable) -> int:
        """Returns how much a sharer has taken."""
        return self._taken[sharer]

    @property
    def free(self) -> int:
        """How much is left."""
        return self._space - self._taken.total()

    def would_leave_as_much(self, sharer: Hashable, number: int = 1) -> bool:
        """Returns whether a sharer that takes more would have at most as much as it leaves to the others.

        So there is always some space for the next sharer. The first request of a sharer is never too large.
        """
        taken = self._taken[sharer]
        return not taken or taken + number <= self.free

    def take(self, sharer: Hashable, number: int = 1) -> None:
        """Adds to the share of a sharer."""
        self._taken[sharer] += number

    def give_back(self, sharer: Hashable, number: int = 1) -> None:
        """Returns a part of the share of a sharer."""
        self._taken[sharer] -= number
        if not self._taken[sharer]:
            del self._taken[sharer]
