"""Story of event triggers: CloudEvents of a Pod and of a person fire runs; none is lost or counted twice."""

from __future__ import annotations

import itertools
import os
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clustertrigger.api.names import ANNOTATION_SLOT
from e2e.stories.conftest import Stage
from e2e.stories.producer import Producer, producer
from e2e.stories.scene import Object, Scene
from e2e.stories.sigkill import reaper
from harness.cluster.commands import run
from harness.cluster.errors import ClusterError
from harness.image import Images
from harness.installation import RELEASE

ELSEWHERE = "stories-elsewhere"
COLLECTION = "col_packages"
COOLDOWN = 15
SENDERS, EACH, PAUSE = 1_000, 5, 2.0
REPEAT_EVERY = 10
FLOOD_THRESHOLD, FLOOD_COOLDOWN = 1_000, 2
FLOOD_SECONDS = 400.0


def trigger(name: str, threshold: int, cooldown: int, *, event_type: str, status: str = "active") -> Object:
    """Return an event trigger with small, short runs."""
    return {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "ClusterTrigger",
        "metadata": {"name": name},
        "spec": {
            "trigger_type": "event",
            "schedule_config": {
                "event_type": event_type,
                "event_threshold": threshold,
                "collection_id": COLLECTION,
                "cooldown_seconds": cooldown,
            },
            "execution_config": {
                "collection_ids": [COLLECTION],
                "config": {"algorithm": "kmeans", "n_clusters": 3},
            },
            "status": status,
            "run": {"concurrency_policy": "Allow", "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}},
        },
    }


def event(event_type: str, count: int = 1) -> Object:
    """Return a new event."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/stories",
        "type": event_type,
        "subject": COLLECTION,
        "data": {"count": count},
    }


@pytest.fixture
def sender(scene: Scene, images: Images) -> Iterator[Producer]:
    """A Pod that may send events to the stories' namespace."""
    with producer(scene.kubectl, scene.system, images.operator.name) as running:
        yield running


@pytest.fixture(scope="module")
def bystander(stage_set: Stage) -> Iterator[Scene]:
    """A namespace to which the sender may not send, with a trigger for the same events."""
    elsewhere = Scene(stage_set.scene.kubectl.in_namespace(ELSEWHERE), stage_set.scene.system)
    elsewhere.kubectl.ensure_namespace()
    elsewhere.kubectl.apply(trigger("bystander", 1, 0, event_type="documents_added"))
    elsewhere.eventually(lambda: elsewhere.condition("bystander", "Ready"), "bystander: looked at", "bystander")
    yield elsewhere
    elsewhere.kubectl("delete", "namespace", ELSEWHERE, "--wait=false")


def ready(scene: Scene, name: str) -> None:
    scene.eventually(lambda: scene.condition(name, "Ready"), f"{name}: looked at", name)


def counted(scene: Scene, name: str) -> int:
    """Return the number of events since the trigger last fired."""
    found: int = scene.status(name).get("event_counter", 0)
    return found


def created(job: Object) -> datetime:
    return datetime.fromisoformat(job["metadata"]["creationTimestamp"])


def send(scene: Scene, *arguments: str) -> str:
    """Send an event to a documents_added trigger with the plugin; return the output."""
    plugins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["kubectl", "clustertrigger", "send", f"--namespace={scene.kubectl.namespace}"]
    options = [f"--kubeconfig={scene.kubectl.kubeconfig}", "--type=documents_added", f"--collection={COLLECTION}"]
    return run([*command, *options, *arguments], env={"PATH": plugins}, timeout=120).strip()


def test_events_of_a_program_and_of_a_person_fire(scene: Scene, bystander: Scene, sender: Producer) -> None:
    before = bystander.trigger("bystander")["metadata"]["resourceVersion"]
    scene.kubectl.apply(trigger("ingest", 100, COOLDOWN, event_type="documents_added"))
    ready(scene, "ingest")
    scene.shows("ingest", "SCHEDULE", f"0/100 documents_added, cooldown {COOLDOWN}s")

    token = sender.token()
    answer = sender.post("stories", event("documents_added", 37), token)
    assert answer == (202, {"accepted": 1, "duplicates": 0, "unmatched": 0})
    scene.shows("ingest", "SCHEDULE", f"37/100 documents_added, cooldown {COOLDOWN}s")

    assert send(scene, "--count=63", "--service-account=producer") == (
        "accepted: 63 documents_added for col_packages in stories"
    )
    first = scene.eventually(lambda: scene.jobs("ingest"), "ingest: a run", "ingest")[0]
    assert first["metadata"]["annotations"][ANNOTATION_SLOT] == "event/100"

    # The threshold is reached again during the cooldown: the trigger fires at its end and carries over five events.
    sender.post("stories", event("documents_added", 105), token)
    scene.eventually(lambda: len(scene.jobs("ingest")) == 2, "ingest: a second run", "ingest")
    second = scene.jobs("ingest")[1]
    assert created(second) - created(first) >= timedelta(seconds=COOLDOWN)
    assert second["metadata"]["annotations"][ANNOTATION_SLOT] == "event/200"
    scene.eventually(lambda: counted(scene, "ingest") == 5, "ingest: five are left", "ingest")

    def reached() -> bool:
        reasons = [line.partition(":")[0] for line in scene.events("ingest")]
        return (reasons.count("ThresholdReached"), reasons.count("CoolingDown")) == (2, 1)

    scene.eventually(reached, "ingest: reached twice, and cooled down once", "ingest")

    ended = scene.run_ended("ingest", slot="event/100")
    assert (ended["status"], ended["num_clusters"]) == ("completed", 3)
    scene.run_ended("ingest", slot="event/200")
    scene.shows("ingest", "SCHEDULE", f"5/100 documents_added, cooldown {COOLDOWN}s")
    assert bystander.trigger("bystander")["metadata"]["resourceVersion"] == before, "another namespace is not touched"
    with pytest.raises(ClusterError, match="403: 'system:serviceaccount:stories:default' is not allowed to create"):
        send(scene, "--service-account=default")
    assert counted(scene, "ingest") == 5
    scene.kubectl("delete", "clustertrigger", "ingest")


def test_who_may_not_send_changes_nothing(scene: Scene, bystander: Scene, sender: Producer) -> None:
    before = bystander.trigger("bystander")["metadata"]["resourceVersion"]
    token = sender.token()
    status, body = sender.post(ELSEWHERE, event("documents_added"), token)
    assert status == 403
    assert f"is not allowed to create clustertriggers/events in the namespace '{ELSEWHERE}'" in body["error"]
    assert sender.post(ELSEWHERE, event("documents_added"), None)[0] == 401
    assert sender.post(ELSEWHERE, event("documents_added"), f"{token[:-6]}abcdef")[0] == 401
    assert bystander.trigger("bystander")["metadata"]["resourceVersion"] == before
    assert bystander.jobs("bystander") == []


def test_paused_counts_and_fires_nothing(scene: Scene, sender: Producer) -> None:
    scene.kubectl.apply(trigger("asleep", 10, 0, event_type="documents_changed", status="paused"))
    ready(scene, "asleep")
    token = sender.token()
    assert sender.post("stories", event("documents_changed", 14), token)[1]["accepted"] == 1
    assert counted(scene, "asleep") == 14
    scene.patch("asleep", {"status": "active"})
    scene.eventually(lambda: scene.column("asleep", "STATUS") == "active", "asleep: resumed", "asleep")
    assert scene.jobs("asleep") == [], "resuming fires nothing"
    assert sender.post("stories", event("documents_changed", 2), token)[1]["accepted"] == 1
    job = scene.eventually(lambda: scene.jobs("asleep"), "asleep: the next event fires", "asleep")[0]
    # The slot is named after the event that reached the threshold, long before the trigger could fire.
    assert job["metadata"]["annotations"][ANNOTATION_SLOT] == "event/10"
    scene.eventually(lambda: counted(scene, "asleep") == 6, "asleep: six are carried over", "asleep")
    scene.kubectl("delete", "clustertrigger", "asleep")


def test_a_thousand_senders_and_a_leader_that_is_killed(scene: Scene, sender: Producer, images: Images) -> None:
    """A tenth of the events is sent twice, and unacknowledged events are sent again; the counts are still exact."""
    scene.kubectl.apply(trigger("flood", FLOOD_THRESHOLD, FLOOD_COOLDOWN, event_type="documents_flooded"))
    ready(scene, "flood")
    plan = {
        "url": sender.url("stories"),
        "type": "documents_flooded",
        "collection": COLLECTION,
        "source": "/stories/flood",
        "senders": SENDERS,
        "each": EACH,
        "pause": PAUSE,
        "repeat_every": REPEAT_EVERY,
    }
    distinct, sent = SENDERS * EACH, SENDERS * EACH * (REPEAT_EVERY + 1) // REPEAT_EVERY
    with reaper(scene.kubectl, images.operator.name) as killing, ThreadPoolExecutor(1) as beside:
        flooding = beside.submit(sender.flood, plan, FLOOD_SECONDS)
        scene.eventually(lambda: total(scene, "flood") >= distinct // 4, "flood: a quarter is counted", "flood")
        leader = str(scene.system.json("get", "lease", RELEASE)["spec"]["holderIdentity"])
        assert killing.kill(leader) == 1
        killed_at = total(scene, "flood")
        outcomes = flooding.result()
    print(f"\n{outcomes}; the leader was killed when {killed_at} of {distinct} were counted")
    assert killed_at < distinct, "the leader was killed in the middle"
    scene.eventually(lambda: restarted_by_sigkill(scene, leader), "the leader's container was started again")
    assert outcomes["acknowledged"] == sent
    assert outcomes["accepted"] + outcomes["duplicates"] == sent
    assert outcomes.get("unmatched", 0) == 0

    fires = distinct // FLOOD_THRESHOLD
    scene.eventually(lambda: len(scene.jobs("flood")) == fires, f"flood: {fires} runs", "flood")
    scene.eventually(lambda: counted(scene, "flood") == 0, "flood: all events have fired", "flood")
    assert total(scene, "flood") == distinct
    jobs = scene.jobs("flood")
    slots = {job["metadata"]["annotations"][ANNOTATION_SLOT] for job in jobs}
    assert slots == {f"event/{FLOOD_THRESHOLD * (k + 1)}" for k in range(fires)}
    for one, next_one in itertools.pairwise(jobs):
        assert created(next_one) - created(one) >= timedelta(seconds=FLOOD_COOLDOWN)

    def ended() -> bool:
        history = scene.status("flood").get("history", [])
        return len(history) == fires and all(entry["status"] in ("completed", "failed") for entry in history)

    scene.eventually(ended, "flood: all runs have ended", "flood")
    assert scene.status("flood")["execution_count"] == fires
    scene.kubectl("delete", "clustertrigger", "flood")


def total(scene: Scene, name: str) -> int:
    """Return the number of events counted so far."""
    state: Object = scene.status(name).get("event_state") or {}
    return int(state.get("total", 0))


def restarted_by_sigkill(scene: Scene, pod: str) -> bool:
    (container,) = scene.system.json("get", "pod", pod)["status"]["containerStatuses"]
    ended: Object = container["lastState"].get("terminated") or container["state"].get("terminated") or {}
    return ended.get("exitCode") == 137
