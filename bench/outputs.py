"""Measures an output into a PostgreSQL table: ``python -m bench.outputs [--documents N]``.

By default, it writes the clusters of a million documents. The references are common manual solutions: the same
members.parquet as CSV by pyarrow into COPY, a temporary table, and one UPDATE ... FROM it; and psycopg's executemany of
one UPDATE per document, on fewer documents because it is slow. All write the same four columns of the same table, in
one transaction each. Every measurement begins with a new copy of the table. Of several alternating rounds, the fastest
counts. The server is started here and removed.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.output import OutputInput
from clustercontract.run import RunSpec
from harness.outcome import Goal, finish, measured_on
from harness.servers.postgresql import USER, PostgreSQL, running_postgresql

CLUSTERS = 100
FEWER = 50_000
"""Number of documents for executemany."""
BATCH = 65_536
SHARE = 0.7
"""Minimum share of the rate of the manual solution."""
SECRET = "database"  # noqa: S105 - a Secret's name
RUN = "nightly-1a2b3c-20261121020000"
UPDATE = (
    "UPDATE documents AS d SET cluster_id = l.cluster_id, cluster_name = l.cluster_name, "
    "cluster_distance = l.cluster_distance, run = %s FROM labels AS l WHERE d.document_id = l.document_id"
)
ONE = "UPDATE documents SET cluster_id = %s, cluster_name = %s, cluster_distance = %s, run = %s WHERE document_id = %s"
Row = dict[str, Any]


def write_members(file: Path, documents: int) -> None:
    """Writes what a run leaves."""
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "document_id": pa.array([f"document-{number:08}" for number in range(documents)]),
            "cluster_id": pa.array(random.integers(CLUSTERS, size=documents), pa.int32()),
            "distance_to_centroid": pa.array(random.random(documents), pa.float32()),
        }
    )
    pq.write_table(table, file, row_group_size=16_384, compression="zstd")


def names() -> list[str]:
    """Returns names of clusters, as long as real ones."""
    return [f"library {number}, documentation, headers" for number in range(CLUSTERS)]


def make_template(server: PostgreSQL, documents: int) -> None:
    """Creates the table that every measurement copies."""
    with server.connect() as connection:
        connection.execute(
            "CREATE TABLE template AS SELECT 'document-' || lpad(n::text, 8, '0') AS document_id, "
            "'A title of about as many characters as titles have, number ' || n AS title, NULL::integer AS cluster_id, "
            "NULL::text AS cluster_name, NULL::real AS cluster_distance, NULL::text AS run "
            "FROM generate_series(0, %s) AS n",
            [documents - 1],
        )


def fresh_table(server: PostgreSQL) -> None:
    """Replaces the table by a new copy."""
    with server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS documents")
        connection.execute("CREATE TABLE documents AS SELECT * FROM template")
        connection.execute("ALTER TABLE documents ADD PRIMARY KEY (document_id)")
        connection.execute("VACUUM ANALYZE documents")
        connection.execute("CHECKPOINT")


def by_output(server: PostgreSQL, folder: Path) -> None:
    """Writes the output as a run does."""
    from clusterworker.process.progress import Progress
    from clusterworker.run.results.outputs import Labels

    output_input, output = opened(server, folder)
    labels = Labels(folder / "members.parquet", output_input, several=False, integer_ids=False)
    spec = RunSpec.model_validate(
        {
            "namespace": "bench",
            "trigger": "nightly",
            "run": RUN,
            "slot": "bench",
            "seed": 0,
            "collections": [{"collection_id": "documents", "source": output_input.source}],
            "config": {"algorithm": "kmeans", "n_clusters": CLUSTERS},
            "results": {"uri": "/results"},
        }
    )
    output.check(labels.table(spec))
    labels.name(np.arange(CLUSTERS), names())
    output.write(labels.table(spec, labels.rows()), Progress(io.StringIO()))


def opened(server: PostgreSQL, folder: Path) -> tuple[OutputInput, Any]:
    """Opens the output."""
    from clusterworker.outputs.opening import open_outputs

    directory = folder / "secrets" / SECRET
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "username").write_text(USER)
    (directory / "password").write_text(server.password)
    source = {"type": "postgresql", "uri": server.uri(), "table": "documents", "secret_name": SECRET}
    output_input = OutputInput.model_validate(
        {"collection_id": "documents", "source": source, "write": {"secret_name": SECRET}, "reads": True}
    )
    [output] = open_outputs([output_input], folder, folder / "secrets")
    return output_input, output


def manual(server: PostgreSQL, folder: Path) -> None:
    """Writes with COPY, as an experienced user would."""
    import pyarrow.csv as pc

    named = pa.array(names())
    with server.connect() as connection, connection.transaction():
        connection.execute(
            "CREATE TEMPORARY TABLE labels (document_id text, cluster_id integer, cluster_name text, "
            "cluster_distance real) ON COMMIT DROP"
        )
        with connection.cursor().copy("COPY labels FROM STDIN (FORMAT CSV)") as copy:
            for batch in pq.ParquetFile(folder / "members.parquet").iter_batches(BATCH):
                columns = [batch[0], batch[1], named.take(batch[1]), batch[2]]
                buffer = io.BytesIO()
                options = pc.WriteOptions(include_header=False)
                pc.write_csv(pa.record_batch(columns, names=["a", "b", "c", "d"]), buffer, options)
                copy.write(buffer.getbuffer())
        connection.execute(UPDATE, [RUN])


def by_executemany(server: PostgreSQL, folder: Path) -> None:
    """Writes with executemany, as an inexperienced user would."""
    named = names()
    rows = next(pq.ParquetFile(folder / "members.parquet").iter_batches(FEWER)).to_pylist()
    with server.connect() as connection, connection.transaction():
        connection.cursor().executemany(
            ONE,
            [
                (row["cluster_id"], named[row["cluster_id"]], row["distance_to_centroid"], RUN, row["document_id"])
                for row in rows
            ],
        )


def measure(server: PostgreSQL, folder: Path, documents: int, rounds: int) -> list[Row]:
    """Measures all three alternately."""
    fewer = min(FEWER, documents)
    cases: list[tuple[str, int, Callable[[PostgreSQL, Path], None]]] = [
        ("an output", documents, by_output),
        ("manual COPY and UPDATE", documents, manual),
        ("executemany", fewer, by_executemany),
    ]
    found: dict[str, list[float]] = {name: [] for name, _, _ in cases}
    for number in range(rounds):
        for name, rows, work in cases[number % len(cases) :] + cases[: number % len(cases)]:
            fresh_table(server)
            begun = time.perf_counter()
            work(server, folder)
            found[name].append(time.perf_counter() - begun)
            check(server, rows)
            print(f"  {name}: {found[name][-1]:.2f} s", file=sys.stderr)
    return [
        {"case": name, "documents": rows, "seconds": min(found[name]), "documents/s": rows / min(found[name])}
        for name, rows, _ in cases
    ]


def check(server: PostgreSQL, documents: int) -> None:
    """Verifies that all rows were written."""
    with server.connect() as connection:
        query = "SELECT count(*), count(DISTINCT cluster_name) FROM documents WHERE run = %s"
        assert connection.execute(query, [RUN]).fetchone() == (documents, CLUSTERS)


def main() -> int:
    """Starts the server, measures, prints, and writes out/outputs.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-outputs-") as directory, running_postgresql() as server:
        folder = Path(directory)
        print(f"outputs: {options.documents:,} documents, {CLUSTERS} clusters", file=sys.stderr)
        write_members(folder / "members.parquet", options.documents)
        make_template(server, options.documents)
        with server.connect() as connection:
            [version] = connection.execute("SHOW server_version").fetchone() or ("?",)
        measured_on(PostgreSQL=version)
        rows = measure(server, folder, options.documents, options.rounds)
    output, hand, many = rows
    goals = [
        Goal("rate of an output over manual COPY and UPDATE", output["documents/s"] / hand["documents/s"], SHARE, True,
             "times"),
        Goal("rate of an output over executemany", output["documents/s"] / many["documents/s"], 1.0, True, "times"),
    ]  # fmt: skip
    return finish("outputs", rows, goals)


if __name__ == "__main__":
    sys.exit(main())
