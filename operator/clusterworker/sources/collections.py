"""Opens the collections of a RunSpec."""

from collections.abc import Sequence
from pathlib import Path

from clustertrigger.api.run import CollectionInput
from clusterworker.errors import MisconfiguredError
from clusterworker.s3 import S3Access
from clusterworker.sources.parquet import ParquetCollection
from clusterworker.sources.store import FileStore, S3Store, VolumeStore


def open_collections(inputs: Sequence[CollectionInput], secrets: Path) -> list[ParquetCollection]:
    """Open every collection and check that they fit together; reads file footers only.

    Args:
        inputs: of the RunSpec.
        secrets: directory with one directory per mounted Secret.

    Raises:
        MisconfiguredError: a collection is not readable, or two have vectors of different lengths.
    """
    collections = [ParquetCollection(given.collection_id, given.source, _store(given, secrets)) for given in inputs]
    first = collections[0]
    for other in collections[1:]:
        if other.dimensions != first.dimensions:
            raise MisconfiguredError(
                f"collection {first.collection_id} has {first.dimensions} dimensions and {other.collection_id} has "
                f"{other.dimensions}: cluster them apart, or embed both with one model"
            )
    return collections


def _store(given: CollectionInput, secrets: Path) -> FileStore:
    source = given.source
    if source.is_remote:
        access = S3Access(source.uri, source.secret_name, source.endpoint, source.region, secrets)
        return S3Store(access, access.connect())
    if given.mount_path is None:
        raise MisconfiguredError(
            f"collection {given.collection_id}: uri {source.uri} is a path, and no volume is mounted: set spec.volume"
        )
    return VolumeStore(Path(given.mount_path), source.uri)
