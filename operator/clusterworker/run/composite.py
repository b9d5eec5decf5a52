"""Carries out a run with mode composite.

It clusters the centroids of earlier runs, and assigns documents to the cluster of their centroid. The weight of a
centroid is the number of documents of its cluster. The algorithm gets as many copies of it, because every algorithm
keeps copies together and counts them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clustercontract.counted import counted
from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.choice import cluster
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.description import LastNames, describe
from clusterworker.clustering.naming import of_document
from clusterworker.clustering.survey import Distances, Membership, survey
from clusterworker.data.arrays import NOISE, Labels, Rows
from clusterworker.data.dataset import SpooledDataset, StreamedDataset
from clusterworker.data.sorted_arrays import places_in
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.data.sources.collection import Collection
from clusterworker.process.progress import Progress
from clusterworker.run.composite_sources import Source
from clusterworker.run.findings import Findings
from clusterworker.run.results.previous import (
    begun_in_words,
    changes_of,
    crossing_of,
    distance_limit,
    names_of,
    numbered,
    previous_of,
)
from clusterworker.run.results.previous_members import Shared, keys_of
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.results.tables import members_schema, members_writer, renumber
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
    ends = np.cumsum([source.rows for source in inside])
    counts = np.split(copies_of(np.concatenate([source.sizes for source in inside])), ends[:-1])
    copies: list[Collection] = [_Copies(*each) for each in zip(inside, counts, strict=True)]
    weighted = SpooledDataset(StreamedDataset(copies, config.metric, progress), workspace.scratch)
    previous = previous_of(spec, sources[0].dimensions, workspace.secrets, workspace.memory)
    start = Start(previous.ancestors.run, previous.ancestors.centroids) if previous.ancestors else None
    clustering = cluster(weighted, config, seed, workspace.memory, progress, start)
    if clustering.labels is None:
        raise TypeError("a spooled data set without labels")
    each = np.concatenate(counts)
    labels = clustering.labels[np.cumsum(each) - each]
    own = replace(clustering, labels=labels, layered=None, layout=None, modes=None)
    apart = np.full(count, np.nan, np.float32)

    def keep(batch: Batch, _: Labels, distances: Distances) -> None:
        first = int(ends[batch.collection]) - inside[batch.collection].rows
        row = first + (batch.place.row if isinstance(batch.place, FilePlace) else 0)
        apart[row : row + len(distances)] = distances

    among: list[Collection] = list(inside)
    found = survey(StreamedDataset(among, config.metric, progress), own, config.metric, seed, keep, progress)

    progress.phase("assign", f"writing the members of {counted(len(own.centroids), 'cluster')}")
    starts = {id(source): int(end) - source.rows for source, end in zip(inside, ends, strict=True)}
    shared = previous.members.counter_by_key(len(own.centroids)) if previous.members else None
    written = _write_members(members_file, sources, starts, labels, apart, len(own.centroids), shared, progress)
    membership = Membership(written.sizes, written.noise, found.central, found.reservoir)
    order = membership.largest_first()
    if shared:
        shared.reorder(order)
    own = replace(own, centroids=own.centroids[order], means=own.means[order], labels=None)
    succession = numbered(previous, config, own, membership.sizes, distance_limit(config, found), shared)
    ids = np.empty_like(order)
    ids[order] = succession.ids
    renumber(members_file, ids)
    notes = [
        *previous.notes,
        f"{count} centroids of {len(sources)} runs are clustered, weighted by their numbers of documents",
        *begun_in_words(own),
        *clustering.notes,
    ]
    if written.repeated:
        notes.append(
            f"in several of the runs: {counted(written.repeated, 'document')}; each has the cluster of the last run"
        )
    for note in notes:
        progress.info(note)
    shown = [name for source in inside for name in source.shown]
    places = np.argsort(order)
    held = {
        (int(places[label]), of_document(name)) for label, name in zip(labels, shown, strict=True) if label != NOISE
    }
    description = describe(
        among,
        membership,
        succession.ids,
        None,
        (),
        lambda rows: {int(row): shown[row] for row in rows},
        LastNames(names_of(previous, succession), lambda names: {p for p, name in names.items() if (p, name) in held}),
    )
    return Findings(
        spec=spec,
        seed=seed,
        clustering=own,
        survey=membership,
        metrics={},
        notes=notes,
        names=description.names,
        clusters=description.clusters,
        texts=description.texts,
        finished_at=datetime.now(UTC),
        succession=succession,
        changes=changes_of(previous, succession, own, shared, description.names),
        last_names=previous.names_by_id,
        shown=shown,
        crossing=crossing_of(previous, shared),
    )


@dataclass(frozen=True)
class _Written:
    sizes: Rows
    noise: int
    repeated: int


def _write_members(
    file: Path,
    sources: Sequence[Source],
    starts: dict[int, int],
    labels: Labels,
    apart: npt.NDArray[np.float32],
    clusters: int,
    shared: Shared | None,
    progress: Progress,
) -> _Written:
    """Writes every document once. A document of several runs is written as in the last of them."""
    integers = all(source.has_integer_ids for source in sources)
    schema = members_schema(integer_ids=integers, tells_collections=True)
    # The last number of each is for NOISE, which is -1.
    labels, apart = np.append(labels, NOISE), np.append(apart, np.float32(np.nan))
    sizes, noise, repeated = np.zeros(clusters, np.int64), 0, 0
    seen_keys = np.empty(0, np.int64)
    with members_writer(file, schema) as writer:
        for done, source in enumerate(reversed(sources)):
            fresh = [seen_keys]
            start = starts.get(id(source), 0)
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
                    pa.array(apart[rows], from_pandas=True),
                    collections.filter(mask).dictionary_encode(),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                if shared:
                    shared.add(keys[~known], own)
                sizes += np.bincount(own[own != NOISE], minlength=clusters)
                noise += int((own == NOISE).sum())
            seen_keys = np.unique(np.concatenate(fresh))
            progress.advance((done + 1) / len(sources))
    return _Written(sizes, noise, repeated)
