"""Handles runs that are requested by annotation."""

from __future__ import annotations

from datetime import timedelta

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.status import RunRequest
from clustertrigger.core.draft import Draft
from clustertrigger.core.jobs.naming import job_name
from clustertrigger.core.jobs.slot import ManualSlot
from clustertrigger.core.policies.job_creation import in_the_way, launch, why_missed, why_needless
from clustertrigger.core.policies.lifecycle import is_live


def run_on_request(draft: Draft) -> None:
    """Fires once for each new value of the annotation run-requested, independently of the schedule."""
    token, spec = draft.trigger.run_requested, draft.trigger.spec
    waiting = draft.status.waiting_request
    if token is None or token == draft.status.last_run_requested:
        draft.status.waiting_request = None
        return
    if draft.actions:
        return
    obstacle = _why_not_now(draft)
    if spec is None or obstacle:
        draft.status.last_run_requested = token
        draft.status.waiting_request = None
        draft.warn(EventReason.REQUEST_IGNORED, f"The run requested by {token!r} was not started: {obstacle}")
        return
    slot = ManualSlot(token)
    name = job_name(draft.trigger.key.name, draft.trigger.uid, slot)
    if draft.has_fired(name):
        draft.status.last_run_requested = token
        draft.status.waiting_request = None
        draft.warn(
            EventReason.REQUEST_IGNORED,
            f"The run requested by {token!r} was not started: {name} already ran for this value: request a run with "
            "a different value",
        )
        return
    if waiting is None or waiting.token != token or draft.is_ahead(waiting.since):
        waiting = RunRequest(token=token, since=draft.now)
    deadline = waiting.since + timedelta(seconds=spec.run.starting_deadline_seconds)
    if draft.now >= deadline:
        draft.status.last_run_requested = token
        draft.status.waiting_request = None
        why = why_missed(draft, spec, name)
        draft.warn(EventReason.REQUEST_IGNORED, f"The run requested by {token!r} was abandoned: {why}")
        return
    launch(draft, spec, name, slot, deadline)
    if not draft.actions:
        # Stored in the status, so that it also expires after a restart of the operator.
        draft.status.waiting_request = waiting


def _why_not_now(draft: Draft) -> str | None:
    spec = draft.trigger.spec
    if spec is None:
        return "the spec is invalid"
    if not is_live(draft):
        return f"the trigger is {draft.status.status}: set spec.status: active and request again"
    return in_the_way(draft, spec) or why_needless(draft)
