"""Story of lasting clusters: they keep their ids and names while the collection grows."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2e.stories.conftest import NAMESPACE, Stage
from e2e.stories.data import EXAMPLE
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import by_interval
from harness.claim_files import ClaimFiles, claim_files

CLAIMS = ["embeddings", "clustertrigger-results"]
CONFIG = {"algorithm": "kmeans", "n_clusters": 12, "random_state": 7}
COLLECTION = {
    "apiVersion": "clustertrigger.dev/v1alpha1",
    "kind": "Collection",
    "metadata": {"name": "lasting"},
    "spec": {"volume": "embeddings", "source": {"uri": "lasting/", "text_column": "description"}},
}
LATER = 150
"""Number of packages that are added on the second day: 5 %, from all sections."""


@pytest.fixture(scope="module")
def days() -> list[pa.Table]:
    """The packages of the first day, and those that are added on the second day."""
    packages = pq.read_table(EXAMPLE)
    order = np.random.default_rng(0).permutation(len(packages))
    return [packages.take(np.sort(order[LATER:])), packages.take(np.sort(order[:LATER]))]


@pytest.fixture(scope="module")
def claims(stage_set: Stage, days: list[pa.Table]) -> Iterator[ClaimFiles]:
    scene = stage_set.scene
    with claim_files(scene.kubectl, stage_set.images.worker.name, CLAIMS) as claims:
        claims.upload_new("embeddings", {"lasting/first-day.parquet": written(days[0])})
        scene.kubectl.apply(COLLECTION, by_interval("lasting", CONFIG, collection="lasting"))
        yield claims
        scene.kubectl("delete", "clustertrigger/lasting", "collection/lasting")


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def the_run_of(scene: Scene, day: str) -> Object:
    scene.request_run("lasting", day)
    run = scene.run_ended("lasting", slot=f"manual/{day}")
    assert run["status"] == "completed", run
    return run


def named(scene: Scene, number: int) -> str:
    """Return the name of a cluster in the output of kubectl."""
    path = f"jsonpath={{.status.last_result.clusters[?(@.cluster_id=={number})].name}}"
    return scene.kubectl("get", "clustertrigger", "lasting", f"--output={path}").strip()


def members(claims: ClaimFiles, run: Object, into: Path) -> dict[str, int]:
    claims.download("clustertrigger-results", f"{NAMESPACE}/lasting/{run['job_id']}", into)
    table = pq.read_table(into / "members.parquet")
    return dict(zip(table["document_id"].to_pylist(), table["cluster_id"].to_pylist(), strict=True))


def test_ids_and_names_stay_while_documents_come(
    scene: Scene, claims: ClaimFiles, days: list[pa.Table], tmp_path: Path
) -> None:
    first = the_run_of(scene, "yesterday")
    names = {number: named(scene, number) for number in range(12)}
    assert len(set(names.values())) == 12, "no two clusters have the same name"
    assert any(" " in term for name in names.values() for term in name.split(", ")), "terms of two words"
    yesterday = members(claims, first, tmp_path / "yesterday")

    claims.upload("embeddings", {"lasting/second-day.parquet": written(days[1])})
    second = the_run_of(scene, "today")
    assert second["num_documents"] == first["num_documents"] + LATER
    today = members(claims, second, tmp_path / "today")
    result = scene.status("lasting")["last_result"]
    print(f"\n{scene.plugin('results', 'lasting').stdout}")

    changes = result["changes"]
    assert changes["since"] == first["job_id"]
    assert (changes["kept"], changes.get("new", []), changes.get("gone", [])) == (12, [], [])
    assert changes["start"] == "last"
    stayed = sum(today[document] == number for document, number in yesterday.items())
    assert stayed >= 0.9 * len(yesterday)
    threes = Counter(today[document] for document, number in yesterday.items() if number == 3)
    assert threes.most_common(1)[0][0] == 3, threes

    # A cluster has the same name as yesterday, or is listed as renamed.
    renamed = changes.get("renamed", [])
    assert len(renamed) <= 2, changes
    for number, name in names.items():
        assert (named(scene, number) != name) == (number in renamed), number
    lineage = pq.read_table(tmp_path / "today" / "lineage.parquet").to_pylist()
    assert {row["cluster_id"]: row["previous_name"] for row in lineage} == names
    assert {row["cluster_id"] for row in lineage if row["name"] != row["previous_name"]} == set(renamed)
    scene.wait_for_event("lasting", "", changes["summary"])
