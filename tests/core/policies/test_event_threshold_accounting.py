"""Tests that the numbers of sent, counted and fired events always agree."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clustertrigger.core.jobs.slot import EventSlot, parse_slot
from tests.core.builders import EVENTS, World, at, spec


class EventTrigger(RuleBasedStateMachine):
    """Events, decisions, edits, crashes and the passing of time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold, self.cooldown, self.wish, self.policy = 5, 0, "active", "Allow"
        self.clock = 1.0
        self.sent: dict[str, int] = {}
        self.world = World(self.spec(), edited_at=None)
        self.fired: list[int] = []
        self.world.step(at(self.clock))

    def spec(self) -> dict[str, Any]:
        schedule = {
            "event_type": "documents_added",
            "event_threshold": self.threshold,
            "collection_id": "col_a",
            "cooldown_seconds": self.cooldown,
        }
        run = {"concurrency_policy": self.policy, "max_consecutive_failures": 1000, "history_limit": 100}
        return spec(EVENTS, schedule_config=schedule, status=self.wish, run=run)

    def edited(self) -> None:
        self.world.edit(self.spec(), None)
        self.decide()

    def decide(self) -> None:
        before = len(self.world.created)
        counted = self.world.trigger.status.event_counter
        self.world.step(at(self.clock))
        for slot in self.world.created[before:]:
            ordinal = _ordinal(slot)
            assert ordinal is not None
            assert self.wish == "active", "fired although nobody wants it"
            assert counted >= self.threshold, "fired below the threshold"
            self.fired.append(ordinal)

    @rule(count=st.integers(1, 12), number=st.integers(0, 30))
    def send(self, count: int, number: int) -> None:
        """Sends an event, and possibly repeats it."""
        event = f"e{number}"
        fresh = self.world.send(at(self.clock), event, count=count)
        if fresh == (True,):
            assert event not in self.sent
            self.sent[event] = count
        else:
            assert event in self.sent

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        """Lets time pass, and reconciles."""
        self.clock += seconds
        self.decide()

    @rule(threshold=st.integers(1, 12))
    def edit_threshold(self, threshold: int) -> None:
        """Changes the threshold."""
        self.threshold = threshold
        self.edited()

    @rule(cooldown=st.sampled_from([0, 5, 60]))
    def edit_cooldown(self, cooldown: int) -> None:
        """Changes the cooldown."""
        self.cooldown = cooldown
        self.edited()

    @rule(policy=st.sampled_from(["Allow", "Forbid"]))
    def edit_policy(self, policy: str) -> None:
        """Changes the concurrency policy."""
        self.policy = policy
        self.edited()

    @rule()
    def pause_or_resume(self) -> None:
        """Pauses the trigger, or resumes it."""
        fired = len(self.world.created)
        self.wish = "paused" if self.wish == "active" else "active"
        self.world.edit(self.spec(), None)
        self.decide()
        assert len(self.world.created) == fired, "neither fires anything"

    @rule()
    def crash(self) -> None:
        """The operator creates the due Job, and is killed before it writes the status."""
        kept = self.world.trigger
        self.decide()
        self.world.trigger = kept

    @precondition(lambda self: self.world.runs)
    @rule(phase=st.sampled_from(["completed", "failed"]))
    def end(self, phase: str) -> None:
        """Ends the newest run."""
        self.world.end(phase)
        self.decide()

    @invariant()
    def books_balance(self) -> None:
        """Every sent event was counted once, and every counted event has fired or still waits."""
        state = self.world.trigger.status.event_state
        assert state is not None
        assert state.total == sum(self.sent.values())
        recorded = [_ordinal(entry.slot) or 0 for entry in self.world.trigger.status.history]
        assert state.total - self.world.trigger.status.event_counter == max(recorded, default=0)
        assert sorted(set(self.fired)) == self.fired, "each event fires once, in order"


# Shrinking such a failure takes minutes, so its steps are printed as they are.
EventTrigger.TestCase.settings = settings(max_examples=100, stateful_step_count=40, phases=[Phase.generate])
TestEventTrigger = EventTrigger.TestCase


def _ordinal(text: str) -> int | None:
    slot = parse_slot(text)
    return slot.ordinal if isinstance(slot, EventSlot) else None
