"""The YAML that `init` writes: a Collection and a trigger, with comments for newcomers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from clustercontract.counted import counted
from clustercontract.quoting import quoted
from clustertrigger.api import API_VERSION
from clustertrigger.cli.init.columns import Choice, Look, clusters_for
from clustertrigger.cli.terminal import printable

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""Texts that YAML reads as something other than text."""


@dataclass(frozen=True)
class Draft:
    """The values to write.

    Attributes:
        name: Name of both objects.
        namespace: Namespace of both objects; None for kubectl's.
        type: Type of the source: parquet, postgresql or qdrant.
        uri: Address of the source, as Pods reach it.
        choice: Columns of the source.
        look: What was read of the source; None if it was not read.
        volume: Claim that contains a file; None for an address.
        table: Table of PostgreSQL.
        collection: Collection of Qdrant.
        secret: Name of the Secret with credentials; None for none.
        endpoint: URL of an S3-compatible server.
        region: Region of a bucket.
        cron: When to run.
        timezone: Time zone of the schedule.
    """

    name: str
    namespace: str | None
    type: str
    uri: str
    choice: Choice
    look: Look | None
    volume: str | None
    table: str | None
    collection: str | None
    secret: str | None
    endpoint: str | None
    region: str | None
    cron: str
    timezone: str


def write(draft: Draft) -> str:
    """Returns the YAML."""
    return "\n".join([*_collection(draft), "---", *_trigger(draft)]) + "\n"


def collection_id(name: str) -> str:
    """Returns the id by which triggers refer to a collection."""
    return "col_" + name.replace("-", "_").replace(".", "_")


def _collection(draft: Draft) -> Iterator[str]:
    choice, look = draft.choice, draft.look
    yield "# Where the vectors are stored, and which columns to read."
    yield "# All fields: kubectl explain collection.spec.source"
    if look is not None:
        yield f"# {_columns_found(look)}"
    yield from (f"# Check {note}." for note in choice.notes)
    yield from _head("Collection", draft)
    yield "spec:"
    yield f"  collection_id: {_scalar(collection_id(draft.name))}     # triggers refer to this"
    if draft.volume:
        yield f"  volume: {_scalar(draft.volume)}     # the PersistentVolumeClaim with the file; mounted read-only"
    yield "  source:"
    if draft.type != "parquet":
        yield f"    type: {draft.type}"
    where = "     # relative to the volume's root" if draft.volume else ""
    yield f"    uri: {_scalar(draft.uri)}{where}"
    for field, value in (("table", draft.table), ("collection", draft.collection)):
        if value:
            yield f"    {field}: {_scalar(value)}"
    if choice.document_id:
        yield f"    document_id_column: {_scalar(choice.document_id)}"
    if choice.vector:
        yield f"    vector_column: {_scalar(choice.vector)}"
    if choice.text:
        yield f"    text_column: {_scalar(choice.text)}     # shown in the report"
    else:
        yield "    # text_column: title          # optional: a column of texts that the report shows"
    for field, value in (("endpoint", draft.endpoint), ("region", draft.region)):
        if value:
            yield f"    {field}: {_scalar(value)}"
    yield from _secret(draft)
    yield "    # filters: {field: language, operator: eq, value: en}     # only these documents"


def _secret(draft: Draft) -> Iterator[str]:
    keys = {
        "postgresql": "--from-literal=username=USER --from-literal=password=PASSWORD",
        "qdrant": "--from-literal=api-key=KEY",
    }.get(draft.type) or (
        "--from-file=service-account.json=FILE"
        if draft.uri.startswith("gs://")
        else "--from-literal=AWS_ACCESS_KEY_ID=ID --from-literal=AWS_SECRET_ACCESS_KEY=KEY"
    )
    scope = f" -n {draft.namespace}" if draft.namespace else ""
    if draft.secret:
        yield f"    secret_name: {_scalar(draft.secret)}     # create it if it does not exist:"
        yield f"    #   kubectl create secret generic {draft.secret}{scope} {keys}"
    elif "://" in draft.uri:
        yield "    # secret_name: NAME           # if reading needs credentials:"
        yield f"    #   kubectl create secret generic NAME{scope} {keys}"


def _trigger(draft: Draft) -> Iterator[str]:
    documents = draft.look.documents if draft.look else None
    of = f" ({documents:,})" if documents else ""
    yield "# When to cluster, and how. All fields: kubectl explain clustertrigger.spec"
    yield from _head("ClusterTrigger", draft)
    yield "spec:"
    yield "  trigger_type: cron              # or interval, event, conditional (when the documents have drifted)"
    yield "  schedule_config:"
    yield f"    cron_expression: {json.dumps(draft.cron)}"
    yield f"    timezone: {_scalar(draft.timezone)}"
    yield "  execution_config:"
    yield f"    collection_ids: [{_scalar(collection_id(draft.name))}]"
    yield "    config:"
    yield "      algorithm: kmeans           # hdbscan finds the number of clusters by itself"
    yield f"      n_clusters: {clusters_for(documents)}     # a start: square root of half the number of documents{of}"
    yield "  # run:"
    yield "  #   resources: {requests: {cpu: '2', memory: 4Gi}}     # the default is 1 cpu and 2Gi"
    yield "  #   results: {volume: clustertrigger-results}     # a claim, or uri: s3://bucket/prefix"


def _head(kind: str, draft: Draft) -> Iterator[str]:
    yield f"apiVersion: {API_VERSION}"
    yield f"kind: {kind}"
    yield "metadata:"
    yield f"  name: {_scalar(draft.name)}"
    if draft.namespace:
        yield f"  namespace: {_scalar(draft.namespace)}"


def _columns_found(look: Look) -> str:
    documents = "" if look.documents is None else f"{counted(look.documents, 'document')}, "
    dimensions = "" if look.dimensions is None else f"vectors of {counted(look.dimensions, 'dimension')}, "
    names = ", ".join(printable(column.name) for column in look.columns[:20])
    return f"Found: {documents}{dimensions}columns {names}" + (", …" if len(look.columns) > 20 else "")


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)
