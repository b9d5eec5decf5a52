"""Story of a run of each algorithm on real embeddings, as its owner sees it."""

from collections.abc import Iterator

import pytest

from e2e.stories.conftest import Stage
from e2e.stories.data import DOCUMENTS
from e2e.stories.scene import Scene
from harness.cluster.errors import ClusterError

WITH_NUMBER = ("gaussian-mixture", "hierarchical", "kmeans", "spectral")
"""Algorithms that get the number of clusters."""
REDUCING = ("hdbscan", "mean-shift", "optics")
WITHOUT_NUMBER = ("dbscan", "evoc", *REDUCING)
"""Algorithms that determine the number of clusters."""
TOKEN = "each-algorithm"


@pytest.fixture(scope="module", autouse=True)
def _all_asked_to_run(stage_set: Stage) -> Iterator[None]:
    """Request all runs at the same time, so that they share the cores."""
    scene = stage_set.scene
    scene.apply_file("algorithms.yaml")
    for algorithm in (*WITH_NUMBER, *WITHOUT_NUMBER):
        scene.request_run(f"by-{algorithm}", TOKEN)
    yield
    scene.kubectl("delete", "clustertrigger", *(f"by-{algorithm}" for algorithm in (*WITH_NUMBER, *WITHOUT_NUMBER)))


@pytest.mark.parametrize("algorithm", [*WITH_NUMBER, *WITHOUT_NUMBER])
def test_clusters_real_embeddings(scene: Scene, algorithm: str) -> None:
    run = scene.run_ended(f"by-{algorithm}", slot=f"manual/{TOKEN}")
    assert (run["status"], run["num_documents"]) == ("completed", DOCUMENTS)
    assert run["num_clusters"] == 6 if algorithm in WITH_NUMBER else run["num_clusters"] >= 2
    reduced = "clustered after EVōC's node embedding from 384 to 5 dimensions" in run.get("notes", [])
    assert reduced == (algorithm in REDUCING), run.get("notes")
    scene.shows(f"by-{algorithm}", "LAST RESULT", "completed")


def test_parameter_of_another_algorithm_is_refused_by_name(scene: Scene) -> None:
    patch = '--patch={"spec": {"execution_config": {"config": {"eps": 0.3}}}}'
    try:
        scene.kubectl("patch", "clustertrigger", "by-kmeans", "--type=merge", patch)
    except ClusterError as refusal:  # since Kubernetes 1.25 the API server itself evaluates the CRD's rules
        message = str(refusal)
    else:
        message = scene.eventually(lambda: _not_ready(scene, "by-kmeans"), "by-kmeans: not Ready", "by-kmeans")
    assert "eps is valid only with dbscan: remove it" in message


def _not_ready(scene: Scene, name: str) -> str | None:
    ready = scene.condition(name, "Ready")
    return str(ready["message"]) if ready.get("status") == "False" else None
