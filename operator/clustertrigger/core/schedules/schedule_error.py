"""Defines the error of an invalid schedule."""

from __future__ import annotations


class ScheduleError(ValueError):
    """A schedule is invalid. The error's text is `field: value: what is wrong: the remedy`.

    Attributes:
        field: Path below `spec`, such as `schedule_config.cron_expression`.
        value: What the user wrote there.
        reason: What is wrong, and the remedy.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {value!r}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason
