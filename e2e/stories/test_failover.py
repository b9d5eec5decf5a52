"""Story of failover: the operator's Pod is killed during runs; another replica takes over, and no slot fires twice."""

import re
from collections import Counter
from datetime import datetime, timedelta

from clustertrigger.api.names import ANNOTATION_SLOT
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import by_interval
from harness.installation import RELEASE

SECONDS = 8
MISSED = re.compile(r"SlotsMissed: Missed (?:the slot|(\d+) slots from) (\S+Z)(?: to (\S+Z))?:")


def test_leader_is_killed(scene: Scene) -> None:
    scene.kubectl.apply(
        by_interval("steady", seconds=SECONDS, at_once=True, concurrency_policy="Allow", history_limit=100)
    )
    scene.running("steady")
    killed = holder(scene)
    fired = len(scene.jobs("steady"))
    scene.system("delete", "pod", killed, "--grace-period=0", "--force")

    scene.eventually(lambda: holder(scene) not in ("", killed), "another replica leads")
    scene.eventually(lambda: len(scene.jobs("steady")) >= fired + 2, "steady: the schedule goes on", "steady")
    scene.pause("steady")

    def settled() -> Object | None:
        status = scene.status("steady")
        history = status.get("history", [])
        ended = all(entry["status"] in ("completed", "failed") for entry in history)
        jobs = scene.jobs("steady")
        return status if ended and len(history) == len(jobs) and all(has_ended(job) for job in jobs) else None

    status = scene.eventually(settled, "steady: every Job is in the history, and all have ended", "steady")
    check_every_slot(scene, status)
    scene.kubectl("delete", "clustertrigger", "steady")


def check_every_slot(scene: Scene, status: Object) -> None:
    """Verify that each slot has exactly one Job or is reported as missed, and that the status matches the Jobs."""
    jobs = scene.jobs("steady")
    slots = Counter(instant(job["metadata"]["annotations"][ANNOTATION_SLOT]) for job in jobs)
    assert set(slots.values()) == {1}, f"a slot has several Jobs: {slots}"
    missed = {slot for event in scene.events("steady") for slot in missed_slots(event)}
    assert not missed & set(slots), "a slot is called missed and has a Job"

    first, last = min(slots), max(slots)
    grid = {first + timedelta(seconds=SECONDS * k) for k in range((last - first) // timedelta(seconds=SECONDS) + 1)}
    assert first == instant(scene.trigger("steady")["metadata"]["creationTimestamp"])
    assert grid == set(slots) | {slot for slot in missed if slot <= last}

    outcomes = Counter("completed" if job["status"].get("succeeded") else "failed" for job in jobs)
    assert outcomes == Counter(entry["status"] for entry in status["history"])
    assert (status["execution_count"], status["failure_count"]) == (outcomes["completed"], outcomes["failed"])
    assert outcomes["failed"] == 0
    created = [event for event in scene.events("steady") if event.startswith("RunCreated: ")]
    assert len(created) <= len(jobs), "events may be lost with their operator, but are never invented"


def has_ended(job: Object) -> bool:
    """Return whether the Job's conditions say that it has ended; the trigger's status may be updated earlier."""
    conditions = job["status"].get("conditions", [])
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)


def holder(scene: Scene) -> str:
    """Return the name of the leading Pod."""
    return str(scene.system.json("get", "lease", RELEASE)["spec"].get("holderIdentity") or "")


def missed_slots(event: str) -> set[datetime]:
    """Return the slots that an event reports as missed."""
    found = MISSED.match(event)
    if found is None:
        return set()
    first = instant(found[2])
    count = int(found[1] or 1)
    return {first + timedelta(seconds=SECONDS * k) for k in range(count)}


def instant(text: str) -> datetime:
    """Parse an RFC 3339 time."""
    return datetime.fromisoformat(text)
