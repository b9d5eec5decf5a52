"""Samples, assigns and surveys documents part by part on Spark's executors.

With the same centroids, every document gets the same label and distance as in a local run. The sample, the central
documents and all counts are also equal; see `parts` for sums.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.rule import Rule, arrays_of, rule_of
from clusterworker.clustering.algorithms.start import Begun
from clusterworker.clustering.survey import (
    Membership,
    Place,
    Survey,
    assign,
    nothing_assigned,
    nothing_yet,
    survey,
)
from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors
from clusterworker.data.dataset import Counter, DatasetPart, counted_among, drawn, picked
from clusterworker.data.rounding import Rounding
from clusterworker.data.sources.batch import Batch, FilePlace
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.drift.profile import Profile, Profiling
from clusterworker.process.progress import Progress
from clusterworker.run.parts import Parts, Silent, part_name, task_scratch
from clusterworker.run.results.members_table import MembersTable, members_schema, members_writer, renumbered
from clusterworker.run.results.previous_members import Shared
from clusterworker.run.results.stages import Stages, read_arrays, write_arrays

_RULE = "rule."
"""Prefix of the arrays of a clustering's rule."""
_LOST = "rounding."
"""Prefix of the arrays with what a part's documents lost by rounding."""


@dataclass(frozen=True)
class Model:
    """The input of a task that surveys a part.

    Attributes:
        centroids: Centroids of the clusters, shape (clusters, dimensions).
        means: Means of the clusters, shape (clusters, dimensions).
        metric: cosine or euclidean.
        seed: Seed of the reservoir.
        rows: Number of all documents.
        collection_ids: Collections in the order of the RunSpec.
        rule: Tells the cluster of a document; None if it belongs to its nearest centroid.
    """

    centroids: Vectors
    means: Any
    metric: str
    seed: int
    rows: int
    collection_ids: Sequence[str]
    rule: Rule | None


@dataclass(frozen=True)
class Given:
    """The input of a task that assigns documents to the clusters of an earlier run.

    Attributes:
        centroids: Centroids of the clusters, shape (clusters, dimensions).
        ids: cluster_id of each cluster, shape (clusters,).
        metric: cosine or euclidean.
        threshold: Threshold of the cosine similarity; see `clustering.survey.assign`.
        seed: Seed of the sample.
        collection_ids: Collections in the order of the RunSpec.
    """

    centroids: Vectors
    ids: Rows
    metric: str
    threshold: float
    seed: int
    collection_ids: Sequence[str]

    def writer(self, members: MembersTable) -> Callable[[Batch, Labels, Any], None]:
        """Return a function that writes documents with the cluster_ids of their labels."""
        # NOISE is -1 and therefore selects the last number.
        numbers = np.append(self.ids, NOISE).astype(np.int32)

        def write(batch: Batch, labels: Labels, distances: Any) -> None:
            members.write(batch, numbers[labels], distances)

        return write


class DistributedDataset:
    """The documents of a clustering, in parts that executors read.

    Args:
        parts: The documents in parts.
    """

    def __init__(self, parts: Parts) -> None:
        self.rows = parts.rows
        self.dimensions = parts.source.dimensions
        self.batches = parts.source.batches
        self._parts = parts
        self._rounding = Rounding(unit=parts.source.unit)

    @property
    def notes(self) -> list[str]:
        """Notes for users about how the work is divided, and after `survey` about the documents."""
        return [*self._parts.notes, *self._rounding.notes()]

    def sample(self, size: int, seed: int) -> tuple[Rows, Vectors]:
        """Draw the same documents as a local run; see clusterworker.data.dataset.Sampled."""
        parts = self._parts
        chosen = drawn(self.rows, size, seed)
        stage = parts.stage("sample", seed, len(chosen))
        firsts = [part.first for part in parts.each]
        bounds = np.append(np.searchsorted(chosen, firsts), len(chosen))
        rows = [chosen[bounds[n] : bounds[n + 1]] - first for n, first in enumerate(firsts)]
        parts.carry_out(stage, partial(_sample, parts.stages, stage, parts.each, rows))
        vectors = np.empty((len(chosen), self.dimensions), np.float32)
        for part, found in parts.found(stage):
            vectors[bounds[part.number] : bounds[part.number + 1]] = found["vectors"]
        return chosen, vectors

    def count(self, counter: Counter) -> Rows:
        """Add up the counts of all parts; see clusterworker.data.dataset.Sampled."""
        parts = self._parts
        stage = parts.stage("counted", *counter.depends_on)
        parts.carry_out(stage, partial(_count, parts.stages, stage, parts.each, counter))
        return np.asarray(sum(found["counts"] for _, found in parts.found(stage)))

    def kept(self, key: str, train: Callable[[], Clustering]) -> Clustering:
        """Return the clustering that an earlier attempt has stored, or train and store it.

        Args:
            key: Key of what the clustering depends on, besides the documents and the configuration.
            train: Function that trains the clustering.
        """
        parts = self._parts
        name = f"{parts.stage('model', key)}.npz"
        if name in parts.stages.names():
            parts.progress.info("the clusters were trained by an earlier attempt of this run")
            return _clustering_of(read_arrays(parts.stages, name))
        clustering = train()
        write_arrays(parts.stages, name, _arrays_of(clustering), parts.scratch)
        return clustering

    def survey(
        self, clustering: Clustering, metric: str, seed: int, collection_ids: Sequence[str]
    ) -> DistributedSurvey:
        """Assign all documents to their nearest centroids, in one pass."""
        parts = self._parts
        model = Model(
            clustering.centroids, clustering.means, metric, seed, self.rows, list(collection_ids), clustering.rule
        )
        rule = [value.tobytes() for value in arrays_of(clustering.rule).values()]
        stage = parts.stage("members", clustering.centroids.tobytes(), clustering.means.tobytes(), *rule, seed)
        parts.carry_out(stage, partial(_survey, parts.stages, stage, parts.each, model))
        found = nothing_yet(clustering, seed)
        self._rounding = _merged(parts, stage, found)
        return DistributedSurvey(found, MembersOfParts(parts, stage, collection_ids))


class MembersOfParts:
    """The members that the tasks of a stage have written, one file per part.

    Args:
        parts: The documents in parts.
        stage: Prefix of the stage's files.
        collection_ids: Collections in the order of the RunSpec.
    """

    def __init__(self, parts: Parts, stage: str, collection_ids: Sequence[str]) -> None:
        self.collection_ids = list(collection_ids)
        self._stages, self._integer_ids = parts.stages, parts.source.integer_ids
        self._files = [part_name(stage, part.number, ".parquet") for part in parts.each]

    def tables(self) -> Iterator[Any]:
        """Yield the row groups of all parts in order. Only one group at a time is in memory."""
        for name in self._files:
            with self._stages.open(name) as opened, pq.ParquetFile(opened, pre_buffer=False) as members:
                for group in range(members.num_row_groups):
                    yield members.read_row_group(group)

    def write(self, file: Path, ids: Rows | None = None) -> None:
        """Write members.parquet like a local run: one file with a row group per batch, in the order of the documents.

        Args:
            file: The file to write.
            ids: cluster_id by label, shape (clusters,), if the tasks have written labels.
        """
        several = len(self.collection_ids) > 1
        schema = members_schema(integer_ids=self._integer_ids, tells_collections=several)
        with members_writer(file, schema) as writer:
            for table in self.tables():
                writer.write_table(table if ids is None else renumbered(table, ids))


@dataclass(frozen=True)
class DistributedSurvey:
    """The results of the executors.

    Attributes:
        survey: Survey of all documents.
        members: Members of all clusters.
    """

    survey: Survey
    members: MembersOfParts

    def compare(self, shared: Shared, progress: Progress) -> None:
        """Count the documents that the previous run also had."""
        ids_of = self.members.collection_ids
        done = 0
        for table in self.members.tables():
            # Documents of both runs are compared by their ids; vectors are not needed and were not written.
            index = ids_of.index(table["collection_id"][0].as_py()) if len(ids_of) > 1 else 0
            ids = table["document_id"].combine_chunks()
            none = np.empty((0, 0), np.float32)
            shared.add(Batch(ids, none, index, FilePlace("members", 0)), table["cluster_id"].to_numpy())
            done += len(table)
            progress.advance(done / self.survey.documents)


def assign_by_parts(parts: Parts, given: Given, members: Path) -> tuple[Membership, list[str]]:
    """Assign all documents to the clusters of an earlier run, and write members.parquet.

    Args:
        parts: The documents in parts.
        given: The clusters of the earlier run.
        members: The file to write.

    Returns:
        The clusters' documents, and notes about what they lost by rounding.
    """
    depends = (given.centroids.tobytes(), given.ids.tobytes(), given.metric, given.threshold, given.seed)
    stage = parts.stage("assigned", *depends)
    parts.carry_out(stage, partial(_assign, parts.stages, stage, parts.each, given, parts.rows))
    found = nothing_assigned(given.centroids, given.seed)
    rounding = _merged(parts, stage, found)
    MembersOfParts(parts, stage, given.collection_ids).write(members)
    return found, rounding.notes()


def profile_by_parts(parts: Parts, baseline: StoredBaseline, seed: int) -> Profile:
    """Read all documents for a check; see clusterworker.drift.profile.

    Args:
        parts: The documents in parts.
        baseline: The baseline that they are compared with.
        seed: Seed of the reservoir.
    """
    stage = parts.stage("profile", seed)
    parts.carry_out(stage, partial(_profile, parts.stages, stage, parts.each, baseline, seed, parts.rows))
    found = Profiling(baseline, seed)
    for _, state in parts.found(stage):
        found.merge(state)
    return found.profile()


def _merged(parts: Parts, stage: str, found: Membership) -> Rounding:
    """Add what the tasks of a stage have found, and return what all documents have lost by rounding."""
    rounding = Rounding(unit=parts.source.unit)
    for _, state in parts.found(stage):
        found.merge(state)
        rounding.merge({name.removeprefix(_LOST): value for name, value in state.items() if name.startswith(_LOST)})
    return rounding


def _write_state(stages: Stages, name: str, found: Membership, rounding: Rounding, scratch: Path) -> None:
    lost = {f"{_LOST}{key}": value for key, value in rounding.state().items()}
    write_arrays(stages, name, {**found.state(), **lost}, scratch)


def _sample(stages: Stages, stage: str, parts: Sequence[DatasetPart], rows: Sequence[Rows], number: int) -> None:
    """Task that writes the vectors of some rows of a part."""
    with task_scratch() as scratch:
        write_arrays(stages, part_name(stage, number), {"vectors": picked(parts[number], rows[number])}, scratch)


def _count(stages: Stages, stage: str, parts: Sequence[DatasetPart], counter: Counter, number: int) -> None:
    """Task that writes the counts of a part."""
    with task_scratch() as scratch:
        write_arrays(stages, part_name(stage, number), {"counts": counted_among(parts[number], counter)}, scratch)


def _survey(stages: Stages, stage: str, parts: Sequence[DatasetPart], model: Model, number: int) -> None:
    """Task that surveys a part: writes its members, and then its sums."""
    part, rounding = parts[number].measured()
    clustering = Clustering(model.centroids, model.means, None, rule=model.rule)
    with task_scratch() as scratch:
        with _members_file(stages, stage, part, model.collection_ids, scratch) as members:
            place = Place(part.first, model.rows)
            found = survey(part, clustering, model.metric, model.seed, members.write, Silent(), place)
        _write_state(stages, part_name(stage, number), found, rounding, scratch)


def _assign(stages: Stages, stage: str, parts: Sequence[DatasetPart], given: Given, rows: int, number: int) -> None:
    """Task that assigns a part to the clusters of an earlier run: writes its members, and then its sums."""
    part, rounding = parts[number].measured()
    with task_scratch() as scratch:
        with _members_file(stages, stage, part, given.collection_ids, scratch) as members:
            write, place = given.writer(members), Place(part.first, rows)
            found = assign(part, given.centroids, given.metric, given.threshold, given.seed, write, Silent(), place)
        _write_state(stages, part_name(stage, number), found, rounding, scratch)


def _profile(
    stages: Stages,
    stage: str,
    parts: Sequence[DatasetPart],
    baseline: StoredBaseline,
    seed: int,
    rows: int,
    number: int,
) -> None:
    """Task that writes the sums of a part for a check."""
    part = parts[number]
    found = Profiling(baseline, seed, first=part.first, rows=rows)
    for batch in part.given():
        found.add(batch)
    with task_scratch() as scratch:
        write_arrays(stages, part_name(stage, number), found.state(), scratch)


@contextmanager
def _members_file(
    stages: Stages, stage: str, part: DatasetPart, collection_ids: Sequence[str], scratch: Path
) -> Iterator[MembersTable]:
    """Yield the table that writes the members of a part."""
    name = part_name(stage, part.number, ".parquet")
    with (
        stages.create(name, scratch) as file,
        MembersTable(file, collection_ids, integer_ids=part.integer_ids) as members,
    ):
        yield members


def _arrays_of(clustering: Clustering) -> dict[str, Any]:
    begun = clustering.begun and [clustering.begun.start, clustering.begun.better]
    other_fields = json.dumps([clustering.has_inertia, clustering.notes, begun]).encode()
    return {
        "centroids": clustering.centroids,
        "means": clustering.means,
        "other_fields": np.frombuffer(other_fields, np.uint8),
        **({} if clustering.modes is None else {"modes": clustering.modes}),
        **{f"{_RULE}{name}": value for name, value in arrays_of(clustering.rule).items()},
    }


def _clustering_of(arrays: Mapping[str, Any]) -> Clustering:
    has_inertia, notes, begun = json.loads(arrays["other_fields"].tobytes())
    return Clustering(
        arrays["centroids"],
        arrays["means"],
        None,
        has_inertia=has_inertia,
        notes=notes,
        begun=Begun(*begun) if begun else None,
        modes=arrays.get("modes"),
        rule=rule_of({key.removeprefix(_RULE): value for key, value in arrays.items() if key.startswith(_RULE)}),
    )
