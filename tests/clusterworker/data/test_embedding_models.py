"""Tests that vectors of two models in one collection or run are refused, because their distances have no meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.container import ExitCode
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import check_spec, measured, perform
from tests.clusterworker.planted import planted, table

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
VECTORS = planted(300, 3).vectors
REMEDY = (
    "vectors of different models cannot be compared: embed all documents with one model or, if it is the same model, "
    "use the same name everywhere"
)


def write(file: Path, model: str | None, key: str = "embedding_model", rows: int = 300, part: str = "a") -> None:
    written = table(VECTORS[:rows], [f"{part}-{row}" for row in range(rows)])
    if model is not None:
        written = written.replace_schema_metadata({key: model})
    file.parent.mkdir(exist_ok=True)
    pq.write_table(written, file)


def refused(pod: Pod, *sources: dict[str, Any]) -> str:
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, *sources))
    assert raised.value.exit_code is ExitCode.MISCONFIGURED
    return str(raised.value)


@pytest.mark.parametrize("key", ["embedding_model", "model_name", "model"])
@pytest.mark.parametrize("other", [1, 2, 3])
def test_two_models_in_one_collection(pod: Pod, key: str, other: int) -> None:
    """The error names the file in question; the first one names no model."""
    write(pod.volume / "d/0.parquet", None)
    for part in range(1, 4):
        write(pod.volume / f"d/{part}.parquet", "mini-lm" if part != other else "e5", key=key)
    line = refused(pod, {"uri": "d"})
    first, second = ("d/1.parquet", "d/2.parquet") if other == 1 else ("d/1.parquet", f"d/{other}.parquet")
    names = ("e5", "mini-lm") if other == 1 else ("mini-lm", "e5")
    assert line == f"{second}: embedded by {names[1]}, but {first} by {names[0]}: {REMEDY}"


def test_two_models_in_two_collections(pod: Pod) -> None:
    write(pod.volume / "a.parquet", None)
    write(pod.volume / "b.parquet", "mini-lm")
    write(pod.volume / "c.parquet", "e5")
    line = refused(pod, {"uri": "a.parquet"}, {"uri": "b.parquet"}, {"uri": "c.parquet"})
    assert line == f"collection col_1 is embedded by mini-lm and col_2 by e5: {REMEDY}"


def test_the_name_may_lie_with_the_vectors(pod: Pod) -> None:
    for name, model in (("a", "mini-lm"), ("b", "e5")):
        written = table(VECTORS)
        field = written.schema.field("embedding").with_metadata({"embedding_model": model})
        pq.write_table(written.cast(written.schema.set(1, field)), pod.volume / f"{name}.parquet")
    assert refused(pod, {"uri": "*.parquet"}).startswith("b.parquet: embedded by e5, but a.parquet by mini-lm: ")


def test_two_models_in_one_file(pod: Pod) -> None:
    """The metadata of the file and of its vectors name two."""
    written = table(VECTORS).replace_schema_metadata({"embedding_model": "mini-lm"})
    place = written.schema.get_field_index("embedding")
    for model, expected in (("e5", True), ("mini-lm", False)):
        field = written.schema.field(place).with_metadata({"embedding_model": model})
        pq.write_table(written.set_column(place, field, written["embedding"]), pod.volume / "data.parquet")
        if expected:
            assert refused(pod, {"uri": "data.parquet"}) == (
                "data.parquet: embedding_model is mini-lm in the metadata of the file, and e5 in the metadata of "
                f"column embedding: {REMEDY}"
            )
        else:
            pod.run(pod.spec(KMEANS))


Metadata = dict[str, str]


def write_metadata(file: Path, of_file: Metadata, of_vectors: Metadata, part: str, added: Metadata) -> None:
    """Writes the metadata of a file and of its vectors, and further one only into the footer, as Polars does."""
    written = table(VECTORS[:100], [f"{part}-{row}" for row in range(100)])
    place = written.schema.get_field_index("embedding")
    schema = written.schema.set(place, written.schema.field(place).with_metadata(of_vectors)).with_metadata(of_file)
    with pq.ParquetWriter(file, schema) as writer:
        writer.write_table(written.cast(schema))
        writer.add_key_value_metadata(added)


NAMED: list[tuple[Metadata, Metadata, Metadata, Metadata, str]] = [
    ({"model": "pipe"}, {"embedding_model": "A"}, {"model": "pipe"}, {"embedding_model": "B"}, "B, A"),
    ({"model": "p"}, {"model": "A"}, {"model": "p"}, {"model": "B"}, "B, A"),
    ({"model": "p"}, {"model": "A"}, {"model": "q"}, {"model": "A"}, "A"),
    ({"model": "p", "embedding_model": "A"}, {}, {"model": "q", "embedding_model": "A"}, {}, "A"),
    ({"model": "p"}, {}, {"model": "q"}, {}, "q, p"),
    (
        {"embedding_model": "openai", "model_name": "small"},
        {},
        {"embedding_model": "openai", "model_name": "large"},
        {},
        "openai / large, openai / small",
    ),
    ({"embedding_model": "openai"}, {}, {"embedding_model": "openai", "model_name": "large"}, {}, "openai / large"),
    ({"model_name": "large"}, {}, {"embedding_model": "openai", "model_name": "large"}, {}, "openai / large"),
    ({"model_name": "A"}, {}, {"embedding_model": "A"}, {}, "A"),
    ({"model_name": "A"}, {}, {}, {"embedding_model": "B"}, "B, A"),
]


@pytest.mark.parametrize(("file", "vectors", "other_file", "other_vectors", "expected"), NAMED)
def test_names_are_compared_key_by_key(
    pod: Pod, file: Metadata, vectors: Metadata, other_file: Metadata, other_vectors: Metadata, expected: str
) -> None:
    """A name of the vectors, or of an embedding model, counts more than `model` of a file, which can name anything."""
    write_metadata(pod.volume / "a.parquet", file, vectors, "a", {})
    write_metadata(pod.volume / "b.parquet", other_file, other_vectors, "b", {})
    other, _, first = expected.partition(", ")
    two = {"uri": "a.parquet"}, {"uri": "b.parquet"}
    if first:
        assert refused(pod, {"uri": "."}) == f"b.parquet: embedded by {other}, but a.parquet by {first}: {REMEDY}"
        assert refused(pod, *two) == f"collection col_0 is embedded by {first} and col_1 by {other}: {REMEDY}"
        return
    spec = pod.spec(KMEANS, {"uri": "."})
    pod.run(spec)
    pod.run(pod.spec(KMEANS, *two, run="nightly-2"))
    for run in (spec.run, "nightly-2"):
        with np.load(pod.results / "search/nightly" / run / "baseline.npz") as baseline:
            assert str(baseline["embedding_model"]) == expected


def test_a_name_that_only_the_footer_has(pod: Pod) -> None:
    """The Arrow schema of these files names no model, or another one."""
    for name, model in (("a", "mini-lm"), ("b", "e5")):
        write_metadata(pod.volume / f"{name}.parquet", {}, {}, name, {"embedding_model": model})
    assert refused(pod, {"uri": "."}) == f"b.parquet: embedded by e5, but a.parquet by mini-lm: {REMEDY}"
    write_metadata(pod.volume / "a.parquet", {"embedding_model": "x"}, {}, "a", {"embedding_model": "e5"})
    assert refused(pod, {"uri": "."}) == (
        f"a.parquet: embedding_model is e5 in the metadata of the file, and x in the metadata of its Arrow schema: "
        f"{REMEDY}"
    )


def test_a_run_remembers_all_names(pod: Pod) -> None:
    """A later assignment and a check compare them."""
    names = {"embedding_model": "openai", "model_name": "small"}
    write_metadata(pod.volume / "data.parquet", names, {}, "a", {})
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    base = {"run": spec.run, "uri": result.results_uri, "next_cluster_id": result.next_cluster_id}
    write_metadata(pod.volume / "data.parquet", {"embedding_model": "openai"}, {}, "a", {})
    assert perform(pod, check_spec(spec, result)).obstacle is None
    pod.run(pod.spec(KMEANS, run="hourly-1", mode="assign", base=base))
    write_metadata(pod.volume / "data.parquet", names | {"model_name": "large"}, {}, "a", {})
    assert perform(pod, check_spec(spec, result)).error == (
        f"collection col_0 is embedded by openai / large, and the baseline of run {spec.run} by openai / small: "
        "not comparable"
    )
    with pytest.raises(MisconfiguredError, match="by openai / large, but run nightly-1a2b clustered vectors of openai"):
        pod.run(pod.spec(KMEANS, run="hourly-2", mode="assign", base=base))


def test_a_long_name_leaves_room_for_the_remedy(pod: Pod) -> None:
    write(pod.volume / "d/0.parquet", "m" * 100_000)
    write(pod.volume / "d/1.parquet", "m" * 100_000 + "n")
    line = refused(pod, {"uri": "d"})
    assert len(line) < 500
    assert line.endswith(REMEDY)


def test_what_has_no_vectors_names_no_model(pod: Pod) -> None:
    write(pod.volume / "d/a.parquet", "mini-lm")
    write(pod.volume / "d/b.parquet", "e5", rows=0)
    write(pod.volume / "d/c.parquet", "mini-lm ")
    write(pod.volume / "d/d.parquet", "")
    spec = pod.spec(KMEANS, {"uri": "d"})
    pod.run(spec)
    with np.load(pod.folder(spec) / "baseline.npz") as baseline:
        assert str(baseline["embedding_model"]) == "mini-lm"


def test_files_that_filters_leave_out(pod: Pod) -> None:
    for year, model in ((2025, "e5"), (2026, "mini-lm")):
        written = table(VECTORS).append_column("year", pa.array([year] * 300))
        pq.write_table(written.replace_schema_metadata({"model": model}), pod.volume / f"{year}.parquet")
    newer = {"field": "year", "operator": "gte", "value": 2026}
    assert pod.run(pod.spec(KMEANS, {"uri": "*.parquet", "filters": newer})).num_documents == 300
    refused(pod, {"uri": "*.parquet"})


def test_a_check_asks_every_file_and_collection(pod: Pod) -> None:
    write(pod.volume / "d/a.parquet", None)
    write(pod.volume / "d/b.parquet", "mini-lm", part="b")
    spec = pod.spec(KMEANS, {"uri": "d/a.parquet"}, {"uri": "d/b.parquet"})
    result = pod.run(spec)
    assert measured(pod, check_spec(spec, result)).value < 1e-6
    write(pod.volume / "d/b.parquet", "e5", part="b")
    found = perform(pod, check_spec(spec, result))
    assert found.obstacle == "model_changed"
    assert found.error == (
        f"collection col_1 is embedded by e5, and the baseline of run {spec.run} by mini-lm: not comparable"
    )
    write(pod.volume / "d/a.parquet", "mini-lm")
    with pytest.raises(MisconfiguredError, match="collection col_0 is embedded by mini-lm and col_1 by e5"):
        perform(pod, check_spec(spec, result))
