"""Tests of the courier: it serves each receiver independently, retries, and needs only the status after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from clustertrigger.api.notification import Receiver
from clustertrigger.core.decision import Event
from clustertrigger.core.notifications.cloud_event import receiver_id
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.notifications import courier as module
from clustertrigger.shell.notifications.courier import Courier
from clustertrigger.shell.notifications.sending import Attempt, Sender
from clustertrigger.shell.observed.triggers import Triggers
from tests.core.builders import CREATED, UID, spec

A, B = "https://a.example.com/hook", "https://b.example.com/hook"
DOWN = Attempt("the receiver answered 503")
KEY = Key("search", "products")


class Fake(Sender):
    """Returns the answers that the test sets, and keeps the requests."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.answer: Callable[[str, str], Attempt] = lambda _uri, _id: Attempt()
        self.hold: dict[str, asyncio.Event] = {}

    async def send(self, receiver: Receiver, namespace: str, message_id: str, body: bytes) -> Attempt:
        self.sent.append((receiver.uri, message_id))
        if receiver.uri in self.hold:
            await self.hold[receiver.uri].wait()
        return self.answer(receiver.uri, message_id)


class Stage:
    """A courier, a trigger with two receivers, and the notifications that were received."""

    def __init__(self) -> None:
        self.metrics, self.sender = Metrics(), Fake()
        self.triggers = Triggers(lambda _: None, self.metrics)
        self.changed: list[Key] = []
        self.events: list[Event] = []
        self.version, self.generation = 0, 1
        self.courier = self.new_courier()

    def new_courier(self) -> Courier:
        return Courier(self.triggers, self.sender, self.changed.append, self, self.metrics)

    def record(self, trigger: Trigger, event: Event) -> None:
        self.events.append(event)

    def store(self, key: Key = KEY, uris: Sequence[str] = (A, B), **waiting: list[str]) -> Trigger:
        """Sets the notifications of the status: for each ID, its receivers."""
        self.version += 1
        self.triggers.saw(
            {
                "metadata": {
                    "namespace": key.namespace,
                    "name": key.name,
                    "uid": UID if key == KEY else str(key),
                    "generation": self.generation,
                    "resourceVersion": str(self.version),
                    "creationTimestamp": CREATED.isoformat(),
                },
                "spec": spec(run={"notify": [{"uri": uri} for uri in uris]}),
                "status": {
                    "notifications": [
                        {
                            "id": name,
                            "type": "dev.clustertrigger.run.completed",
                            "subject": "products-1",
                            "time": CREATED.isoformat(),
                            "to": [receiver_id(uri) for uri in to],
                            "data": {},
                        }
                        for name, to in waiting.items()
                    ]
                },
            }
        )
        found = self.triggers.get(key)
        assert found is not None
        return found

    def gauge(self) -> float:
        return float(self.metrics.failing_receivers._value.get())

    def confirmed(self) -> set[tuple[str, str]]:
        trigger = self.triggers.get(KEY)
        assert trigger is not None
        return set(self.courier.delivered(trigger))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "_GATHER", 0.01)
    return Stage()


@asynccontextmanager
async def working(courier: Courier) -> AsyncIterator[None]:
    task = asyncio.create_task(courier.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.005)


async def test_a_new_leader_sends_the_notifications_in_the_status(stage: Stage) -> None:
    stage.store(one=[A, B], two=[B])
    async with working(stage.courier):
        await until(lambda: len(stage.sender.sent) == 3)
        await until(lambda: stage.changed)
    assert sorted(stage.sender.sent) == [(A, "one"), (B, "one"), (B, "two")]
    assert stage.confirmed() == {("one", receiver_id(A)), ("one", receiver_id(B)), ("two", receiver_id(B))}
    assert stage.metrics.notifications.labels("delivered")._value.get() == 3


async def test_a_confirmed_notification_is_sent_once(stage: Stage) -> None:
    trigger = stage.store(one=[A])
    async with working(stage.courier):
        await until(lambda: stage.changed)
        for _ in range(3):
            stage.courier.follow(trigger)
            await asyncio.sleep(0.01)
        stage.courier.follow(stage.store())
        assert stage.confirmed() == set()
    assert stage.sender.sent == [(A, "one")]


async def test_a_receiver_gets_all_notifications_after_its_outage(stage: Stage) -> None:
    down = True
    stage.sender.answer = lambda _uri, _id: DOWN if down else Attempt()
    stage.store(one=[A], two=[A], three=[A])
    async with working(stage.courier):
        await until(lambda: len(stage.sender.sent) >= 3)
        assert {name for _, name in stage.sender.sent} == {"one"}, "the others wait while it is down"
        assert stage.gauge() == 1
        down = False
        await until(lambda: len(stage.confirmed()) == 3)
        await until(lambda: stage.gauge() == 0)
    told = [event.message for event in stage.events]
    assert (
        told[0]
        == "3 CloudEvents for a.example.com to be sent again, for up to retry_seconds: the receiver answered 503"
    )
    assert stage.events[0].reason == "NotificationDelayed"
    assert len(told) <= 2, "it is said once, not at each attempt"


async def test_a_slow_receiver_does_not_delay_others(stage: Stage) -> None:
    stage.sender.hold[A] = asyncio.Event()
    stage.store(one=[A, B], two=[A, B])
    async with working(stage.courier):
        await until(lambda: len(stage.confirmed()) == 2)
        assert stage.confirmed() == {("one", receiver_id(B)), ("two", receiver_id(B))}
        stage.sender.hold[A].set()
        await until(lambda: len(stage.confirmed()) == 4)


async def test_a_namespace_with_many_failed_hosts_delays_no_other_one(stage: Stage) -> None:
    down = [f"https://{number}.example.com/" for number in range(96)]
    stage.sender.hold = {uri: asyncio.Event() for uri in down}
    for number in range(0, len(down), 8):
        uris = down[number : number + 8]
        stage.store(Key("down", f"trigger-{number}"), uris, one=uris)
    async with working(stage.courier):
        await until(lambda: len(stage.sender.sent) >= 32)
        stage.courier.follow(stage.store(one=[A]))
        async with asyncio.timeout(5):
            while (A, "one") not in stage.sender.sent:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.005)
        for event in stage.sender.hold.values():
            event.set()
        await until(lambda: len(stage.sender.sent) == 97)


class OneByOne(asyncio.Event):
    """Each `set` ends one request."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = asyncio.Semaphore(0)

    def set(self) -> None:
        self._ended.release()

    async def wait(self) -> Literal[True]:
        await self._ended.acquire()
        return True


async def test_the_hosts_of_a_namespace_take_turns(stage: Stage) -> None:
    down, request = [f"https://{number}.example.com/" for number in range(8)], OneByOne()
    stage.sender.hold = dict.fromkeys(down, request)
    for number in range(12):
        stage.store(Key(KEY.namespace, f"trigger-{number}"), down, one=down)
    async with working(stage.courier):
        await until(lambda: len(stage.sender.sent) == 32)
        stage.courier.follow(stage.store(one=[A]))
        for _ in range(len(down) + 1):
            request.set()
        await until(lambda: len(stage.sender.sent) >= 32 + len(down) + 1)
        assert (A, "one") in stage.sender.sent, "it waits for one request of each other host"
        for _ in range(96):
            request.set()
        await until(lambda: len(stage.sender.sent) == 97)


async def test_a_refused_notification_does_not_delay_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 600.0)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 600.0)
    refused = Attempt("the receiver answered 400", concerns_message=True)
    stage.sender.answer = lambda _uri, name: refused if name == "one" else Attempt()
    stage.store(one=[A], two=[A])
    async with working(stage.courier):
        await until(lambda: stage.confirmed() == {("two", receiver_id(A))})
        stage.courier.follow(stage.store(one=[A], three=[A]))
        await until(lambda: ("three", receiver_id(A)) in stage.confirmed())


async def test_the_next_leader_repeats_unrecorded_notifications(stage: Stage) -> None:
    stage.store(one=[A])
    async with working(stage.courier):
        await until(lambda: stage.sender.sent)
    async with working(stage.new_courier()):
        await until(lambda: len(stage.sender.sent) == 2)
    assert stage.sender.sent == [(A, "one"), (A, "one")]


async def test_no_notifications_about_a_deleted_trigger(stage: Stage) -> None:
    stage.sender.answer = lambda _uri, _id: DOWN
    stage.store(one=[A, B])
    async with working(stage.courier):
        await until(lambda: stage.gauge() == 2)
        stage.triggers.gone(*KEY, UID)
        stage.courier.forget(KEY)
        await until(lambda: stage.gauge() == 0)
        sent = len(stage.sender.sent)
        await asyncio.sleep(0.1)
        assert len(stage.sender.sent) == sent


async def test_an_edit_ends_the_delay(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 600.0)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 600.0)
    stage.sender.answer = lambda _uri, _id: DOWN
    stage.store(one=[A])
    async with working(stage.courier):
        await until(lambda: stage.gauge() == 1)
        stage.courier.follow(stage.store(one=[A], two=[A]))
        await asyncio.sleep(0.05)
        assert len(stage.sender.sent) == 1, "what is new does not end the pause of a receiver that is down"
        stage.sender.answer = lambda _uri, _id: Attempt()
        stage.generation += 1
        stage.courier.follow(stage.store(one=[A], two=[A]))
        await until(lambda: len(stage.confirmed()) == 2)


@pytest.mark.parametrize(
    ("failures", "asked", "seconds"),
    [(1, 0, 1), (2, 0, 2), (3, 0, 4), (9, 0, 256), (10, 0, 300), (2000, 0, 300), (1, 77, 77), (10, 77, 300)],
)
def test_the_delay_grows_and_a_receiver_can_request_more(failures: int, asked: float, seconds: float) -> None:
    assert 0.9 * seconds <= module._pause(failures, asked) <= 1.1 * seconds


@pytest.mark.parametrize("result", ["delivered", "failed", "given_up"])
def test_counters_start_at_0_so_that_alerts_see_the_first_failure(result: str) -> None:
    registry = Metrics().registry
    assert registry.get_sample_value("clustertrigger_notifications_total", {"result": result}) == 0
