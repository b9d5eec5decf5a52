"""Tests of `kubectl clustertrigger init` with real sources: files, S3, PostgreSQL, and Qdrant over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clustercontract.counted import counted
from clustercontract.source import Source
from clustertrigger.cli.main import main
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from harness.servers.postgresql import USER, PostgreSQL
from tests.clusterworker.data.sources_of_all_kinds import Database, database, postgresql
from tests.clusterworker.storage.s3_server import BUCKET, Bucket, bucket

__all__ = ["bucket", "database", "postgresql"]


Object = dict[str, Any]


Capture = pytest.CaptureFixture[str]


ROWS = {
    "sku": pa.array(["a", "b", "c"]),
    "price": pa.array([1.0, 2.0, 3.0]),
    "title": pa.array(["A", "B", "C"]),
    "embedding": pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32(), 2)),
}


def init(capsys: Capture, *arguments: str) -> tuple[Object, Object, str]:
    """Returns the Collection's and the trigger's spec, and the text, which `validate` accepts."""
    capsys.readouterr()
    assert main(["init", *arguments]) == 0
    text = capsys.readouterr().out
    collection, trigger = yaml.safe_load_all(text)
    assert (collection["kind"], trigger["kind"]) == ("Collection", "ClusterTrigger")
    assert trigger["spec"]["execution_config"]["collection_ids"] == [collection["spec"]["collection_id"]]
    assert all(len(line) <= 130 for line in text.splitlines())
    return collection["spec"], trigger["spec"], text


def failed(capsys: Capture, *arguments: str, code: int = 1) -> str:
    capsys.readouterr()
    assert main(["init", *arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.removeprefix("kubectl clustertrigger: ").strip()


def test_a_file(tmp_path: Path, capsys: Capture) -> None:
    pq.write_table(pa.table(ROWS), tmp_path / "Shop Products.parquet")
    collection, trigger, text = init(
        capsys, str(tmp_path / "Shop Products.parquet"), "--volume", "docs", "-n", "search"
    )
    assert collection == {
        "collection_id": "col_shop_products",
        "volume": "docs",
        "source": {
            "uri": "Shop Products.parquet",
            "document_id_column": "sku",
            "vector_column": "embedding",
            "text_column": "title",
        },
    }
    assert trigger["execution_config"]["config"] == {"algorithm": "kmeans", "n_clusters": 2}
    assert "# Found: 3 documents, vectors of 2 dimensions, columns sku, price, title, embedding" in text
    assert text.count("\n  namespace: search\n") == 2


def test_the_draft_is_valid(tmp_path: Path, capsys: Capture) -> None:
    pq.write_table(pa.table(ROWS), tmp_path / "no.parquet")
    file = tmp_path / "out.yaml"
    file.write_text(init(capsys, str(tmp_path / "no.parquet"), "--volume", "true", "--cron", "@daily")[2])
    assert main(["validate", "-f", str(file)]) == 0
    assert "ClusterTrigger default/no: OK (@daily UTC)" in capsys.readouterr().out


def test_folders_and_globs(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "parts").mkdir()
    for part in ("a", "b"):
        pq.write_table(pa.table(ROWS), tmp_path / f"parts/{part}.parquet")
    for source, path in ((str(tmp_path / "parts"), "parts"), (str(tmp_path / "parts/*.parquet"), "parts/*.parquet")):
        collection, _, text = init(capsys, source, "--volume", "docs", "--path", path)
        assert "# Found: 6 documents" in text
        assert collection["source"]["uri"] == path
        assert collection["collection_id"] == "col_parts"


def test_variable_length_lists_and_unusual_column_names(tmp_path: Path, capsys: Capture) -> None:
    table = {"\x1b[2J: id": pa.array([1, 2]), "v e c": pa.array([[1.0, 2.0, 3.0]] * 2, pa.list_(pa.float64()))}
    pq.write_table(pa.table(table), tmp_path / "odd.parquet")
    collection, _, text = init(capsys, str(tmp_path / "odd.parquet"), "--volume", "docs")
    assert (collection["source"]["document_id_column"], collection["source"]["vector_column"]) == (
        "\x1b[2J: id",
        "v e c",
    )
    assert "vectors of 3 dimensions" in text
    assert "\x1b" not in text


TEXT = pa.array(["a", "b", "c"])
LISTS = pa.array([[1.0, 2.0]] * 3)
SPARK = {"type": 0, "size": 2, "indices": [1], "values": [0.5]}
SPARK_TYPE = pa.struct(
    {"type": pa.int8(), "size": pa.int32(), "indices": pa.list_(pa.int32()), "values": pa.list_(pa.float64())}
)


@pytest.mark.parametrize(
    ("ids", "vectors"),
    [
        pytest.param(TEXT.dictionary_encode(), LISTS, id="categories of pandas and Polars"),
        pytest.param(pa.array([b"0123456789abcdef"] * 3, pa.uuid()), LISTS, id="UUIDs"),
        pytest.param(TEXT.cast(pa.string_view()), LISTS, id="views"),
        pytest.param(TEXT.cast(pa.binary()), LISTS, id="bytes that are text, of Impala"),
        pytest.param(pa.array([1, 2, 3]).cast(pa.decimal128(20)), LISTS, id="decimals"),
        pytest.param(TEXT, pa.array(["[1.0, 2.0]"] * 3), id="JSON"),
        pytest.param(TEXT, pa.array([b"[1, 2]"] * 3), id="JSON in bytes"),
        pytest.param(TEXT, pa.array(["[1, 2]"] * 3, pa.json_()), id="JSON of DuckDB"),
        pytest.param(TEXT, pa.array([[1, 2]] * 3), id="lists of integers"),
        pytest.param(TEXT, LISTS.cast(pa.list_(pa.decimal128(9, 4))), id="lists of decimals"),
        pytest.param(TEXT, pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float16(), 2)), id="half floats"),
        pytest.param(TEXT, pa.array([SPARK] * 3, SPARK_TYPE), id="Spark's vectors"),
    ],
)
def test_columns_that_the_worker_reads(tmp_path: Path, capsys: Capture, ids: Any, vectors: Any) -> None:
    """init rejected columns of these types, or did not find them."""
    pq.write_table(pa.table({"sku": ids, "embedding": vectors}), tmp_path / "a.parquet")
    collection, _, text = init(capsys, str(tmp_path / "a.parquet"), "--volume", "docs")
    source = collection["source"]
    assert (source["document_id_column"], source["vector_column"]) == ("sku", "embedding")
    assert "vectors of 2 dimensions" in text
    found = ParquetCollection("col_a", Source(**source), VolumeStore(tmp_path, "a.parquet"))
    assert (found.rows, found.dimensions) == (3, 2)


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("d", "d"), ("d/*.p*", "*.p*"), ("d/[ab]*", "[ab]*"), ("d/?.pq", "?.pq"), ("d/**/*.parquet", "**/*.parquet"),
        ("d/_tmp/*.parquet", "*.parquet"), ("d/part-0000", "part-0000"),
    ],
)  # fmt: skip
def test_the_files_are_those_that_the_worker_reads(tmp_path: Path, capsys: Capture, source: str, uri: str) -> None:
    """Hidden files counted, and files of Hive, .pq, ? and [ab] were unknown."""
    data = ["a.parquet", "b.pq", "z.pq", "part-0000", "_tmp/c.parquet", ".d.parquet", "lang=en/a.parquet"]
    for name in (*data, "_SUCCESS", "README"):
        file = tmp_path / "d" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        if name in data:
            pq.write_table(pa.table({key: column[:1] for key, column in ROWS.items()}), file)
    collection, _, text = init(capsys, str(tmp_path / source), "--volume", "docs")
    assert collection["source"]["uri"] == uri
    rows = ParquetCollection("col_a", Source(uri=source, document_id_column="sku"), VolumeStore(tmp_path, source)).rows
    assert f"# Found: {counted(rows, 'document')}, " in text


@pytest.mark.parametrize(
    ("source", "uri", "documents"),
    [
        ("data[1]", "data[1]", 3), ("data[1]/", "data[1]", 3), ("data[1]/*.parquet", "data[1]/*.parquet", 6),
        ("dir/*/", "*/", 3), ("./dir/*/", "*/", 3), ("*.parquet", "*.parquet", 3), (".", ".", 18),
    ],
)  # fmt: skip
def test_names_with_wildcards_and_globs_of_directories(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, source: str, uri: str, documents: int
) -> None:
    """init read the files beside an existing data[1], and the README beside the directories of dir/*/."""
    here = tmp_path / "my [a] files"
    for name in ("a.parquet", "data[1]/a.parquet", "data1/a.parquet", "data1/b.parquet", "dir/c/a.parquet", "b/a.pq"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(ROWS), here / name)
    (here / "dir/README").write_text("no rows")
    monkeypatch.chdir(here)
    collection, _, text = init(capsys, source, "--volume", "docs", *(["--path", "."] if uri == "." else []))
    assert collection["source"]["uri"] == uri
    assert f"# Found: {documents} documents, " in text
    read = Source(uri=source, document_id_column="sku")
    assert ParquetCollection("col_a", read, VolumeStore(here, source)).rows == documents


def test_columns_of_partitions(tmp_path: Path, capsys: Capture) -> None:
    """--text-column lang was refused, although the worker reads it. The volume does not have the folders above."""
    folder = tmp_path / "env=prod/docs/lang=en"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(ROWS), folder / "a.parquet")
    for source, columns in (("docs", ", lang"), ("docs/*/*.parquet", ", lang"), ("docs/lang=en/a.parquet", "")):
        _, _, text = init(capsys, f"{tmp_path}/env=prod/{source}", "--volume", "c")
        assert f"columns sku, price, title, embedding{columns}\n" in text
    collection, _, _ = init(capsys, f"{tmp_path}/env=prod/docs", "--volume", "c", "--text-column", "lang")
    assert collection["source"]["text_column"] == "lang"


def test_a_first_file_without_rows(tmp_path: Path, capsys: Capture) -> None:
    """pandas gives its columns no type, and the worker reads none of them."""
    pq.write_table(pa.table({name: pa.nulls(0) for name in ROWS}), tmp_path / "a.parquet")
    pq.write_table(pa.table(ROWS), tmp_path / "b.parquet")
    collection, _, text = init(capsys, str(tmp_path), "--volume", "c")
    assert "Found: 3 documents, vectors of 2 dimensions" in text
    assert collection["source"]["document_id_column"] == "sku"


@pytest.mark.parametrize(
    "name", ["\U0001f600", "\U0001f468\u200d\U0001f469", "\u00e9", "a\nb", "\U000e0020", '"', "08"]
)
def test_names_of_columns_are_kept(tmp_path: Path, capsys: Capture, name: str) -> None:
    """Emoji were written as two halves, which YAML does not join, and refused."""
    pq.write_table(pa.table({name: ROWS["sku"], "embedding": ROWS["embedding"]}), tmp_path / "a.parquet")
    collection, _, _ = init(capsys, f"{tmp_path}/a.parquet", "--volume", "c")
    assert collection["source"]["document_id_column"] == name


def test_columns_of_a_wrong_type(tmp_path: Path, capsys: Capture) -> None:
    pq.write_table(pa.table(ROWS | {"n": pa.array([1, 2, 3])}), tmp_path / "a.parquet")
    error = failed(capsys, f"{tmp_path}/a.parquet", "--vector-column", "n")
    assert "--vector-column: 'n' (int64) does not contain vectors: name the column with lists of" in error
    error = failed(capsys, f"{tmp_path}/a.parquet", "--id-column", "embedding")
    assert "--id-column: 'embedding' (fixed_size_list<" in error
    assert "contains vectors: name a column with text or integers, one of" in error


COLUMNS = ("--table", "t", "--id-column", "a", "--vector-column", "b")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("postgresql://u:pa#ss@h/d", "SOURCE: not an address: write postgresql://USER@HOST:PORT/DATABASE, and escape"),
        ("postgresql://h:99999/d", "SOURCE: not an address: "),
        ("s3://", "SOURCE: 's3://' names no bucket: write s3://BUCKET/KEY"),
        ("file:///tmp/a.parquet", "SOURCE: unknown scheme 'file': write the path without file://"),
        ("s3a://b/k", "SOURCE: unknown scheme 's3a': write s3://"),
        ("https://h/a.parquet", "SOURCE: 'https://h/a.parquet': files are not read over HTTP: name a path, s3://"),
    ],
)
def test_addresses_that_are_not_read(capsys: Capture, source: str, error: str) -> None:
    """A part of a password that is not escaped is taken for a port: it ended the command with a traceback."""
    found = failed(capsys, source, *COLUMNS, code=2)
    assert error in found
    assert "pa" not in found.replace("path", "").replace("password", "").replace("parquet", "").replace("special", "")


def test_addresses_of_version_6(capsys: Capture) -> None:
    collection, _, _ = init(capsys, "postgresql://[::1]:5433/d", *COLUMNS)
    assert collection["source"]["uri"] == "postgresql://[::1]:5433/d"


def test_two_columns_of_one_name(tmp_path: Path, capsys: Capture) -> None:
    """init ended with a traceback."""
    table = pa.table([*ROWS.values(), ROWS["embedding"]], names=[*ROWS, "embedding"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert failed(capsys, str(tmp_path / "a.parquet")) == (
        f"{tmp_path}/a.parquet: two columns have the name 'embedding': write the file again with distinct names, or "
        "set --id-column and --vector-column, so that it is not read"
    )


def test_files_that_are_not_parquet(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "text.parquet").write_text("no")
    (tmp_path / "empty").mkdir()
    wrong = failed(capsys, str(tmp_path / "text.parquet"))
    assert wrong == f"{tmp_path}/text.parquet: cannot be read: it is not a Parquet file: write the documents as Parquet"
    numbers = pa.array([1, 2]).cast(pa.decimal256(60))
    pq.write_table(pa.table({"id": ["a", "b"], "n": numbers}), tmp_path / "cut.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:-40])
    assert "cut.parquet: cannot be read: " in failed(capsys, str(tmp_path / "cut.parquet"))
    assert "no Parquet files found" in failed(capsys, str(tmp_path / "empty"))
    assert "no Parquet files found" in failed(capsys, str(tmp_path / "empty/*.parquet"))
    assert "no such file or folder" in failed(capsys, str(tmp_path / "missing.parquet"))
    assert "{a,b} is not supported" in failed(capsys, str(tmp_path / "{a,b}.parquet"))
    assert "write a-z instead of z-a" in failed(capsys, str(tmp_path / "[z-a].parquet"))
    assert "unknown scheme 'ftp'" in failed(capsys, "ftp://a/b", code=2)


def test_a_bucket(bucket: Bucket, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "admin")
    pq.write_table(pa.table(ROWS), tmp_path / "a.parquet")
    bucket.upload("shop/a.parquet", tmp_path / "a.parquet")
    bucket.upload("shop/b.parquet", tmp_path / "a.parquet")
    where = ["--endpoint", bucket.endpoint, "--secret", "s3-keys"]
    collection, _, text = init(capsys, f"s3://{BUCKET}/shop/*.parquet", *where)
    assert collection["source"]["uri"] == f"s3://{BUCKET}/shop/*.parquet"
    assert (collection["source"]["endpoint"], collection["source"]["secret_name"]) == (bucket.endpoint, "s3-keys")
    assert "volume" not in collection
    assert "# Found: 6 documents" in text
    assert "kubectl create secret generic s3-keys --from-literal=AWS_ACCESS_KEY_ID" in text
    bucket.upload("shop/part/c.parquet", tmp_path / "a.parquet")
    collection, _, text = init(capsys, f"s3://{BUCKET}/shop/*/", *where)
    assert collection["source"]["uri"] == f"s3://{BUCKET}/shop/*/"
    assert "# Found: 3 documents" in text
    assert "no such file or folder" in failed(capsys, f"s3://{BUCKET}/nowhere.parquet", *where)


@pytest.mark.xdist_group("postgresql")
def test_a_table(database: Database, capsys: Capture) -> None:
    server: PostgreSQL = database.server
    name = database.create(
        "articles",
        {"id": "bigint", "title": "text", "embedding": "vector(3)"},
        [{"id": 1, "embedding": [1.0, 2.0, 3.0]}],
    )
    database.run(f"ANALYZE {name}")
    address = f"postgresql://{USER}:{quote(server.password)}@{server.host}:{server.port}/postgres"
    collection, _, text = init(capsys, address, "--table", name)
    assert collection["source"] == {
        "type": "postgresql",
        "uri": f"postgresql://{server.host}:{server.port}/postgres",
        "table": name,
        "document_id_column": "id",
        "vector_column": "embedding",
        "text_column": "title",
        "secret_name": "articles-db",
    }
    assert server.password not in text
    assert "1 document, vectors of 3 dimensions" in text
    cluster_address = ["--uri", "postgresql://me:secret@db.shop.svc/shop?sslmode=verify-full"]
    collection, _, text = init(capsys, address, "--table", name, *cluster_address)
    assert collection["source"]["uri"] == "postgresql://db.shop.svc:5432/shop?sslmode=verify-full"
    assert "secret" not in collection["source"]["uri"]
    missing = failed(capsys, address, "--table", "nowhere")
    assert "table 'nowhere' cannot be read" in missing
    assert server.password not in missing
    assert "--table is missing" in failed(capsys, address, code=2)


def test_tables_and_types_that_the_worker_reads(database: Database, capsys: Capture) -> None:
    """The name of a table was folded to lower case, arrays of text were ids, and enumerations and domains were not."""
    server: PostgreSQL = database.server
    database.run(f"CREATE TYPE {database.schema}.colour AS ENUM ('red')")
    database.run(f"CREATE DOMAIN {database.schema}.emb AS vector(3)")
    name = database.create(
        "My Articles",
        {"tags": "text[]", "colour": f"{database.schema}.colour", "embedding": f"{database.schema}.emb"},
        [{"tags": ["a"], "colour": "red", "embedding": [1.0, 2.0, 3.0]}],
    )
    address = f"postgresql://{USER}:{quote(server.password)}@{server.host}:{server.port}/postgres"
    table = f"{database.schema}.My Articles"
    collection, _, text = init(capsys, address, "--table", table)
    source = collection["source"]
    assert (source["table"], source["document_id_column"], source["vector_column"]) == (table, "colour", "embedding")
    assert "vectors of 3 dimensions" in text
    found = database.open(name, document_id_column="colour")
    assert (found.rows, found.dimensions) == (1, 3)


@pytest.fixture
def qdrant() -> Iterator[str]:
    """Answers as in Qdrant's documentation, for a collection with one unnamed and one with two named vectors."""
    size = {"size": 4, "distance": "Cosine"}
    several = {**size, "multivector_config": {"comparator": "max_sim"}}
    collections: Object = {
        "plain": size,
        "named": {"title": size, "image": {**size, "size": 8}},
        "sparse": None,
        "multi": several,
        "mixed": {"late": several, "title": {**size, "size": 8}},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[2]
            if self.headers.get("api-key") != "right":
                self._answer(401, {})
            elif name not in collections:
                self._answer(404, {"status": {"error": "not found"}})
            else:
                self._answer(200, {"points_count": 50, "config": {"params": {"vectors": collections[name]}}})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, {"points": [{"id": 1, "payload": {"sku": "a", "title": "A", "price": 3}}]})

        def _answer(self, status: int, result: object) -> None:
            body = json.dumps({"result": result}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_qdrant(qdrant: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "right")
    collection, trigger, _ = init(capsys, qdrant, "--collection", "plain", "--uri", "http://qdrant.search.svc:6333")
    assert collection["source"] == {
        "type": "qdrant", "uri": "http://qdrant.search.svc:6333", "collection": "plain", "text_column": "title",
    }  # fmt: skip
    assert trigger["execution_config"]["config"]["n_clusters"] == 5
    collection, _, _ = init(capsys, qdrant, "--collection", "named", "--id-column", "sku", "--secret", "reader")
    assert collection["source"]["vector_column"] == "title"
    assert collection["source"]["document_id_column"] == "sku"
    assert collection["source"]["secret_name"] == "reader"
    assert "'none': Qdrant has no such collection" in failed(capsys, qdrant, "--collection", "none")
    assert "--collection is missing" in failed(capsys, qdrant, code=2)
    monkeypatch.setenv("QDRANT_API_KEY", "wrong")
    assert "set QDRANT_API_KEY" in failed(capsys, qdrant, "--collection", "plain")
    assert "cannot be read as Qdrant" in failed(capsys, "http://127.0.0.1:9", "--collection", "plain")


def test_qdrant_without_dense_vectors(qdrant: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection with sparse vectors alone ended init with a traceback, and multivectors were proposed."""
    monkeypatch.setenv("QDRANT_API_KEY", "right")
    assert "'sparse' has only sparse vectors, or none: name one with" in failed(
        capsys, qdrant, "--collection", "sparse"
    )
    assert "'multi' has only several vectors per point" in failed(capsys, qdrant, "--collection", "multi")
    collection, _, text = init(capsys, qdrant, "--collection", "mixed")
    assert collection["source"]["vector_column"] == "title"
    assert "vectors of 8 dimensions" in text


def test_invalid_options_are_reported(tmp_path: Path, capsys: Capture) -> None:
    blind = ["--id-column", "id", "--vector-column", "v", "--volume", "docs"]
    collection, _, text = init(capsys, "anywhere/data.parquet", *blind)
    assert collection["source"] == {"uri": "data.parquet", "document_id_column": "id", "vector_column": "v"}
    assert "Found" not in text
    assert "spec.schedule_config.cron_expression: '61 * * * *': minute 61 is out of range 0-59" in failed(
        capsys, "data.parquet", *blind, "--cron", "61 * * * *"
    )
    assert "metadata.name: 'No_Name'" in failed(capsys, "data.parquet", *blind, "--name", "No_Name")
    assert "spec.source.uri" in failed(capsys, "data.parquet", *blind, "--path", "/etc/passwd")


def test_without_the_libraries_the_error_names_the_packages(tmp_path: Path) -> None:
    """The installation contains only 'clustertrigger[cli]'."""
    script = (
        "import sys\nsys.modules['pyarrow'] = sys.modules['psycopg'] = None\n"
        "from clustertrigger.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    for arguments, library in (
        (["a.parquet"], "pyarrow"),
        (["s3://a/b.parquet"], "pyarrow"),
        (["postgresql://a/b", "--table", "c"], "psycopg"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, "init", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert f"cannot be read without {library}: pip install 'clustertrigger[init]'" in done.stderr
        assert "set --id-column and --vector-column, so that the source is not read" in done.stderr
