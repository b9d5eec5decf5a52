"""`reduce`: fewer dimensions before algorithms that look for dense regions.

On raw text embeddings HDBSCAN of any implementation finds two clusters, and OPTICS leaves nine documents in ten as
noise: with hundreds of dimensions all distances look alike.
"""

from dataclasses import dataclass, field

from clustercontract.algorithms import DBSCAN, HDBSCAN, OPTICS, MeanShift
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.embedding import FEWEST_ROWS, embed, most_components
from clusterworker.clustering.algorithms.task import Task
from clusterworker.data.arrays import Vectors

FEW_DIMENSIONS = 15
"""Up to here `reduce: auto` clusters the vectors themselves."""


@dataclass(frozen=True)
class Space:
    """Where clusters are looked for.

    Attributes:
        vectors: shape (rows, dimensions).
        metric: what distances mean there: the configuration's metric, or euclidean after a reduction.
        reduced: whether these are other vectors than the documents' own.
        notes: what was decided by itself, for people.
    """

    vectors: Vectors
    metric: str
    reduced: bool = False
    notes: list[str] = field(default_factory=list)


def reduced_space(task: Task, parameters: HDBSCAN | DBSCAN | OPTICS | MeanShift) -> Space:
    """Map the documents to `n_components` dimensions by UMAP where `reduce` says so.

    UMAP is shown each distinct vector once: of many copies, each has only copies for neighbours, and UMAP tears them
    apart.
    """
    dataset, components = task.dataset, parameters.n_components
    wanted = parameters.reduce == "umap" or (parameters.reduce == "auto" and dataset.dimensions > FEW_DIMENSIONS)
    if not wanted or components >= dataset.dimensions:
        return Space(dataset.vectors, task.metric)
    points = distinct(dataset.vectors)
    if len(points) < FEWEST_ROWS:
        note = f"not reduced: {len(points)} {points.noun} are too few for UMAP, which needs {FEWEST_ROWS}"
        return Space(dataset.vectors, task.metric, notes=[note])
    notes = []
    if components > (most := most_components(len(points))):
        notes.append(
            f"n_components {most} instead of {components}: "
            f"UMAP lays out {len(points)} {points.noun} in no more dimensions"
        )
        components = most
    task.progress.info(f"reducing {dataset.dimensions} to {components} dimensions by UMAP")
    vectors = points.spread(embed(points.vectors, components, task.metric, task.seed))
    notes.append(f"clustered after UMAP from {dataset.dimensions} to {components} dimensions")
    return Space(vectors, "euclidean", reduced=True, notes=notes)
