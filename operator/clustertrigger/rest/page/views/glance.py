"""Reads what the table of triggers needs of each trigger, whether it is on the page or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from clustertrigger.core.effective_state import effective_status
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.json_text import write_json
from clustertrigger.core.trigger_state import TriggerState
from clustertrigger.rest.actions import action_of

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Glance:
    """Summary of one version of a trigger.

    Attributes:
        word: Its state.
        schedule: trigger_type and schedule_config as JSON; None if it does not fire.
        anchor: Start of an interval's grid.
    """

    namespace: str
    name: str
    trigger_type: str
    action_type: str
    word: str
    schedule: bytes | None
    anchor: datetime


def glance_at(raw: Object) -> Glance:
    """Returns the summary of a trigger, from its whole status."""
    state, spec = TriggerState(raw), raw["spec"]
    fires = effective_status(state.raw) == "active"
    memory = state.status.schedule_state
    return Glance(
        namespace=state.namespace,
        name=state.name,
        trigger_type=str(spec.get("trigger_type")),
        action_type=action_of(spec),
        word=state.word,
        schedule=write_json({name: spec[name] for name in ("trigger_type", "schedule_config")}) if fires else None,
        anchor=memory.anchor if memory else parse_instant(raw["metadata"]["creationTimestamp"]),
    )


class Listed(Protocol):
    """A trigger of a list."""

    @property
    def glance(self) -> Glance:
        """Returns the summary."""

    @property
    def raw(self) -> Object:
        """Returns the object."""


@dataclass(frozen=True)
class Read:
    """A trigger from a response of the API server."""

    raw: Object

    @cached_property
    def glance(self) -> Glance:
        """See Listed."""
        return glance_at(self.raw)
