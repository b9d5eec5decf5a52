"""Tests of Qdrant: its client's local mode in place of a server, and refusals of a server over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from clustercontract.source import Source
from clusterworker.data.sources.qdrant import collection as module
from clusterworker.data.sources.qdrant.collection import count_points, open_qdrant
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.secret import SecretFiles
from harness.cluster.debian.ports import free_ports
from tests.clusterworker.conftest import Pod
from tests.clusterworker.data.sources_of_all_kinds import Rows, ids, in_qdrant, qdrant_with
from tests.clusterworker.planted import planted, write

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}
DATA = planted(90, 3, dimensions=4)
SHOWN = "http://qdrant:6333: collection documents"
KEY = "s3cret-key"
UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


def rows(vectors: Any = DATA.vectors) -> list[dict[str, Any]]:
    return [
        {"_id": n, "embedding": vector.tolist(), "text": f"text {n}", "meta": {"key": f"doc-{n}"}}
        for n, vector in enumerate(vectors)
    ]


def refused(client: QdrantClient, **fields: Any) -> str:
    with pytest.raises(MisconfiguredError) as raised:
        ids(in_qdrant(client, **fields))
    return str(raised.value)


def test_points_in_the_order_of_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 16)
    opened = in_qdrant(qdrant_with(rows()))
    batches = list(opened.batches(2))
    assert (opened.rows, opened.dimensions, opened.has_integer_ids, opened.embedding_model) == (90, 4, False, "")
    assert [len(batch.vectors) for batch in batches] == [16, 16, 16, 16, 16, 10]
    assert {batch.collection for batch in batches} == {2}
    np.testing.assert_array_equal(np.concatenate([batch.vectors for batch in batches]), DATA.vectors)
    assert ids(opened) == [str(n) for n in range(90)]


def test_pages_hold_a_bounded_number_of_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_NUMBERS", 40)
    assert {len(batch.vectors) for batch in in_qdrant(qdrant_with(rows())).batches(0)} == {10}


def test_document_ids_from_the_payload_and_texts() -> None:
    opened = in_qdrant(qdrant_with(rows()), document_id_column="meta.key", text_column="text")
    assert ids(opened)[:2] == ["doc-0", "doc-1"]
    assert opened.texts(np.array([7, 3, 7])) == {3: "text 3", 7: "text 7"}


def test_numbers_and_uuids() -> None:
    given: Rows = [{"_id": UUID, "embedding": [1.0, 2.0], "text": "u"}, {"_id": 2**63 + 1, "embedding": [1.0, 3.0]}]
    opened = in_qdrant(qdrant_with(given), text_column="text")
    assert set(ids(opened)) == {UUID, str(2**63 + 1)}
    assert sorted(opened.texts(np.array([0, 1])).values()) == ["", "u"]


def named(**vectors: Any) -> QdrantClient:
    size = models.VectorParams(size=2, distance=models.Distance.EUCLID)
    given = [{"_id": n, "embedding": {name: value[n] for name, value in vectors.items()}} for n in range(2)]
    return qdrant_with(given, dict.fromkeys(vectors, size))


def test_named_vectors() -> None:
    client = named(text=[[1.0, 2.0], [3.0, 4.0]], image=[[5.0, 6.0], [7.0, 8.0]])
    [batch] = in_qdrant(client, vector_column="image").batches(0)
    assert batch.vectors.tolist() == [[5, 6], [7, 8]]
    assert refused(client) == (
        f"{SHOWN}: no vector without a name: it has text, image: set source.vector_column to one of them"
    )
    assert "no vector sound: it has " in refused(client, vector_column="sound")
    assert refused(qdrant_with(rows()), vector_column="text") == (
        f"{SHOWN}: no vector text: its only vector has no name: remove source.vector_column"
    )


def test_several_vectors_per_point() -> None:
    configuration = models.VectorParams(
        size=2,
        distance=models.Distance.COSINE,
        multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
    )
    client = qdrant_with([{"embedding": [[1.0, 2.0], [2.0, 1.0]]}], configuration)
    assert refused(client) == (
        f"{SHOWN}: it has several vectors per point (multivector): set source.vector_column to a vector with one"
    )


def test_a_point_without_the_vector() -> None:
    client = named(text=[[1.0, 2.0], [3.0, 4.0]])
    client.upsert("documents", [models.PointStruct(id=5, vector={}, payload={})])
    assert refused(client, vector_column="text") == (
        f"{SHOWN}, point 5: vector text is missing: embed that document again or leave it out"
    )


class Odd:
    """Returns an invalid answer: point 3 with this vector."""

    def __init__(self, client: QdrantClient, vector: list[float]) -> None:
        self._client = client
        self._vector = vector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def scroll(self, *arguments: Any, **options: Any) -> Any:
        points, offset = self._client.scroll(*arguments, **options)
        points[3].vector = self._vector
        return points, offset


@pytest.mark.parametrize(("value", "shown"), [
    (np.nan, "NaN"), (np.inf, "an infinite number")
])  # fmt: skip
def test_numbers_that_are_none(value: float, shown: str) -> None:
    assert refused(Odd(qdrant_with(rows()), [value, 0, 0, 0])) == (  # type: ignore[arg-type]
        f"{SHOWN}, point 3: the vector holds {shown}: embed that document again or leave it out"
    )


def test_ragged() -> None:
    assert refused(Odd(qdrant_with(rows()), [1.0])) == (  # type: ignore[arg-type]
        f"{SHOWN}, point 3: the vector holds a vector of length 1 where 4 is expected: "
        "embed all documents with one model"
    )


def test_no_document_id_in_the_payload() -> None:
    client = qdrant_with([*rows()[:3], {"_id": 9, "embedding": [1.0, 2.0, 3.0, 4.0]}])
    assert refused(client, document_id_column="meta.key") == (
        f"{SHOWN}, point 9: its payload has no meta.key: give every document an id, or remove "
        "source.document_id_column "
        "to use the points' own IDs"
    )


def test_empty_collections() -> None:
    none = f"{SHOWN}: collection col_0 has no documents"
    assert refused(qdrant_with([])) == f"{none}: add documents, or remove the collection"
    filters = {"field": "text", "operator": "eq", "value": "absent"}
    assert refused(qdrant_with(rows()), filters=filters) == f"{none} that pass source.filters: change the filters"


def test_counting_is_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    client, calls = qdrant_with(rows()), []

    class Counting:
        def count(self, *arguments: Any, **options: Any) -> Any:
            calls.append(options)
            return client.count(*arguments, **options)

    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: Counting())
    source = Source.model_validate({"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"})
    assert count_points(source, SecretFiles(None, Path("/nowhere"))) == 90
    filters = {"field": "text", "operator": "in", "value": ["text 1", "text 2"]}
    some = Source.model_validate({**source.model_dump(exclude_none=True), "filters": filters})
    assert count_points(some, SecretFiles(None, Path("/nowhere"))) == 2
    assert len(calls) == 2


def test_no_such_collection() -> None:
    line = refused(qdrant_with(rows()), collection="documnets")
    assert line == "http://qdrant:6333: no such collection documnets in Qdrant: check source.collection"


def test_points_that_come_and_go_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 30)
    client = qdrant_with(rows())
    opened = in_qdrant(client)
    client.upsert("documents", [models.PointStruct(id=1000, vector=[1.0, 0.0, 0.0, 0.0])])
    assert ids(opened) == [str(n) for n in range(90)], "the new one is left to the next run"
    client.delete("documents", list(range(80, 90)))
    with pytest.raises(UnavailableError, match="10 of 90 points were removed while it was read: run it again"):
        ids(opened)


def test_same_clusters_as_from_a_file(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    client = qdrant_with(rows())
    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: client)
    write(pod.volume / "data.parquet", DATA.vectors, [str(n) for n in range(90)], [f"text {n}" for n in range(90)])
    local = pod.run(pod.spec(KMEANS, {"uri": "data.parquet", "text_column": "text"}))
    source = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents", "text_column": "text"}
    remote = pod.run(pod.spec(KMEANS, source))
    assert remote.metrics == local.metrics
    assert remote.clusters == local.clusters
    assert remote.baseline
    assert local.baseline
    assert remote.baseline.sha256 == local.baseline.sha256


class Answering(BaseHTTPRequestHandler):
    """Refuses requests as Qdrant does, and records the keys that it received."""

    status = 401
    shown: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.shown.append(self.headers.get("api-key"))
        body = json.dumps({"status": {"error": f"Must provide an API key, not {self.headers.get('api-key')}"}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def server(status: int) -> Iterator[tuple[str, list[str | None]]]:
    handler = type("Handler", (Answering,), {"status": status, "shown": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", handler.shown  # type: ignore[attr-defined]
        running.shutdown()


def opened(uri: str, secrets: Path | None) -> RunError:
    secret_name = {"secret_name": "qdrant"} if secrets else {}
    source = Source.model_validate({"type": "qdrant", "uri": uri, "collection": "documents", **secret_name})
    with pytest.raises(RunError) as raised:
        open_qdrant("col_0", source, SecretFiles(source.secret_name, secrets or Path("/nowhere")))
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "qdrant").mkdir()
    (tmp_path / "qdrant/api-key").write_text(f"{KEY}\n")
    return tmp_path


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, MisconfiguredError, "Qdrant denied access: check the key in Secret qdrant and what it may read"),
        (403, MisconfiguredError, "Qdrant denied access: check the key in Secret qdrant and what it may read"),
        (400, MisconfiguredError, "Qdrant answered 400: "),
        (429, UnavailableError, "Qdrant"),
        (500, UnavailableError, "Qdrant answered 500: "),
    ],
)
def test_refusals(secrets: Path, status: int, kind: type[RunError], says: str) -> None:
    with server(status) as (uri, shown):
        error = opened(uri, secrets)
    assert type(error) is kind
    assert f"{uri}: collection documents: {says}" in str(error)
    assert set(shown) == {KEY}


def test_no_key() -> None:
    with server(401) as (uri, shown):
        assert str(opened(uri, None)).endswith("Qdrant denied access: no key was given: set secret_name")
    assert set(shown) == {None}


def test_a_secret_without_the_key(secrets: Path) -> None:
    (secrets / "qdrant/api-key").unlink()
    assert str(opened("http://127.0.0.1:1", secrets)) == "Secret qdrant has no key api-key: add it"


def test_a_port_that_does_not_exist() -> None:
    told = str(opened("http://qdrant:99999", None))
    assert told == "http://qdrant:99999: the maximum port is 65535: correct source.uri"


def test_nothing_answers() -> None:
    (port,) = free_ports(1)
    uri = f"http://127.0.0.1:{port}"
    error = opened(uri, None)
    assert isinstance(error, UnavailableError)
    assert f"{uri}: collection documents: Qdrant does not answer: " in str(error)
