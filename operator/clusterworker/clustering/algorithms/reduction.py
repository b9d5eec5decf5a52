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
from clusterworker.clustering.algorithms.sample import Need
from clusterworker.clustering.algorithms.start import Begun, Positions, Start
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import Labels, Vectors

FEW_DIMENSIONS = 15
"""Up to here `reduce: auto` clusters the vectors themselves."""
UMAP, NODES = "UMAP", "EVōC's node embedding"
Reducing = HDBSCAN | DBSCAN | OPTICS | MeanShift


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


def reduced_by(parameters: Reducing, dimensions: int) -> str | None:
    """What maps vectors of so many dimensions to fewer ones; None: they are clustered as they are."""
    wanted = parameters.reduce == "umap" or (parameters.reduce == "auto" and dimensions > FEW_DIMENSIONS)
    if not wanted or parameters.n_components >= dimensions:
        return None
    return UMAP if parameters.reduce == "umap" else NODES


def reduction_need(parameters: Reducing, dimensions: int) -> Need | None:
    """The memory of the reduction, if there is one."""
    by = reduced_by(parameters, dimensions)
    if by is None:
        return None
    per_vector = embedding.bytes_per_vector if by == UMAP else node_embedding.bytes_per_vector
    return Need(by, per_vector(dimensions))


def reduced_space(task: Task, parameters: Reducing) -> Space:
    """Map the documents to `n_components` dimensions where `reduce` says so: by UMAP, or by EVōC where it is `auto`.

    Each distinct vector is shown once: of many copies, each has only copies for neighbours, and a layout of the
    neighbour graph tears them apart.
    """
    dataset, components = task.dataset, parameters.n_components
    by = reduced_by(parameters, dataset.dimensions)
    if by is None:
        return Space(dataset.vectors, task.metric)
    fewest = embedding.FEWEST_ROWS if by == UMAP else node_embedding.FEWEST_ROWS
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
