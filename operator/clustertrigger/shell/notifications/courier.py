"""Sends the notifications in statuses to each receiver independently, until the receiver has confirmed them.

Only the statuses store what is sent and to whom; after a restart, the next leader reads them. The process remembers
only confirmations that are not written yet. After a crash, those notifications are sent again with the same id. Design
record: docs/design/notifications.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

from clustercontract.counted import counted
from clustertrigger.api.conditions import EventReason
from clustertrigger.api.notification import Receiver
from clustertrigger.api.status import Notification
from clustertrigger.core.decision import Event
from clustertrigger.core.notifications.cloud_event import body_of, receiver_id
from clustertrigger.core.notifications.permissions import host_of
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.notifications.sending import AT_ONCE, Attempt, Sender
from clustertrigger.shell.observed.triggers import Triggers
from clustertrigger.shell.serving.fair_turns import FairTurns

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a failed receiver is tried again; the pause doubles each time."""
_SHARE = 0.2
"""Random share of the pause, so that receivers that failed together are not retried together."""
_TO_A_HOST = 8
"""Maximum number of concurrent requests to one host for one namespace, so that a failed host occupies few of them."""
_OF_A_NAMESPACE = AT_ONCE // 2
"""The same for one namespace. Its triggers can name any number of hosts that do not respond."""
_GATHER = 0.3
"""Seconds in which the confirmations of several receivers are combined into one write of the status."""
_REMINDED_AFTER = 6
"""Number of consecutive failures until the Warning event is repeated: a minute after the first, then every few minutes.
"""


_Waiting = tuple[Notification, Receiver, Trigger]


class Recorder(Protocol):
    """Writes Kubernetes events."""

    def record(self, trigger: Trigger, event: Event) -> None:
        """Queues an event on a trigger."""


@dataclass
class _Lane:
    """A receiver of a trigger, for which notifications wait."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end a pause: the spec was edited, or there is a notification that was not refused."""
    generation: int = 0
    """Generation of the trigger in the last round."""
    refused: frozenset[str] | None = None
    """Notifications of the last round, if the receiver refused some of them and may accept others."""
    task: asyncio.Task[None] | None = None


class Courier:
    """Sends notifications while this replica leads.

    Args:
        triggers: The triggers, whose statuses contain the notifications.
        sender: Sends a notification.
        changed: Called with a trigger when a notification is confirmed, so that its status is written.
        recorder: Records events about failures.
        metrics: Counts the attempts.
    """

    def __init__(
        self,
        triggers: Triggers,
        sender: Sender,
        changed: Callable[[Key], None],
        recorder: Recorder,
        metrics: Metrics,
    ) -> None:
        self._triggers = triggers
        self._sender = sender
        self._changed = changed
        self._recorder = recorder
        self._metrics = metrics
        self._turns_of_hosts: WeakValueDictionary[str, FairTurns] = WeakValueDictionary()
        """Turns of a namespace's hosts, by namespace; requests that have or await a turn keep them."""
        self._turns = FairTurns(AT_ONCE, _OF_A_NAMESPACE)
        self._lanes: defaultdict[Key, dict[str, _Lane]] = defaultdict(dict)
        self._delivered: dict[Key, set[tuple[str, str]]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Sends notifications until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for key in self._triggers.all_keys():
                    if (trigger := self._triggers.get(key)) is not None:
                        self.follow(trigger)
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None
            self._metrics.failing_receivers.set(0)

    def delivered(self, trigger: Trigger) -> frozenset[tuple[str, str]]:
        """Returns the confirmed notifications that are still in the status, each with its receiver."""
        return frozenset(self._delivered.get(trigger.key, ()))

    def follow(self, trigger: Trigger) -> None:
        """Sends the notifications that a trigger's status contains."""
        self._forget_what_is_written(trigger)
        if self._tasks is None:
            return
        lanes = self._lanes.get(trigger.key, {})
        for recipient in {recipient for notification in trigger.status.notifications for recipient in notification.to}:
            waiting = self._waiting(trigger.key, recipient)
            if (lane := lanes.get(recipient)) is not None:
                if _has_news(lane, waiting):
                    lane.changed.set()
            elif waiting:
                lane = self._lanes[trigger.key][recipient] = _Lane()
                lane.task = self._tasks.create_task(self._serve(trigger.key, recipient, lane))

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""
        self._delivered.pop(key, None)
        for lane in self._lanes.pop(key, {}).values():
            if lane.task is not None:
                lane.task.cancel()

    def gave_up(self, count: int) -> None:
        """Counts notifications that were given up."""
        self._metrics.notifications.labels("given_up").inc(count)

    def _forget_what_is_written(self, trigger: Trigger) -> None:
        known = self._delivered.get(trigger.key)
        if known is None:
            return
        known &= {
            (notification.id, recipient)
            for notification in trigger.status.notifications
            for recipient in notification.to
        }
        if not known:
            del self._delivered[trigger.key]

    async def _serve(self, key: Key, recipient: str, lane: _Lane) -> None:
        """Sends until nothing waits for this receiver."""
        failures = 0
        try:
            while waiting := self._waiting(key, recipient):
                lane.changed.clear()
                lane.refused, lane.generation = None, waiting[0][2].generation
                failed: Attempt | None = None
                for notification, receiver, trigger in waiting:
                    attempt = await self._attempt(trigger, notification, receiver)
                    if attempt.error is None:
                        failures = self._succeeded(failures)
                        continue
                    failed = attempt
                    if not attempt.concerns_message:
                        break
                if failed is not None:
                    failures = self._failed(key, recipient, failures, failed)
                    if failed.concerns_message:
                        lane.refused = frozenset(notification.id for notification, _, _ in waiting)
                    if _has_news(lane, self._waiting(key, recipient)):  # The notification was added during this round.
                        continue
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(lane.changed.wait(), _pause(failures, failed.wait))
        except Exception:
            # An error with one receiver affects no other. The trigger's next decision sends to it again.
            logger.exception("Internal error: notifying a receiver of %s failed", key)
        finally:
            self._succeeded(failures)
            lanes = self._lanes.get(key, {})
            if lanes.get(recipient) is lane:
                del lanes[recipient]
                if not lanes:
                    self._lanes.pop(key, None)

    def _waiting(self, key: Key, recipient: str) -> list[_Waiting]:
        """Returns the notifications that a receiver has not confirmed, oldest first."""
        trigger = self._triggers.get(key)
        if trigger is None or trigger.deleting or trigger.spec is None:
            return []
        receiver = next((each for each in trigger.spec.run.notify if receiver_id(each.uri) == recipient), None)
        if receiver is None:
            return []
        delivered = self._delivered.get(key, set())
        return [
            (notification, receiver, trigger)
            for notification in trigger.status.notifications
            if recipient in notification.to and (notification.id, recipient) not in delivered
        ]

    async def _attempt(self, trigger: Trigger, notification: Notification, receiver: Receiver) -> Attempt:
        key = trigger.key
        hosts = self._turns_of_hosts.setdefault(key.namespace, FairTurns(_OF_A_NAMESPACE, _TO_A_HOST))
        async with hosts.turn(host_of(receiver.uri)), self._turns.turn(key.namespace):
            attempt = await self._sender.send(receiver, key.namespace, notification.id, body_of(notification, key))
        if attempt.error is None:
            self._metrics.notifications.labels("delivered").inc()
            if key not in self._delivered:
                self._delivered[key] = set()
            self._delivered[key].add((notification.id, receiver_id(receiver.uri)))
            asyncio.get_running_loop().call_later(_GATHER, self._changed, key)
        else:
            self._metrics.notifications.labels("failed").inc()
            logger.info("Notifying %s of %s failed: %s", host_of(receiver.uri), notification.id, attempt.error)
        return attempt

    def _succeeded(self, failures: int) -> int:
        if failures:
            self._metrics.failing_receivers.dec()
        return 0

    def _failed(self, key: Key, recipient: str, failures: int, attempt: Attempt) -> int:
        if not failures:
            self._metrics.failing_receivers.inc()
        if failures % _REMINDED_AFTER == 0 and (waiting := self._waiting(key, recipient)):
            _, receiver, trigger = waiting[0]
            message = (
                f"{counted(len(waiting), 'CloudEvent')} for {host_of(receiver.uri)} to be sent again, for up to "
                f"retry_seconds: {attempt.error}"
            )
            self._recorder.record(
                trigger, Event("Warning", EventReason.NOTIFICATION_DELAYED, message, f"to {recipient}")
            )
        return failures + 1


def _has_news(lane: _Lane, waiting: list[_Waiting]) -> bool:
    """Returns whether a pause ends because of what waits."""
    return any(
        trigger.generation != lane.generation or (lane.refused is not None and notification.id not in lane.refused)
        for notification, _, trigger in waiting
    )


def _pause(failures: int, requested: float) -> float:
    """Returns the seconds until the next round.

    Args:
        failures: Number of consecutive rounds that failed.
        requested: Seconds that the receiver has requested.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 30), _LONGEST_PAUSE)
    return max(requested, pause * (1 + _SHARE * (random.random() - 0.5)))  # noqa: S311 - not a secret
