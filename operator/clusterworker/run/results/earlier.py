"""Reads the clusters of an earlier run that this run requires."""

from pathlib import Path

import pyarrow as pa

from clustercontract.run import PreviousRun, RunSpec
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.text import one_line
from clusterworker.run.results.centroids import CENTROIDS, StoredCentroids, read_centroids
from clusterworker.storage.file import open_file


def clusters_of(earlier: PreviousRun, spec: RunSpec, secrets: Path, remedy: str) -> StoredCentroids:
    """Reads the clusters of an earlier run.

    Args:
        earlier: The run.
        spec: Spec of this run.
        secrets: Directory of mounted Secrets.
        remedy: What to do if that run cannot be used.

    Raises:
        MisconfiguredError: they are gone or damaged, or their metric is not this run's.
        RunError: the bucket or the volume does not answer.
    """
    uri = f"{earlier.uri}/{CENTROIDS}"
    content = open_file(uri, earlier.results or spec.results, secrets).read()
    if content is None:
        raise MisconfiguredError(f"the clusters of run {earlier.run} no longer exist: {uri} is missing: {remedy}")
    try:
        found = read_centroids(pa.BufferReader(content))
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise MisconfiguredError(
            f"the clusters of run {earlier.run} cannot be read: {uri}: {one_line(error)}: {remedy}"
        ) from error
    if found.metric != spec.config.metric:
        raise MisconfiguredError(
            f"metric is {spec.config.metric}, but that of run {earlier.run} is {found.metric}: {remedy}"
        )
    return found
