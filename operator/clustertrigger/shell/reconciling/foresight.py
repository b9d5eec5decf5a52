"""Decisions that were taken shortly before their time: when it comes, a thousand Jobs have only to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import Decision, Observed
from clustertrigger.core.resources.trigger import Key, Trigger

_MOST = 2_000
"""A Job that waits to be sent takes 8 KB."""


@dataclass(frozen=True, slots=True)
class _Foreseen:
    trigger: Trigger
    observed: Observed
    due: datetime
    decision: Decision

    def holds(self, trigger: Trigger, observed: Observed, now: datetime) -> bool:
        until = self.decision.wake_at
        in_time = self.due <= now and (until is None or now < until)
        return in_time and self.trigger is trigger and self.observed == observed


class Foresight:
    """What `decide` will say when triggers come due, where nothing has changed until then."""

    def __init__(self) -> None:
        self._foreseen: dict[Key, _Foreseen] = {}

    def foresee(self, trigger: Trigger, observed: Observed, due: datetime) -> None:
        """Decides for the instant `due`, and keeps the answer where a Job is to be created then."""
        # Where something was refused, what is to be done next changes with each attempt.
        if observed.refusals or len(self._foreseen) >= _MOST:
            return
        decision = decide(trigger, observed, due)
        if decision.creates_job:
            self._foreseen[trigger.key] = _Foreseen(trigger, observed, due, decision)

    def recall(self, trigger: Trigger, observed: Observed, now: datetime) -> Decision | None:
        """The decision, and forgets it; None if there is none, or if it is outdated."""
        found = self._foreseen.pop(trigger.key, None)
        return found.decision if found and found.holds(trigger, observed, now) else None

    def forget(self, key: Key) -> None:
        """The trigger is gone."""
        self._foreseen.pop(key, None)
