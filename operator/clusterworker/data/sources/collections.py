"""Opens the collections of a RunSpec, or counts their documents."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from clustercontract.container import CollectionInput
from clusterworker.data.sources.collection import Collection, blaming_changes
from clusterworker.data.sources.messages import OTHER_MODEL, model_shown
from clusterworker.data.sources.models import are_different
from clusterworker.data.sources.parquet.collection import ParquetCollection, count_rows
from clusterworker.data.sources.parquet.store import BucketStore, FileStore, VolumeStore
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.secret import SecretFiles
from clusterworker.storage.addresses import bucket_at


def open_collections(inputs: Sequence[CollectionInput], secrets: Path) -> list[Collection]:
    """Opens every collection, and verifies that their vectors can be compared.

    Reads a vector only if the schema does not contain the vectors' length.

    Args:
        inputs: Collections of the RunSpec.
        secrets: Directory with one directory per mounted Secret.

    Raises:
        MisconfiguredError: a collection is not readable, or two have vectors of different lengths or models.
        UnavailableError: a source does not answer, or changes meanwhile.
    """
    collections = [_open(collection_input, secrets) for collection_input in inputs]
    with blaming_changes(collections):
        _check_alike(collections)
    return collections


def _check_alike(collections: Sequence[Collection]) -> None:
    if mismatch := of_other_dimensions(collections):
        first, other = mismatch
        raise MisconfiguredError(
            f"collection {first.collection_id} has {first.dimensions} dimensions and {other.collection_id} has "
            f"{other.dimensions}: cluster them apart, or embed both with one model"
        )
    if mismatch := of_another_model(collections):
        first, other = mismatch
        raise MisconfiguredError(
            f"collection {first.collection_id} is embedded by {model_shown(first.embedding_model)} and "
            f"{other.collection_id} by {model_shown(other.embedding_model)}: {OTHER_MODEL}"
        )


def of_other_dimensions(collections: Sequence[Collection]) -> tuple[Collection, Collection] | None:
    """Returns the first collection, and the first one whose vectors have another length, if there is one."""
    first = collections[0]
    return next(((first, other) for other in collections if other.dimensions != first.dimensions), None)


def of_another_model(collections: Sequence[Collection]) -> tuple[Collection, Collection] | None:
    """Returns the first two collections that name different embedding models, if there are two."""
    pairs = combinations(collections, 2)
    return next(((one, two) for one, two in pairs if are_different(one.embedding_model, two.embedding_model)), None)


def count_documents(inputs: Sequence[CollectionInput], secrets: Path) -> int:
    """Returns the number of documents of all collections, after filters, from the sources' own metadata.

    No vector is read.

    Args:
        inputs: Collections of the CheckSpec.
        secrets: Directory with one directory per mounted Secret.

    Raises:
        MisconfiguredError: a collection is not readable, or filters compare columns that it lacks.
        UnavailableError: a source does not answer, or changes meanwhile.
    """
    return sum(_count(collection_input, secrets) for collection_input in inputs)


def _count(collection_input: CollectionInput, secrets: Path) -> int:
    source, secret = collection_input.source, SecretFiles(collection_input.source.secret_name, secrets)
    if source.type == "postgresql":
        from clusterworker.data.sources.postgresql.collection import count_rows as count_table

        return count_table(source, secret)
    if source.type == "qdrant":
        from clusterworker.data.sources.qdrant.collection import count_points

        return count_points(source, secret)
    return count_rows(source, _store(collection_input, secrets))


def _open(collection_input: CollectionInput, secrets: Path) -> Collection:
    """Imports only the client that the source needs."""
    source, secret = collection_input.source, SecretFiles(collection_input.source.secret_name, secrets)
    if source.type == "postgresql":
        from clusterworker.data.sources.postgresql.collection import PostgresCollection

        return PostgresCollection(collection_input.collection_id, source, secret)
    if source.type == "qdrant":
        from clusterworker.data.sources.qdrant.collection import open_qdrant

        return open_qdrant(collection_input.collection_id, source, secret)
    return ParquetCollection(collection_input.collection_id, source, _store(collection_input, secrets))


def _store(collection_input: CollectionInput, secrets: Path) -> FileStore:
    source = collection_input.source
    bucket = bucket_at(source.uri, source, secrets)
    if bucket:
        return BucketStore.connected(bucket)
    if collection_input.mount_path is None:
        raise MisconfiguredError(
            f"collection {collection_input.collection_id}: uri {source.uri} is a path, and no "
            "volume is mounted: set spec.volume"
        )
    return VolumeStore(Path(collection_input.mount_path), source.uri)
