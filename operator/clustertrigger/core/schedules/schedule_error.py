"""What is wrong with a schedule."""

from __future__ import annotations


class ScheduleError(ValueError):
    """A schedule that can never be followed: its text reads `field: value: what is wrong: the way out`.

    Attributes:
        field: path below `spec`, such as `schedule_config.cron_expression`.
        value: what the user wrote there.
        reason: what is wrong, and the remedy.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {value!r}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason
