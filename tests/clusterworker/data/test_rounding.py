"""Doubles that lose their differences in float32: what a run says, judged by scikit-learn in float64."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from clusterworker.clustering.algorithms import choice
from clusterworker.data import rounding
from clusterworker.data.arrays import Doubles
from clusterworker.data.dataset import StreamedDataset
from clusterworker.data.rounding import Rounding
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.data.sources.matrix import batch_of
from clusterworker.drift.profile import profile
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from tests.clusterworker.conftest import Pod
from tests.clusterworker.data.sources_of_all_kinds import Database
from tests.clusterworker.drift.drifting import baseline_of

HIERARCHICAL = {"algorithm": "hierarchical", "n_clusters": 4, "metric": "euclidean"}
CENTER = "subtract the mean of all vectors from each, in float64, before you write them"
INSEPARABLE = "cluster them apart from the others"


def grouped(rows: int = 200, *, offset: float = 0.0, scale: float = 1.0, dimensions: int = 8) -> Doubles:
    """Four groups, 10 wide and far apart in relation to that, moved and scaled."""
    random = np.random.default_rng(3)
    middles = 100 * random.normal(size=(4, dimensions))
    vectors: Doubles = (middles[np.arange(rows) % 4] + random.normal(size=(rows, dimensions))) * scale + offset
    return vectors


def write(pod: Pod, vectors: Doubles, kind: Any = None, name: str = "data.parquet") -> None:
    column = pa.array(vectors.tolist(), kind or pa.list_(pa.float64()))
    pq.write_table(pa.table({"document_id": list(range(len(vectors))), "embedding": column}), pod.volume / name)


def lost(notes: list[str]) -> list[str]:
    return [note for note in notes if note.startswith("when numbers were rounded to float32, ")]


def measured(vectors: Doubles, *, unit: bool = False, size: int = 64) -> list[str]:
    found = Rounding(unit=unit)
    for first in range(0, len(vectors), size):
        found.add(batch(vectors[first : first + size]))
    return found.notes()


def batch(vectors: Any) -> Batch:
    ids = pa.array(range(len(vectors)))
    return batch_of(ids, vectors, 0, FilePlace("a.parquet", 0), "column embedding")


def test_an_offset_that_hides_the_groups_is_said_and_centring_helps(pod: Pod) -> None:
    """float64 finds the groups, float32 does not; the note's advice leads to scikit-learn's clusters."""
    vectors = grouped(offset=1e6, scale=1e-4)
    judge = AgglomerativeClustering(4).fit_predict(vectors)
    assert adjusted_rand_score(judge, np.arange(200) % 4) == 1
    write(pod, vectors)
    spec = pod.spec(HIERARCHICAL)
    result = pod.run(spec)
    [note] = lost(result.notes)
    assert "200 of 200 documents became equal to others" in note
    assert note.endswith(CENTER)
    metrics = json.loads((pod.folder(spec) / "metrics.json").read_text())
    assert note in metrics["notes"]

    write(pod, vectors - vectors.mean(axis=0))
    spec = pod.spec(HIERARCHICAL, run="nightly-2")
    assert lost(pod.run(spec).notes) == []
    members = pq.read_table(pod.folder(spec) / "members.parquet")["cluster_id"].to_numpy()
    assert adjusted_rand_score(judge, members) == 1


def test_two_documents_that_differ_by_a_billionth_are_said(pod: Pod) -> None:
    vectors = grouped()
    vectors[7] = vectors[3]
    vectors[7, 2] *= 1 + 1e-9
    assert len(np.unique(vectors, axis=0)) == 200
    write(pod, vectors)
    [note] = lost(pod.run(pod.spec(HIERARCHICAL)).notes)
    assert note.startswith(
        "when numbers were rounded to float32, 2 of 200 documents became equal to others that differ"
    )
    assert INSEPARABLE in note


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (0, 1e-12), (0, 1e12), (1, 1), (1e3, 1), (1e4, 1)])
def test_what_float32_keeps_is_not_said(offset: float, scale: float, *, unit: bool) -> None:
    assert measured(grouped(offset=offset * scale, scale=scale), unit=unit) == []


def test_noise_of_float64_itself_and_copies_are_not_said() -> None:
    vectors = grouped()
    noisy = vectors * (1 + 1e-15 * np.random.default_rng(1).normal(size=vectors.shape))
    assert measured(np.concatenate([vectors, noisy, vectors])) == []
    assert measured(np.repeat(vectors[:1], 50, axis=0)) == []
    assert measured(vectors[:1]) == []
    assert measured(np.zeros((10, 3)), unit=True) == []


def test_doubles_that_are_floats_lose_nothing() -> None:
    vectors = grouped(offset=1e6, scale=1e-4).astype(np.float32).astype(np.float64)
    assert measured(vectors) == []
    floats = batch(vectors.astype(np.float32))
    assert floats.doubles is None


def test_directions_count_with_cosine() -> None:
    vectors = grouped()
    longer = np.concatenate([vectors, vectors[:5] * (1 + 1e-9)])
    assert measured(longer, unit=True) == []
    assert "10 of 205 documents" in measured(longer)[0]
    assert measured(grouped(offset=1e6, scale=1e-2), unit=True)[0].endswith(CENTER)


def test_numbers_that_move_by_as_much_as_documents_are_apart_are_said() -> None:
    """No two become equal, and the distances between neighbours are noise."""
    [note] = measured(grouped(offset=1e6, scale=0.1, dimensions=32))
    assert "became equal" not in note
    assert "distances between nearest documents changed by" in note
    assert note.endswith(CENTER)


def test_offsets_that_differ_between_groups_need_another_way_out() -> None:
    """Centred, documents 1e6 apart still lose the differences inside of their groups."""
    vectors = grouped(scale=1e-4)
    vectors[::2] += 1e6
    assert INSEPARABLE in measured(vectors)[0]


def test_a_wide_dimension_that_all_neighbours_share_blurs_nothing() -> None:
    random = np.random.default_rng(5)
    vectors = 1e-3 * random.normal(size=(400, 8))
    vectors[:, 0] = np.pi * 1e9 * random.integers(0, 2, 400)
    assert measured(vectors) == []


@pytest.mark.parametrize("scale", [1e-46, 1e-60, 1e-200, 1e-300, 1e-310])
def test_numbers_below_the_range_of_float32_are_multiplied(scale: float) -> None:
    vectors = grouped()
    [note] = measured(vectors * scale)
    assert "became equal" in note
    advised = re.search(r"multiply the vectors by (\S+) before you write them$", note)
    assert advised
    assert measured(vectors * scale * float(advised[1])) == []


@pytest.mark.parametrize("scale", [1e-318, 1e-60, 1e60, 1e300, "mixed"])
@pytest.mark.parametrize("streamed", [False, True])
def test_directions_of_doubles_beyond_the_range_of_float32(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, scale: Any, *, streamed: bool
) -> None:
    """They were all zeros or infinite in float32, and the run said that they have no direction."""
    if streamed:
        monkeypatch.setattr(choice, "STREAMED_ROWS", 10)
    vectors = grouped(scale=0.01)
    factors = 10.0 ** np.random.default_rng(1).integers(-300, 300, size=(200, 1)) if scale == "mixed" else scale
    found = []
    for number, given in enumerate([vectors, vectors * factors]):
        write(pod, given)
        spec = pod.spec({"algorithm": "kmeans", "n_clusters": 4}, run=f"nightly-{number}")
        assert lost(pod.run(spec).notes) == []
        found.append(pq.read_table(pod.folder(spec) / "members.parquet"))
    assert found[0]["cluster_id"].equals(found[1]["cluster_id"])
    distances = [table["distance_to_centroid"].to_numpy() for table in found]
    assert distances[1] == pytest.approx(distances[0], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_checks_of_doubles_beyond_the_range_of_float32(tmp_path: Path, scale: float) -> None:
    vectors = grouped(scale=0.01)
    stored = baseline_of(vectors[:100].astype(np.float32), vectors[:4].astype(np.float32), "cosine")
    profiles = []
    for factor in (1.0, scale):
        collection: Any = InMemory(batch(vectors * factor))
        profiles.append(profile([collection], stored, 3, Progress(StringIO())))
    assert profiles[1].total == pytest.approx(profiles[0].total, rel=1e-5)
    assert profiles[1].counts.tolist() == profiles[0].counts.tolist()
    assert profiles[1].reservoir == pytest.approx(profiles[0].reservoir, rel=1e-5, abs=1e-6)


class InMemory:
    """A collection of one batch."""

    collection_id, has_integer_ids, embedding_model = "col_0", True, ""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.rows, self.dimensions = batch.vectors.shape

    def batches(self, index: int) -> Iterator[Batch]:
        yield self._batch


@pytest.mark.parametrize(
    ("number", "shown"), [(1e60, "1e+60"), (-2.5e300, "-2.5e+300"), (1e16, "1e+16"), (1.00001e15, "1.00001e+15")]
)
def test_doubles_too_large_for_euclidean_distances_are_shown(pod: Pod, number: float, shown: str) -> None:
    vectors = grouped()
    vectors[7, 2] = number
    write(pod, vectors)
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(HIERARCHICAL))
    assert str(raised.value) == (
        f"data.parquet, row 7 (the first row is 0): a number of the vector is {shown}: Euclidean distances are "
        "supported up to 1e+15: scale the vectors down, or set metric: cosine"
    )
    pod.run(pod.spec({"algorithm": "kmeans", "n_clusters": 2, "metric": "cosine"}))


@pytest.mark.parametrize("kind", ["double", "decimal", "int64", "text"])
def test_every_type_with_more_digits_than_float32(pod: Pod, kind: str) -> None:
    numbers = (100_000_000 + np.arange(24)).reshape(6, 4).tolist()
    columns = {
        "double": pa.array(numbers, pa.list_(pa.float64())),
        "decimal": pa.array([[Decimal(number) for number in row] for row in numbers], pa.list_(pa.decimal128(20, 8))),
        "int64": pa.array(numbers, pa.list_(pa.int64())),
        "text": pa.array([json.dumps(row) for row in numbers]),
    }
    table = pa.table({"document_id": list(range(6)), "embedding": columns[kind]})
    pq.write_table(table, pod.volume / "data.parquet")
    [note] = lost(pod.run(pod.spec({"algorithm": "kmeans", "n_clusters": 2, "metric": "euclidean"})).notes)
    assert "documents became equal" in note
    assert note.endswith(CENTER)


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize(("kind", "said"), [("double precision[]", True), ("real[]", False)])
def test_postgresql(database: Database, kind: str, *, said: bool) -> None:
    rows = [
        {"document_id": number, "embedding": "{" + ",".join(map(repr, vector)) + "}"}
        for number, vector in enumerate(grouped(offset=1e6, scale=1e-4).tolist())
    ]
    name = database.create("documents", {"document_id": "bigint", "embedding": kind}, rows)
    dataset = StreamedDataset([database.open(name)], "euclidean", Progress(StringIO()))
    assert sum(len(each.vectors) for each in dataset.batches()) == 200
    assert bool(lost(dataset.notes)) is said


def test_read_in_every_pass_it_is_said_once(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "STREAMED_ROWS", 10)
    write(pod, grouped(offset=1e6, scale=1e-4))
    result = pod.run(pod.spec({"algorithm": "kmeans", "n_clusters": 4, "metric": "euclidean"}))
    assert len(lost(result.notes)) == 1


def test_mode_assign_says_it(pod: Pod) -> None:
    write(pod, grouped())
    spec = pod.spec(HIERARCHICAL)
    pod.run(spec)
    write(pod, grouped(offset=1e6, scale=1e-4))
    base = {"run": spec.run, "uri": str(pod.folder(spec))}
    result = pod.run(pod.spec(HIERARCHICAL, trigger="hourly", run="hourly-1", mode="assign", base=base))
    assert len(lost(result.notes)) == 1


def test_parts_of_several_processes_are_one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies of one document are in different parts, and the state is what executors write."""
    vectors = grouped(rows=300)
    vectors[250] = vectors[3] * (1 + 1e-11)
    whole, merged = Rounding(unit=False), Rounding(unit=False)
    for first in range(0, 300, 60):
        part = Rounding(unit=False)
        part.add(batch(vectors[first : first + 60]))
        whole.add(batch(vectors[first : first + 60]))
        assert part.notes() == []
        merged.merge(part.state())
        merged.merge(Rounding(unit=False).state())
    assert merged.notes() == whole.notes() != []


def test_memory_is_bounded_and_a_sample_still_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounding, "MOST_GROUPS", 100)
    vectors = np.repeat(grouped(rows=1_000), 2, axis=0)
    vectors[1::2] *= 1 + 1e-12
    found = Rounding(unit=False)
    for first in range(0, 2_000, 250):
        found.add(batch(vectors[first : first + 250]))
    assert len(found.state()["hashes"]) == 100
    assert found.state()["sample"].shape == (500, 8)
    assert "200 of 200 documents" in found.notes()[0]
