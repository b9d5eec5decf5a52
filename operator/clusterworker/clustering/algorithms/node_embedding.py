"""Fewer dimensions by EVōC's node embedding of the neighbour graph: the only place that calls EVōC.

EVōC (Embedding Vector Oriented Clustering, by UMAP's and HDBSCAN's authors) lays out the graph that UMAP lays out, from
an initial layout by label propagation and with a gradient made for looking for clusters, on all threads. On 10,000 text
embeddings, UMAP takes most of a minute and EVōC a second. Only these steps of it are used. Its extraction of clusters
writes out of bounds if one cluster is left, and does not support documents that count more than once:
`algorithms.layers` does that on our own tree.

The library is young, so its version is bounded in pyproject.toml, and
`tests/clusterworker/clustering/test_node_embedding.py` holds what is relied on: the same seed gives the same layout.
The image's JIT cache (``clusterworker.process.warm``) holds what these calls compile: int32 neighbours, float32
distances and weights.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.neighbours import nearest_neighbours
from clusterworker.clustering.algorithms.start import LastLayout, placed
from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS

FEWEST_ROWS = 40
"""Minimum number of rows for which a layout of the graph has a meaning."""
MOST_BASE_COMPONENTS = 8
"""Label propagation ends with a dozen or more groups, whose main directions start the layout; more dimensions than
groups start at random."""
DIRECTIONS = 32
"""Number of main directions of the vectors in which the groups' main directions are searched."""
SAMPLE_ROWS = 4_000
BYTES_PER_NEIGHBOUR = 240
"""Peak bytes for the search for neighbours and the graph, measured for 20,000 to 100,000 documents."""
SEARCHED = 0.5
"""Share of the search for neighbours in the total work."""
FRESH_RATE = 0.5
"""EVōC's learning rate."""
SETTLING_RATE, SETTLING_EPOCHS = 0.005, 20
"""Learning rate for the positions of the last run, which should change little. On package descriptions of which 5 %
were replaced, HDBSCAN then finds 90 % of the others in the same cluster; at EVōC's own rate 80 %, as from a new layout.
Clusters agree with Debian's sections as well as from a new layout, and a new section is separated as well.
"""

ProgressCallback = Callable[[float, str], None]


@dataclass(frozen=True)
class Layout:
    """Parameters of the graph and its layout; the defaults are EVōC's.

    Attributes:
        neighbours: Number of neighbours of each vector in the graph, including itself.
        noise_level: 0 assigns more documents to clusters, 1 leaves more of them as noise.
        epochs: Passes of the layout, at most 255.
        scale: Factor for the effective number of neighbours.
    """

    neighbours: int = 15
    noise_level: float = 0.5
    epochs: int = 50
    scale: float = 1.0

    def as_json(self) -> str:
        """Returns the parameters as text, which is equal if they are."""
        return json.dumps(asdict(self))


DEFAULT = Layout()


def embed(
    vectors: Vectors,
    components: int,
    metric: str,
    seed: int,
    *,
    settings: Layout = DEFAULT,
    on_progress: ProgressCallback = lambda _done, _step: None,
    last: LastLayout | None = None,
) -> Vectors:
    """Map vectors to a few dimensions in which dense regions lie together.

    Args:
        vectors: distinct ones, shape (rows, dimensions), at least FEWEST_ROWS; of unit length with metric cosine.
        components: dimensions of the result.
        metric: cosine or euclidean.
        seed: of the layout.
        settings: the graph is made and laid out.
        on_progress: Called with the share that is done and the step that begins.
        last: what to start from; default: EVōC's start.

    Returns:
        Shape (rows, components).
    """
    _leave_out_init()
    from evoc.graph_construction import neighbor_graph_matrix
    from evoc.label_propagation import label_propagation_init
    from evoc.node_embedding import node_embedding

    from clusterworker.process import jit_cache

    jit_cache.enable()
    rows = len(vectors)
    count = min(settings.neighbours, rows - 1)
    random = np.random.RandomState(seed % 2**32)
    looking = f"looking for {count} neighbours of {rows} vectors"
    on_progress(0.0, looking)
    indices, lengths = _neighbours(vectors, count, metric, seed, lambda done: on_progress(SEARCHED * done, looking))
    graph = neighbor_graph_matrix(float(settings.scale * count), indices, lengths, True)
    on_progress(SEARCHED, "starting a layout of the graph")
    if last is not None:
        start = placed(last.values, indices, seed)
    else:
        start = label_propagation_init(
            graph,
            n_components=components,
            approx_n_parts=int(np.clip(8 * np.sqrt(rows), 256, 16_384)),  # From here on, the calls are those of `EVoC`.
            random_scale=0.1,
            scaling=0.5,
            noise_level=settings.noise_level,
            random_state=random,
            data=_main_directions(vectors, max(DIRECTIONS, components)),
            base_init="pca" if components <= min(MOST_BASE_COMPONENTS, vectors.shape[1]) else "random",
        )
    on_progress(0.7, "laying out the graph")
    layout = node_embedding(
        graph,
        n_components=components,
        n_epochs=settings.epochs if last is None else SETTLING_EPOCHS,
        initial_embedding=np.ascontiguousarray(start, np.float32),
        initial_alpha=FRESH_RATE if last is None else SETTLING_RATE,
        noise_level=settings.noise_level,
        random_state=random,
        reproducible_flag=True,
    )
    layout = np.ascontiguousarray(layout, np.float32)
    return layout if last is None else last.towards(layout)


def _leave_out_init() -> None:
    """Lets EVōC's modules be imported without its `__init__`.

    It imports all of them, and each loads compiled code, which takes half a second of a new process for functions that
    are not called.
    """
    if "evoc" in sys.modules:
        return
    spec = importlib.util.find_spec("evoc")
    if spec is not None:
        sys.modules["evoc"] = importlib.util.module_from_spec(spec)


def bytes_per_vector(dimensions: int, neighbours: int = DEFAULT.neighbours) -> int:
    """Returns the peak bytes of `embed` for each vector: a copy of it for faiss, its neighbours and their edges."""
    return 4 * dimensions + BYTES_PER_NEIGHBOUR * neighbours


def _neighbours(
    vectors: Vectors, count: int, metric: str, seed: int, on_progress: Callable[[float], None]
) -> tuple[npt.NDArray[np.int32], Vectors]:
    """Neighbours and the lengths of the graph's edges: EVōC's -log2 cos, and Euclidean distances whatever their scale.

    They come from faiss at any size. EVōC's own descent nests parallel regions, and numba's threading layer that needs
    no library beside it, which is the only one in the image, ends the process at that.
    """
    indices, distances = nearest_neighbours(vectors, count, metric, seed, on_progress)
    exact: Doubles = distances.astype(np.float64)
    if metric == "cosine":
        exact = -np.log2(np.clip(1 - exact, np.finfo(np.float32).eps, 1))
    elif (usual := float(np.median(exact[:, 1:]))) > 0:
        exact /= usual
    return indices.astype(np.int32), np.ascontiguousarray(exact, np.float32)


def _main_directions(vectors: Vectors, count: int) -> npt.NDArray[np.float32]:
    """Returns the vectors along their main directions, shape (rows, at most count).

    Otherwise, EVōC would copy them in full.
    """
    rows, dimensions = vectors.shape
    frame = Frame.of(vectors)
    sample = frame.moved(vectors[:: -(-rows // SAMPLE_ROWS)], np.float64)
    sample -= sample.mean(axis=0)
    directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, : min(count, dimensions)]
    along = np.empty((rows, directions.shape[1]), np.float32)
    for first in range(0, rows, BATCH_ROWS):
        part = slice(first, first + BATCH_ROWS)
        along[part] = frame.moved(vectors[part], np.float64) @ directions
    return along
