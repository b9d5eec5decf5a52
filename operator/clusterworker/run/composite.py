"""Carries out a run with mode composite.

It clusters the centroids of earlier runs, and assigns documents to the cluster of their centroid. The weight of a
centroid is the number of documents of its cluster. The algorithm gets as many copies of it, because every algorithm
keeps copies together and counts them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Container
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from clustercontract.counted import counted
from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.choice import cluster
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.description import LastNames, describe
from clusterworker.clustering.naming import of_document
from clusterworker.clustering.survey import Distances, Membership, Survey, survey
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.data.sources.collection import Collection
from clusterworker.process.progress import Progress
from clusterworker.run.composite_members import AssignedCentroids, write_members
from clusterworker.run.composite_sources import Source
from clusterworker.run.findings import Findings
from clusterworker.run.results.members_table import renumber
from clusterworker.run.results.previous import (
    Previous,
    begun_in_words,
    changes_of,
    crossing_of,
    distance_limit,
    names_of,
    numbered,
    previous_of,
)
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.workspace import Workspace

MOST_COPIES = 20_000
"""Approximate number of copies of all centroids together, which every algorithm clusters without a sample."""


@dataclass(frozen=True)
class _Copies:
    """A source in which each cluster occurs as often as its weight says."""

    source: Source
    counts: Rows

    @property
    def collection_id(self) -> str:
        """See Collection."""
        return self.source.collection_id

    @property
    def rows(self) -> int:
        """See Collection."""
        return int(self.counts.sum())

    @property
    def dimensions(self) -> int:
        """See Collection."""
        return int(self.source.dimensions)

    has_integer_ids, embedding_model = True, ""

    def batches(self, index: int) -> Iterator[Batch]:
        """See Collection."""
        for batch in self.source.batches(index):
            first = batch.place.row if isinstance(batch.place, FilePlace) else 0
            counts = self.counts[first : first + len(batch.vectors)]
            vectors = np.repeat(batch.vectors, counts, axis=0)
            yield Batch(pa.array(np.arange(len(vectors))), vectors, index, batch.place)

    def texts(self, rows: Rows) -> dict[int, str]:
        """See Collection."""
        return {}


def copies_of(sizes: Rows) -> Rows:
    """Returns how often each centroid occurs: as often as its cluster has documents, or in proportion, at least once.

    Args:
        sizes: Documents of each cluster, at least 1, shape (clusters,).
    """
    total = int(sizes.sum())
    if total <= MOST_COPIES:
        return sizes
    return np.asarray(np.maximum(np.rint(sizes * (MOST_COPIES / total)), 1), np.int64)


def cluster_centroids(spec: RunSpec, seed: int, sources: Sequence[Source], workspace: Workspace) -> Findings:
    """Clusters the centroids of earlier runs, and writes members.parquet with the documents of all of them.

    Args:
        spec: Spec of the run.
        seed: Seed of all random choices.
        sources: Sources from `open_sources`.
        workspace: Directories, memory and log of the run; members.parquet is staged there.

    Raises:
        MisconfiguredError: the parameters do not fit the centroids.
    """
    config, progress, members_file = spec.config, workspace.progress, workspace.staged / MEMBERS
    inside = [source for source in sources if source.rows]
    count = sum(source.rows for source in inside)
    progress.phase("cluster", f"clustering {count} centroids of {len(sources)} runs by {config.algorithm}")
    previous = previous_of(spec, sources[0].dimensions, workspace.secrets, workspace.memory)
    clustering, labels = _cluster_copies(spec, seed, inside, previous, workspace)
    found, distances = _survey_centroids(inside, replace(clustering, labels=labels), config.metric, seed, progress)

    progress.phase("assign", f"writing the members of {counted(len(clustering.centroids), 'cluster')}")
    shared = previous.members.counter_by_key(len(clustering.centroids)) if previous.members else None
    starts = dict(zip(map(id, inside), _starts(inside), strict=True))
    assigned = AssignedCentroids(starts, labels, distances, len(clustering.centroids))
    written = write_members(members_file, sources, assigned, shared, progress)
    membership = Membership(written.sizes, written.noise, found.central, found.reservoir)
    order = membership.largest_first()
    if shared:
        shared.reorder(order)
    clustering = replace(clustering, centroids=clustering.centroids[order], means=clustering.means[order])
    succession = numbered(previous, config, clustering, membership.sizes, distance_limit(config, found), shared)
    ids = np.empty_like(order)
    ids[order] = succession.ids
    renumber(members_file, ids)
    notes = [
        *previous.notes,
        f"{count} centroids of {len(sources)} runs are clustered, weighted by their numbers of documents",
        *begun_in_words(clustering),
        *clustering.notes,
    ]
    if written.repeated:
        notes.append(
            f"in several of the runs: {counted(written.repeated, 'document')}; each has the cluster of the last run"
        )
    for note in notes:
        progress.info(note)
    shown = [name for source in inside for name in source.shown]
    places = np.append(np.argsort(order), NOISE)[labels]
    description = describe(
        list(inside),
        membership,
        succession.ids,
        None,
        (),
        lambda rows: {int(row): shown[row] for row in rows},
        LastNames(names_of(previous, succession), _still_held(places, shown)),
    )
    return Findings(
        spec=spec,
        seed=seed,
        clustering=clustering,
        survey=membership,
        metrics={},
        notes=notes,
        names=description.names,
        clusters=description.clusters,
        texts=description.texts,
        finished_at=datetime.now(UTC),
        succession=succession,
        changes=changes_of(previous, succession, clustering, shared, description.names),
        last_names=previous.names_by_id,
        shown=shown,
        crossing=crossing_of(previous, shared),
    )


def _starts(sources: Sequence[Source]) -> list[int]:
    """Returns the place of each source's first centroid among those of all."""
    return [0, *np.cumsum([source.rows for source in sources]).tolist()][:-1]


def _cluster_copies(
    spec: RunSpec, seed: int, sources: Sequence[Source], previous: Previous, workspace: Workspace
) -> tuple[Clustering, Labels]:
    """Clusters the copies of the centroids.

    Returns:
        The clusters, without what describes the copies, and the cluster of each centroid.
    """
    counts = copies_of(np.concatenate([source.sizes for source in sources]))
    starts = _starts(sources)
    copies: list[Collection] = [_Copies(*each) for each in zip(sources, np.split(counts, starts[1:]), strict=True)]
    dataset = StreamedDataset(copies, spec.config.metric, workspace.progress)
    weighted = SpooledDataset(dataset, workspace.scratch)
    start = Start(previous.ancestors.run, previous.ancestors.centroids) if previous.ancestors else None
    clustering = cluster(weighted, spec.config, seed, workspace.memory, workspace.progress, start)
    if clustering.labels is None:
        raise TypeError("a spooled data set without labels")
    labels = clustering.labels[np.cumsum(counts) - counts]
    return replace(clustering, labels=None, layered=None, layout=None, modes=None), labels


def _survey_centroids(
    sources: Sequence[Source], clustering: Clustering, metric: str, seed: int, progress: Progress
) -> tuple[Survey, Distances]:
    """Passes over the centroids. Also returns the distance of each to its cluster's centroid; NaN for noise."""
    starts = _starts(sources)
    distances_of_all = np.full(sum(source.rows for source in sources), np.nan, np.float32)

    def keep(batch: Batch, _: Labels, distances: Distances) -> None:
        row = starts[batch.collection] + (batch.place.row if isinstance(batch.place, FilePlace) else 0)
        distances_of_all[row : row + len(distances)] = distances

    dataset = StreamedDataset(list(sources), metric, progress)
    return survey(dataset, clustering, metric, seed, keep, progress), distances_of_all


def _still_held(places: Rows, shown: Sequence[str]) -> Callable[[Mapping[int, str]], Container[int]]:
    """Returns the function that finds the clusters that still contain the document they are named after.

    Args:
        places: Place of the cluster of each centroid, or NOISE, shape (centroids,).
        shown: Name of each centroid.
    """
    named_after = {
        (place, of_document(name)) for place, name in zip(places.tolist(), shown, strict=True) if place != NOISE
    }
    return lambda names: {place for place, name in names.items() if (place, name) in named_after}
