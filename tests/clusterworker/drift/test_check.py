"""Tests of checks from the CheckSpec to the CheckResult: measurements, obstacles, the record, volume and S3."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clustercontract.check import RECOMPUTE_SLOT, CheckResult
from clusterworker.process.errors import MisconfiguredError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import KMEANS, check_spec, measured, perform
from tests.clusterworker.planted import planted, table, write
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

METRICS = ["cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi", "mmd_rbf", "domain_auc"]
NUMBERS = ["value", "noise_floor", "assignment_js", "baseline_documents", "current_documents", "p_value"]


def record_of(pod: Pod) -> list[dict[str, Any]]:
    document = json.loads((pod.results / "search" / "nightly" / "drift.json").read_text())
    found: list[dict[str, Any]] = document["measurements"]
    return found


@pytest.mark.parametrize("cluster_metric", ["cosine", "euclidean"])
def test_unchanged_documents_show_no_drift(pod: Pod, cluster_metric: str) -> None:
    vectors = planted(300, 3).vectors * np.float32(2.5)
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec({**KMEANS, "metric": cluster_metric})
    found = measured(pod, check_spec(spec, pod.run(spec)))
    assert found.value < 1e-7
    assert found.assignment_js is not None
    assert found.assignment_js < 1e-7
    assert (found.baseline_documents, found.current_documents) == (300, 300)
    assert (found.metric, found.threshold, found.baseline_run, found.seed) == ("cosine_drift", 0.3, spec.run, 11)
    assert found.noise_floor > 0


@pytest.mark.parametrize("metric", METRICS)
def test_another_topic_is_drift_by_every_metric(pod: Pod, metric: str) -> None:
    data = planted(900, 4)
    write(pod.volume / "data.parquet", data.vectors[data.labels < 3])
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    unchanged = measured(pod, check_spec(spec, result, metric=metric))
    assert unchanged.value <= 2 * unchanged.noise_floor
    write(pod.volume / "data.parquet", data.vectors[data.labels > 1])
    changed = measured(pod, check_spec(spec, result, metric=metric))
    assert changed.value > 2 * changed.noise_floor
    assert changed.value > unchanged.value
    assert (changed.p_value is not None) == (metric in ("mmd_rbf", "domain_auc"))
    assert unchanged.noise_floor < 0.4


@pytest.mark.parametrize("metric", METRICS)
def test_computed_again_from_the_measurement_itself(pod: Pod, metric: str) -> None:
    """`drift --recompute` gives the same numbers although the collection is divided into other files."""
    vectors = planted(2_500, 5, spread=0.3).vectors
    write(pod.volume / "data.parquet", vectors[:2_200])
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", vectors[100:])
    first = measured(pod, check_spec(spec, result, metric=metric))
    before = record_of(pod)
    assert result.baseline is not None
    baseline = json.loads(result.baseline.model_dump_json()) | {
        "uri": first.baseline_uri,
        "sha256": first.baseline_sha256,
        "run": first.baseline_run,
    }
    again = measured(
        pod,
        check_spec(spec, result, metric=first.metric, baseline=baseline, seed=first.seed, slot=RECOMPUTE_SLOT),
    )
    for name in NUMBERS:
        assert getattr(again, name) == pytest.approx(getattr(first, name), abs=1e-6)
    assert record_of(pod) == before


def test_every_number_from_the_stored_baseline_by_hand(pod: Pod) -> None:
    """An independent computation, in float64, from the two files alone."""
    vectors = planted(500, 5, spread=0.3).vectors * np.float32(3)
    write(pod.volume / "data.parquet", vectors[:400])
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", vectors[150:])
    found = measured(pod, check_spec(spec, result))

    now = np.stack(pq.read_table(pod.volume / "data.parquet")["embedding"].to_pylist()).astype(np.float64)
    now /= np.linalg.norm(now, axis=1, keepdims=True)
    with np.load(pod.folder(spec) / "baseline.npz") as baseline:
        n, total, centroids, shares = (baseline[name] for name in ("n", "sum", "centroids", "shares"))
    mean, mean_now = total / n, now.mean(axis=0)
    cosine = mean @ mean_now / np.linalg.norm(mean) / np.linalg.norm(mean_now)
    assert found.value == pytest.approx(1 - cosine, abs=1e-6)
    variance = (n - n * mean @ mean) / (n - 1)
    floor = variance / (2 * (mean @ mean - variance / n)) * (1 / n + 1 / len(now))
    assert found.noise_floor == pytest.approx(floor, rel=0.35)  # few dimensions: the tail may exceed the expectation
    counts = np.bincount((now @ centroids.T).argmax(axis=1), minlength=len(centroids))
    one, other = shares * n + 0.5, counts + 0.5
    one, other = one / one.sum(), other / other.sum()
    middle = (one + other) / 2
    divergence = (one * np.log2(one / middle) + other * np.log2(other / middle)).sum() / 2
    assert found.assignment_js == pytest.approx(np.sqrt(divergence), abs=1e-6)


def test_several_collections(pod: Pod) -> None:
    data = planted(200, 3)
    write(pod.volume / "a.parquet", data.vectors[:120])
    write(pod.volume / "b.parquet", data.vectors[120:])
    spec = pod.spec(KMEANS, {"uri": "a.parquet"}, {"uri": "b.parquet"})
    found = measured(pod, check_spec(spec, pod.run(spec)))
    assert found.current_documents == 200
    assert found.value < 1e-7


def test_volume_reads_no_vector_and_no_baseline(pod: Pod) -> None:
    """All vectors are overwritten, and the baseline's file is deleted: a count of documents needs neither."""
    vectors = planted(400, 3).vectors
    write(pod.volume / "data" / "a.parquet", vectors[:300])
    spec = pod.spec(KMEANS, {"uri": "data"})
    result = pod.run(spec)
    file = write(pod.volume / "data" / "b.parquet", vectors[300:])
    (pod.folder(spec) / "baseline.npz").unlink()
    for each in (file, pod.volume / "data" / "a.parquet"):
        column = pq.read_metadata(each).row_group(0).column(1)
        assert column.path_in_schema.startswith("embedding")
        with each.open("r+b") as content:
            begin = column.dictionary_page_offset or column.data_page_offset
            content.seek(begin)
            content.write(b"\xff" * column.total_compressed_size)
    found = measured(pod, check_spec(spec, result, metric="document_count"))
    assert (found.metric, found.baseline_documents, found.current_documents) == ("document_count", 300, 400)
    assert found.value == pytest.approx(1 / 3)
    assert (found.noise_floor, found.assignment_js, found.p_value) == (0, None, None)
    (entry,) = record_of(pod)
    assert (entry["metric"], entry["current_documents"]) == ("document_count", 400)


def test_volume_of_what_filters_leave(pod: Pod) -> None:
    data = planted(100, 3)
    write(pod.volume / "data.parquet", data.vectors, range(100))
    source = {"uri": "data.parquet", "filters": {"field": "document_id", "operator": "lt", "value": 40}}
    spec = pod.spec(KMEANS, source)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", data.vectors[:30], range(20, 50))
    found = measured(pod, check_spec(spec, result, metric="document_count"))
    assert (found.baseline_documents, found.current_documents, found.value) == (40, 20, 0.5)


def test_volume_of_an_emptied_collection_is_a_number(pod: Pod) -> None:
    vectors = planted(100, 3).vectors
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", vectors[:0])
    found = measured(pod, check_spec(spec, result, metric="document_count"))
    assert (found.current_documents, found.value) == (0, 1.0)


def test_volume_of_files_that_are_gone_is_an_error(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(100, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    (pod.volume / "data.parquet").unlink()
    with pytest.raises(MisconfiguredError, match=r"data\.parquet: no such file on the volume"):
        perform(pod, check_spec(spec, result, metric="document_count"))


def obstacle(pod: Pod, **fields: Any) -> CheckResult:
    spec = pod.spec(KMEANS)
    result = perform(pod, check_spec(spec, pod.run(spec), **fields))
    assert result.status == "completed"
    assert result.measurement is None
    return result


def test_baseline_that_is_not_there(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    file = pod.folder(spec) / "baseline.npz"
    file.unlink()
    found = perform(pod, check_spec(spec, result))
    assert (found.obstacle, found.status) == ("baseline_missing", "completed")
    assert found.error == f"{file}: the baseline of run nightly-1a2b is missing"


def test_baseline_that_was_altered(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    file = pod.folder(spec) / "baseline.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = perform(pod, check_spec(spec, result))
    assert result.baseline is not None
    assert found.obstacle == "baseline_altered"
    assert found.error == (
        f"{file}: this is not the baseline that run nightly-1a2b wrote: its sha256 is "
        f"{hashlib.sha256(content).hexdigest()[:12]}…, not {result.baseline.sha256[:12]}…"
    )


def test_baseline_of_another_version(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    file = pod.folder(spec) / "baseline.npz"
    np.savez(file, n=np.int64(60))
    assert result.baseline is not None
    changed = result.baseline.model_copy(update={"sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    found = perform(pod, check_spec(spec, result.model_copy(update={"baseline": changed})))
    assert found.obstacle == "baseline_altered"
    assert found.error is not None
    assert "the baseline of run nightly-1a2b has the format of another version: not a valid baseline: " in found.error


def test_other_dimensions_are_no_drift(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", planted(60, 3, dimensions=24).vectors)
    found = perform(pod, check_spec(spec, result))
    assert found.obstacle == "dimensions_changed"
    assert found.error == (
        "collection col_0 has 24 dimensions, and the baseline of run nightly-1a2b has 16: not comparable"
    )
    assert not (pod.results / "search" / "nightly" / "drift.json").exists()


def write_named(file: Path, model: str) -> None:
    named = table(planted(60, 3).vectors)
    pq.write_table(named.replace_schema_metadata({"embedding_model": model}), file)


@pytest.mark.parametrize(("then", "now", "comparable"), [("a", "b", False), ("a", "a", True), ("", "b", True)])
def test_another_model_is_no_drift(pod: Pod, then: str, now: str, comparable: bool) -> None:
    write_named(pod.volume / "data.parquet", then)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write_named(pod.volume / "data.parquet", now)
    found = perform(pod, check_spec(spec, result))
    assert (found.measurement is not None) is comparable
    if not comparable:
        assert found.obstacle == "model_changed"
        assert found.error == (
            "collection col_0 is embedded by b, and the baseline of run nightly-1a2b by a: not comparable"
        )


def test_bad_data_is_told_as_for_runs(pod: Pod) -> None:
    vectors = planted(60, 3).vectors
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    bad = vectors.copy()
    bad[41, 3] = np.nan
    write(pod.volume / "data.parquet", bad)
    with pytest.raises(MisconfiguredError, match=r"data\.parquet, row 41 .* holds NaN: embed that document again"):
        perform(pod, check_spec(spec, result))
    bad[41] = 0
    write(pod.volume / "data.parquet", bad)
    with pytest.raises(MisconfiguredError, match=r"data\.parquet, row 41 .*: a vector of zeros has no direction"):
        perform(pod, check_spec(spec, result))


@pytest.mark.parametrize("scale", [1e-18, 1e-25, 1e25])
def test_length_does_not_matter_to_cosine(pod: Pod, scale: float) -> None:
    vectors = planted(120, 3).vectors
    write(pod.volume / "data.parquet", vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    write(pod.volume / "data.parquet", vectors * np.float32(scale))
    found = measured(pod, check_spec(spec, result))
    assert found.value < 1e-7
    assert found.assignment_js == 0


def test_the_last_hundred_are_kept(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    for number in range(103):
        perform(pod, check_spec(spec, result, check=f"check-{number}", threshold=number / 100))
    perform(pod, check_spec(spec, result, check="check-102"))  # tried again: counts once
    record = record_of(pod)
    assert [entry["check"] for entry in record] == [f"check-{number}" for number in range(3, 103)]
    assert record[0]["threshold"] == 0.03
    assert record[-1]["threshold"] == 0.3
    assert record[-1]["min_documents"] == 200
    assert record[-1]["slot"] == "2026-11-21T03:00:00Z"
    left = {file.name for file in (pod.results / "search" / "nightly").iterdir() if file.name.startswith(".")}
    assert left == set()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "measurements": [{"value": "much"}]}'])
def test_a_damaged_record_begins_anew(pod: Pod, content: bytes) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    (pod.results / "search" / "nightly" / "drift.json").write_bytes(content)
    perform(pod, check_spec(spec, result))
    assert len(record_of(pod)) == 1


def test_what_was_measured_counts_without_a_record(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    (pod.results / "search" / "nightly" / "drift.json").mkdir()
    measured(pod, check_spec(spec, result))
    told = [line["message"] for line in pod.messages if line["level"] == "error"]
    assert len(told) == 1
    assert told[0].startswith("the drift record could not be updated: ")


def test_s3(pod: Pod, bucket: Bucket, keys: Path) -> None:
    data = planted(300, 4)
    bucket.upload("docs.parquet", write(pod.root / "0.parquet", data.vectors[data.labels < 3]))
    spec = pod.spec(KMEANS, bucket.source("docs.parquet"), results=bucket.results())
    result = pod.run(spec)
    quiet = measured(pod, check_spec(spec, result, check="first"))
    bucket.upload("docs.parquet", write(pod.root / "0.parquet", data.vectors[data.labels > 1]))
    loud = measured(pod, check_spec(spec, result, check="second"))
    assert loud.value > 2 * loud.noise_floor > quiet.value
    bucket.client.download_file(BUCKET, "results/search/nightly/drift.json", pod.root / "drift.json")
    record = json.loads((pod.root / "drift.json").read_text())
    assert [entry["check"] for entry in record["measurements"]] == ["first", "second"]
    assert record["measurements"][1]["value"] == loud.value


def test_s3_obstacles(pod: Pod, bucket: Bucket, keys: Path) -> None:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    spec = pod.spec(KMEANS, results=bucket.results())
    result = pod.run(spec)
    assert result.baseline is not None
    key = result.baseline.uri.removeprefix(f"s3://{BUCKET}/")
    bucket.client.put_object(Bucket=BUCKET, Key=key, Body=b"something else")
    assert perform(pod, check_spec(spec, result)).obstacle == "baseline_altered"
    bucket.client.delete_object(Bucket=BUCKET, Key=key)
    assert perform(pod, check_spec(spec, result)).obstacle == "baseline_missing"
    (keys / "AWS_ACCESS_KEY_ID").unlink()
    with pytest.raises(MisconfiguredError, match="Secret s3-keys has no key AWS_ACCESS_KEY_ID"):
        perform(pod, check_spec(spec, result))
