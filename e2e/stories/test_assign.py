"""Story of examples/assign.yaml: an event trigger assigns documents to the clusters of a nightly run.

A third trigger combines the clusters of two nights.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustertrigger.api import API_VERSION
from e2e.stories.conftest import CLAIMS, NAMESPACE, Stage
from e2e.stories.data import EXAMPLE
from e2e.stories.producer import Producer, producer
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import SMALL
from harness.claim_files import claim_files
from harness.cluster.errors import ClusterError
from harness.control_plane.manifests import trigger
from harness.image import Images

EMBEDDINGS, RESULTS = CLAIMS
KNOWN, NEW, STRANGE = 400, 60, 5
PROGRAM = Path(__file__).parents[2] / "examples/assign.yaml"


@pytest.fixture(scope="module")
def packages() -> pa.Table:
    """The packages in random order, so that those of the day have the same topics as those of the night."""
    table = pq.read_table(EXAMPLE, columns=["document_id", "description", "embedding"])
    return table.take(np.random.default_rng(0).permutation(len(table))[: KNOWN + NEW])


def strange() -> pa.Table:
    """Return documents that are similar to no other documents."""
    vectors = np.random.default_rng(1).normal(size=(STRANGE, 384)).astype(np.float32)
    return pa.table(
        {
            "document_id": [f"strange-{number}" for number in range(STRANGE)],
            "description": ["no package at all"] * STRANGE,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384),
        }
    )


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def manifests() -> list[Object]:
    arriving = {"volume": EMBEDDINGS, "source": {"uri": "arriving/", "text_column": "description"}}
    labels = {"volume": EMBEDDINGS, "source": {"uri": "arriving-labels/"}, "write": {}}
    definition = {
        "cluster_id": "cluster_arriving",
        "collection_ids": ["arriving"],
        "config": {"algorithm": "kmeans", "n_clusters": 8},
        "outputs": ["arriving-labels"],
    }
    specs = {("Collection", "arriving"): arriving, ("Collection", "arriving-labels"): labels,
             ("ClusterDefinition", "arriving-topics"): definition}  # fmt: skip
    return [
        {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        for (kind, name), spec in specs.items()
    ]


def nightly() -> Object:
    schedule = {"trigger_type": "cron", "schedule_config": {"cron_expression": "0 2 * * *"}}
    return trigger("at-night", {**schedule, "cluster_id": "cluster_arriving", "run": {"resources": SMALL}})


def hourly(threshold: float = 0.25, **config: object) -> Object:
    spec = {
        "trigger_type": "event",
        "schedule_config": {"event_type": "documents_added", "event_threshold": 50, "collection_id": "arriving"},
        "action_config": {
            "cluster_id": "cluster_arriving", "mode": "assign", "assignment_threshold": threshold, **config
        },
        "run": {"resources": SMALL},
    }  # fmt: skip
    return trigger("by-day", spec)


@pytest.fixture(scope="module")
def sender(stage_set: Stage) -> Iterator[Producer]:
    """A Pod that may send events to the stories' namespace."""
    scene = stage_set.scene
    with producer(scene.kubectl, scene.system, stage_set.images.operator.name) as running:
        yield running


def arrive(sender: Producer, identifier: str, count: int) -> None:
    """Send an event for a number of added documents."""
    event = {"specversion": "1.0", "id": identifier, "source": "/stories/assign", "type": "documents_added",
             "subject": "arriving", "data": {"count": count}}  # fmt: skip
    assert sender.post(NAMESPACE, event, sender.token()) == (202, {"accepted": 1, "duplicates": 0, "unmatched": 0})


def members(folder: Path) -> dict[str, int]:
    table = pq.read_table(folder / "members.parquet")
    return dict(zip(table["document_id"].to_pylist(), table["cluster_id"].to_pylist(), strict=True))


def names(folder: Path) -> dict[int, str]:
    table = pq.read_table(folder / "centroids.parquet")
    return dict(zip(table["cluster_id"].to_pylist(), table["name"].to_pylist(), strict=True))


def test_before_the_first_night_it_waits(scene: Scene, images: Images, sender: Producer, packages: pa.Table) -> None:
    """The event is counted, and the trigger fires as soon as there are clusters."""
    with claim_files(scene.kubectl, images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload_new(EMBEDDINGS, {"arriving/first.parquet": written(packages[:KNOWN])})
    scene.kubectl.apply(*manifests(), nightly(), hourly())
    ready = scene.eventually(lambda: scene.condition("by-day", "Ready"), "by-day: looked at", "by-day")
    print(f"\n{ready['reason']}: {ready['message']}")
    assert (ready["status"], ready["reason"]) == ("False", "ClustersNotFound")
    assert "cluster_id 'cluster_arriving' has completed a run with mode full" in ready["message"]
    arrive(sender, "first", 50)
    scene.eventually(lambda: scene.status("by-day").get("is_overdue"), "by-day: a run is due", "by-day")
    assert scene.jobs("by-day") == []

    scene.request_run("at-night", "now")
    clustered = scene.run_ended("at-night")
    assert (clustered["status"], clustered["num_clusters"], clustered["num_documents"]) == ("completed", 8, KNOWN)
    assert "mode" not in clustered
    run = scene.run_ended("by-day")
    assert (run["status"], run["mode"], run["num_clusters"]) == ("completed", "assign", 8), run
    assert clustered["job_id"] in run["notes"][0]


def test_new_documents_get_the_clusters_of_the_night(
    scene: Scene, images: Images, sender: Producer, packages: pa.Table, tmp_path: Path
) -> None:
    day = pa.concat_tables([packages[KNOWN:].replace_schema_metadata(None), strange()])
    with claim_files(scene.kubectl, images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload(EMBEDDINGS, {"arriving/second.parquet": written(day)})
    before = scene.status("by-day")["history"][0]["job_id"]
    arrive(sender, "second", 50)
    run = scene.eventually(
        lambda: next((one for one in scene.status("by-day")["history"] if one["job_id"] != before
                      and one["status"] in ("completed", "failed")), None),
        "by-day: a second run",
        "by-day",
    )  # fmt: skip
    assert (run["status"], run["num_documents"]) == ("completed", KNOWN + NEW + STRANGE), run
    print(f"\n{run['notes'][0]}")
    found = scene.status("by-day")["last_result"]
    assert found["num_noise"] >= STRANGE
    assert f"{found['num_noise']} of {KNOWN + NEW + STRANGE} are noise" in run["notes"][0]
    assert "wrote 465 rows of arriving-labels/clusters.parquet" in run["notes"]

    night = scene.status("at-night")["history"][0]
    with claim_files(scene.kubectl, images.worker.name, [EMBEDDINGS, RESULTS]) as claims:
        for name, job in (("at-night", night["job_id"]), ("by-day", run["job_id"])):
            claims.download(RESULTS, f"{NAMESPACE}/{name}/{job}", tmp_path / name)
        claims.download(EMBEDDINGS, "arriving-labels", tmp_path / "labels")
    then, now = members(tmp_path / "at-night"), members(tmp_path / "by-day")
    clusters = names(tmp_path / "at-night")
    assert f"as on the map of {night['job_id']}" in (tmp_path / "by-day" / "report.html").read_text()
    assert names(tmp_path / "by-day") == clusters
    known = {document: label for document, label in now.items() if document in then and label != -1}
    assert known == {document: then[document] for document in known}
    assert len(known) > 0.8 * KNOWN
    assert {now[f"strange-{number}"] for number in range(STRANGE)} == {-1}
    fresh = [document for document in packages["document_id"].to_pylist()[KNOWN:] if now[document] != -1]
    print(*(f"{document}: {clusters[now[document]]}" for document in fresh[:5]), sep="\n")
    assert len(fresh) > 0.8 * NEW
    file = pq.read_table(tmp_path / "labels" / "clusters.parquet").to_pylist()
    assert {row["document_id"]: row["cluster_id"] for row in file} == now
    assert {row["cluster_name"] for row in file} == {*clusters.values(), None}
    assert {row["run"] for row in file} == {run["job_id"]}
    shown = scene.plugin("results", "by-day")
    print(shown.stdout)
    assert shown.returncode == 0, shown.stderr
    assert "8 clusters of 465 documents, " in shown.stdout
    assert " in no cluster" in shown.stdout


def test_the_night_goes_on_where_it_was(scene: Scene) -> None:
    """The nightly run includes the new documents and keeps the ids; later runs assign to its clusters."""
    before = scene.status("at-night")["history"][0]
    scene.request_run("at-night", "again")
    clustered = scene.run_ended("at-night", slot="manual/again")
    assert (clustered["status"], clustered["num_documents"]) == ("completed", KNOWN + NEW + STRANGE)
    assert scene.status("at-night")["last_result"]["changes"]["since"] == before["job_id"]
    scene.request_run("by-day", "again")
    run = scene.run_ended("by-day", slot="manual/again")
    assert run["status"] == "completed", run
    assert clustered["job_id"] in run["notes"][0]


def both(runs: list[str]) -> Object:
    spec = {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 86_400, "start_immediately": True},
        "execution_config": {
            "collection_ids": ["arriving"],
            "config": {"algorithm": "kmeans", "n_clusters": 3},
            "mode": "composite",
            "source_execution_ids": runs,
        },
        "run": {"resources": SMALL},
    }
    return trigger("both-nights", spec)


def test_clusters_of_two_nights_are_clustered(scene: Scene, images: Images, tmp_path: Path) -> None:
    """Mode composite clusters centroids and reads no vectors; documents get the clusters of their centroids."""
    nights = [run["job_id"] for run in reversed(scene.status("at-night")["history"])]
    scene.kubectl.apply(both(nights))
    run = scene.run_ended("both-nights")
    assert (run["status"], run["mode"], run["num_clusters"]) == ("completed", "composite", 3), run
    assert run["num_documents"] == KNOWN + NEW + STRANGE
    print(*run["notes"], sep="\n")
    with claim_files(scene.kubectl, images.worker.name, [RESULTS]) as claims:
        claims.download(RESULTS, f"{NAMESPACE}/both-nights/{run['job_id']}", tmp_path / "both")
        claims.download(RESULTS, f"{NAMESPACE}/at-night/{nights[-1]}", tmp_path / "last")
    joint, last = members(tmp_path / "both"), members(tmp_path / "last")
    assert joint.keys() == last.keys()
    assert len({(last[document], joint[document]) for document in joint}) == len(set(last.values()))
    print(scene.plugin("results", "both-nights").stdout)

    scene.kubectl.apply(both(nights[::-1]))
    scene.request_run("both-nights", "again")
    again = scene.run_ended("both-nights", slot="manual/again")
    changes = scene.status("both-nights")["last_result"]["changes"]
    print(changes["summary"])
    assert (again["status"], changes["since"], changes["kept"]) == ("completed", run["job_id"], 3), again


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (
            hourly(mode="full"),
            "assignment_threshold is valid only with mode assign: remove it or set mode: assign",
        ),
        (hourly(threshold=1.5), "spec.action_config.assignment_threshold"),
        (
            trigger("joint", {**hourly()["spec"], "action_config": {
                "cluster_id": "cluster_arriving", "mode": "composite"}}),
            "source_execution_ids is required with mode composite: name at least two completed runs",
        ),
        (
            {**hourly(), "spec": {**hourly()["spec"], "trigger_type": "conditional", "schedule_config": {
                "condition_type": "drift", "metric": "cosine_drift", "threshold": 0.3, "check_interval_seconds": 60}}},
            "trigger_type conditional is valid only with mode full",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(scene: Scene, made: Object, line: str) -> None:
    with pytest.raises(ClusterError) as refusal:
        scene.kubectl.apply(made)
    assert line in str(refusal.value)


def test_the_example_is_accepted_as_it_is(scene: Scene) -> None:
    """The API server accepts the unchanged example."""
    scene.kubectl("apply", f"--filename={PROGRAM}", "--dry-run=server")
    scene.kubectl("delete", "clustertrigger", "at-night", "by-day", "both-nights")
