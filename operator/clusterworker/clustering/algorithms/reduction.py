"""Implements `reduce`: fewer dimensions before algorithms that search dense regions.

On original text embeddings, HDBSCAN of any implementation finds two clusters, and OPTICS leaves nine of ten documents
as noise, because all distances are similar with hundreds of dimensions.
"""

from dataclasses import dataclass, field

import numpy as np

from clustercontract.algorithms import DBSCAN, HDBSCAN, OPTICS, MeanShift
from clusterworker.clustering.algorithms import embedding, node_embedding
from clusterworker.clustering.algorithms.clustering import Clustering, labelled
from clusterworker.clustering.algorithms.distinct import Distinct, distinct
from clusterworker.clustering.algorithms.sample import Need, draw
from clusterworker.clustering.algorithms.start import RESHAPING_SHARE, Begun, LastLayout, Positions, Start
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import Doubles, Labels, Rows, Vectors

FEW_DIMENSIONS = 15
"""Number of dimensions up to which `reduce: auto` clusters the original vectors."""
UMAP, NODES = "UMAP", "EVōC's node embedding"
Reducing = HDBSCAN | DBSCAN | OPTICS | MeanShift


@dataclass(frozen=True)
class Space:
    """The vectors in which clusters are searched.

    Attributes:
        vectors: shape (rows, dimensions). If they are not reduced, they are the documents' differences, and half of
            their squared distance is the cosine distance.
        metric: The configuration's metric, or euclidean after a reduction.
        common: What was subtracted from them, shape (dimensions,); None if nothing was, or if they are reduced.
        reduced: Whether the vectors were reduced.
        notes: Decisions that were made automatically.
        layout: The vectors after a reduction, from which the next run's layout starts.
        begun: What the layout started from, if the previous run has one.
    """

    vectors: Vectors
    metric: str
    common: Doubles | None = None
    reduced: bool = False
    notes: list[str] = field(default_factory=list)
    layout: Positions | None = None
    begun: Begun | None = None

    def drawn(self, task: Task, most: int) -> Rows:
        """Draws a sample by hashes of the vectors, which do not depend on the other documents; see `draw`."""
        return draw(self.vectors if self.reduced else task.dataset.vectors, most, task.seed)

    def labelled(self, task: Task, labels: Labels, notes: list[str]) -> Clustering:
        """Returns the clustering of labels, shape (rows,), with the layout in which they were found."""
        found = labelled(task.dataset.vectors, labels, task.metric, notes=notes)
        found.layout, found.begun = self.layout, self.begun
        return found


def reduced_by(parameters: Reducing, dimensions: int) -> str | None:
    """Returns what reduces vectors with this number of dimensions; None if they are not reduced."""
    reduces = parameters.reduce == "umap" or (parameters.reduce == "auto" and dimensions > FEW_DIMENSIONS)
    if not reduces or parameters.n_components >= dimensions:
        return None
    return UMAP if parameters.reduce == "umap" else NODES


def reduction_need(parameters: Reducing, dimensions: int) -> Need | None:
    """Returns the memory of the reduction, if there is one."""
    by = reduced_by(parameters, dimensions)
    if by is None:
        return None
    per_vector = embedding.bytes_per_vector if by == UMAP else node_embedding.bytes_per_vector
    return Need(by, per_vector(dimensions))


def reduced_space(task: Task, parameters: Reducing) -> Space:
    """Reduces the documents to `n_components` dimensions according to `reduce`: with UMAP, or with EVōC for `auto`.

    Each distinct vector is used once, because the neighbours of many copies would all be copies, and a layout of the
    neighbour graph would separate them.
    """
    dataset, components = task.dataset, parameters.n_components
    by = reduced_by(parameters, dataset.dimensions)
    own = dataset.differences
    if by is None:
        return Space(own, task.metric, dataset.common)
    fewest = embedding.FEWEST_ROWS if by == UMAP else node_embedding.FEWEST_ROWS
    points = distinct(own)
    if len(points) < fewest:
        note = f"not reduced: {points.counted} {points.are} too few for {by}, which needs {fewest}"
        return Space(own, task.metric, dataset.common, notes=[note])
    notes = []
    if by == UMAP and components > (most := embedding.most_components(len(points))):
        notes.append(
            f"n_components {most} instead of {components}: "
            f"UMAP lays out {len(points)} {points.noun} in no more dimensions"
        )
        components = most
    settings = "" if by == UMAP else node_embedding.DEFAULT.as_json()
    last = last_layout(task.start, by, settings, points, components)
    notes.append(f"clustered after {by} from {dataset.dimensions} to {components} dimensions")
    if last is not None and last.stays:
        vectors = last.values
        notes.append(last.note)
    else:
        task.progress.info(f"reducing {dataset.dimensions} to {components} dimensions by {by}")
        if by == UMAP:
            vectors = embedding.embed(points.vectors, components, task.metric, task.seed, last=last)
        else:
            vectors = node_embedding.embed(
                points.vectors, components, task.metric, task.seed, on_progress=task.progress.advance, last=last
            )
    layout = Positions(by, points.spread(vectors), settings)
    begun = Begun("last") if last is not None else None
    return Space(layout.values, "euclidean", reduced=True, notes=notes, layout=layout, begun=begun)


def last_layout(start: Start | None, by: str, settings: str, points: Distinct, components: int) -> LastLayout | None:
    """Returns the layout of the previous run; None if most of the distinct vectors were not in it.

    Args:
        start: What is known about that run.
        by: What lays out the vectors.
        settings: How it does so.
        points: The distinct vectors.
        components: Dimensions of the layout.
    """
    if start is None or (last := start.positions) is None:
        return None
    if last.by != by or last.values.shape[1] != components:
        return None
    # A new document with the vector of an earlier one has its position.
    known_first = np.argsort(np.isnan(last.values[:, 0]), kind="stable")
    _, first = np.unique(points.numbers[known_first], return_index=True)
    values = last.values[known_first[first]]
    new = float(np.isnan(values[:, 0]).mean())
    if new > 0.5:
        return None
    moving = min(new / RESHAPING_SHARE, 1.0) if last.settings == settings else 1.0
    return LastLayout(start.run, values, moving)
