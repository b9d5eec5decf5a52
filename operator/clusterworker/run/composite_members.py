"""Writes the members of a run with mode composite: every document once, in the cluster of its centroid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from clusterworker.clustering.survey import Distances
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.sorted_arrays import places_in
from clusterworker.process.progress import Progress
from clusterworker.run.composite_sources import Source
from clusterworker.run.results.members_table import members_schema, members_writer
from clusterworker.run.results.previous_members import Shared, keys_of


@dataclass(frozen=True)
class AssignedCentroids:
    """The clusters of all centroids.

    Attributes:
        starts: Place of the first centroid of each source, by the source's `id()`.
        labels: Cluster of each centroid, or NOISE, shape (centroids,).
        distances: Distance of each to its cluster's centroid; NaN for noise.
        clusters: Number of clusters.
    """

    starts: Mapping[int, int]
    labels: Labels
    distances: Distances
    clusters: int


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        sizes: Documents of each cluster, shape (clusters,).
        noise: Number of documents in no cluster.
        repeated: Number of documents that were skipped, because a later run has them too.
    """

    sizes: Rows
    noise: int
    repeated: int


def write_members(
    file: Path, sources: Sequence[Source], assigned: AssignedCentroids, shared: Shared | None, progress: Progress
) -> Written:
    """Writes every document once. A document of several runs is written as in the last of them.

    Args:
        file: File to write.
        sources: The runs, the oldest first.
        assigned: The clusters of their centroids.
        shared: Counts the documents that the previous run also had.
        progress: Receives the progress.
    """
    integers = all(source.has_integer_ids for source in sources)
    schema = members_schema(integer_ids=integers, tells_collections=True)
    # The last number of each is for NOISE, which is -1.
    labels = np.append(assigned.labels, NOISE)
    distances = np.append(assigned.distances, np.float32(np.nan))
    sizes, noise, repeated = np.zeros(assigned.clusters, np.int64), 0, 0
    seen_keys = np.empty(0, np.int64)
    with members_writer(file, schema) as writer:
        for done, source in enumerate(reversed(sources)):
            fresh = [seen_keys]
            start = assigned.starts.get(id(source), 0)
            for stored_ids, collections, places in source.documents():
                ids = stored_ids.cast(schema.field("document_id").type)
                keys = keys_of(ids, collections.to_pylist())
                _, known = places_in(seen_keys, keys)
                fresh.append(keys[~known])
                repeated += int(known.sum())
                mask = pa.array(~known)
                rows = np.where(places == NOISE, NOISE, start + places)[~known]
                own = labels[rows].astype(np.int32)
                columns = [
                    ids.filter(mask),
                    pa.array(own),
                    pa.array(distances[rows], from_pandas=True),
                    collections.filter(mask).dictionary_encode(),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                if shared:
                    shared.add(keys[~known], own)
                sizes += np.bincount(own[own != NOISE], minlength=assigned.clusters)
                noise += int((own == NOISE).sum())
            seen_keys = np.unique(np.concatenate(fresh))
            progress.advance((done + 1) / len(sources))
    return Written(sizes, noise, repeated)
