"""Builds the page of many triggers: the table of `kubectl get`, and its filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from urllib.parse import urlencode

from clustercontract.counted import counted
from clustertrigger.api.schedule import TriggerType
from clustertrigger.core.humanize import coarse
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.trigger_state import TriggerState, coming
from clustertrigger.rest.page.views.glance import Glance, Listed
from clustertrigger.rest.page.views.timeline import Timeline, timeline
from clustertrigger.rest.page.views.words import TONES, Moment, Tone, moment

ROWS = 100
"""Number of triggers on one page of the table."""
STATES = ("active", "running", "paused", "disabled", "failed", "not ready", "not seen")
"""States of a trigger, as text."""
TYPES: tuple[str, ...] = get_args(TriggerType)


@dataclass(frozen=True, slots=True)
class Filters:
    """The reader's filters; empty for any."""

    namespace: str = ""
    type: str = ""
    state: str = ""
    action: str = ""
    start: int = 0
    """Number of the first row."""

    def query(self, **changes: object) -> str:
        """Returns the query of a URL with some of the filters changed. Filters that are not set are left out."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changes
        return urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    namespace: str
    name: str
    type: str
    action: str
    schedule: str
    state: str
    tone: Tone
    last_run: Moment | None
    last_result: str
    result_tone: Tone
    next_run: Moment | None
    coming: str
    """Returns when it is due, or how many events are still missing."""
    runs: int
    failures: int
    age: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The page of many triggers.

    Attributes:
        filters: The reader's filters.
        rows: Rows on this page of the table.
        total: Number of matching triggers.
        summary: Summary of these, in one line.
        actions: Actions that the reader can choose from.
        timeline: Timeline of all matching triggers.
        earlier: Query of the previous page; None on the first one.
        later: Query of the next page; None on the last one.
    """

    filters: Filters
    rows: Sequence[Row]
    total: int
    summary: str
    actions: Sequence[str]
    timeline: Timeline
    earlier: str | None
    later: str | None


def overview(listed: Sequence[Listed], filters: Filters, now: datetime) -> Overview:
    """Returns the page of triggers.

    Args:
        listed: The triggers of the requested namespace that the reader may see.
        filters: The reader's filters.
        now: The current time.
    """
    pairs = [(one.glance, one) for one in listed]
    found = sorted(
        (pair for pair in pairs if _matches(pair[0], filters)), key=lambda pair: (pair[0].namespace, pair[0].name)
    )
    glances = [glance for glance, _ in found]
    start = min(filters.start, max(len(found) - 1, 0) // ROWS * ROWS)
    return Overview(
        filters=filters,
        rows=[_row(glance, TriggerState(one.raw), now) for glance, one in found[start : start + ROWS]],
        total=len(found),
        summary=_summary(glances),
        actions=sorted({glance.action_type for glance, _ in pairs} | {filters.action} - {""}),
        timeline=timeline(glances, now),
        earlier=filters.query(start=start - ROWS) if start else None,
        later=filters.query(start=start + ROWS) if start + ROWS < len(found) else None,
    )


def _matches(glance: Glance, filters: Filters) -> bool:
    return (
        filters.namespace in ("", glance.namespace)
        and filters.type in ("", glance.trigger_type)
        and filters.action in ("", glance.action_type)
        and filters.state in ("", glance.word)
    )


def _summary(found: Sequence[Glance]) -> str:
    counts = Counter(glance.word for glance in found)
    parts = [f"{counts[word]:,} {word}" for word in STATES if counts[word]]
    return counted(len(found), "trigger") + (f": {', '.join(parts)}" if parts else "")


def _row(glance: Glance, state: TriggerState, now: datetime) -> Row:
    status, last = state.status, state.last
    created = parse_instant(state.raw["metadata"]["creationTimestamp"])
    result = last.status if last else ""
    return Row(
        namespace=glance.namespace,
        name=glance.name,
        type=glance.trigger_type,
        action=glance.action_type,
        schedule=status.schedule or "",
        state=glance.word,
        tone=TONES.get(glance.word, "unsure"),
        last_run=moment(last.triggered_at if last else status.last_triggered_at, now),
        last_result=result,
        result_tone=TONES.get(result, "unsure"),
        next_run=moment(status.next_scheduled_at, now),
        coming=coming(state, now),
        runs=status.execution_count,
        failures=status.failure_count,
        age=coarse((now - created).total_seconds()),
        trouble=state.trouble,
    )
