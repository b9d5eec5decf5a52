"""Story of schedules: each way to fire a trigger, as its owner sees it with kubectl."""

from datetime import UTC, datetime, timedelta

from clustercontract.container import RESULTS_MOUNT
from e2e.stories.data import DOCUMENTS
from e2e.stories.scene import Scene
from harness.claim_files import claim_files
from harness.image import Images
from harness.specs.results import LAYOUT, RESULT_FILES


def test_cron(scene: Scene) -> None:
    run = scene.run_ended("cron")
    assert (run["status"], run["num_clusters"], run["num_documents"]) == ("completed", 6, DOCUMENTS)
    slot = datetime.fromisoformat(run["slot"])
    assert slot.second == 0
    late = datetime.fromisoformat(run["triggered_at"]) - slot
    assert timedelta(0) <= late <= timedelta(seconds=30), "while many runs start on two cores"

    status = scene.status("cron")
    upcoming = datetime.fromisoformat(status["next_scheduled_at"])
    assert upcoming.second == 0
    assert slot < upcoming <= datetime.now(UTC) + timedelta(minutes=1)
    scene.shows("cron", "TYPE", "cron")
    scene.shows("cron", "SCHEDULE", "* * * * * Asia/Kolkata")
    scene.shows("cron", "STATUS", "active")
    scene.wait_for_event("cron", f"RunCreated: Created Job {run['job_id']} for the slot {run['slot']}")
    scene.wait_for_event("cron", f"RunCompleted: Run {run['job_id']} completed after")
    scene.pause("cron")


def test_interval_keeps_its_grid(scene: Scene) -> None:
    def three_runs() -> list[datetime] | None:
        jobs = scene.jobs("interval")
        slots = [datetime.fromisoformat(job["metadata"]["annotations"]["clustertrigger.dev/slot"]) for job in jobs]
        return slots if len(slots) >= 3 else None

    slots = scene.eventually(three_runs, "interval: three Jobs", "interval")
    scene.pause("interval")
    created = datetime.fromisoformat(scene.trigger("interval")["metadata"]["creationTimestamp"])
    offsets = [(slot - created) / timedelta(seconds=25) for slot in slots]
    assert offsets[0] == 0
    assert offsets == sorted({round(offset) for offset in offsets}), "on a slow machine, slots are skipped, not moved"
    run = scene.run_ended("interval")
    assert (run["status"], run["num_clusters"]) == ("completed", 6)
    scene.shows("interval", "SCHEDULE", "every 25s")


def test_manual_run_moves_no_schedule(scene: Scene) -> None:
    due = scene.eventually(lambda: scene.status("manual").get("next_scheduled_at"), "manual: a next run", "manual")
    scene.request_run("manual", "by-hand")
    run = scene.run_ended("manual", slot="manual/by-hand")
    assert (run["status"], run["num_clusters"]) == ("completed", 4)
    status = scene.status("manual")
    assert status["last_run_requested"] == "by-hand"
    assert status["next_scheduled_at"] == due
    scene.request_run("manual", "by-hand")  # the same token requests only one run
    assert len(scene.jobs("manual")) == 1
    scene.shows("manual", "LAST RESULT", "completed")
    scene.shows("manual", "RUNS", "1")


def test_by_cluster_id(scene: Scene) -> None:
    run = scene.run_ended("by-cluster-id")
    assert run["status"] == "completed"
    assert run["num_documents"] == DOCUMENTS
    assert run["num_clusters"] >= 2
    assert any("node embedding" in note for note in run["notes"]), "the reduction that hdbscan chose is recorded"


def test_results_are_whole_and_on_the_claim(scene: Scene, images: Images) -> None:
    run = scene.run_ended("by-cluster-id")
    folder = run["results_uri"].removeprefix(f"{RESULTS_MOUNT}/")
    assert folder == f"stories/by-cluster-id/{run['job_id']}"
    with claim_files(scene.kubectl, images.worker.name, ["clustertrigger-results"]) as claims:
        there = [path for path in claims.listing("clustertrigger-results") if path.startswith(folder)]
    assert sorted(path.removeprefix(f"{folder}/") for path in there) == sorted([*RESULT_FILES, LAYOUT])
    baseline = scene.status("by-cluster-id")["baseline_snapshot"]
    assert (baseline["run"], baseline["documents"], baseline["dimensions"]) == (run["job_id"], DOCUMENTS, 384)
