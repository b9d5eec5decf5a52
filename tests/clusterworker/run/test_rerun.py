"""Tests of the command `rerun`: it repeats an earlier run, as it was specified then, in a new folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.container import ResultsTarget
from clustercontract.engine import Engine
from clustercontract.run import RunSpec
from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.process.progress import Progress
from clusterworker.run.rerun import rerun
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import Bucket

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
BATCH, AGAIN = "nightly-3f9a2c-20261121020000", "again-9c1d44-20261122020000"


def asked(batch: RunSpec, **fields: object) -> RerunSpec:
    return RerunSpec.model_validate(
        {
            "namespace": batch.namespace,
            "trigger": "again",
            "run": AGAIN,
            "slot": "2026-11-22T02:00:00Z",
            "batch_id": batch.run,
            "batch_trigger": batch.trigger,
            "batch_results": batch.results,
            "results": batch.results,
            "history_limit": 3,
            **fields,
        }
    )


def folders(pod: Pod, trigger: str) -> set[str]:
    return {entry.name for entry in (pod.results / "search" / trigger).iterdir()}


def test_a_completed_batch_is_run_again(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    batch = pod.spec(KMEANS, run=BATCH)
    pod.run(batch)
    # What the trigger says now does not matter: the batch's own RunSpec does.
    kept = RunSpec.model_validate_json((pod.folder(batch) / "spec.json").read_bytes())
    assert kept == batch
    assert folders(pod, batch.trigger) == {BATCH, "latest.json"}

    result = rerun(asked(batch), Progress(), pod.mounts)
    assert (result.status, result.num_clusters, result.num_documents) == ("completed", 3, 60)
    again = pod.results / "search" / "again" / AGAIN
    assert result.results_uri == str(again)
    record = json.loads((again / "run.json").read_text())
    assert (record["trigger"], record["run"], record["slot"]) == ("again", AGAIN, "2026-11-22T02:00:00Z")
    members = [pq.read_table(folder / "members.parquet") for folder in (pod.folder(batch), again)]
    assert members[0].equals(members[1])
    assert RunSpec.model_validate_json((again / "spec.json").read_bytes()).seed == batch.seed


def test_a_failed_batch_is_run_again_once_its_cause_is_gone(pod: Pod) -> None:
    batch = pod.spec(KMEANS, run=BATCH)
    with pytest.raises(RunError):
        pod.run(batch)
    assert folders(pod, batch.trigger) == {f".{BATCH}.spec.json"}

    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    assert rerun(asked(batch), Progress(), pod.mounts).num_documents == 60


def test_a_rerun_is_a_batch_too(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    batch = pod.spec(KMEANS, run=BATCH)
    pod.run(batch)
    rerun(asked(batch), Progress(), pod.mounts)
    third = asked(batch, run="third-1-1", trigger="third", batch_trigger="again", batch_id=AGAIN)
    assert rerun(third, Progress(), pod.mounts).results_uri == str(pod.results / "search" / "third" / "third-1-1")


def test_a_rerun_makes_no_executors(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    batch = pod.spec(KMEANS, run=BATCH)
    engine = Engine(type="auto", image="spark:1", executor_memory=1024)
    batch = batch.model_copy(update={"engine": engine})
    pod.run(batch)
    rerun(asked(batch), Progress(), pod.mounts)
    specs = [pod.folder(batch) / "spec.json", pod.results / "search" / "again" / AGAIN / "spec.json"]
    assert [RunSpec.model_validate_json(file.read_bytes()).engine for file in specs] == [engine, None]


def test_filters_narrow_the_batch(pod: Pod) -> None:
    ids, languages = list(range(60)), ["de", "fr", "en"] * 20
    table = pa.table({"document_id": ids, "embedding": planted(60, 3).vectors.tolist(), "language": languages})
    pq.write_table(table, pod.volume / "data.parquet")
    known = {"field": "language", "operator": "in", "value": ["de", "fr"]}
    batch = pod.spec(KMEANS, {"uri": "data.parquet", "filters": known}, run=BATCH)
    assert pod.run(batch).num_documents == 40
    german = {"field": "language", "operator": "ne", "value": "fr"}
    assert rerun(asked(batch, filters=german), Progress(), pod.mounts).num_documents == 20

    many = {"OR": [{"field": "document_id", "operator": "eq", "value": number} for number in range(100)]}
    why = r"action_config\.filters: together with those of .*'col_0', filters have 101"
    with pytest.raises(MisconfiguredError, match=why):
        rerun(asked(batch, filters=many), Progress(), pod.mounts)


def clusters(folder: Path) -> dict[int, list[float]]:
    table = pq.read_table(folder / "centroids.parquet")
    return dict(zip(table["cluster_id"].to_pylist(), table["centroid"].to_pylist(), strict=True))


@pytest.mark.parametrize("where", ["a volume", "S3"])
def test_clusters_get_the_ids_that_they_had(pod: Pod, where: str, request: pytest.FixtureRequest) -> None:
    fields: dict[str, Any] = {}
    if where == "S3":
        request.getfixturevalue("keys")
        bucket = request.getfixturevalue("bucket")
        fields["results"] = bucket.results()
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    first = pod.spec(KMEANS, run="nightly-3f9a2c-20261120020000", **fields)
    uri = pod.run(first).results_uri
    batch = pod.spec(KMEANS, run=BATCH, previous={"run": first.run, "uri": uri, "next_cluster_id": 40}, **fields)
    assert pod.run(batch).next_cluster_id == 40

    # The Pod of the rerun finds the batch's results elsewhere than the batch's own Pod did, and by another Secret.
    theirs, own = batch.results, batch.results
    if where == "S3":
        (pod.mounts.secrets / "theirs").mkdir()
        for key in (pod.mounts.secrets / str(batch.results.secret_name)).iterdir():
            (pod.mounts.secrets / "theirs" / key.name).write_bytes(key.read_bytes())
        theirs, own = theirs.model_copy(update={"secret_name": "theirs"}), ResultsTarget(uri=str(pod.results))
    else:
        elsewhere = pod.root / "collections" / "claim"
        pod.results.rename(elsewhere)
        theirs = ResultsTarget(uri=str(elsewhere))
    result = rerun(asked(batch, batch_results=theirs, results=own), Progress(), pod.mounts)
    assert result.changes is not None
    assert (result.changes.since, result.changes.kept, result.notes) == (first.run, 3, [])
    again = clusters(pod.results / "search" / "again" / AGAIN)
    if where == "a volume":
        assert again == clusters(elsewhere / "search" / "nightly" / BATCH)
    assert set(again) == {0, 1, 2}


def test_a_run_before_the_batch_that_is_gone(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    gone = {"run": "gone-1-1", "uri": f"{pod.results}/search/nightly/gone-1-1", "next_cluster_id": 9}
    batch = pod.spec(KMEANS, run=BATCH, previous=gone)
    pod.run(batch)
    result = rerun(asked(batch), Progress(), pod.mounts)
    assert result.next_cluster_id == 12
    assert [note for note in result.notes if "clusters are renumbered: the clusters of gone-1-1" in note]


def test_a_batch_whose_worker_never_began(pod: Pod) -> None:
    batch = pod.spec(KMEANS, run=BATCH)
    places = rf"neither .*/{BATCH}/spec\.json nor .*/\.{BATCH}\.spec\.json: its worker never started"
    with pytest.raises(MisconfiguredError, match=f"batch {BATCH}: its RunSpec is {places}"):
        rerun(asked(batch), Progress(), pod.mounts)


def test_a_spec_that_is_none(pod: Pod) -> None:
    batch = pod.spec(KMEANS, run=BATCH)
    pod.folder(batch).mkdir(parents=True)
    (pod.folder(batch) / "spec.json").write_text('{"version": 9}')
    with pytest.raises(MisconfiguredError, match=r"spec\.json is not a valid RunSpec of this version: version: Input"):
        rerun(asked(batch), Progress(), pod.mounts)


def test_a_name_leads_nowhere_else(pod: Pod) -> None:
    batch = pod.spec(KMEANS, run=BATCH)
    with pytest.raises(MisconfiguredError, match="is not a valid name of a Kubernetes object"):
        rerun(asked(batch, batch_id=".."), Progress(), pod.mounts)


def test_another_attempt_leaves_what_is_kept(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    batch = pod.spec(KMEANS, run=BATCH)
    for _ in range(2):
        pod.run(batch)
        assert folders(pod, batch.trigger) == {BATCH, "latest.json"}


@pytest.mark.usefixtures("keys")
def test_in_s3(pod: Pod, bucket: Bucket) -> None:
    batch = pod.spec(KMEANS, run=BATCH, results=bucket.results())
    with pytest.raises(MisconfiguredError, match=rf"its RunSpec is not s3://.*/{BATCH}/spec\.json: its worker"):
        rerun(asked(batch), Progress(), pod.mounts)
    with pytest.raises(RunError, match=r"data\.parquet"):
        pod.run(batch)
    assert bucket.keys("results/search/") == [f"results/search/nightly/{BATCH}/spec.json"]

    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    result = rerun(asked(batch), Progress(), pod.mounts)
    assert result.results_uri == f"{batch.results.uri}/search/again/{AGAIN}"
    assert f"results/search/again/{AGAIN}/spec.json" in bucket.keys("results/search/")
