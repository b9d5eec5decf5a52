"""Resolves the collections that a run writes, and finds out why one of them must not be written."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterable
from fnmatch import fnmatchcase

from clustercontract.container import OUTPUTS_MOUNT
from clustercontract.globs import has_wildcard
from clustercontract.output import CLUSTERS, OutputInput, output_file
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.names import ANNOTATION_OUTPUTS
from clustertrigger.api.schedule import EventSchedule
from clustertrigger.api.trigger import RUN_COMPLETED, WAITS_FOR_ITSELF, ClusterTriggerSpec
from clustertrigger.core.actions.work import Writes, distinct
from clustertrigger.core.resources.catalog import COLLECTION, Catalog, Unresolved

Named = tuple[str, CollectionSpec]
"""A collection, and the id by which the trigger refers to it."""


def resolve_outputs(
    catalog: Catalog, namespace: str, references: Iterable[str], inputs: Iterable[Named], table: str = CLUSTERS
) -> tuple[Named, ...] | Unresolved:
    """Returns the collections to write, or why one of them cannot be written.

    Args:
        catalog: of all namespaces.
        namespace: the trigger's.
        references: The ids of the collections.
        inputs: The collections that the run reads.
        table: What is written. It determines the name of a Parquet file in a directory.
    """
    found: list[Named] = []
    for collection_id in references:
        collection = catalog.find(COLLECTION, namespace, collection_id)
        if isinstance(collection, Unresolved):
            return collection
        if why := _why_not(collection_id, collection, inputs, table):
            return Unresolved(Reason.OUTPUT_NOT_WRITABLE, why)
        if other := next((name for name, known in found if known is collection), None):
            return Unresolved(
                Reason.OUTPUT_NOT_WRITABLE,
                f"outputs {other!r} and {collection_id!r} are the same Collection: remove one of them",
            )
        found.append((collection_id, collection))
    return tuple(found)


def why_loop(spec: ClusterTriggerSpec, written: Container[str]) -> Unresolved | None:
    """Returns why a trigger would start itself; None if it would not. The specification alone does not always show it.

    Args:
        spec: The trigger's spec.
        written: All ids of the collections that its runs write. A definition or a batch can name them, or another id.
    """
    schedule = spec.schedule
    if not isinstance(schedule, EventSchedule) or schedule.event_type != RUN_COMPLETED:
        return None
    if schedule.collection_id not in written:
        return None
    return Unresolved(
        Reason.CHAIN_LOOP, f"schedule_config.collection_id {schedule.collection_id!r}: {WAITS_FOR_ITSELF}"
    )


def output_inputs(outputs: Iterable[Named], inputs: Iterable[Named]) -> list[OutputInput]:
    """Returns the outputs, as the worker sees them."""
    return [
        OutputInput(
            collection_id=_name_of(collection, inputs) or collection_id,
            source=collection.source,
            write=collection.write,
            mount_path=f"{OUTPUTS_MOUNT}/{collection.volume}" if collection.volume else None,
            reads=_name_of(collection, inputs) is not None,
        )
        for collection_id, collection in outputs
        if collection.write is not None
    ]


def outputs_annotation(outputs: Iterable[Named]) -> dict[str, str]:
    """Returns the annotation of the Job that lists the written collections."""
    ids = ",".join(collection_id for collection_id, _ in outputs)
    return {ANNOTATION_OUTPUTS: ids} if ids else {}


def writes_of(outputs: Iterable[Named]) -> Writes:
    """Returns what the Pod of a run mounts for its outputs."""
    specs = [collection for _, collection in outputs]
    return Writes(
        distinct(collection.volume for collection in specs),
        distinct(collection.write.secret_name for collection in specs if collection.write),
    )


def _why_not(collection_id: str, collection: CollectionSpec, inputs: Iterable[Named], table: str) -> str | None:
    if collection.write is None:
        return (
            f"collection {collection_id!r} is an output, but its spec.write is not set: set it to allow writing, or "
            "remove the collection from the outputs"
        )
    if collection.source.type != "parquet":
        return None
    file = output_file(collection.source.uri, table)
    for name, source in inputs:
        if source.source.type == "parquet" and _place(source) == _place(collection) and _reads(source.source.uri, file):
            return (
                f"output {collection_id!r} would write {file}, which is a source of collection {name!r} "
                f"({source.source.uri}): change the uri of the output"
            )
    return None


def _name_of(collection: CollectionSpec, inputs: Iterable[Named]) -> str | None:
    """Returns the id by which the run reads a collection; None if it does not.

    A trigger's filters make a copy of its spec.
    """
    source = collection.source.model_copy(update={"filters": None})
    for name, known in inputs:
        if known.volume == collection.volume and known.source.model_copy(update={"filters": None}) == source:
            return name
    return None


def _place(collection: CollectionSpec) -> tuple[str | None, str | None]:
    """Returns what a uri is relative to."""
    return collection.volume, collection.source.endpoint


def _reads(uri: str, file: str) -> bool:
    """Returns whether a Parquet uri includes a file: the same path, a directory above it, or a glob that matches it."""
    scheme, _, path = uri.rpartition("://")
    other_scheme, _, written = file.rpartition("://")
    if scheme != other_scheme:
        return False
    path = posixpath.normpath(path)
    if path == ".":
        return True
    parts, pattern = written.split("/"), path.split("/")
    if not has_wildcard(path):
        return parts[: len(pattern)] == pattern
    # A glob that matches a directory includes the files below it.
    return any(_matches(parts[:depth], pattern) for depth in range(1, len(parts) + 1))


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    # fnmatch supports only [!...] as the complement of a set.
    return bool(parts) and fnmatchcase(parts[0], pattern[0].replace("[^", "[!")) and _matches(parts[1:], pattern[1:])
