"""Tests of `kubectl clustertrigger results --layer`: how a layer is described; it is fetched as reports are."""

from __future__ import annotations

import pytest

from clustercontract.layers import Layer, LayerCluster, Layers
from clustertrigger.cli.layers import layer_in_words, layer_of, read_layers
from clustertrigger.cli.scope import CommandError
from clustertrigger.results.pod import place_of
from tests.cli.test_report import run

FINE = Layer(
    layer=0,
    num_clusters=3,
    num_noise=150,
    persistence=0.0,
    clusters=[
        LayerCluster(cluster_id=12, name="rust, crates", num_documents=500, parent_layer=1, parent_cluster_id=5),
        LayerCluster(cluster_id=3, name="perl", num_documents=250, parent_layer=1, parent_cluster_id=5),
        LayerCluster(cluster_id=4, name="fonts", num_documents=100),
    ],
)
COARSE = Layer(
    layer=1,
    num_clusters=2,
    num_noise=50,
    persistence=3.5,
    clusters=[
        LayerCluster(cluster_id=9, name="games", num_documents=850),
        LayerCluster(cluster_id=5, name="library", num_documents=100),
    ],
)
LAYERS = Layers(num_documents=1_000, chosen=1, layers=[FINE, COARSE])


def test_a_layer_in_words() -> None:
    heading, *rows = [" ".join(str(line).split()) for line in layer_in_words("nightly-1", LAYERS, layer_of(LAYERS, 0))]
    assert heading == (
        "nightly-1, layer 0 of 0 to 1: 3 clusters of 1,000 documents, 150 in no cluster "
        "(the run's clusters are layer 1)"
    )
    assert rows == [
        "# NAME DOCUMENTS SHARE IN",
        "12 rust, crates 500 50.0% 1/5 library",
        "3 perl 250 25.0% 1/5 library",
        "4 fonts 100 10.0%",
    ]
    said = next(iter(layer_in_words("nightly-1", LAYERS, COARSE)))
    assert str(said).endswith("2 clusters of 1,000 documents, 50 in no cluster (the run's clusters)")


def test_a_missing_layer_is_reported_with_the_existing_ones() -> None:
    with pytest.raises(CommandError, match="there is no layer 2: choose one from 0 to 1, which have 3, 2 clusters"):
        layer_of(LAYERS, 2)


def test_the_file_is_read_or_refused_by_name() -> None:
    assert read_layers(LAYERS.model_dump_json(exclude_none=True).encode(), "/results/x/layers.json") == LAYERS
    with pytest.raises(CommandError, match=r"/results/x/layers\.json is not valid in this version"):
        read_layers(b'{"version": 2}', "/results/x/layers.json")


def test_the_location_of_layers() -> None:
    place = place_of({"spec": {}}, run("/results/b/a/j"), [], claim=None, image="i", file="layers.json")
    assert place.uri == "/results/b/a/j/layers.json"
