"""Reads the previous run's folder, as far as it determines the numbers of this run's clusters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clustercontract.brief import Changes
from clustercontract.clustering import ClusteringConfig
from clustercontract.run import PreviousRun, RunSpec
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Positions, Start
from clusterworker.clustering.description import LastNames
from clusterworker.clustering.succession import LISTED, Ancestors, Succession, anew, in_words, limit_of, succeed
from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import NOISE, Rows, Vectors
from clusterworker.data.dataset import Dataset, SpooledDataset
from clusterworker.process.errors import RunError
from clusterworker.process.text import one_line
from clusterworker.run.findings import Crossing
from clusterworker.run.results.centroids import CENTROIDS, read_centroids
from clusterworker.run.results.continuation import LAYOUT, MODES, read_layout, read_modes
from clusterworker.run.results.members_table import read_clusters_named_after
from clusterworker.run.results.previous_members import Members, Shared
from clusterworker.run.results.record import MEMBERS
from clusterworker.storage.file import open_file

_BYTES_PER_DOCUMENT, _BYTES_WITH_LAYERS = 12, 60
"""The second with ten layers, the most by default."""


@dataclass(frozen=True)
class Previous:
    """What a run knows about the previous one.

    Attributes:
        next_id: No cluster of the trigger has had this cluster_id or a higher one.
        ancestors: The clusters of the previous run; None if clusters are renumbered.
        names: Their names.
        members: Its documents; None if they cannot be compared.
        modes: Modes of mean_shift, shape (clusters, dimensions); None if unknown.
        notes: What is unknown, and why.
    """

    next_id: int = 0
    ancestors: Ancestors | None = None
    names: tuple[str, ...] = ()
    members: Members | None = None
    modes: Vectors | None = None
    notes: tuple[str, ...] = ()

    @property
    def names_by_id(self) -> dict[int, str]:
        """Names of its clusters by cluster_id."""
        return {} if self.ancestors is None else dict(zip(self.ancestors.ids.tolist(), self.names, strict=True))


def is_lasting(config: ClusteringConfig) -> bool:
    """Returns whether clusters keep the numbers of the previous run."""
    return config.ids == "lasting"


def previous_of(spec: RunSpec, dimensions: int, secrets: Path, memory: int) -> Previous:
    """Returns what is known about the previous run. If a part cannot be read, it is unknown, and a note has the reason.

    Args:
        spec: Spec of this run.
        dimensions: Dimensions of its documents.
        secrets: where Secrets are mounted.
        memory: Bytes that the container may use. An eighth of it is for the documents' hashes.
    """
    last = spec.previous
    if last is None:
        return Previous()
    try:
        kept = read_centroids(file_of(last, CENTROIDS, spec, secrets))
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        why = f"the clusters of {last.run} cannot be read: {one_line(error)}"
        return Previous(last.next_cluster_id, notes=_anew(spec, why))
    next_id = max(last.next_cluster_id, kept.next_id)
    if not is_lasting(spec.config):
        return Previous(next_id)
    current = {"algorithm": _canonical(spec.config.algorithm), "metric": spec.config.metric, "dimensions": dimensions}
    before = {"algorithm": _canonical(kept.algorithm), "metric": kept.metric, "dimensions": kept.centroids.shape[1]}
    for name, value in current.items():
        if value != before[name]:
            return Previous(next_id, notes=_anew(spec, f"{name} was {before[name]} in {last.run}, and is {value} now"))
    ancestors, names = Ancestors(last.run, kept.ids, kept.centroids, kept.sizes), tuple(kept.names)
    modes, notes = _modes_of(last, kept.ids, spec, secrets)
    layered = spec.config.algorithm == "evoc"
    if int(kept.sizes.sum()) * (_BYTES_WITH_LAYERS if layered else _BYTES_PER_DOCUMENT) > memory // 8:
        notes += (not_compared(last, "they are too many for the memory"),)
        return Previous(next_id, ancestors, names, modes=modes, notes=notes)
    layout, more = _layout_of(last, spec, secrets)
    try:
        table = pq.ParquetFile(file_of(last, MEMBERS, spec, secrets))
        members = Members(table, ancestors, layout, layered=layered)
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return Previous(next_id, ancestors, names, modes=modes, notes=(*notes, not_compared(last, one_line(error))))
    return Previous(next_id, ancestors, names, members, modes, notes + more)


def start_of(previous: Previous, config: ClusteringConfig, dataset: Dataset, collection_ids: list[str]) -> Start | None:
    """Returns what the clustering continues from.

    Args:
        previous: From `previous_of`.
        config: Configuration of this run.
        dataset: The documents of this run.
        collection_ids: Collections in the order of the RunSpec.
    """
    before, members = previous.ancestors, previous.members
    if before is None:
        return None
    # A dataset that is not in this process is clustered by a sample, to whose rows no members belong.
    if members is None or not _may_reduce(config) or not isinstance(dataset, SpooledDataset):
        return Start(before.run, before.centroids, modes=previous.modes)
    return Start(before.run, before.centroids, *members.among(dataset, collection_ids), previous.modes)


def numbered(
    previous: Previous,
    config: ClusteringConfig,
    clustering: Clustering,
    sizes: Rows,
    limit: float,
    shared: Shared | None,
) -> Succession:
    """Numbers the clusters of this run after those of the previous run.

    Args:
        previous: From `previous_of`.
        config: Configuration of this run.
        clustering: Clustering of this run.
        sizes: Documents of each cluster, shape (clusters,).
        limit: From `distance_limit`.
        shared: Counts from the pass over the documents; None if documents are not compared.
    """
    before = previous.ancestors
    if not is_lasting(config):
        by_size = anew(sizes, 0)
        return replace(by_size, next_id=max(by_size.next_id, previous.next_id))
    if before is None:
        return anew(sizes, previous.next_id)
    counts = shared.counts if shared else None
    return succeed(before, clustering.centroids, sizes, counts, config.metric, limit, previous.next_id)


def last_names(previous: Previous, succession: Succession, members: Path, in_layers: Mapping[int, str]) -> LastNames:
    """Returns the names of clusters in the previous run, if they had any.

    Args:
        previous: From `previous_of`.
        succession: From `numbered`.
        members: members.parquet of this run, with lasting ids.
        in_layers: Names by cluster_id, of clusters of all granularities.
    """

    def still_there(names: Mapping[int, str]) -> Collection[int]:
        own = read_clusters_named_after(members, {int(succession.ids[place]): name for place, name in names.items()})
        return {place for place in names if int(succession.ids[place]) in own}

    return LastNames(names_of(previous, succession), still_there, in_layers)


def names_of(previous: Previous, succession: Succession) -> dict[int, str]:
    """Returns the names of clusters in the previous run, by their place in this run."""
    names = previous.names_by_id
    return {place: names[number] for place, number in enumerate(succession.ids.tolist()) if number in names}


def changes_of(
    previous: Previous, succession: Succession, clustering: Clustering, shared: Shared | None, names: Sequence[str]
) -> Changes | None:
    """Returns the changes of the clusters since the previous run; None if clusters are renumbered.

    Args:
        previous: From `previous_of`.
        succession: From `numbered`.
        clustering: Clustering of this run.
        shared: Counts from the pass over the documents; None if documents are not compared.
        names: Names of this run's clusters.
    """
    before, last_names = previous.ancestors, previous.names_by_id
    if before is None:
        return None
    documents, moved = _moves(before, succession, shared.counts if shared else None)
    steps, begun = succession.steps, clustering.begun
    own = zip(succession.ids.tolist(), names, strict=True)
    renamed = [number for number, name in own if number in last_names and last_names[number] != name]
    return Changes(
        since=before.run,
        summary="; ".join([in_words(steps, renamed, documents, moved), *begun_in_words(clustering)]),
        kept=sum(step.event == "kept" for step in steps),
        renamed=renamed[:LISTED],
        new=[step.cluster_id for step in steps if step.event in ("new", "split_from")][:LISTED],
        gone=[step.cluster_id for step in steps if step.event in ("gone", "merged_into")][:LISTED],
        documents=documents,
        moved=moved,
        start=begun.start if begun else None,
    )


def distance_limit(config: ClusteringConfig, found: Survey) -> float:
    """Returns the maximum distance between the centroids of one cluster in two runs.

    Args:
        config: Configuration of this run.
        found: Result of the pass over the clustered documents.
    """
    mean = found.total / found.documents
    spread = float(np.sqrt(max(float((found.total_squares / found.documents - mean**2).sum()), 0.0)))
    return limit_of(config.metric, spread)


def crossing_of(previous: Previous, shared: Shared | None) -> Crossing | None:
    """Returns where the documents of the previous run are now, if they were compared.

    Args:
        previous: From `previous_of`.
        shared: Counts from the pass over the documents.
    """
    before, members = previous.ancestors, previous.members
    if before is None or members is None or shared is None:
        return None
    return Crossing(before.run, before.ids, previous.names, before.sizes, members.noise, shared.counts)


def begun_in_words(clustering: Clustering) -> list[str]:
    """Returns a note if clusters do not continue those of the previous run, with the reason."""
    return [clustering.begun.better] if clustering.begun and clustering.begun.better else []


def _moves(before: Ancestors, succession: Succession, counts: Any | None) -> tuple[int | None, int | None]:
    """Returns the number of documents of both runs, and of those whose cluster changed, also from or to noise."""
    if counts is None:
        return None, None
    pairs = counts.tocoo()
    ids_before, now = np.append(before.ids, NOISE)[pairs.row], np.append(succession.ids, NOISE)[pairs.col]
    return int(pairs.data.sum()), int(pairs.data[ids_before != now].sum())


def file_of(last: PreviousRun, name: str, spec: RunSpec, secrets: Path) -> Any:
    """Returns a file of the previous run: its path on a volume, or its content from a bucket.

    Raises:
        RunError: the bucket does not answer.
        FileNotFoundError: it does not exist.
    """
    uri = f"{last.uri}/{name}"
    if "://" not in uri:
        return uri
    content = open_file(uri, last.results or spec.results, secrets).read()
    if content is None:
        raise FileNotFoundError(f"{uri} does not exist")
    return pa.BufferReader(content)


def _layout_of(last: PreviousRun, spec: RunSpec, secrets: Path) -> tuple[Positions | None, tuple[str, ...]]:
    """Returns the positions of documents in the previous run, if it computed a layout, or why they are unknown."""
    if not _may_reduce(spec.config):
        return None, ()
    try:
        return read_layout(file_of(last, LAYOUT, spec, secrets)), ()
    except FileNotFoundError:
        return None, ()  # It clustered the vectors themselves.
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the layout of {last.run} cannot be read: {one_line(error)}",)


def _modes_of(last: PreviousRun, ids: Rows, spec: RunSpec, secrets: Path) -> tuple[Vectors | None, tuple[str, ...]]:
    """Returns where the windows of mean_shift ended in the previous run, or why that is unknown."""
    if spec.config.algorithm != "mean_shift":
        return None, ()
    try:
        return read_modes(file_of(last, MODES, spec, secrets), ids), ()
    except FileNotFoundError:
        return None, ()  # The run is older than the file.
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, (f"the modes of {last.run} cannot be read: {one_line(error)}",)


def _may_reduce(config: ClusteringConfig) -> bool:
    return config.algorithm == "evoc" or hasattr(config.parameters(), "reduce")


def _anew(spec: RunSpec, why: str) -> tuple[str, ...]:
    return () if not is_lasting(spec.config) else (f"clusters are renumbered: {why}",)


def not_compared(last: PreviousRun, why: str) -> str:
    """Returns why documents are not compared."""
    return f"documents are not compared with those of {last.run}: {why}"


def _canonical(algorithm: str) -> str:
    return "hierarchical" if algorithm == "agglomerative" else algorithm
