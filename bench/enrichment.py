"""Compares an enrichment with a bare search: ``python -m bench.enrichment [--documents N]``.

The bare search is faiss's, exact, over vectors in memory, without reading, checking or writing anything. scikit-learn's
NearestNeighbors (brute force, cosine) does the same. An enrichment is what a run does: it reads and verifies the same
vectors from Parquet, searches, and writes enrichment.parquet, metrics.json and the report. Every measurement runs in a
new process, after a small one that loads the libraries. Of several alternating rounds, the fastest counts. The files
are created here and removed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.drift import DIMENSIONS, unit, write_documents
from harness.outcome import Goal, Row, finish

SHARE = 0.85
WARM_UP = 2_000
Vectors = npt.NDArray[np.float32]


def write_nodes(file: Path, count: int) -> None:
    """Writes nodes in a tree of three levels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors = unit(np.random.default_rng(7).normal(size=(count, DIMENSIONS)))
    parents = [f"node-{number // 10}" if number >= count // 100 else None for number in range(count)]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
    ids = [f"node-{number}" for number in range(count)]
    pq.write_table(pa.table({"document_id": ids, "label": ids, "parent": parents, "embedding": column}), file)


def read(file: Path) -> Vectors:
    """Returns all vectors of a file."""
    import pyarrow.parquet as pq

    column = pq.read_table(file, columns=["embedding"])["embedding"].combine_chunks()
    matrix: Vectors = column.flatten().to_numpy().reshape(-1, DIMENSIONS)
    return matrix


def bare_search(folder: Path, top_k: int) -> float:
    """Searches vectors in memory with faiss; returns seconds."""
    import faiss

    vectors, nodes = read(folder / "documents.parquet"), read(folder / "nodes.parquet")
    index = faiss.IndexFlatIP(DIMENSIONS)
    index.add(nodes)
    index.search(vectors[:WARM_UP], top_k)
    begin = time.perf_counter()
    index.search(vectors, top_k)
    return time.perf_counter() - begin


def scikit_learn(folder: Path, top_k: int) -> float:
    """Searches vectors in memory with NearestNeighbors; returns seconds."""
    from sklearn.neighbors import NearestNeighbors

    vectors, nodes = read(folder / "documents.parquet"), read(folder / "nodes.parquet")
    model = NearestNeighbors(n_neighbors=top_k, algorithm="brute", metric="cosine").fit(nodes)
    model.kneighbors(vectors[:WARM_UP])
    begin = time.perf_counter()
    model.kneighbors(vectors)
    return time.perf_counter() - begin


def enrichment(folder: Path, top_k: int) -> float:
    """Runs an enrichment with its defaults; returns seconds."""
    from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
    from clusterworker.enrichment.job import enrich
    from clusterworker.process.command import Mounts
    from clusterworker.process.progress import Progress

    def seconds(file: str) -> float:
        mounted = {"mount_path": str(folder)}
        nodes = {"collection_id": "nodes", "source": {"uri": "nodes.parquet"}, **mounted}
        spec = EnrichmentSpec.model_validate(
            {
                "namespace": "bench",
                "trigger": "enrichment",
                "run": f"run-{top_k}",
                "slot": "bench",
                "taxonomy": {
                    "taxonomy_id": "nodes",
                    "nodes": nodes,
                    "label_column": "label",
                    "parent_column": "parent",
                    "top_k": top_k,
                },
                "collection": {"collection_id": "documents", "source": {"uri": file}, **mounted},
                "seed": 0,
                "results": {"uri": str(folder / "results")},
            }
        )
        begin = time.perf_counter()
        enrich(spec, Progress(StringIO()), Mounts(folder, folder))
        return time.perf_counter() - begin

    seconds("few.parquet")
    return seconds("documents.parquet")


def measured(work: Callable[[Path, int], float], folder: Path, top_k: int) -> Row:
    """Returns seconds and the peak memory of this process, which does nothing else."""
    from clusterworker.process.cgroup import ControlGroup
    from clusterworker.process.threads import limit

    limit(ControlGroup().cpus())
    seconds = work(folder, top_k)
    peak = Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]
    return {"seconds": seconds, "peak MiB": int(peak) / 1024}


def fresh(work: Callable[[Path, int], float], folder: Path, top_k: int) -> Row:
    """Measures in a separate process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (work, folder, top_k))


SIDES: dict[str, Callable[[Path, int], float]] = {
    "faiss in memory": bare_search,
    "enrichment": enrichment,
    "scikit-learn in memory": scikit_learn,
}
SLOW = "scikit-learn in memory"
"""Sides that are measured only in the first round."""


def measure(folder: Path, documents: int, rounds: int, top_k: int, *, slow: bool) -> list[dict[str, Any]]:
    """Measures all sides alternately."""
    found: dict[str, list[Row]] = {name: [] for name in SIDES if slow or name != SLOW}
    for number in range(rounds):
        for name, work in SIDES.items():
            if name not in found or (name == SLOW and number):
                continue
            found[name].append(fresh(work, folder, top_k))
            print(f"  {name}: {found[name][-1]['seconds']:.2f} s", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    for name, runs in found.items():
        seconds = min(float(run["seconds"]) for run in runs)
        peak = max(float(run["peak MiB"]) for run in runs)
        counted = {"case": name, "top_k": top_k, "seconds": seconds, "peak MiB": peak}
        rows.append({**counted, "documents/s": documents / seconds})
    for row in rows:
        row["of faiss's rate"] = float(row["documents/s"]) / float(rows[0]["documents/s"])
    return rows


def main() -> int:
    """Creates the files, measures, prints, and writes out/enrichment.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--top-k", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-sklearn", action="store_true", help="leave the slowest side out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-enrichment-") as directory:
        folder = Path(directory)
        print(f"enrichment: {options.documents:,} x {DIMENSIONS}, {options.nodes:,} nodes", file=sys.stderr)
        write_nodes(folder / "nodes.parquet", options.nodes)
        write_documents(folder / "few.parquet", WARM_UP, seed=1)
        write_documents(folder / "documents.parquet", options.documents, seed=2)
        rows = measure(folder, options.documents, options.rounds, options.top_k, slow=not options.without_sklearn)
    goal = Goal(
        "rate of an enrichment over a bare search",
        float(rows[1]["of faiss's rate"]),
        SHARE,
        at_least=True,
        unit="times",
    )
    return finish("enrichment", rows, [goal])


if __name__ == "__main__":
    sys.exit(main())
