"""Sends the ends of runs and checks until each receiver has confirmed them or retry_seconds have passed.

Design record: docs/design/notifications.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from clustertrigger.api.conditions import EventReason
from clustertrigger.api.notification import Occasion, Receiver
from clustertrigger.api.status import Execution, Notification
from clustertrigger.core.draft import Draft, is_active
from clustertrigger.core.humanize import duration
from clustertrigger.core.notifications.cloud_event import notification, of_check, of_run, receiver_id
from clustertrigger.core.notifications.permissions import host_of

MOST_WAITING = 100
"""Maximum number of unconfirmed notifications of a trigger, because the status contains their data. The oldest are
dropped.
"""


def tell_what_ended(draft: Draft) -> None:
    """Creates notifications for runs that ended, and for checks whose condition is met.

    One write stores the end and the notification, so an operator that is killed before it repeats both, and one that is
    killed after it loses neither.
    """
    spec = draft.trigger.spec
    if spec is None or not spec.run.notify or not draft.observed.permissions.enabled:
        return
    for occasion, job, data in _occasions(draft):
        receivers = [receiver for receiver in spec.run.notify if occasion in receiver.events]
        if receivers:
            notice = notification(occasion, job, draft.now, data, receivers)
            draft.status.notifications = [*draft.status.notifications, notice]


def settle_notifications(draft: Draft) -> None:
    """Removes notifications that a receiver has confirmed, or that can no longer be sent to it."""
    waiting = draft.status.notifications
    if not waiting:
        return
    spec = draft.trigger.spec
    if spec is None:
        # The receivers are unknown until the spec is corrected.
        return
    receivers = {receiver_id(receiver.uri): receiver for receiver in spec.run.notify}
    kept = []
    for notice in waiting:
        left = [
            recipient for recipient in notice.to if _still_waits(draft, notice, recipient, receivers.get(recipient))
        ]
        if left:
            kept.append(notice if left == notice.to else replace(notice, to=left))
    for notice in kept[:-MOST_WAITING]:
        hosts = ", ".join(dict.fromkeys(host_of(receivers[recipient].uri) for recipient in notice.to))
        draft.warn(
            EventReason.NOTIFICATION_FAILED,
            f"Gave up notifying {hosts} of {notice.id}: more than {MOST_WAITING} notifications of this trigger were "
            "waiting",
        )
    kept = kept[-MOST_WAITING:]
    if kept != waiting:
        draft.status.notifications = kept


def _still_waits(draft: Draft, notice: Notification, recipient: str, receiver: Receiver | None) -> bool:
    if receiver is None or (notice.id, recipient) in draft.observed.delivered:
        return False
    # If the clock was ahead when it was written, it must not be kept longer because of that.
    until = min(notice.time, draft.now) + timedelta(seconds=receiver.retry_seconds)
    if draft.now < until:
        draft.wake(until)
        return True
    draft.warn(
        EventReason.NOTIFICATION_FAILED,
        f"Gave up notifying {host_of(receiver.uri)} of {notice.id}: the receiver did not confirm it within "
        f"{duration(receiver.retry_seconds)} (retry_seconds)",
    )
    return False


def _occasions(draft: Draft) -> Iterator[tuple[Occasion, str, dict[str, Any]]]:
    """Yields what has ended by this decision, oldest first."""
    key, status = draft.trigger.key, draft.status
    were_checks = {check.job_id: check for check in draft.before.checks}
    for check in reversed(status.checks):
        before = were_checks.get(check.job_id)
        if check.fires and not (before and before.fires):
            yield "drifted", check.job_id, of_check(key, check, status.last_measurement)
    were_runs = {run.job_id: run for run in draft.before.history}
    for run in reversed(status.history):
        if is_active(run) or not _was_active(were_runs.get(run.job_id)):
            continue
        data = of_run(key, run, status.last_result)
        yield ("completed" if run.status == "completed" else "failed"), run.job_id, data
        changes = data.get("changes") or {}
        if run.status == "completed" and (changes.get("new") or changes.get("gone")):
            yield "changed", run.job_id, data


def _was_active(before: Execution | None) -> bool:
    return before is None or is_active(before)
