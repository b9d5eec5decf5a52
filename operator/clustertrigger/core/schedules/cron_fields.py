"""The five fields of crontab(5): their ranges, and the names that stand for numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One of the five fields.

    Attributes:
        name: Name of the field in messages.
        low, high: The range, both ends included.
        names: Names in lower case, which stand for the numbers from `first` on.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0

    def number(self, text: str) -> int | None:
        """Returns the number that a number or a name stands for; None for any other text."""
        if text.isascii() and text.isdigit():
            return int(text)
        return self.names.index(text.lower()) + self.first if text.lower() in self.names else None


DAY_OF_MONTH, DAY_OF_WEEK = 2, 4
FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1),
    Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def to_the_end(field: Field, low: int, step: int) -> str:
    """Returns the range that other schedulers mean by a step without one: from a value to the end of the field."""
    high = 6 if FIELDS.index(field) == DAY_OF_WEEK else field.high  # 7 is Sunday, where the week begins
    return f"{low}-{high}/{step}" if low < high else str(low)
