"""Carries out a run with mode assign, which assigns documents to the clusters of an earlier run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np

from clustercontract.counted import counted
from clustercontract.run import PreviousRun, RunSpec
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.description import LastNames, describe
from clusterworker.clustering.succession import Succession
from clusterworker.clustering.survey import assign
from clusterworker.data.dataset import StreamedDataset
from clusterworker.data.sources.collection import Collection, blaming_changes
from clusterworker.data.sources.messages import OTHER_MODEL
from clusterworker.data.sources.models import of_model_other_than
from clusterworker.process.errors import MisconfiguredError
from clusterworker.run.distributed import Given, assign_by_parts
from clusterworker.run.findings import Findings
from clusterworker.run.parts import open_parts
from clusterworker.run.results.centroids import StoredCentroids
from clusterworker.run.results.earlier import clusters_of
from clusterworker.run.results.map import read_map
from clusterworker.run.results.members_table import MembersTable, read_document_ids
from clusterworker.run.results.record import MEMBERS
from clusterworker.run.workspace import Workspace

_REMEDY = "request a run with mode full"


def assign_documents(spec: RunSpec, seed: int, collections: Sequence[Collection], workspace: Workspace) -> Findings:
    """Assign documents to the clusters of `spec.base` in one pass, and write members.parquet.

    Only a batch of documents at a time is in memory. If the RunSpec selects Spark, its executors do the work.

    Args:
        spec: Spec of the run.
        seed: Seed of the sample that the report shows.
        collections: The opened collections.
        workspace: Directories, memory and log of the run; members.parquet is staged there.

    Raises:
        MisconfiguredError: the clusters are gone, or do not fit the documents.
        RunError: a source or the results cannot be read.
    """
    base = spec.base
    if base is None:
        raise TypeError("mode assign without a base")
    members_file, progress = workspace.staged / MEMBERS, workspace.progress
    stored = clusters_of(base, spec, workspace.secrets, _REMEDY)
    with blaming_changes(collections):
        _refuse_unlike(base, stored, collections)
    dataset = StreamedDataset(collections, stored.metric, progress)
    clusters = counted(len(stored.ids), "cluster")
    progress.phase("assign", f"assigning {counted(dataset.rows, 'document')} to {clusters} of {base.run}")
    ids = [collection.collection_id for collection in collections]
    given = Given(stored.centroids, stored.ids, stored.metric, spec.assignment_threshold, seed, ids)
    with open_parts(spec, dataset, {"mode": spec.mode}, workspace) as parts:
        if parts is None:
            with MembersTable(members_file, ids, integer_ids=dataset.integer_ids) as members:
                write = given.writer(members)
                found = assign(dataset, given.centroids, given.metric, given.threshold, seed, write, progress)
            notes = dataset.notes
        else:
            found, lost = assign_by_parts(parts, given, members_file)
            notes = [*lost, *parts.notes]
    if stored.metric == "cosine":
        found.reservoir.scale()
    stored = stored.taken(found.largest_first())
    note = (
        f"documents are assigned to {clusters} of {base.run}; {found.noise:,} of {found.documents:,} are noise: their "
        f"cosine similarity to the nearest centroid is below assignment_threshold {spec.assignment_threshold:g}"
    )
    notes.insert(0, note)
    for note in notes:
        progress.info(note)
    read_ids = partial(read_document_ids, members_file)
    description = describe(collections, found, stored.ids, None, (), read_ids, LastNames(fixed=stored.names))
    return Findings(
        spec=spec,
        seed=seed,
        clustering=Clustering(stored.centroids, stored.centroids.astype(np.float64), None),
        survey=found,
        metrics={},
        notes=notes,
        names=description.names,
        clusters=description.clusters,
        texts=description.texts,
        finished_at=datetime.now(UTC),
        succession=Succession(stored.ids, stored.next_id, ()),
        changes=None,
        earlier_map=read_map(base, spec, workspace.secrets) if spec.report.map == "auto" else None,
    )


def _refuse_unlike(base: PreviousRun, stored: StoredCentroids, collections: Sequence[Collection]) -> None:
    first = collections[0]
    expected, dimensions = stored.centroids.shape[1], first.dimensions
    if expected != dimensions:
        raise MisconfiguredError(
            f"collection {first.collection_id} has {dimensions} dimensions, but the clusters of run "
            f"{base.run} have {expected}: {_REMEDY}"
        )
    other = of_model_other_than(stored.embedding_model, collections)
    if other is not None:
        raise MisconfiguredError(
            f"collection {other.collection_id} is embedded by {other.embedding_model}, but run {base.run} clustered "
            f"vectors of {stored.embedding_model}: {OTHER_MODEL}; then {_REMEDY}"
        )
