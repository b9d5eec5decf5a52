"""Tests of outputs in Qdrant: its client's local mode in place of a server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from clusterworker.outputs import qdrant as module
from clusterworker.outputs.table import Output
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.progress import Progress
from tests.clusterworker.data.sources_of_all_kinds import qdrant_with
from tests.clusterworker.outputs.rows import output, table, written

UUIDS = [f"6f9619ff-8b86-d011-b42d-00cf4fc964f{n}" for n in "abc"]


def rows(ids: Any) -> list[dict[str, Any]]:
    return [{"_id": name, "embedding": [1.0, 2.0], "sku": f"sku-{n}"} for n, name in enumerate(ids)]


def opened(client: Any, root: Path, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Output:
    monkeypatch.setattr("clusterworker.data.sources.qdrant.connection.Server.connect", lambda _: client)
    source = {"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents", **fields}
    return output(source, {}, root)


def payloads(client: QdrantClient) -> dict[Any, Any]:
    points, _ = client.scroll("documents", limit=100, with_payload=True)
    return {point.id: point.payload for point in points}


def test_fields_of_the_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = qdrant_with(rows([7, UUIDS[0], UUIDS[1], 8]))
    labels = table(("7", 0, "cats, dogs", 0.25), (UUIDS[0], 1, "fish", 0.5), (UUIDS[1], -1, None, None))
    said = written(opened(client, tmp_path, monkeypatch), labels)
    assert said == "3 points of http://qdrant:6333: collection documents"
    run = {"run": "nightly-1a2b-2"}
    assert payloads(client) == {
        7: {"sku": "sku-0", "cluster_id": 0, "cluster_name": "cats, dogs", "cluster_distance": 0.25, **run},
        UUIDS[0]: {"sku": "sku-1", "cluster_id": 1, "cluster_name": "fish", "cluster_distance": 0.5, **run},
        UUIDS[1]: {"sku": "sku-2", "cluster_id": -1, **run},
        8: {"sku": "sku-3"},
    }, "Qdrant keeps no nulls: a key that becomes null is removed"


def test_the_next_run_replaces_all_that_the_last_one_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = qdrant_with(rows([1, 2, 3]))
    target = opened(client, tmp_path, monkeypatch)
    written(target, table(("1", 0, "cats", 0.25), ("2", 0, "cats", 0.5)))
    client.set_payload("documents", {"run": "weekly-9-1", "cluster_id": 4}, points=[3])
    second = table(("1", 5, "mice", 0.125), run="nightly-1a2b-3", previous="nightly-1a2b-2")
    for _ in range(2):
        written(target, second)
    found = payloads(client)
    assert (found[1]["cluster_name"], found[1]["run"]) == ("mice", "nightly-1a2b-3")
    assert found[2] == {"sku": "sku-1"}, "it is none of this run's documents"
    assert found[3] == {"sku": "sku-2", "run": "weekly-9-1", "cluster_id": 4}, "another trigger's"


@pytest.mark.parametrize("number", [False, True])
def test_documents_by_a_key_of_the_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: bool) -> None:
    """An ID that looks like a number can be a number or text in the payload; two points can belong to one document."""
    given = [
        {"_id": n, "embedding": [1.0, 2.0], "meta": {"sku": 40 + n % 2 if number else str(40 + n % 2)}}
        for n in range(3)
    ]
    client = qdrant_with(given)
    target = opened(client, tmp_path, monkeypatch, document_id_column="meta.sku")
    assert written(target, table(("40", 0, "cats", 0.25), ("99", 1, "fish", 0.5))).endswith("; it lacks 1 document")
    assert [payload.get("cluster_name") for payload in payloads(client).values()] == ["cats", None, "cats"]


class Failing:
    """A client whose updates fail from the third request on, as long as `broken` is set."""

    def __init__(self, client: QdrantClient) -> None:
        self.client, self.requests, self.broken = client, 0, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def batch_update_points(self, *arguments: Any, **options: Any) -> Any:
        self.requests += 1
        if self.broken and self.requests > 2:
            raise httpx.ConnectError("connection refused")
        return self.client.batch_update_points(*arguments, **options)


def test_a_server_that_goes_away_halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how many points are written, `run` identifies them, and the next attempt completes the output."""
    monkeypatch.setattr(module, "POINTS", 2)
    failing = Failing(qdrant_with(rows(range(6))))
    target = opened(failing, tmp_path, monkeypatch)
    labels = table(*[(str(n), n, f"cluster {n}", 0.5) for n in range(6)])
    with pytest.raises(UnavailableError) as raised:
        written(target, labels)
    assert str(raised.value) == (
        "http://qdrant:6333: collection documents: Qdrant does not answer: ConnectError: connection refused: 4 of 6 "
        "documents have run nightly-1a2b-2, and the others are unchanged"
    )
    marked = models.Filter(must=[models.FieldCondition(key="run", match=models.MatchValue(value="nightly-1a2b-2"))])
    assert failing.client.count("documents", count_filter=marked).count == 4
    failing.broken = False
    target.write(labels, Progress(io.StringIO()))
    assert failing.client.count("documents", count_filter=marked).count == 6


def test_no_such_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = opened(qdrant_with(rows([1])), tmp_path, monkeypatch, collection="documnets")
    with pytest.raises(MisconfiguredError, match=r"no such collection documnets in Qdrant: check source\.collection"):
        target.check(table())


def test_points_that_lose_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this check, a run would look complete although another program has replaced whole points."""
    client = qdrant_with(rows([1, 2]))
    target = opened(client, tmp_path, monkeypatch)
    forget = module.QdrantOutput._forget

    def replaced(self: Any, *arguments: Any) -> None:
        client.upsert("documents", [models.PointStruct(id=2, vector=[0.0, 1.0], payload={})])
        forget(self, *arguments)

    monkeypatch.setattr(module.QdrantOutput, "_forget", replaced)
    with pytest.raises(UnavailableError, match="1 point with run nightly-1a2b-2 after 2 were written: "):
        written(target, table(("1", 0, "cats", 0.25), ("2", 0, "cats", 0.5)))
