"""Takes decisions shortly before they are due, so that a thousand Jobs then only have to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import Decision, Observed
from clustertrigger.core.resources.trigger import Key, Trigger

_MOST = 2_000
"""Maximum number of prepared decisions. A Job that waits to be sent takes 8 KB."""


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
    """Decisions for triggers that will be due, valid as long as nothing changes until then."""

    def __init__(self) -> None:
        self._foreseen: dict[Key, _Foreseen] = {}

    def foresee(self, trigger: Trigger, observed: Observed, due: datetime) -> None:
        """Decides for the instant `due`, and stores the decision if it creates a Job."""
        # After a refusal, each attempt changes what is done next.
        if observed.refusals or len(self._foreseen) >= _MOST:
            return
        decision = decide(trigger, observed, due)
        if decision.creates_job:
            self._foreseen[trigger.key] = _Foreseen(trigger, observed, due, decision)

    def recall(self, trigger: Trigger, observed: Observed, now: datetime) -> Decision | None:
        """Removes and returns the decision; None if there is none, or if it is outdated."""
        found = self._foreseen.pop(trigger.key, None)
        return found.decision if found and found.holds(trigger, observed, now) else None

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""
        self._foreseen.pop(key, None)
