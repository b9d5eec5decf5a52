"""Story of action batch_rerun: a completed run is repeated."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clustertrigger.api import API_VERSION
from e2e.stories import data
from e2e.stories.conftest import CLAIMS, NAMESPACE
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import KMEANS, SMALL, by_interval
from harness.claim_files import claim_files
from harness.cluster.errors import ClusterError
from harness.control_plane.manifests import trigger
from harness.image import Images

EMBEDDINGS, RESULTS = CLAIMS


def rerun(name: str, batch: str, **config: object) -> Object:
    """Return a trigger that repeats a batch immediately."""
    spec = {
        "action_type": "batch_rerun",
        "action_config": {"batch_id": batch, **config},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 86_400, "start_immediately": True},
        "run": {"retries": 0, "resources": SMALL},
    }
    return trigger(name, spec)


def test_a_run_is_carried_out_again(scene: Scene, images: Images, tmp_path: Path) -> None:
    scene.kubectl.apply(by_interval("batch", {**KMEANS, "n_clusters": 5}, at_once=True))
    batch = scene.run_ended("batch")
    assert batch["status"] == "completed"
    # The rerun uses the spec of the original run, not the trigger's current spec.
    scene.kubectl.apply(by_interval("batch", {**KMEANS, "n_clusters": 2}))

    scene.kubectl.apply(rerun("again", batch["job_id"]))
    run = scene.run_ended("again")
    assert (run["status"], run["reruns"]) == ("completed", batch["job_id"])
    assert (run["num_clusters"], run["num_documents"]) == (5, batch["num_documents"])
    assert run["results_uri"].endswith(f"/again/{run['job_id']}")
    with claim_files(scene.kubectl, images.worker.name, [RESULTS]) as claims:
        for name, job in (("batch", batch["job_id"]), ("again", run["job_id"])):
            claims.download(RESULTS, f"{NAMESPACE}/{name}/{job}", tmp_path / name)
    members = [pq.read_table(tmp_path / name / "members.parquet") for name in ("batch", "again")]
    assert members[0].equals(members[1])

    scene.kubectl.apply(rerun("failed-only", batch["job_id"], retry_failed_only=True))

    line = f"batch {batch['job_id']} completed, and action_config.retry_failed_only repeats only failed batches"
    scene.wait_for_event("failed-only", "NothingToRerun", line)
    assert scene.jobs("failed-only") == []


def test_a_failed_run_is_tried_again_until_it_completes(scene: Scene, images: Images) -> None:
    late = {"volume": EMBEDDINGS, "source": {"uri": "late.parquet"}}
    scene.kubectl.apply(
        {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": "late"}, "spec": late},
        by_interval("too-soon", at_once=True, collection="late", retries=0),
    )
    failed = scene.run_ended("too-soon")
    assert (failed["status"], "late.parquet: no such file" in failed["error"]) == ("failed", True)

    with claim_files(scene.kubectl, images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload_new(EMBEDDINGS, {"late.parquet": data.files()["packages.parquet"]})
    scene.kubectl.apply(rerun("once-more", failed["job_id"], retry_failed_only=True))
    run = scene.run_ended("once-more")
    assert (run["status"], run["reruns"]) == ("completed", failed["job_id"])
    assert run["num_documents"] == data.DOCUMENTS

    scene.request_run("once-more", "not-again")
    scene.wait_for_event("once-more", "", f"was repeated by {run['job_id']}, which completed")
    assert len(scene.jobs("once-more")) == 1


def test_a_batch_that_nobody_knows(scene: Scene) -> None:
    scene.kubectl.apply(rerun("unknown", "nightly-3f9a2c-20261121020000"))
    ready = scene.eventually(lambda: scene.condition("unknown", "Ready"), "unknown: a Ready condition", "unknown")
    assert (ready["status"], ready["reason"]) == ("False", "BatchNotFound")
    looked = "no run 'nightly-3f9a2c-20261121020000' in status.history of the ClusterTriggers of this namespace"
    assert looked in ready["message"]
    assert scene.jobs("unknown") == []
    header, row = scene.kubectl("get", "clustertrigger", "unknown", "--output=wide").splitlines()
    begin, end = header.index("ACTION"), header.index("READY")
    assert header[begin:end].split() == ["ACTION", "OVERDUE"]
    assert row[begin:end].split() == ["batch_rerun", "true"]


def test_a_batch_goes_with_its_trigger(scene: Scene) -> None:
    scene.kubectl.apply(by_interval("passing", at_once=True))
    batch = scene.run_ended("passing")
    scene.kubectl.apply(rerun("left-behind", batch["job_id"]))
    assert scene.run_ended("left-behind")["status"] == "completed"
    scene.kubectl("delete", "clustertrigger", "passing")
    scene.eventually(
        lambda: scene.condition("left-behind", "Ready").get("reason") == "BatchNotFound",
        "left-behind: the batch is gone with its trigger",
        "left-behind",
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"action_config": {"retry_failed_only": True}}, "batch_id is required with batch_rerun: set it"),
        ({"action_config": {"batch_id": "Nightly_1"}}, "spec.action_config.batch_id"),
        ({"action_config": {"batch_id": "a-1", "cluster_id": "b"}}, "cluster_id is valid only with cluster: remove it"),
        ({"cluster_id": "b"}, "cluster_id is valid only with action_type cluster: remove it"),
    ],
)
def test_what_is_no_rerun_is_refused(scene: Scene, changes: Object, line: str) -> None:
    wrong = rerun("wrong", "nightly-3f9a2c-20261121020000")
    with pytest.raises(ClusterError) as refusal:
        scene.kubectl.apply({**wrong, "spec": {**wrong["spec"], **changes}})
    assert line in str(refusal.value)
