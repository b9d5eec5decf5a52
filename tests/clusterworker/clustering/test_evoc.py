"""Tests of `algorithm: evoc`: clusters at several granularities."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from evoc.clustering import build_cluster_layers
from sklearn.metrics import adjusted_rand_score

from clustercontract.algorithms import EVoC
from clustercontract.layers import Layers
from clusterworker.clustering.algorithms.density import spanning_tree
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.evoc import choose
from clusterworker.clustering.algorithms.layers import Layer, layers_of, size_for
from clusterworker.clustering.algorithms.layers import Layers as Layers_
from clusterworker.clustering.algorithms.node_embedding import embed
from clusterworker.data.arrays import NOISE, Labels, Vectors
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.clustering.carried_out import carried_out
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import nested, planted, write


def run(vectors: Vectors, **config: Any) -> tuple[Labels, list[str]]:
    labels, _, _, notes = carried_out(vectors, algorithm="evoc", **config)
    return labels, notes


@pytest.mark.parametrize("min_cluster_size", [5, 10])
def test_layers_are_the_librarys_where_no_vector_occurs_twice(min_cluster_size: int) -> None:
    """In EVōC's own code, a document is not its own neighbour, so that its min_samples is one less."""
    layout = embed(nested()[0], 4, "cosine", 0)
    tree = spanning_tree(distinct(layout), 6, 0)
    ours = layers_of(tree, min_cluster_size, most=10, alike=0.2).layers
    theirs, _, persistence = build_cluster_layers(
        layout, min_samples=5, base_min_cluster_size=min_cluster_size, reproducible_flag=True
    )
    assert [layer.clusters for layer in ours] == [int(labels.max()) + 1 for labels in theirs]
    for layer, labels, persistent in zip(ours, theirs, persistence, strict=True):
        assert adjusted_rand_score(labels, layer.labels) > 0.99
        assert layer.persistence == pytest.approx(persistent, rel=1e-3)


def test_granularities_of_nested_groups_are_found_and_named(pod: Pod) -> None:
    vectors, groups, parts = nested()
    texts = [f"group{group} part{part}" for group, part in zip(groups, parts, strict=True)]
    write(pod.volume / "data.parquet", vectors, texts=texts)
    spec = pod.spec({"algorithm": "evoc", "base_min_cluster_size": 20}, {"uri": "data.parquet", "text_column": "text"})
    result = pod.run(spec)
    folder = pod.folder(spec)
    layers = Layers.model_validate_json((folder / "layers.json").read_bytes())
    table = pq.read_table(folder / "layers.parquet")
    assert table.column_names == ["document_id", "layer", "cluster_id"]
    number, cluster = np.array(table["layer"]), np.array(table["cluster_id"])
    labels = {layer.layer: cluster[number == layer.layer] for layer in layers.layers}
    members = pq.read_table(folder / "members.parquet")["cluster_id"].to_pylist()
    assert members == labels[layers.chosen].tolist()
    assert result.num_clusters == layers.layers[layers.chosen].num_clusters
    assert adjusted_rand_score(parts, labels[0]) > 0.98
    assert 2 <= layers.layers[-1].num_clusters < layers.layers[0].num_clusters
    for layer in layers.layers:
        own = labels[layer.layer]
        assert [one.num_documents for one in layer.clusters] == [
            (own == one.cluster_id).sum() for one in layer.clusters
        ]
        assert layer.num_clusters == len(layer.clusters) == len(set(own[own >= 0].tolist()))
        assert layer.num_noise == (own < 0).sum()
        assert all("group" in one.name or "part" in one.name for one in layer.clusters)
        for one in layer.clusters:
            if one.parent_layer is not None:
                assert one.parent_layer > layer.layer
                above = labels[one.parent_layer][own == one.cluster_id]
                assert set(above.tolist()) == {one.parent_cluster_id}
    stored = pq.read_table(folder / "layer_clusters.parquet")
    assert stored["cluster_id"].to_pylist() == [one.cluster_id for layer in layers.layers for one in layer.clusters]
    for number, centroid in zip(stored["cluster_id"].to_pylist(), stored["centroid"].to_pylist(), strict=True):
        mean = vectors[np.any([own == number for own in labels.values()], axis=0)].mean(axis=0)
        assert np.allclose(centroid, mean / np.linalg.norm(mean), atol=1e-5)
    assert any(f"layers of {layers.layers[0].num_clusters}, " in note for note in result.notes)
    page = (folder / "report.html").read_text()
    assert page.count('<g class="level"') == len(layers.layers)
    assert '<label id="granularity" hidden>' in page
    assert page.count(' documents in no cluster (the run&#39;s clustering)"') == 1
    assert f'<p class="soft">These are the clusters of layer {layers.chosen}, which is the run\'s clustering' in page


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_same_spec_gives_the_same_clusters(metric: str) -> None:
    vectors, _, parts = nested()
    labels, _ = run(vectors, metric=metric, base_min_cluster_size=20, layer=0)
    assert adjusted_rand_score(parts, labels) > 0.98
    again, _ = run(vectors, metric=metric, base_min_cluster_size=20, layer=0)
    assert (again == labels).all()


def test_a_layer_may_be_chosen() -> None:
    vectors, _, _ = nested()
    finest, notes = run(vectors, layer=0)
    coarsest, told = run(vectors, layer=19)
    assert "because there is no layer 19" in told[-1]
    assert len(set(coarsest.tolist())) < len(set(finest.tolist()))
    assert notes[-1].endswith("the run's clusters are layer 0, as requested")


def found_layers(*each: tuple[int, float]) -> Layers_:
    none = np.empty(0, np.int32)
    return Layers_([Layer(none, np.arange(clusters), persistence) for clusters, persistence in each], [])


@pytest.mark.parametrize(
    ("before", "chosen", "why"),
    [
        (0, 1, "the most persistent one"),
        (13, 2, "as in the previous run"),  # nearly as persistent
        (42, 1, "the most persistent one"),
        (210, 1, "the most persistent one"),  # the finest: not persistent
        (3, 1, "the most persistent one"),  # none has about as many
    ],
)
def test_a_run_keeps_its_granularity_unless_another_is_clearly_better(before: int, chosen: int, why: str) -> None:
    notes: list[str] = []
    found = found_layers((200, 0.0), (40, 10.0), (12, 9.5))
    assert choose(found, EVoC(), before, notes) == chosen
    assert notes[0].endswith(f"the run's clusters are layer {chosen}, {why}")
    assert choose(found, EVoC(layer=0), before, notes) == 0


def test_copies_stay_together_and_count() -> None:
    data = planted(80, 4, dimensions=32, spread=0.05)
    vectors = np.repeat(data.vectors, 20, axis=0)
    labels, _ = run(vectors, base_min_cluster_size=100)
    assert (labels.reshape(80, 20) == labels[::20, None]).all()
    assert len(set(labels.tolist()) - {-1}) >= 2


@pytest.mark.parametrize("wanted", [4, 20])
def test_about_as_many_clusters_as_asked_for(wanted: int) -> None:
    vectors, _, _ = nested()
    labels, notes = run(vectors, approx_n_clusters=wanted)
    assert abs(len(set(labels.tolist()) - {-1}) - wanted) <= 2
    assert not any("layers of" in note for note in notes)
    tree = spanning_tree(distinct(embed(vectors, 4, "cosine", 7)), 5, 7)
    based = layers_of(tree, size_for(tree, wanted), most=10, alike=0.2)
    assert abs(based.layers[0].clusters - wanted) <= 2


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 39, 40, 41])
def test_few_documents(rows: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(rows, 24)).astype(np.float32)
    config = {"base_min_cluster_size": min(rows, 5)} if rows > 1 else {"base_min_cluster_size": 2}
    if rows == 1:
        with pytest.raises(MisconfiguredError, match="base_min_cluster_size 2 is more than the 1 document"):
            run(vectors, **config)
        return
    labels, notes = run(vectors, n_neighbors=100, **config)
    assert len(labels) == rows
    few = f"not reduced: {rows} documents are too few for EVōC's node embedding, which needs 40"
    assert (few in notes) == (rows < 40)
    assert (f"n_neighbors is {rows - 1} instead of 100, because there are {rows} documents" in notes) == (rows >= 40)


def test_all_documents_equal_are_noise_and_it_is_told() -> None:
    labels, notes = run(np.ones((200, 24), np.float32))
    assert set(labels.tolist()) == {-1}
    assert any(note.startswith("no cluster found, all documents are noise: nothing splits them") for note in notes)


def test_advice_finds_clusters_when_followed() -> None:
    vectors, _, _ = nested()
    labels, notes = run(vectors, base_min_cluster_size=1_000)
    assert set(labels.tolist()) == {-1}
    advice = next(note for note in notes if note.startswith("no cluster found"))
    size = int(advice.partition("; set base_min_cluster_size: ")[2].partition(",")[0])
    found = int(advice.rpartition("finds ")[2])
    assert len(set(run(vectors, base_min_cluster_size=size, max_layers=1)[0].tolist()) - {-1}) == found


def test_advice_is_a_size_that_the_field_accepts() -> None:
    """It said base_min_cluster_size: 1, which the API refuses, and nothing where no size helps."""
    blob = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    labels, notes = run(blob, metric="euclidean", base_min_cluster_size=7, min_samples=250)
    assert set(labels.tolist()) == {NOISE}
    [advice] = [note for note in notes if note.startswith("no cluster found")]
    assert "base_min_cluster_size: 1" not in advice
    assert set(with_hdbscan(blob, advice).tolist()) - {NOISE} == {0}


def with_hdbscan(vectors: Vectors, advice: str) -> Labels:
    """Labels of the hdbscan that the note names."""
    found = re.search(
        r"; use algorithm: hdbscan with allow_single_cluster: true, min_cluster_size: (\d+) and min_samples: (\d+) to "
        "make them one cluster$",
        advice,
    )
    assert found, advice
    sizes = {"min_cluster_size": int(found[1]), "min_samples": int(found[2])}
    labels, *_ = carried_out(vectors, algorithm="hdbscan", allow_single_cluster=True, metric="euclidean", **sizes)
    return labels


@pytest.mark.parametrize("seed", range(12))
def test_hdbscan_makes_them_one_cluster_with_the_sizes_of_the_note(seed: int) -> None:
    """Without sizes, the note led to two or three clusters, for the default min_samples is smaller."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(3, 16))[np.arange(8) % 3] * 3 + 0.01 * generator.normal(size=(8, 16))
    labels, notes = run(vectors.astype(np.float32), metric="euclidean", base_min_cluster_size=3)
    assert set(labels.tolist()) == {NOISE}
    [advice] = [note for note in notes if note.startswith("no cluster found")]
    assert set(with_hdbscan(vectors.astype(np.float32), advice).tolist()) - {NOISE} == {0}


@pytest.mark.parametrize("dimensions", [2, 3, 8])
def test_vectors_of_few_dimensions(dimensions: int) -> None:
    data = planted(300, 3, dimensions=dimensions, spread=0.02, seed=3)
    labels, _ = run(data.vectors, base_min_cluster_size=20)
    assert len(labels) == 300


@pytest.mark.parametrize("config", [{"base_n_clusters": 2}, {"approx_n_clusters": 2}])
def test_a_number_of_clusters_replaces_their_least_size(config: dict[str, Any]) -> None:
    """The message once named base_min_cluster_size, which is 5 by default, as larger than the number of documents."""
    labels, _ = run(np.eye(4, dtype=np.float32), **config)
    assert len(labels) == 4
    with pytest.raises(MisconfiguredError, match=r"^base_min_cluster_size 5 is more than the 4 documents"):
        run(np.eye(4, dtype=np.float32))
