"""Sets the conditions, which follow kstatus. Design record: docs/design/ownership.md."""

from __future__ import annotations

from typing import Literal

from clustercontract.counted import counted
from clustertrigger.api.conditions import ConditionType, EventReason, Reason
from clustertrigger.api.status import LONGEST_CONDITION, Condition, find_condition
from clustertrigger.core.draft import Draft
from clustertrigger.core.notifications.permissions import problems_in
from clustertrigger.core.policies.baseline import outlook, trouble
from clustertrigger.core.policies.overdue import waits_for
from clustertrigger.core.resources.catalog import Unresolved
from clustertrigger.core.resources.problem import all_of
from clustertrigger.core.resources.validation import warnings_of
from clustertrigger.core.schedules.timetable import describe_schedule
from clustertrigger.core.text import cut

_Verdict = tuple[bool, Reason, str]


def set_conditions(draft: Draft) -> None:
    """Sets Ready, Stalled and Running. Each keeps the time of its last change."""
    verdicts = {
        ConditionType.READY: _ready(draft),
        ConditionType.STALLED: _stalled(draft),
        ConditionType.RUNNING: _running(draft),
    }
    draft.status.conditions = [_condition(draft, kind, *verdict) for kind, verdict in verdicts.items()]


def announce(draft: Draft) -> None:
    """Records events for changes that users should notice, once for each message."""
    ready = find_condition(draft.status.conditions, ConditionType.READY)
    if ready and ready.reason == Reason.INVALID_SPEC and _is_news(draft, ready):
        draft.warn(EventReason.INVALID_SPEC, ready.message)
    stalled = find_condition(draft.status.conditions, ConditionType.STALLED)
    if stalled and stalled.status == "True" and stalled.reason == Reason.CHAIN_LOOP and _is_news(draft, stalled):
        draft.warn(EventReason.CHAIN_LOOP, stalled.message)
    running = find_condition(draft.status.conditions, ConditionType.RUNNING)
    if draft.held and running and _is_news(draft, running):
        draft.warn(draft.held.reason, running.message)


def _ready(draft: Draft) -> _Verdict:
    spec = draft.trigger.spec
    if spec is None:
        return False, Reason.INVALID_SPEC, all_of(draft.trigger.problems)
    if spec.status == "disabled":
        message = "The trigger is disabled by spec.status: it does not fire and does not count events"
        return True, Reason.DISABLED, message
    if spec.status == "paused":
        return True, Reason.PAUSED, "The trigger is paused by spec.status: it does not fire"
    if draft.failed:
        return False, *_failed(draft)
    if isinstance(draft.observed.work, Unresolved):
        return False, draft.observed.work.reason, draft.observed.work.message
    if (problem := trouble(draft)) is not None:
        return False, *problem
    refused = problems_in(spec.run.notify, draft.trigger.key.namespace, draft.observed.permissions)
    warned = "".join(f". Warning: {warning}" for warning in [*warnings_of(spec), *refused])
    return True, Reason.SCHEDULED, f"The schedule is live: {describe_schedule(spec)}{outlook(draft)}{warned}"


def _stalled(draft: Draft) -> _Verdict:
    spec = draft.trigger.spec
    if spec is None:
        return True, Reason.INVALID_SPEC, "The spec is invalid: the Ready condition names the remedy"
    if draft.failed and spec.status not in ("paused", "disabled"):
        return True, *_failed(draft)
    state = draft.status.event_state
    if state is not None and state.loop is not None and spec.status == "active":
        return True, Reason.CHAIN_LOOP, state.loop[:1].upper() + state.loop[1:]
    if isinstance(draft.observed.work, Unresolved):
        # The missing object may be applied a moment later, by the same kubectl apply.
        message = f"The trigger waits for a referenced object: {draft.observed.work.message}"
        return False, draft.observed.work.reason, message
    if spec.status == "active" and (problem := trouble(draft)) is not None:
        return True, *problem
    return False, Reason.NOT_STALLED, "No intervention is needed"


def _failed(draft: Draft) -> tuple[Reason, str]:
    spec = draft.trigger.spec
    if spec is not None and spec.status == "failed":
        return Reason.MARKED_FAILED, "spec.status is failed: set it to active to fire again"
    error = draft.status.last_execution_error
    return (
        Reason.TOO_MANY_FAILURES,
        f"{counted(draft.status.consecutive_failures, 'run')} failed in a row, most recently: {error}. Change the spec "
        "or set the annotation clustertrigger.dev/reset-requested to a new value to fire again",
    )


def _running(draft: Draft) -> _Verdict:
    active = draft.active_runs()
    if draft.held is not None:
        return bool(active), Reason.CREATE_REFUSED, draft.held.message
    if active:
        return True, Reason.RUN_ACTIVE, "Active: " + ", ".join(_shown(draft, entry.job_id) for entry in active)
    return False, Reason.NO_ACTIVE_RUN, "No run is active"


def _shown(draft: Draft, job: str) -> str:
    waiting = waits_for(draft, job)
    return f"{job} ({waiting})" if waiting else job


def _condition(draft: Draft, kind: ConditionType, holds: bool, reason: Reason, message: str) -> Condition:
    status: Literal["True", "False"] = "True" if holds else "False"
    before = find_condition(draft.before.conditions, kind)
    message = cut(message, LONGEST_CONDITION)
    content = (status, draft.trigger.generation, reason.value, message)
    if before and (before.status, before.observedGeneration, before.reason, before.message) == content:
        return before  # Usually nothing changes. Building a new condition would take a tenth of a decision's time.
    same = before is not None and before.status == status
    return Condition(
        type=kind.value,
        status=status,
        observedGeneration=draft.trigger.generation,
        lastTransitionTime=before.lastTransitionTime if before and same else draft.now.replace(microsecond=0),
        reason=reason.value,
        message=message,
    )


def _is_news(draft: Draft, condition: Condition) -> bool:
    before = find_condition(draft.before.conditions, ConditionType(condition.type))
    return before is None or (before.reason, before.message) != (condition.reason, condition.message)
