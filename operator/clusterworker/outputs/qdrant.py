"""Writes to Qdrant: fields of the points' payloads, in batches.

Qdrant has no transactions. While a run writes, some points have its values and some the previous ones, and the field
`run` (for nodes: `taxonomy_run`) identifies the run. At the end, every point of the run's documents has that run there,
and no other point has a run of this trigger.
"""

from collections.abc import Mapping
from typing import Any

from qdrant_client import QdrantClient, models

from clustercontract.counted import counted
from clustercontract.output import OutputInput
from clusterworker.data.sources.qdrant.connection import Server
from clusterworker.outputs.table import Table
from clusterworker.process.errors import RunError, UnavailableError
from clusterworker.process.progress import Progress
from clusterworker.process.secret import SecretFiles

POINTS = 1_000
"""Maximum number of points in one request."""


class QdrantOutput:
    """Payloads of one collection; see Output.

    Args:
        output: The output in the RunSpec.
        secret: Secret of the user who writes.
    """

    def __init__(self, output: OutputInput, secret: SecretFiles) -> None:
        self._source = output.source
        self._server = Server(output.source, secret)
        self._name = str(output.source.collection)
        self._id_key = output.source.document_id_column

    @property
    def shown(self) -> str:
        """See Output."""
        return self._server.shown

    def check(self, table: Table) -> None:
        """See Output."""
        client = self._server.connect()
        with self._server.errors():
            if not client.collection_exists(self._name):
                raise self._server.no_such_collection()

    def write(self, table: Table, progress: Progress) -> str:
        """See Output."""
        client, sent, written = self._server.connect(), 0, 0
        try:
            with self._server.errors():
                for batch in table.batches():
                    for begin in range(0, batch.num_rows, POINTS):
                        rows = batch.slice(begin, POINTS).to_pylist()
                        written += self._send(client, table, rows)
                        sent += len(rows)
                        progress.advance(sent / max(table.rows, 1))
                self._forget(client, table)
                self._confirm(client, table, written)
        except RunError as error:
            raise type(error)(
                f"{error}: {sent:,} of {table.rows:,} documents have {table.run_column} {table.run}, and the others "
                "are unchanged"
            ) from error
        missing = table.rows - written
        summary = f"{counted(written, 'point')} of {self.shown}"
        return f"{summary}; it lacks {counted(missing, 'document')}" if missing > 0 else summary

    def _send(self, client: QdrantClient, table: Table, rows: list[dict[str, Any]]) -> int:
        """Sets the payloads of some documents. Returns how many of them exist."""
        payloads = {str(row["document_id"]): self._payload(table, row) for row in rows}
        existing = self._existing(client, payloads)
        operations = [
            models.SetPayloadOperation(set_payload=models.SetPayload(payload=payloads[document], points=points))
            for document, points in existing.items()
        ]
        if operations:
            client.batch_update_points(self._name, operations, wait=True)
        return len(operations)

    def _payload(self, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
        return {field.name: row[field.name] for field in table.values} | {table.run_column: table.run}

    def _existing(self, client: QdrantClient, ids: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Returns points by document. Qdrant responds 404 to a request that names a missing point."""
        if self._id_key is None:
            points = client.retrieve(self._name, [_point(document) for document in ids], with_payload=False)
            return {str(point.id): [point.id] for point in points}
        numbers = [int(document) for document in ids if _is_number(document)]
        named: list[Any] = [models.FieldCondition(key=self._id_key, match=models.MatchAny(any=list(ids)))]
        if numbers:
            named.append(models.FieldCondition(key=self._id_key, match=models.MatchAny(any=numbers)))
        found: dict[str, list[Any]] = {}
        offset: Any = None
        while True:
            page, offset = client.scroll(
                self._name,
                scroll_filter=models.Filter(should=named),
                limit=POINTS,
                offset=offset,
                with_payload=[self._id_key],
                with_vectors=False,
            )
            for point in page:
                found.setdefault(str(_value(point.payload, self._id_key)), []).append(point.id)
            if offset is None:
                return {document: points for document, points in found.items() if document in ids}

    def _forget(self, client: QdrantClient, table: Table) -> None:
        """Clears the values that the previous run wrote into points that do not belong to this run's documents."""
        if table.previous is None or table.previous == table.run:
            return
        left = _written_by(table, table.previous)
        keys = [*(field.name for field in table.values), table.run_column]
        client.delete_payload(self._name, keys, points=models.FilterSelector(filter=left), wait=True)

    def _confirm(self, client: QdrantClient, table: Table, written: int) -> None:
        found = client.count(self._name, count_filter=_written_by(table, table.run), exact=True).count
        if found < written:
            raise UnavailableError(
                f"{self.shown}: {counted(found, 'point')} with {table.run_column} {table.run} after {written:,} were "
                "written: another program deletes the points or replaces their payloads"
            )


def _written_by(table: Table, run: str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=table.run_column, match=models.MatchValue(value=run))])


def _point(document: str) -> int | str:
    return int(document) if _is_number(document) else document


def _is_number(document: str) -> bool:
    return document.isascii() and document.isdigit()


def _value(payload: Any, key: str) -> Any:
    """Returns a value of a payload. Dots lead into objects, as in Qdrant's own filters."""
    for part in [key] if payload and key in payload else key.split("."):
        payload = payload.get(part) if isinstance(payload, dict) else None
    return payload
