"""Passes over the documents of a clustering, in this process or with Spark's executors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from clustercontract.clustering import ClusteringConfig
from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.choice import cluster, load
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.survey import Survey, survey
from clusterworker.data.arrays import Rows
from clusterworker.data.dataset import Dataset, StreamedDataset
from clusterworker.data.sources.collection import Collection
from clusterworker.run.distributed import DistributedDataset, DistributedSurvey
from clusterworker.run.parts import open_parts
from clusterworker.run.results.members_table import MembersTable, renumber
from clusterworker.run.results.previous_members import Shared
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.workspace import Workspace


class Passes(Protocol):
    """The passes of a run over its documents, in this order."""

    @property
    def dataset(self) -> Dataset:
        """Number of all documents."""

    @property
    def notes(self) -> Sequence[str]:
        """Notes about the documents and how they were read, complete after `survey`."""

    def cluster(self, start: Start | None) -> Clustering:
        """Clusters the documents.

        Args:
            start: The clusters of the previous run, if this run continues from them.
        """

    def survey(self, clustering: Clustering, shared: Shared | None) -> Survey:
        """Assigns the documents, and computes the sums that the results need.

        Args:
            clustering: The result of `cluster`.
            shared: Counts the documents that the previous run also had.
        """

    def write_members(self, ids: Rows) -> None:
        """Writes members.parquet.

        Args:
            ids: cluster_id by place, shape (clusters,).
        """


@contextmanager
def open_passes(
    spec: RunSpec,
    seed: int,
    collections: Sequence[Collection],
    workspace: Workspace,
) -> Iterator[Passes]:
    """Chooses where the work is done, according to the RunSpec.

    Args:
        spec: Spec of the run.
        seed: Seed of all random choices.
        collections: The opened collections.
        workspace: Directories, memory and log of the run; members.parquet is staged there.
    """
    source = StreamedDataset(collections, spec.config.metric, workspace.progress)
    known = spec.config.model_dump(mode="json")
    with open_parts(spec, source, known, workspace) as parts:
        if parts is None:
            yield _Local(spec.config, seed, collections, workspace)
        else:
            yield _Distributed(spec.config, seed, collections, DistributedDataset(parts), workspace)


class _Local:
    """See Passes: this process reads and assigns all documents."""

    def __init__(
        self, config: ClusteringConfig, seed: int, collections: Sequence[Collection], workspace: Workspace
    ) -> None:
        self._config, self._seed, self._collections = config, seed, collections
        self._file, self._memory, self._progress = workspace.staged / MEMBERS, workspace.memory, workspace.progress
        self._loaded = load(collections, config, workspace.scratch, self._progress)

    @property
    def notes(self) -> Sequence[str]:
        return self._loaded.notes

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
        config: ClusteringConfig,
        seed: int,
        collections: Sequence[Collection],
        dataset: DistributedDataset,
        workspace: Workspace,
    ) -> None:
        self._config, self._seed = config, seed
        self._file, self._memory, self._progress = workspace.staged / MEMBERS, workspace.memory, workspace.progress
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
        train = partial(cluster, self._documents, self._config, self._seed, self._memory, self._progress, start)
        return self._documents.kept(key, train)

    def survey(self, clustering: Clustering, shared: Shared | None) -> Survey:
        surveyed = self._documents.survey(clustering, self._config.metric, self._seed, self._ids)
        self._surveyed = surveyed
        if shared:
            surveyed.compare(shared, self._progress)
        return surveyed.survey

    def write_members(self, ids: Rows) -> None:
        if self._surveyed is None:
            raise TypeError("nothing was surveyed")
        self._surveyed.members.write(self._file, ids)
