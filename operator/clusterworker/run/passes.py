"""The passes of a clustering over its documents: by this process, or by Spark's executors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.choice import cluster, load
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.survey import Survey, survey
from clusterworker.data.arrays import Rows
from clusterworker.data.dataset import Dataset, StreamedDataset
from clusterworker.data.sources.collection import Collection
from clusterworker.process.progress import Progress
from clusterworker.run.distributed import DistributedDataset, DistributedSurvey
from clusterworker.run.parts import open_parts
from clusterworker.run.results.previous import Shared
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.results.tables import MembersTable, renumber


class Passes(Protocol):
    """What a run does with its documents, in this order."""

    @property
    def dataset(self) -> Dataset:
        """All of them."""

    @property
    def notes(self) -> Sequence[str]:
        """How they were read, for people."""

    def cluster(self, start: Start | None) -> Clustering:
        """Cluster them.

        Args:
            start: the clusters of the run before, if this one is to go on from them.
        """

    def survey(self, clustering: Clustering, shared: Shared | None) -> Survey:
        """Assign them, and add up what the results need.

        Args:
            clustering: from `cluster`.
            shared: counts those that the run before had, too.
        """

    def write_members(self, ids: Rows) -> None:
        """Write members.parquet.

        Args:
            ids: cluster_id by place, shape (clusters,).
        """


@contextmanager
def open_passes(
    spec: RunSpec,
    seed: int,
    collections: Sequence[Collection],
    staged: Path,
    scratch: Path,
    secrets: Path,
    memory: int,
    progress: Progress,
) -> Iterator[Passes]:
    """Choose where the work is done, as the RunSpec says.

    Args:
        spec: of the run.
        seed: of all random choices.
        collections: opened.
        staged: where members.parquet is written.
        scratch: directory for temporary files.
        secrets: where Secrets are mounted.
        memory: bytes that the container may use.
        progress: receives the progress.
    """
    file = staged / MEMBERS
    source = StreamedDataset(collections, spec.config.metric, progress)
    known = spec.config.model_dump(mode="json")
    with open_parts(spec, source, known, scratch, secrets, memory, progress) as parts:
        if parts is None:
            yield _Local(spec, seed, collections, file, scratch, memory, progress)
        else:
            yield _Distributed(spec, seed, collections, file, DistributedDataset(parts), memory, progress)


class _Local:
    """See Passes: this process reads and assigns all documents."""

    def __init__(
        self,
        spec: RunSpec,
        seed: int,
        collections: Sequence[Collection],
        file: Path,
        scratch: Path,
        memory: int,
        progress: Progress,
    ) -> None:
        self._config, self._seed, self._file, self._memory, self._progress = spec.config, seed, file, memory, progress
        self._collections = collections
        self._loaded = load(collections, spec.config, scratch, progress)
        self.notes: Sequence[str] = ()

    @property
    def dataset(self) -> Dataset:
        return self._loaded

    def cluster(self, start: Start | None) -> Clustering:
        return cluster(self._loaded, self._config, self._seed, self._memory, self._progress, start)

    def survey(self, clustering: Clustering, shared: Shared | None) -> Survey:
        ids = [collection.collection_id for collection in self._collections]
        integers = all(collection.has_integer_ids for collection in self._collections)
        with MembersTable(self._file, ids, integer_ids=integers) as members:
            write = shared.before(members.write) if shared else members.write
            return survey(self._loaded, clustering, self._config.metric, self._seed, write, self._progress)

    def write_members(self, ids: Rows) -> None:
        renumber(self._file, ids)


class _Distributed:
    """See Passes: executors read and assign the documents, and this process trains on a sample of them."""

    def __init__(
        self,
        spec: RunSpec,
        seed: int,
        collections: Sequence[Collection],
        file: Path,
        dataset: DistributedDataset,
        memory: int,
        progress: Progress,
    ) -> None:
        self._spec, self._seed, self._file, self._memory, self._progress = spec, seed, file, memory, progress
        self._ids = [collection.collection_id for collection in collections]
        self._documents = dataset
        self._surveyed: DistributedSurvey | None = None

    @property
    def dataset(self) -> Dataset:
        return self._documents

    @property
    def notes(self) -> Sequence[str]:
        return self._documents.notes

    def cluster(self, start: Start | None) -> Clustering:
        key = f"{self._seed} {self._memory} {start and start.run}"
        train = partial(cluster, self._documents, self._spec.config, self._seed, self._memory, self._progress, start)
        return self._documents.kept(key, train)

    def survey(self, clustering: Clustering, shared: Shared | None) -> Survey:
        surveyed = self._documents.survey(clustering, self._spec.config.metric, self._seed, self._ids)
        self._surveyed = surveyed
        if shared:
            surveyed.compare(shared, self._progress)
        return surveyed.survey

    def write_members(self, ids: Rows) -> None:
        if self._surveyed is None:
            raise TypeError("nothing was surveyed")
        self._surveyed.members.write(self._file, ids)
