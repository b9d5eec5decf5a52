"""Compares a drift check with reading the vectors alone: ``python -m bench.drift [--documents N]``.

By default, there are a million vectors, which pyarrow reads batch by batch without any processing. A check is what a
check Job does, with each metric: it reads and verifies the same file, scales the vectors, assigns each to one of 100
centroids, measures, and writes the drift record. Every measurement runs in a separate process, including its imports.
Of several alternating rounds, the fastest counts. The file is created here and removed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from clustercontract.check import CheckSpec
from clustercontract.drift import DriftMetric
from clustercontract.run import RunSpec
from harness.outcome import Goal, finish

DIMENSIONS = 384
CLUSTERS = 100
RUN_DOCUMENTS = 20_000
"""Number of documents of the run that writes the baseline."""
PIECE = 50_000
TIMES, MEBIBYTES = 2.0, 500.0
Row = dict[str, Any]


def write_documents(file: Path, documents: int, seed: int) -> None:
    """Writes unit vectors in 300 overlapping groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    topics = unit(np.random.default_rng(0).normal(size=(300, DIMENSIONS)))
    generator = np.random.default_rng(seed)
    schema = pa.schema([("document_id", pa.int64()), ("embedding", pa.list_(pa.float32(), DIMENSIONS))])
    with pq.ParquetWriter(file, schema) as writer:
        for first in range(0, documents, PIECE):
            rows = min(PIECE, documents - first)
            noise = generator.standard_normal((rows, DIMENSIONS), dtype=np.float32)
            vectors = unit(topics[generator.integers(len(topics), size=rows)] + np.float32(0.06) * noise)
            column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
            writer.write_table(pa.table([pa.array(range(first, first + rows)), column], schema=schema))


def unit(vectors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scales to unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def make_baseline(folder: Path) -> dict[str, Any]:
    """Runs k-means as a Job does, and returns the baseline for the trigger's status."""
    from clusterworker.process.command import Mounts
    from clusterworker.process.progress import Progress
    from clusterworker.run.job import run

    write_documents(folder / "then.parquet", RUN_DOCUMENTS, seed=1)
    spec = RunSpec.model_validate(
        common(folder, "then.parquet")
        | {"run": "run", "config": {"algorithm": "kmeans", "n_clusters": CLUSTERS}, "slot": "bench"}
    )
    result = run(spec, Progress(StringIO()), Mounts(folder, folder))
    assert result.baseline is not None
    baseline: dict[str, Any] = result.baseline.model_dump(mode="json")
    return baseline


def common(folder: Path, file: str) -> dict[str, Any]:
    """Returns the fields that a run and a check share."""
    source = {"uri": file}
    return {
        "namespace": "bench",
        "trigger": "drift",
        "collections": [{"collection_id": "documents", "source": source, "mount_path": str(folder)}],
        "results": {"uri": str(folder / "results")},
        "seed": 0,
    }


def read_alone(folder: Path, _baseline: Mapping[str, Any], _metric: str) -> None:
    """Reads the vectors without any processing."""
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(folder / "now.parquet", pre_buffer=False, buffer_size=4 << 20)
    for records in parquet.iter_batches(16_384):
        records.column(1).flatten().to_numpy()


def check_drift(folder: Path, baseline: Mapping[str, Any], metric: str) -> None:
    """Runs a check as a check Job does."""
    from clusterworker.drift.check import check
    from clusterworker.process.command import Mounts
    from clusterworker.process.progress import Progress

    document = common(folder, "now.parquet") | {
        "check": metric,
        "slot": datetime.now(UTC).isoformat(),
        "metric": metric,
        "threshold": 0.3,
        "baseline": baseline,
    }
    result = check(CheckSpec.model_validate(document), Progress(StringIO()), Mounts(folder, folder))
    assert result.measurement is not None, result


def timed(work: Callable[..., None], *arguments: Any) -> Row:
    """Returns seconds, CPU seconds and the peak memory of this process, which does nothing else."""
    from clusterworker.process.cgroup import ControlGroup
    from clusterworker.process.threads import limit

    wall, cpu = time.perf_counter(), time.process_time()
    limit(ControlGroup().cpus())
    work(*arguments)
    seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
    peak = Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]
    return {"seconds": seconds, "CPU s": busy, "peak MiB": int(peak) / 1024}


def fresh(work: Callable[..., None], *arguments: Any) -> Row:
    """Measures in a separate process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(timed, (work, *arguments))


def measure(folder: Path, rounds: int) -> list[Row]:
    """Measures reading, and a check with each metric, alternately."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        baseline = pool.apply(make_baseline, (folder,))
    cases = [("reading alone", read_alone), *((metric, check_drift) for metric in get_args(DriftMetric))]
    found: dict[str, list[Row]] = {name: [] for name, _ in cases}
    for _ in range(rounds):
        for name, work in cases:
            found[name].append(fresh(work, folder, baseline, name))
            print(f"  {name}: {found[name][-1]['seconds']:.2f} s", file=sys.stderr)
    rows = [
        {"case": name, **min(runs, key=lambda run: float(run["seconds"])), "peak MiB": max(r["peak MiB"] for r in runs)}
        for name, runs in found.items()
    ]
    for row in rows:
        row["times reading"] = row["seconds"] / rows[0]["seconds"]
    return rows


def main() -> int:
    """Creates the file, measures, prints, and writes out/drift.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-drift-") as directory:
        folder = Path(directory)
        print(f"drift: {options.documents:,} x {DIMENSIONS} float32, {CLUSTERS} centroids", file=sys.stderr)
        write_documents(folder / "now.parquet", options.documents, seed=2)
        rows = measure(folder, options.rounds)
    checks = rows[1:]
    slowest = max(checks, key=lambda row: float(row["times reading"]))
    largest = max(checks, key=lambda row: float(row["peak MiB"]))
    time_goal = f"a check over reading alone ({slowest['case']} is the slowest)"
    memory_goal = f"peak memory of a check ({largest['case']} has the largest)"
    goals = [
        Goal(time_goal, slowest["times reading"], TIMES, at_least=False, unit="times"),
        Goal(memory_goal, largest["peak MiB"], MEBIBYTES, at_least=False, unit="MiB"),
    ]
    return finish("drift", rows, goals)


if __name__ == "__main__":
    sys.exit(main())
