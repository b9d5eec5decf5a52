"""Tests of successive runs: which IDs stay, what is reported about the others, and which clusterings restart."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from clustercontract.run import RunResult, RunSpec
from clusterworker.clustering.algorithms import kmeans, sample
from clusterworker.clustering.algorithms.kmeans import BREATHS
from clusterworker.clustering.algorithms.node_embedding import bytes_per_vector
from clusterworker.data.arrays import Rows, Vectors
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import nested, planted, write
from tests.clusterworker.storage.s3_server import Bucket

KMEANS: dict[str, Any] = {"algorithm": "kmeans", "n_clusters": 4}
PLANTED = planted(400, 5, dimensions=32, spread=0.05)
PACKAGES = Path(__file__).resolve().parents[3] / "examples/data/debian-packages.parquet"


def topics(*wanted: int) -> tuple[Vectors, list[str]]:
    """Documents around some of five directions, and their IDs."""
    rows = np.flatnonzero(np.isin(PLANTED.labels, wanted))
    return PLANTED.vectors[rows], [f"doc-{row}" for row in rows]


def after(pod: Pod, spec: RunSpec, result: RunResult, run: str, config: dict[str, Any], **fields: Any) -> RunSpec:
    """The spec of a run after another one, as the operator writes it."""
    previous = {"run": spec.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    return pod.spec(config, run=run, previous=previous, **fields)


def clusters_of(folder: Path) -> dict[str, int]:
    members = pq.read_table(folder / "members.parquet")
    return dict(zip(members["document_id"].to_pylist(), members["cluster_id"].to_pylist(), strict=True))


def events(folder: Path) -> dict[int, str]:
    lineage = pq.read_table(folder / "lineage.parquet")
    return dict(zip(lineage["cluster_id"].to_pylist(), lineage["event"].to_pylist(), strict=True))


def test_ids_stay_where_sizes_change_their_order(pod: Pod) -> None:
    vectors, ids = topics(0, 1, 2, 3)
    write(pod.volume / "data.parquet", vectors, ids)
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    before = clusters_of(pod.folder(first))
    assert set(events(pod.folder(first)).values()) == {"new"}
    assert (result.changes, result.next_cluster_id) == (None, 4)
    # Most of the largest cluster goes; the rest of it is the smallest one.
    gone = [number for number, document in enumerate(ids) if before[document] == 0][20:]
    write(pod.volume / "data.parquet", np.delete(vectors, gone, axis=0), np.delete(ids, gone).tolist())
    second = after(pod, first, result, "nightly-2", KMEANS)
    found = pod.run(second)
    now = clusters_of(pod.folder(second))
    assert now == {document: before[document] for document in now}
    assert found.changes is not None
    assert (found.changes.since, found.changes.kept, found.changes.new, found.changes.gone) == ("nightly-1", 4, [], [])
    assert (found.changes.documents, found.changes.moved) == (len(now), 0)
    assert found.clusters[-1].cluster_id == 0
    assert found.clusters[-1].num_documents == 20
    centroids = pq.read_table(pod.folder(second) / "centroids.parquet").to_pydict()
    assert centroids["cluster_id"] == [cluster.cluster_id for cluster in found.clusters]
    assert centroids["documents"] == [list(now.values()).count(number) for number in centroids["cluster_id"]]
    metrics = json.loads((pod.folder(second) / "metrics.json").read_text())
    assert [cluster["cluster_id"] for cluster in metrics["clusters"]] == centroids["cluster_id"]
    row = pq.read_table(pod.folder(second) / "lineage.parquet").to_pylist()[-1]
    assert (row["cluster_id"], row["event"], row["kept"], row["joined"]) == (0, "kept", 20, 0)
    assert row["left"] == len(gone)


HDBSCAN: dict[str, Any] = {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "none"}


@pytest.mark.parametrize(("config", "added"), [(KMEANS, 2**63), (HDBSCAN, "x")])
@pytest.mark.parametrize("turned", [1, -1])
def test_ids_that_turn_to_text_or_back(pod: Pod, config: dict[str, Any], added: int | str, turned: int) -> None:
    """One id that is not a 64-bit integer makes all of them text; the other documents are found again."""
    vectors, _ = topics(0, 1, 2, 3)
    numbers = [number - 2**63 for number in range(3)] + [2**63 - number for number in range(1, 4)]
    numbers += [10**18 - 1, 10**18, 1 - 10**18, -(10**18), *range(len(vectors) - len(numbers) - 4)]
    kinds: list[Any] = [numbers, [*map(str, numbers), str(added)]][::turned]
    write(pod.volume / "data.parquet", np.concatenate([vectors, vectors[:1]])[: len(kinds[0])], kinds[0])
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    before = {str(document): label for document, label in clusters_of(pod.folder(first)).items()}
    write(pod.volume / "data.parquet", np.concatenate([vectors, vectors[:1]])[: len(kinds[1])], kinds[1])
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    now = {str(document): label for document, label in clusters_of(pod.folder(second)).items()}
    assert found.changes is not None
    assert (found.changes.documents, found.changes.moved, found.notes) == (len(numbers), 0, result.notes)
    assert found.changes.kept == 4
    assert {document: now[document] for document in map(str, numbers)} == {
        document: before[document] for document in map(str, numbers)
    }


def test_a_second_collection_with_ids_of_another_kind(pod: Pod) -> None:
    vectors, _ = topics(0, 1, 2, 3)
    write(pod.volume / "data.parquet", vectors, list(range(len(vectors))))
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    write(pod.volume / "more.parquet", vectors[:3], ["a", "b", "c"])
    previous = {"run": first.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    two = {"uri": "data.parquet"}, {"uri": "more.parquet"}
    found = pod.run(pod.spec(KMEANS, *two, run="nightly-2", previous=previous))
    assert found.changes is not None
    assert (found.changes.documents, found.changes.moved) == (len(vectors), 0)


def test_a_new_topic_has_a_new_number_and_a_gone_one_keeps_its_own(pod: Pod) -> None:
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    before = clusters_of(pod.folder(first))
    write(pod.volume / "data.parquet", *topics(1, 2, 3, 4))
    second = after(pod, first, result, "nightly-2", KMEANS)
    found = pod.run(second)
    changes, now = found.changes, clusters_of(pod.folder(second))
    vanished = before[topics(0)[1][0]]
    assert changes is not None
    assert (changes.kept, changes.new, changes.gone) == (3, [4], [vanished])
    assert {now[document] for document in topics(4)[1]} == {4}
    assert events(pod.folder(second)) == {
        **dict.fromkeys({0, 1, 2, 3} - {vanished}, "kept"),
        4: "new",
        vanished: "gone",
    }
    assert changes.summary.startswith(f"3 clusters kept, 1 new (4), 1 gone ({vanished}); 100.0% of ")
    # The topic returns and gets a new number.
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    third = after(pod, second, found, "nightly-3", KMEANS)
    last = pod.run(third)
    assert last.changes is not None
    assert (last.changes.new, last.changes.gone, last.next_cluster_id) == ([5], [4], 6)


def test_mean_shift_goes_on_and_finds_what_is_new(pod: Pod) -> None:
    """The windows of the last run find no new topic; the documents' windows do."""
    config = {"algorithm": "mean_shift", "bandwidth": 0.6, "reduce": "none"}
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    assert result.num_clusters == 4
    before = clusters_of(pod.folder(first))
    file = pod.folder(first) / "modes.parquet"
    assert pq.read_table(file)["cluster_id"].to_pylist() == [0, 1, 2, 3]
    write(pod.volume / "data.parquet", *topics(1, 2, 3, 4))
    second = after(pod, first, result, "nightly-2", config)
    for damage in (None, "cut off", "another file", "gone"):
        if damage:
            damage_file(file, damage)
        found = pod.run(second)
        changes, now = found.changes, clusters_of(pod.folder(second))
        assert changes is not None
        assert (changes.start, changes.kept, changes.new, changes.moved) == ("last", 3, [4], 0)
        assert changes.gone == [before[topics(0)[1][0]]]
        assert {now[document] for document in topics(4)[1]} == {4}
        told = [note for note in found.notes if note.startswith("the modes of nightly-1 cannot be read: ")]
        assert len(told) == (damage in ("cut off", "another file"))
    assert sorted(pq.read_table(pod.folder(second) / "modes.parquet")["cluster_id"].to_pylist()) == sorted(
        set(now.values())
    )


def test_an_attempt_after_another_gives_the_same_ids(pod: Pod) -> None:
    """A retry gives the same result after the first attempt has published: it uses the run that the operator named."""
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    write(pod.volume / "data.parquet", *topics(1, 2, 3, 4))
    second = after(pod, first, result, "nightly-2", KMEANS)
    attempts = [pod.run(second) for _ in range(2)]
    assert attempts[0].changes == attempts[1].changes
    assert attempts[0].clusters == attempts[1].clusters
    assert attempts[0].next_cluster_id == attempts[1].next_cluster_id == 5


@pytest.mark.parametrize(
    ("config", "dimensions", "note"),
    [
        (
            {"algorithm": "hierarchical", "n_clusters": 4},
            32,
            "algorithm was kmeans in nightly-1, and is hierarchical now",
        ),
        ({**KMEANS, "metric": "euclidean"}, 32, "metric was cosine in nightly-1, and is euclidean now"),
        (KMEANS, 16, "dimensions was 32 in nightly-1, and is 16 now"),
    ],
)
def test_what_is_not_comparable_starts_anew(pod: Pod, config: dict[str, Any], dimensions: int, note: str) -> None:
    vectors, ids = topics(0, 1, 2, 3)
    write(pod.volume / "data.parquet", vectors, ids)
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    write(pod.volume / "data.parquet", vectors[:, :dimensions].copy(), ids)
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert f"clusters are renumbered: {note}" in found.notes
    assert found.changes is None
    assert {cluster.cluster_id for cluster in found.clusters} == {4, 5, 6, 7}, "numbers that were used stay used"
    assert found.next_cluster_id == 8


def damage_file(file: Path, damage: str) -> None:
    if damage == "gone":
        file.unlink()
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:100])
    else:
        write(file, *topics(0))


@pytest.mark.parametrize("damage", ["gone", "cut off", "another file"])
@pytest.mark.parametrize("name", ["centroids.parquet", "members.parquet"])
def test_a_damaged_folder_fails_no_run(pod: Pod, damage: str, name: str) -> None:
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    damage_file(pod.folder(first) / name, damage)
    found = pod.run(after(pod, first, result, "nightly-2", KMEANS))
    assert found.status == "completed"
    ids = {cluster.cluster_id for cluster in found.clusters}
    if name == "centroids.parquet":
        assert found.notes[0].startswith("clusters are renumbered: the clusters of nightly-1 cannot be read: ")
        assert ids == {4, 5, 6, 7}
    else:
        assert found.notes[0].startswith("documents are not compared with those of nightly-1: ")
        assert ids == {0, 1, 2, 3}
        assert found.changes is not None
        assert found.changes.documents is None


def test_by_size(pod: Pod) -> None:
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    first = pod.spec(KMEANS, run="nightly-1")
    result = pod.run(first)
    config = {**KMEANS, "ids": "by_size"}
    second = after(pod, first, result, "nightly-2", {**config, "n_clusters": 3})
    found = pod.run(second)
    assert [cluster.cluster_id for cluster in found.clusters] == [0, 1, 2]
    assert (found.changes, found.next_cluster_id, found.notes) == (None, 4, [])
    assert not (pod.folder(second) / "lineage.parquet").exists()


def test_noise_stays_noise_and_several_collections_are_told_apart(pod: Pod) -> None:
    """The same IDs in both collections do not mean the same documents."""
    (vectors, ids), far = topics(0, 1), np.eye(32, dtype=np.float32)[:3]
    sources = [{"uri": "a.parquet"}, {"uri": "b.parquet"}]
    write(pod.volume / "a.parquet", np.concatenate([vectors, far]), [*ids, "x", "y", "z"])
    other, _ = topics(2, 3)
    write(pod.volume / "b.parquet", other, [f"doc-{row}" for row in range(len(other))])
    config = {"algorithm": "hdbscan", "min_cluster_size": 20, "reduce": "none"}
    first = pod.spec(config, *sources, run="nightly-1")
    result = pod.run(first)
    swapped = [collection.model_dump(exclude_none=True) for collection in first.collections[::-1]]
    second = after(pod, first, result, "nightly-2", config, collections=swapped)
    found = pod.run(second)
    assert found.changes is not None
    assert (found.changes.documents, found.changes.moved) == (len(vectors) + len(far) + len(other), 0)
    assert found.num_noise == result.num_noise
    members = pq.read_table(pod.folder(second) / "members.parquet")
    assert members["cluster_id"].to_pylist().count(-1) == found.num_noise


NESTED, GROUPS, _ = nested(groups=5)
EVOC: dict[str, Any] = {"algorithm": "evoc", "base_min_cluster_size": 20}


def groups(*wanted: int, without: int = 0) -> tuple[Vectors, list[str]]:
    """Documents of some of five groups, without the first part of each, and their IDs."""
    rows = np.flatnonzero(np.isin(GROUPS, wanted))
    rows = rows[rows % 60 >= without]
    return NESTED[rows], [f"doc-{row}" for row in rows]


def layers_of(folder: Path) -> dict[int, dict[str, int]]:
    """The cluster_id of each document, by layer."""
    table = pq.read_table(folder / "layers.parquet").to_pydict()
    layers: dict[int, dict[str, int]] = {}
    for document, layer, cluster in zip(table["document_id"], table["layer"], table["cluster_id"], strict=True):
        layers.setdefault(layer, {})[document] = cluster
    return layers


def test_ids_of_every_layer_stay(pod: Pod) -> None:
    write(pod.volume / "data.parquet", *groups(0, 1, 2, 3))
    first = pod.spec(EVOC, run="nightly-1")
    result = pod.run(first)
    before = layers_of(pod.folder(first))
    known = [number for own in before.values() for number in set(own.values()) - {-1}]
    assert len(known) == len(set(known)) == result.next_cluster_id, "no two clusters have one id"
    assert clusters_of(pod.folder(first)) in before.values()
    write(pod.volume / "data.parquet", *groups(1, 2, 3, 4, without=3))
    second = after(pod, first, result, "nightly-2", EVOC)
    found = pod.run(second)
    now = layers_of(pod.folder(second))
    assert clusters_of(pod.folder(second)) in now.values()
    lineage = pq.read_table(pod.folder(second) / "layer_lineage.parquet").to_pylist()
    assert {row["layer"] for row in lineage} >= set(now)
    added = {f"doc-{row}" for row in np.flatnonzero(GROUPS == 4)}
    numbers: list[int] = []
    for layer, own in now.items():
        (went_on,) = {row["previous_layer"] for row in lineage if row["layer"] == layer}
        numbers += set(own.values()) - {-1}
        fresh = {own[document] for document in added & own.keys()} - {-1}
        assert fresh.isdisjoint(known), "a number that was used stays used"
        if went_on is not None:
            assert share_kept(before[went_on], own) >= 0.9
            kept = {row["cluster_id"] for row in lineage if row["layer"] == layer and row["event"] == "kept"}
            assert kept == set(own.values()) & set(before[went_on].values()) - {-1}
    assert len(numbers) == len(set(numbers))
    assert any(row["previous_layer"] is not None for row in lineage)
    assert found.next_cluster_id == max([*known, *numbers]) + 1
    assert found.changes is not None
    assert (found.changes.start, found.changes.documents) == ("last", 3 * 5 * 57)
    again = second.model_copy(update={"run": "nightly-3"})
    pod.run(again)
    assert layers_of(pod.folder(again)) == now


def test_by_size_numbers_the_layers_one_after_the_other(pod: Pod) -> None:
    write(pod.volume / "data.parquet", *groups(0, 1, 2, 3))
    first = pod.spec(EVOC, run="nightly-1")
    result = pod.run(first)
    second = after(pod, first, result, "nightly-2", {**EVOC, "ids": "by_size"})
    found = pod.run(second)
    assert layers_of(pod.folder(second)) == layers_of(pod.folder(first)), "a first run starts from nothing either"
    assert (found.changes, found.next_cluster_id) == (None, result.next_cluster_id)
    assert not (pod.folder(second) / "layer_lineage.parquet").exists()


@pytest.mark.parametrize(
    ("name", "damage"),
    [("layer_clusters.parquet", "gone"), ("layer_clusters.parquet", "another file"), ("layers.parquet", "cut off")],
)
def test_damaged_layers_fail_no_run(pod: Pod, damage: str, name: str) -> None:
    write(pod.volume / "data.parquet", *groups(0, 1, 2, 3))
    first = pod.spec(EVOC, run="nightly-1")
    result = pod.run(first)
    before = layers_of(pod.folder(first))
    damage_file(pod.folder(first) / name, damage)
    second = after(pod, first, result, "nightly-2", EVOC)
    found = pod.run(second)
    now = layers_of(pod.folder(second))
    note = next(note for note in found.notes if "nightly-1" in note)
    assert found.changes is not None
    assert (found.changes.new, found.changes.gone) == ([], []), "the run's own clusters are matched nevertheless"
    shared = {*before[0].values()} & {*now[0].values()} - {-1}
    if name == "layers.parquet":
        assert note.startswith("documents are not compared with those of nightly-1: ")
        assert shared, "clusters are matched by their centroids"
    else:
        assert note.startswith("clusters of all layers but the run's own are renumbered: the layers of nightly-1 ")
        own = set(clusters_of(pod.folder(second)).values())
        others = {number for layer in now.values() for number in layer.values()} - own - {-1}
        assert all(number >= (result.next_cluster_id or 0) for number in others)


TEXTS = {"uri": "data.parquet", "text_column": "text"}


def names_of(folder: Path) -> dict[int, str]:
    centroids = pq.read_table(folder / "centroids.parquet")
    return dict(zip(centroids["cluster_id"].to_pylist(), centroids["name"].to_pylist(), strict=True))


def lineage_names(folder: Path) -> dict[int, tuple[str | None, str | None]]:
    rows = pq.read_table(folder / "lineage.parquet").to_pylist()
    return {row["cluster_id"]: (row["previous_name"], row["name"]) for row in rows}


def test_a_name_lasts_with_its_id_while_its_terms_tell(pod: Pod) -> None:
    vectors, ids = topics(0, 1, 2, 3)
    topic = PLANTED.labels[[int(name.removeprefix("doc-")) for name in ids]]
    words = np.array(["rust crates", "ruby gems", "perl modules", "haskell packages"])
    write(pod.volume / "data.parquet", vectors, ids, texts=words[topic].tolist())
    first = pod.spec(KMEANS, TEXTS, run="nightly-1")
    result = pod.run(first)
    before, numbers = names_of(pod.folder(first)), clusters_of(pod.folder(first))
    assert set(before.values()) == set(words)
    number = {name: own for own, name in before.items()}

    # One topic gets a more distinctive second word, one gets other words, one is removed, and one is new.
    words = np.array(["rust crates. servo engine", "crystal shards", "perl modules", "", "ocaml findlib"])
    vectors, ids = topics(0, 1, 2, 4)
    topic = PLANTED.labels[[int(name.removeprefix("doc-")) for name in ids]]
    write(pod.volume / "data.parquet", vectors, ids, texts=words[topic].tolist())
    collections = [collection.model_dump(exclude_none=True) for collection in first.collections]
    second = after(pod, first, result, "nightly-2", KMEANS, collections=collections)
    found = pod.run(second)
    now, gone = names_of(pod.folder(second)), number["haskell packages"]
    assert now == {
        number["rust crates"]: "rust crates",
        number["ruby gems"]: "crystal shards",
        number["perl modules"]: "perl modules",
        4: "ocaml findlib",
    }
    assert found.changes is not None
    assert found.changes.renamed == [number["ruby gems"]]
    summary = f"3 clusters kept, 1 renamed ({number['ruby gems']}), 1 new (4), 1 gone ({gone}); "
    assert found.changes.summary.startswith(summary)
    assert lineage_names(pod.folder(second)) == {
        **{own: (before[own], now[own]) for own in before if own != gone},
        4: (None, "ocaml findlib"),
        gone: ("haskell packages", None),
    }
    assert {cluster.cluster_id: cluster.name for cluster in found.clusters} == now
    assert {numbers[document] for document in topics(0)[1]} == {number["rust crates"]}


def test_a_cluster_named_after_a_document_keeps_the_name_while_it_holds_it(pod: Pod) -> None:
    vectors, ids = topics(0, 1)
    ids = [f"https://example.org/collections/of/{name}" for name in ids]
    config = {**KMEANS, "n_clusters": 2}
    write(pod.volume / "data.parquet", vectors, ids)
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    before, numbers = names_of(pod.folder(first)), clusters_of(pod.folder(first))
    assert all(len(name) == 36 and name.startswith("https://example.o…") for name in before.values())
    assert len(set(before.values())) == 2
    told = {f"{name[:17]}…{name[-18:]}": name for name in ids}
    # Most of cluster 0 goes, the document that it is named after stays, at its border now; that of cluster 1 goes.
    kept = [
        row for row, name in enumerate(ids) if (row % 4 == 0 or name == told[before[0]]) and name != told[before[1]]
    ]
    vectors = vectors[kept] + np.float32(0.02)
    write(pod.volume / "data.parquet", vectors, [ids[row] for row in kept])
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    now = names_of(pod.folder(second))
    assert now[0] == before[0]
    assert now[1] != before[1]
    assert found.changes is not None
    assert found.changes.renamed == [1]
    assert set(numbers.values()) == {0, 1}


def test_results_in_a_bucket(pod: Pod, bucket: Bucket, keys: Path) -> None:
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3))
    results = bucket.results()
    first = pod.spec(KMEANS, run="nightly-1", results=results)
    result = pod.run(first)
    found = pod.run(after(pod, first, result, "nightly-2", KMEANS, results=results))
    assert found.changes is not None
    assert (found.changes.kept, found.changes.moved, found.notes) == (4, 0, [])


@dataclass
class Packages:
    """Embeddings of package descriptions, their names and their sections."""

    vectors: Vectors
    ids: list[str]
    sections: npt.NDArray[np.str_]

    def write(self, pod: Pod, rows: Rows) -> None:
        write(pod.volume / "data.parquet", self.vectors[rows], [self.ids[row] for row in rows])

    def replaced(self) -> tuple[Rows, Rows]:
        """Rows of two days: on the second day, 5 % of each section are other packages."""
        generator = np.random.default_rng(3)
        parts = [generator.permutation(np.flatnonzero(self.sections == name)) for name in np.unique(self.sections)]
        swapped = [(part[: len(part) // 20], part[len(part) // 20 : len(part) // 20 * 2]) for part in parts]
        rows = np.arange(len(self.ids))
        late, early = (np.concatenate(some) for some in zip(*swapped, strict=True))
        return np.setdiff1d(rows, late), np.setdiff1d(rows, early)


@pytest.fixture(scope="module")
def packages() -> Packages:
    table = pq.read_table(PACKAGES, columns=["document_id", "section", "embedding"])
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    return Packages(vectors, table["document_id"].to_pylist(), np.array(table["section"].to_pylist()))


def share_kept(before: dict[str, int], now: dict[str, int]) -> float:
    """The share of documents of both runs that kept their cluster_id."""
    both = before.keys() & now.keys()
    return sum(before[document] == now[document] for document in both) / len(both)


@pytest.mark.parametrize(
    ("config", "least"),
    [
        ({"algorithm": "kmeans", "n_clusters": 12}, 0.9),
        ({"algorithm": "gaussian_mixture", "n_components": 12}, 0.9),
        pytest.param({"algorithm": "hdbscan", "min_cluster_size": 15}, 0.85, marks=pytest.mark.slow),
        pytest.param({"algorithm": "evoc"}, 0.7, marks=pytest.mark.slow),
        pytest.param({"algorithm": "mean_shift", "quantile": 0.02}, 0.9, marks=pytest.mark.slow),
    ],
)
def test_documents_stay_where_few_others_are_replaced(
    pod: Pod, packages: Packages, config: dict[str, Any], least: float
) -> None:
    early, late = packages.replaced()
    packages.write(pod, early)
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    packages.write(pod, late)
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    now = clusters_of(pod.folder(second))
    assert share_kept(clusters_of(pod.folder(first)), now) >= least
    assert found.changes is not None
    assert found.changes.start in ("last", "fresh")
    assert (found.changes.start == "fresh") == any(note.startswith("started afresh: ") for note in found.notes)
    if config["algorithm"] == "kmeans":
        fresh = pod.run(pod.spec(config, run="other-1"))
        assert found.metrics["inertia"] <= 1.01 * fresh.metrics["inertia"]
    assert clusters_of(pod.folder(second)) == now
    again = second.model_copy(update={"run": "nightly-3"})
    pod.run(again)
    assert clusters_of(pod.folder(again)) == now, "the same spec after the same run gives the same clusters"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topic", "config", "least"),
    [
        ("fonts", {"algorithm": "hdbscan", "min_cluster_size": 15}, 0.85),
        ("gnu-r", {"algorithm": "hdbscan", "min_cluster_size": 15}, 0.85),
        ("localization", {"algorithm": "hdbscan", "min_cluster_size": 15}, 0.85),
        ("fonts", {"algorithm": "mean_shift", "quantile": 0.02}, 0.9),
    ],
)
def test_a_topic_that_was_not_there_has_clusters_of_its_own(
    pod: Pod, packages: Packages, topic: str, config: dict[str, Any], least: float
) -> None:
    added = packages.sections == topic
    packages.write(pod, np.flatnonzero(~added))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    packages.write(pod, np.arange(len(added)))
    second = after(pod, first, result, "nightly-2", config)
    pod.run(second)
    before, now = clusters_of(pod.folder(first)), clusters_of(pod.folder(second))
    assert share_kept(before, now) >= least
    fresh = Counter(now[packages.ids[row]] for row in np.flatnonzero(added))
    new = [(number, count) for number, count in fresh.most_common() if number > max(before.values())]
    assert sum(count for _, count in new[:2]) >= 0.8 * added.sum()


LAID_OUT: list[dict[str, Any]] = [
    {"algorithm": "hdbscan", "min_cluster_size": 5},
    {"algorithm": "hdbscan", "min_cluster_size": 5, "reduce": "umap"},
    {"algorithm": "evoc"},
    {"algorithm": "mean_shift", "quantile": 0.05},
    {"algorithm": "optics", "min_samples": 5},
]


@pytest.mark.parametrize("config", LAID_OUT, ids=lambda config: "-".join(map(str, config.values())))
def test_no_document_moves_where_none_is_new(pod: Pod, packages: Packages, config: dict[str, Any]) -> None:
    packages.write(pod, np.arange(0, 3_000, 25))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    # OPTICS visits documents in their order, which decides on those between two clusters.
    packages.write(pod, np.arange(0, 3_000, 25)[:: 1 if config["algorithm"] == "optics" else -1])
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert found.changes is not None
    assert (found.changes.documents, found.changes.moved, found.changes.start) == (120, 0, "last")
    assert "no vector is new: the layout of nightly-1 was used again" in found.notes
    positions = [
        sorted(pq.read_table(pod.folder(spec) / "layout.parquet").to_pylist(), key=str) for spec in (first, second)
    ]
    assert positions[0] == positions[1]


def test_a_new_copy_moves_no_document(pod: Pod, packages: Packages) -> None:
    config = {"algorithm": "hdbscan", "min_cluster_size": 5}
    packages.write(pod, np.arange(0, 3_000, 25))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    rows = np.r_[50, np.arange(0, 3_000, 25)]
    write(pod.volume / "data.parquet", packages.vectors[rows], ["copy", *(packages.ids[row] for row in rows[1:])])
    second = after(pod, first, result, "nightly-2", config)
    pod.run(second)
    before, now = layout_of(pod.folder(first)), layout_of(pod.folder(second))
    assert now == before | {"copy": before[packages.ids[50]]}


def test_documents_move_little_where_few_are_new(pod: Pod, packages: Packages) -> None:
    config = {"algorithm": "hdbscan", "min_cluster_size": 5}
    packages.write(pod, np.arange(0, 3_000, 5))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    before = layout_of(pod.folder(first))
    moves = []
    for new in (6, 60):
        packages.write(pod, np.arange(5 * new, 3_000 + 5 * new, 5) % 3_001)
        second = after(pod, first, result, f"nightly-{new}", config)
        pod.run(second)
        now = layout_of(pod.folder(second))
        assert all(np.isfinite(position).all() for position in now.values())
        moves.append(np.median([np.linalg.norm(np.subtract(now[name], before[name])) for name in before.keys() & now]))
    assert 0 < moves[0] < 0.2 * moves[1]


def layout_of(folder: Path) -> dict[str, list[float]]:
    table = pq.read_table(folder / "layout.parquet")
    return dict(zip(table["document_id"].to_pylist(), table["position"].to_pylist(), strict=True))


@pytest.mark.parametrize(("share", "start"), [(1.0, None), (0.3, "last")])
def test_a_document_that_was_embedded_anew_has_no_position(pod: Pod, share: float, start: str | None) -> None:
    """Another model can have the same number of dimensions: where its vectors were once says nothing about them."""
    config = {"algorithm": "hdbscan", "min_cluster_size": 10}
    vectors, ids = topics(0, 1, 2, 3)
    own = PLANTED.labels[np.isin(PLANTED.labels, [0, 1, 2, 3])]
    write(pod.volume / "data.parquet", vectors, ids)
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    assert result.num_clusters == 4
    changed = np.random.default_rng(5).permutation(len(ids))[: int(share * len(ids))]
    others = np.arange(len(ids))
    others[changed] = np.roll(changed, 1)
    write(pod.volume / "data.parquet", vectors[others], ids)
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert found.changes is not None
    assert found.changes.start == start
    now = clusters_of(pod.folder(second))
    assert adjusted_rand_score([now[name] for name in ids], own[others]) == 1


def test_a_layout_of_other_settings_is_a_start_only(pod: Pod, packages: Packages) -> None:
    packages.write(pod, np.arange(0, 3_000, 15))
    first = pod.spec({"algorithm": "evoc"}, run="nightly-1")
    result = pod.run(first)
    config = {"algorithm": "evoc", "noise_level": 0.9}
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert layout_of(pod.folder(second)) != layout_of(pod.folder(first))
    third = after(pod, second, found, "nightly-3", config)
    pod.run(third)
    assert layout_of(pod.folder(third)) == layout_of(pod.folder(second))


def test_a_layout_without_hashes_is_a_start_only(pod: Pod, packages: Packages) -> None:
    """Runs of earlier versions wrote none."""
    config = {"algorithm": "hdbscan", "min_cluster_size": 5}
    packages.write(pod, np.arange(0, 3_000, 15))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    file = pod.folder(first) / "layout.parquet"
    table = pq.read_table(file).drop_columns("vector_hash")
    pq.write_table(table.replace_schema_metadata({"layout": table.schema.metadata[b"layout"]}), file)
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert found.changes is not None
    assert (found.changes.start, found.changes.documents) == ("last", 200)
    before, now = layout_of(pod.folder(first)), layout_of(pod.folder(second))
    assert np.median([np.linalg.norm(np.subtract(now[name], before[name])) for name in before]) > 0


@pytest.mark.parametrize("breaths", [0, BREATHS])
def test_a_fresh_start_is_taken_where_it_is_better(pod: Pod, monkeypatch: pytest.MonkeyPatch, breaths: int) -> None:
    """Two groups merge, and one splits: k-means cannot leave that start, unless centroids are moved."""
    monkeypatch.setattr(kmeans, "BREATHS", breaths)
    config = {"algorithm": "kmeans", "n_clusters": 3, "metric": "euclidean"}
    noise = np.random.default_rng(0).normal(size=(300, 2), scale=0.05)
    before, now = np.array([[-0.5, 0], [0.5, 0], [10, 1]]), np.array([[0, 0], [10, 0], [10, 2]])
    write(pod.volume / "data.parquet", (np.repeat(before, 100, axis=0) + noise).astype(np.float32))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    write(pod.volume / "data.parquet", (np.repeat(now, 100, axis=0) + noise).astype(np.float32))
    second = after(pod, first, result, "nightly-2", config)
    found = pod.run(second)
    assert found.changes is not None
    said = "of inertia than a start from the clusters of nightly-1"
    assert found.changes.start == ("last" if breaths else "fresh")
    assert (said in found.changes.summary) == any(said in note for note in found.notes) == (breaths == 0)
    assert found.metrics["inertia"] < 5


def test_by_size_starts_afresh(pod: Pod) -> None:
    config = {**KMEANS, "ids": "by_size", "n_clusters": 3}
    write(pod.volume / "data.parquet", *topics(0, 1, 2, 3, 4))
    first = pod.spec(config, run="nightly-1", seed=1)
    result = pod.run(first)
    second = after(pod, first, result, "nightly-2", config, seed=2)
    other = pod.spec(config, run="other-1", seed=2)
    found = [pod.run(spec) for spec in (second, other)]
    assert found[0].clusters == found[1].clusters


@pytest.mark.slow
def test_a_layout_that_cannot_be_read_starts_anew(pod: Pod, packages: Packages) -> None:
    config = {"algorithm": "hdbscan", "min_cluster_size": 15}
    packages.write(pod, np.arange(0, 3_000, 5))
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first)
    layout = pq.read_table(pod.folder(first) / "layout.parquet")
    assert layout["document_id"] == pq.read_table(pod.folder(first) / "members.parquet")["document_id"]
    (pod.folder(first) / "layout.parquet").write_bytes(b"PAR1")
    found = pod.run(after(pod, first, result, "nightly-2", config))
    assert found.status == "completed"
    assert found.notes[0].startswith("the layout of nightly-1 cannot be read: ")
    assert found.changes is not None
    assert (found.changes.start, found.changes.moved) == (None, 0)


def test_ids_and_layout_last_where_the_memory_suffices_for_a_sample_only(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "FEWEST_DOCUMENTS", 100)
    data = planted(1_200, 6, dimensions=32, spread=0.05)
    ids = [f"doc-{row}" for row in range(1_200)]
    memory = sample.ALLOCATED + 600 * (bytes_per_vector(32) + 4 * 32)
    config = {"algorithm": "hdbscan", "min_cluster_size": 20}
    write(pod.volume / "data.parquet", data.vectors[:1_100], ids[:1_100])
    first = pod.spec(config, run="nightly-1")
    result = pod.run(first, memory)
    assert any("clustered a sample of 600 of 1100 documents" in note for note in result.notes)
    positions = pq.read_table(pod.folder(first) / "layout.parquet")["position"].combine_chunks().flatten().to_numpy()
    assert np.isfinite(positions).sum() == 600 * 5
    before = clusters_of(pod.folder(first))
    assert len(set(before.values()) - {-1}) == 6
    write(pod.volume / "data.parquet", data.vectors[100:], ids[100:])
    found = pod.run(after(pod, first, result, "nightly-2", config), memory)
    now = clusters_of(pod.folder(pod.spec(config, run="nightly-2")))
    assert found.changes is not None
    assert found.changes.start == "last"
    assert (found.changes.new, found.changes.gone) == ([], [])
    both = before.keys() & now.keys()
    assert sum(before[document] == now[document] for document in both) > 0.97 * len(both)
