"""Tests of mode composite: centroids of earlier runs are clustered, and documents get their centroid's cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.batch_rerun import RerunSpec
from clustercontract.run import RunSpec
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.composite import MOST_COPIES, copies_of
from clusterworker.run.rerun import rerun
from tests.clusterworker.conftest import Pod, new_pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import Bucket

KMEANS: dict[str, Any] = {"algorithm": "kmeans", "n_clusters": 3}
DATA = planted(600, 6, dimensions=16, spread=0.05)
"""Six topics in three pairs: the topics of a pair are more similar to each other than to others."""
PAIRS = DATA.labels // 2
VECTORS = DATA.vectors + 4 * np.eye(16, dtype=np.float32)[PAIRS]
WORDS, MORE = ("apples", "planets", "engines"), ("orchard", "harvest", "orbit", "gravity", "diesel", "piston")
TEXTS = [f"{WORDS[topic // 2]} {MORE[topic]}" for topic in DATA.labels]
IDS = [f"doc-{row}" for row in range(600)]


def rows(pod: Pod, spec: RunSpec, name: str = "members.parquet") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(pod.folder(spec) / name).to_pylist()
    return found


def clustered(pod: Pod, run: str, chosen: Any, config: dict[str, Any] | None = None, **fields: Any) -> RunSpec:
    """A run that clusters some of the documents."""
    file = write(pod.volume / f"{run}.parquet", VECTORS[chosen], [IDS[n] for n in chosen], [TEXTS[n] for n in chosen])
    source = {"uri": file.name, "text_column": "text"}
    spec = pod.spec(config or {**KMEANS, "n_clusters": 6}, source, trigger=run, run=run, **fields)
    pod.run(spec)
    return spec


def joint(pod: Pod, *sources: RunSpec, config: dict[str, Any] = KMEANS, **fields: Any) -> RunSpec:
    told = [{"run": one.run, "uri": f"{pod.results}/search/{one.trigger}/{one.run}"} for one in sources]
    own: dict[str, Any] = {"trigger": "joint", "run": "joint-1", "mode": "composite", "sources": told}
    return pod.spec(config, {"uri": "is-not-read.parquet"}, **(own | fields))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pod, list[RunSpec]]:
    """Two runs that share a hundred documents."""
    pod = new_pod(tmp_path_factory.mktemp("made"))
    return pod, [clustered(pod, "early", list(range(350))), clustered(pod, "late", list(range(250, 600)))]


@pytest.fixture
def sources(pod: Pod, made: tuple[Pod, list[RunSpec]]) -> list[RunSpec]:
    """The same, for a test that changes it."""
    shutil.copytree(made[0].results, pod.results, dirs_exist_ok=True)
    return made[1]


def test_every_document_gets_the_cluster_of_its_centroid(pod: Pod, sources: list[RunSpec]) -> None:
    spec = joint(pod, *sources)
    result = pod.run(spec)
    members = rows(pod, spec)
    assert sorted(member["document_id"] for member in members) == sorted(IDS), "each document once"
    assert {member["collection_id"] for member in members} == {"col_0"}
    found = {member["document_id"]: member["cluster_id"] for member in members}
    pairs = {(found[IDS[row]], int(PAIRS[row])) for row in range(600)}
    assert len(pairs) == 3, "clusters are the pairs"

    centroids = rows(pod, spec, "centroids.parquet")
    sizes = [one["documents"] for one in centroids]
    assert [one["cluster_id"] for one in centroids] == [0, 1, 2]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == [list(found.values()).count(number) for number in range(3)]
    for one in centroids:
        pair = next(pair for number, pair in pairs if number == one["cluster_id"])
        words = {WORDS[pair], *MORE[2 * pair : 2 * pair + 2]}
        assert words & set(one["name"].replace(",", "").split()), "named after the clusters in it"
    assert [brief.num_documents for brief in result.clusters] == sizes
    assert result.clusters[0].central_documents[0].document_id.split(" of ")[1] in ("early", "late")
    assert (result.num_clusters, result.num_documents, result.num_noise, result.baseline) == (3, 600, 0, None)
    assert result.notes[0] == "12 centroids of 2 runs are clustered, weighted by their numbers of documents"
    assert result.notes[-1] == "in several of the runs: 100 documents; each has the cluster of the last run"

    # How far a document's centroid is from the cluster's.
    then = {one["cluster_id"]: np.array(one["centroid"]) for one in rows(pod, sources[1], "centroids.parquet")}
    of = {one["document_id"]: one["cluster_id"] for one in rows(pod, sources[1])}
    now = {one["cluster_id"]: np.array(one["centroid"]) for one in centroids}
    for member in members[:350:10]:
        apart = 1 - float(then[of[member["document_id"]]] @ now[member["cluster_id"]])
        assert member["distance_to_centroid"] == pytest.approx(apart, abs=1e-5)


def test_ids_and_names_last(pod: Pod, sources: list[RunSpec]) -> None:
    """The list of runs has changed since: yesterday's composite clusters keep their IDs."""
    first = joint(pod, *sources)
    result = pod.run(first)
    before = {member["document_id"]: member["cluster_id"] for member in rows(pod, first)}
    names = {one["cluster_id"]: one["name"] for one in rows(pod, first, "centroids.parquet")}
    assert (result.changes, result.next_cluster_id) == (None, 3)
    # The smallest cluster has the most documents now, and the largest one has none.
    largest, smallest = (rows(pod, first, "centroids.parquet")[place]["cluster_id"] for place in (0, 2))
    kept = [row for row in range(600) if before[IDS[row]] != largest]
    many = [row for row in kept if before[IDS[row]] == smallest]
    today = clustered(pod, "today", many + kept[::2][: len(many) // 2], {**KMEANS, "n_clusters": 4})
    more = clustered(pod, "more", many[:50], {**KMEANS, "n_clusters": 2})
    previous = {"run": first.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    second = joint(pod, today, more, run="joint-2", previous=previous, config={**KMEANS, "n_clusters": 2})
    found = pod.run(second)
    now = {member["document_id"]: member["cluster_id"] for member in rows(pod, second)}
    assert now == {document: before[document] for document in now}
    assert {one["cluster_id"]: one["name"] for one in rows(pod, second, "centroids.parquet")} == {
        number: names[number] for number in set(now.values())
    }
    assert found.clusters[0].cluster_id == smallest
    changes = found.changes
    assert changes is not None
    assert (changes.since, changes.kept, changes.new, changes.gone) == ("joint-1", 2, [], [largest])
    assert (changes.documents, changes.moved, found.next_cluster_id) == (len(now), 0, 3)
    lineage = {row["cluster_id"]: row for row in rows(pod, second, "lineage.parquet")}
    assert {number: row["event"] for number, row in lineage.items()} == {
        **dict.fromkeys(set(now.values()), "kept"),
        largest: "gone",
    }
    assert lineage[smallest]["kept"] == list(now.values()).count(smallest)
    by_size = joint(
        pod, today, more, run="joint-3", previous=previous, config={**KMEANS, "n_clusters": 2, "ids": "by_size"}
    )
    again = pod.run(by_size)
    assert [cluster.cluster_id for cluster in again.clusters] == [0, 1]
    assert again.changes is None


def test_centroids_count_by_their_documents(pod: Pod) -> None:
    """The mean of a composite cluster is that of its documents, not of its centroids."""
    euclidean = {"algorithm": "kmeans", "n_clusters": 2, "metric": "euclidean"}
    many = np.zeros((90, 2), np.float32) + np.linspace(-0.1, 0.1, 90, dtype=np.float32)[:, None]
    few = np.array([[1.0, 0.0]] * 10 + [[50.0, 50.0]] * 20, np.float32)
    runs = []
    for name, vectors in (("many", np.concatenate([many, [[50.0, 50.0]]]).astype(np.float32)), ("few", few)):
        write(pod.volume / f"{name}.parquet", vectors, [f"{name}-{n}" for n in range(len(vectors))])
        spec = pod.spec(euclidean, {"uri": f"{name}.parquet"}, trigger=name, run=name)
        pod.run(spec)
        runs.append(spec)
    spec = joint(pod, *runs, config=euclidean)
    pod.run(spec)
    near, far = rows(pod, spec, "centroids.parquet")
    assert (near["documents"], far["documents"]) == (100, 21)
    assert near["centroid"] == pytest.approx([0.1, 0.0], abs=1e-4)
    assert far["centroid"] == pytest.approx([50.0, 50.0], abs=1e-4)


@pytest.mark.parametrize("sizes", [[1], [5, 1, 4], [MOST_COPIES - 1, 1], [10**9, 1, 10**6], [3] * 30_000])
def test_how_often_a_centroid_occurs(sizes: list[int]) -> None:
    given = np.array(sizes, np.int64)
    found = copies_of(given)
    assert found.min() >= 1
    assert found.sum() <= MOST_COPIES + len(sizes)
    if given.sum() <= MOST_COPIES:
        assert found.tolist() == sizes
    exact = given * (MOST_COPIES / given.sum())
    assert (np.abs(found - np.maximum(exact, 1)) <= 0.5).all() or given.sum() <= MOST_COPIES


def test_the_folder_is_one_of_a_run(pod: Pod, sources: list[RunSpec]) -> None:
    spec = joint(pod, *sources)
    pod.run(spec)
    assert {file.name for file in pod.folder(spec).iterdir()} == {
        *("members.parquet", "centroids.parquet", "lineage.parquet", "metrics.json"),
        *("report.html", "report.png", "run.json", "spec.json"),
    }
    metrics = json.loads((pod.folder(spec) / "metrics.json").read_text())
    assert (metrics["mode"], metrics["parameters"]["source_execution_ids"]) == ("composite", ["early", "late"])
    assert metrics["parameters"]["n_clusters"] == 3
    report = (pod.folder(spec) / "report.html").read_text()
    assert "early, late" in report
    assert "Each point is a cluster of one of the runs" in report
    # It is a run like any other: documents can be assigned to its clusters, and it can be a source.
    write(pod.volume / "data.parquet", VECTORS[:50], IDS[:50])
    base = {"run": spec.run, "uri": str(pod.folder(spec))}
    assigned = pod.spec(KMEANS, trigger="hourly", run="hourly-1", mode="assign", base=base, assignment_threshold=-1)
    pod.run(assigned)
    found = {member["document_id"]: member["cluster_id"] for member in rows(pod, spec)}
    assert all(found[member["document_id"]] == member["cluster_id"] for member in rows(pod, assigned))
    again = joint(pod, spec, sources[0], run="joint-2")
    assert pod.run(again).num_documents == 600


def test_the_last_run_decides(pod: Pod, sources: list[RunSpec]) -> None:
    """The last run's result counts for documents of several runs, even if it is noise."""
    file = pod.folder(sources[1]) / "members.parquet"
    members, moved = pq.read_table(file), {f"doc-{row}" for row in range(250, 260)}
    labels = [
        -1 if document in moved else cluster
        for document, cluster in zip(members["document_id"].to_pylist(), members["cluster_id"].to_pylist(), strict=True)
    ]
    field = members.schema.field("cluster_id")
    pq.write_table(members.set_column(1, field, pa.array(labels, field.type)), file)
    spec = joint(pod, *sources)
    assert pod.run(spec).num_noise == 10
    assert {row["document_id"] for row in rows(pod, spec) if row["cluster_id"] == -1} == moved
    other = joint(pod, *reversed(sources), run="joint-2")
    assert pod.run(other).num_noise == 0


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "hierarchical", "n_clusters": 3},
        {"algorithm": "gaussian_mixture", "n_components": 3},
        {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "none"},
        {"algorithm": "dbscan", "eps": 0.2, "reduce": "none"},
        {"algorithm": "spectral", "n_clusters": 3},
    ],
    ids=lambda config: config["algorithm"],
)
def test_any_algorithm(pod: Pod, sources: list[RunSpec], config: dict[str, Any]) -> None:
    spec = joint(pod, *sources, config=config)
    result = pod.run(spec)
    found = {member["document_id"]: member["cluster_id"] for member in rows(pod, spec)}
    assert len(found) == result.num_documents == 600
    late = {(member["cluster_id"], found[member["document_id"]]) for member in rows(pod, sources[1])}
    assert len(late) == len({before for before, _ in late}), "copies of a centroid stay together"
    assert result.num_clusters is not None
    assert result.num_clusters >= 1


def test_collections_are_told_apart(pod: Pod) -> None:
    """Two collections have the same IDs, one of them as integers, and one output contains only its own."""
    (pod.root / "outputs").mkdir()
    runs = []
    for name, ids in (("texts", [str(n) for n in range(60)]), ("numbers", list(range(60)))):
        write(pod.volume / f"{name}.parquet", VECTORS[:60], ids)
        collection = {
            "collection_id": f"col_{name}",
            "source": {"uri": f"{name}.parquet"},
            "mount_path": str(pod.volume),
        }
        spec = pod.spec(KMEANS, trigger=name, run=name, collections=[collection])
        pod.run(spec)
        runs.append(spec)
    place = {"source": {"uri": "labels/"}, "write": {}, "mount_path": str(pod.root / "outputs")}
    spec = joint(pod, *runs, outputs=[{"collection_id": "col_texts", "reads": True, **place}])
    result = pod.run(spec)
    assert (result.num_documents, result.notes[-1]) == (120, "wrote 60 rows of labels/clusters.parquet")
    members = rows(pod, spec)
    assert {(member["collection_id"], member["document_id"]) for member in members} == {
        (name, str(number)) for name in ("col_texts", "col_numbers") for number in range(60)
    }
    written = pq.read_table(pod.root / "outputs/labels/clusters.parquet").to_pylist()
    assert {row["document_id"]: row["cluster_id"] for row in written} == {
        member["document_id"]: member["cluster_id"] for member in members if member["collection_id"] == "col_texts"
    }


def without(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


def damaged(name: str) -> Any:
    return lambda folder: (folder / name).write_bytes(b"nothing of the kind")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (without("centroids.parquet"), "the clusters of run late no longer exist: "),
        (damaged("centroids.parquet"), "the clusters of run late cannot be read: "),
        (without("members.parquet"), "the documents of run late cannot be read: "),
        (damaged("members.parquet"), "the documents of run late cannot be read: "),
        (without("spec.json"), "the documents of run late cannot be read: "),
        (damaged("spec.json"), "the documents of run late cannot be read: "),
    ],
)
def test_results_that_are_gone_or_damaged(pod: Pod, sources: list[RunSpec], harm: Any, says: str) -> None:
    harm(pod.folder(sources[1]))
    with pytest.raises(MisconfiguredError, match=f"^{says}") as failure:
        pod.run(joint(pod, *sources))
    assert str(failure.value).endswith(": name another run in source_execution_ids")


def test_runs_that_do_not_fit_together(pod: Pod, sources: list[RunSpec]) -> None:
    write(pod.volume / "short.parquet", VECTORS[:60, :8], IDS[:60])
    short = pod.spec(KMEANS, {"uri": "short.parquet"}, trigger="short", run="short")
    pod.run(short)
    with pytest.raises(
        MisconfiguredError, match=r"^run early clustered vectors of 16 dimensions, but run short of 8: name"
    ):
        pod.run(joint(pod, sources[0], short))
    euclidean = clustered(pod, "far", list(range(60)), {**KMEANS, "metric": "euclidean"})
    with pytest.raises(MisconfiguredError, match=r"^metric is cosine, but that of run far is euclidean: name"):
        pod.run(joint(pod, sources[0], euclidean))
    with pytest.raises(MisconfiguredError, match=r"^n_clusters 900 is more than the 700 documents"):
        pod.run(joint(pod, *sources, config={"algorithm": "kmeans", "n_clusters": 900}))


def test_sources_in_a_bucket(pod: Pod, bucket: Bucket, keys: Path) -> None:
    results = bucket.results()
    early = clustered(pod, "early", list(range(300)), results=results)
    late = clustered(pod, "late", list(range(300, 600)))
    told = [
        {"run": "early", "uri": f"{results['uri']}/search/early/early", "results": results},
        {"run": "late", "uri": str(pod.folder(late))},
    ]
    assert early.results.uri.startswith("s3://")
    assert pod.run(joint(pod, early, late, sources=told)).num_documents == 600


def test_it_is_run_again_without_filters(pod: Pod, sources: list[RunSpec]) -> None:
    spec = joint(pod, *sources)
    pod.run(spec)
    told: dict[str, Any] = {
        "namespace": "search", "trigger": "again", "run": "again-1", "slot": "manual/1", "batch_id": spec.run,
        "batch_trigger": "joint", "batch_results": {"uri": str(pod.results)}, "results": {"uri": str(pod.results)},
    }  # fmt: skip
    again = rerun(RerunSpec.model_validate_json(json.dumps(told)), Progress(pod.log), pod.mounts)
    assert (again.num_clusters, again.num_documents) == (3, 600)
    told |= {"run": "again-2", "filters": {"field": "text", "operator": "eq", "value": "x"}}
    with pytest.raises(MisconfiguredError, match="is a run with mode composite, which reads no documents: remove them"):
        rerun(RerunSpec.model_validate_json(json.dumps(told)), Progress(pod.log), pod.mounts)


def test_a_spec_with_too_few_runs_is_none(pod: Pod) -> None:
    one = [{"run": "a", "uri": "/results/a"}]
    for fields in (
        {"mode": "composite"},
        {"mode": "composite", "sources": one},
        {"sources": one},
        {"sources": one * 2},
    ):
        with pytest.raises(ValueError, match="sources: at least two are required with mode composite"):
            pod.spec(KMEANS, **fields)
