"""`reduce`: fewer dimensions before algorithms that look for dense regions.

On raw text embeddings HDBSCAN of any implementation finds two clusters, and OPTICS leaves nine documents in ten as
noise: with hundreds of dimensions all distances look alike.
"""

from dataclasses import dataclass, field

import numpy as np

from clustercontract.algorithms import DBSCAN, HDBSCAN, OPTICS, MeanShift
from clusterworker.clustering.algorithms import embedding, node_embedding
from clusterworker.clustering.algorithms.clustering import Clustering, labelled
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.start import Begun, Positions, Start
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import Labels, Vectors
from clusterworker.process.errors import MisconfiguredError

FEW_DIMENSIONS = 15
"""Up to here `reduce: auto` clusters the vectors themselves."""
UMAP, NODES = "UMAP", "EVōC's node embedding"
ALLOCATED = 400 << 20
"""Bytes that the worker has in use before it reduces: the libraries, and a batch of documents."""


@dataclass(frozen=True)
class Space:
    """Where clusters are looked for.

    Attributes:
        vectors: shape (rows, dimensions).
        metric: what distances mean there: the configuration's metric, or euclidean after a reduction.
        reduced: whether these are other vectors than the documents' own.
        notes: what was decided by itself, for people.
        layout: the vectors after a reduction, for the next run to start from.
        begun: what the layout started from, where there is one of the run before.
    """

    vectors: Vectors
    metric: str
    reduced: bool = False
    notes: list[str] = field(default_factory=list)
    layout: Positions | None = None
    begun: Begun | None = None

    def labelled(self, task: Task, labels: Labels, notes: list[str]) -> Clustering:
        """Return the clustering that labels say, shape (rows,), and the layout that they were found in."""
        found = labelled(task.dataset.vectors, labels, task.metric, notes=notes)
        found.layout, found.begun = self.layout, self.begun
        return found


def reduced_space(task: Task, parameters: HDBSCAN | DBSCAN | OPTICS | MeanShift) -> Space:
    """Map the documents to `n_components` dimensions where `reduce` says so: by UMAP, or by EVōC where it is `auto`.

    Each distinct vector is shown once: of many copies, each has only copies for neighbours, and a layout of the
    neighbour graph tears them apart.

    Raises:
        MisconfiguredError: the container has too little memory for it.
    """
    dataset, components = task.dataset, parameters.n_components
    wanted = parameters.reduce == "umap" or (parameters.reduce == "auto" and dataset.dimensions > FEW_DIMENSIONS)
    if not wanted or components >= dataset.dimensions:
        return Space(dataset.vectors, task.metric)
    by, fewest = (UMAP, embedding.FEWEST_ROWS) if parameters.reduce == "umap" else (NODES, node_embedding.FEWEST_ROWS)
    points = distinct(dataset.vectors)
    if len(points) < fewest:
        note = f"not reduced: {len(points)} {points.noun} are too few for {by}, which needs {fewest}"
        return Space(dataset.vectors, task.metric, notes=[note])
    notes = []
    if by == UMAP and components > (most := embedding.most_components(len(points))):
        notes.append(
            f"n_components {most} instead of {components}: "
            f"UMAP lays out {len(points)} {points.noun} in no more dimensions"
        )
        components = most
    last = last_layout(task.start, by, points, components)
    task.progress.info(f"reducing {dataset.dimensions} to {components} dimensions by {by}")
    if by == UMAP:
        vectors = embedding.embed(points.vectors, components, task.metric, task.seed, last=last)
    else:
        refuse_without_memory(task, points, node_embedding.DEFAULT.neighbours)
        told = task.progress.advance
        vectors = node_embedding.embed(points.vectors, components, task.metric, task.seed, told=told, last=last)
    notes.append(f"clustered after {by} from {dataset.dimensions} to {components} dimensions")
    layout = Positions(by, points.spread(vectors))
    begun = Begun("last") if last is not None else None
    return Space(layout.values, "euclidean", reduced=True, notes=notes, layout=layout, begun=begun)


def last_layout(start: Start | None, by: str, points: Distinct, components: int) -> Vectors | None:
    """Return where the distinct vectors were in the layout of the run before; None where most were not in it.

    Args:
        start: what is known of that run.
        by: what is to lay out the vectors.
        points: the distinct vectors.
        components: dimensions of the layout.
    """
    last = start.positions if start else None
    if last is None or last.by != by or last.values.shape[1] != components:
        return None
    _, first = np.unique(points.numbers, return_index=True)
    values = last.values[first]
    return values if 2 * np.isfinite(values[:, 0]).sum() >= len(values) else None


def refuse_without_memory(task: Task, points: Distinct, neighbours: int) -> None:
    """Refuse what the kernel would end halfway.

    Raises:
        MisconfiguredError: the node embedding needs more memory than the container may use.
    """
    rows, dimensions = points.vectors.shape
    needed = ALLOCATED + node_embedding.needed_memory(rows, dimensions, neighbours)
    if needed > task.memory:
        raise MisconfiguredError(
            f"{NODES} of {rows} {points.noun} of {dimensions} dimensions needs about {needed >> 20} MiB, and the "
            f"container may use {task.memory >> 20}: raise run.resources.limits.memory, or use algorithm: kmeans"
        )
