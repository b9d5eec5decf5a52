"""Clusters at several granularities: from the run's folder to the terminal, and from one run to the next."""

import json
from collections.abc import Iterator

import pytest

from e2e.stories import data
from e2e.stories.conftest import Stage
from e2e.stories.scene import Scene
from e2e.stories.triggers import by_interval


@pytest.fixture(scope="module", autouse=True)
def _granular(stage_set: Stage) -> Iterator[None]:
    scene = stage_set.scene
    scene.kubectl.apply(by_interval("granular", {"algorithm": "evoc"}))
    scene.kubectl.apply(by_interval("one-granularity", {"algorithm": "hdbscan", "min_cluster_size": 15}))
    for name in ("granular", "one-granularity"):
        scene.request_run(name, "first")
    yield
    scene.kubectl("delete", "clustertrigger", "granular", "one-granularity")


def test_every_layer_is_in_the_folder_and_in_the_terminal(scene: Scene) -> None:
    run = scene.run_ended("granular", slot="manual/first")
    assert run["status"] == "completed", run
    assert any("clusters, the finest first: the run's clusters are layer" in note for note in run["notes"])
    found = json.loads(scene.plugin("results", "granular", "--layer", "0", "-o", "json").stdout)
    assert found["layer"] == 0
    assert found["num_clusters"] == len(found["clusters"]) > 2
    assert sum(cluster["num_documents"] for cluster in found["clusters"]) + found["num_noise"] == data.DOCUMENTS
    chosen = scene.plugin("results", "granular", "--layer", str(found["chosen"]))
    assert chosen.returncode == 0, chosen.stderr
    heading, columns, *rows = chosen.stdout.splitlines()
    assert heading.endswith("(the run's clusters)")
    assert columns.split() == ["#", "NAME", "DOCUMENTS", "SHARE", "IN"]
    assert len(rows) == run["num_clusters"]


def test_the_same_spec_gives_the_same_layers(scene: Scene) -> None:
    scene.run_ended("granular", slot="manual/first")
    before = json.loads(scene.plugin("results", "granular", "--layer", "0", "-o", "json").stdout)
    scene.request_run("granular", "second")
    scene.run_ended("granular", slot="manual/second")
    after = json.loads(scene.plugin("results", "granular", "--layer", "0", "-o", "json").stdout)
    assert before.pop("job_id") != after.pop("job_id")
    assert before == after


def test_what_there_is_not_is_told(scene: Scene) -> None:
    scene.run_ended("granular", slot="manual/first")
    beyond = scene.plugin("results", "granular", "--layer", "19")
    assert beyond.returncode == 1
    assert "--layer: there is no layer 19: 0 to " in beyond.stderr
    scene.run_ended("one-granularity", slot="manual/first")
    single = scene.plugin("results", "one-granularity", "--layer", "0")
    assert single.returncode == 1
    assert "has one granularity only: algorithm evoc finds several" in single.stderr
