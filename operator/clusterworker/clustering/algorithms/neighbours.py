"""Finds the nearest neighbours of every document with faiss."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Rows, Vectors

EXACT_ROWS = 50_000
"""Maximum number of vectors of which all pairs are compared, which takes quadratic time.

More vectors are divided into cells, and only near cells are searched.
"""
BLOCK_BYTES = 64 << 20
CLOSE, LOST = 1e-3, 1e-5
"""Shares of ‖a‖² + ‖b‖². Below the first, squared distances are computed from differences; below the second, even their
order may be caused by rounding.
"""
PROBED = 24
"""Number of cells that are searched for each query."""
TRAINING, PER_CELL = 4, 24
"""Iterations of the k-means that makes the cells, and sampled vectors for each cell.

With 10 and 64, the share of true neighbours that is found rises by 0.005 on text embeddings, and the training takes ten
times as long.
"""
QUERIES = 16_384
"""Number of queries whose cells are searched at a time."""
TILE = 1_024, 4_096
"""Maximum numbers of queries and of a cell's vectors that are compared at a time."""
PROBING = 0.25
"""Share of the time of a search in cells that finding the cells takes, for the progress."""


def nearest_neighbours(
    vectors: Vectors, count: int, metric: str, seed: int, on_progress: Callable[[float], None] = lambda _done: None
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Return the nearest neighbours of each vector, beginning with itself.

    Args:
        vectors: Vectors of shape (rows, dimensions), of unit length with metric cosine.
        count: Number of neighbours per vector, including itself; at most rows.
        metric: cosine or euclidean.
        seed: Seed of the cells.
        on_progress: Called with the share that is done.

    Returns:
        Indices and distances (cosine distance, or Euclidean), both of shape (rows, count), ascending by distance.
    """
    frame = Frame.of(vectors)
    framed = frame.into(vectors)
    scale = frame.scale if frame.needed else 1.0
    search = _search_all if len(framed) <= EXACT_ROWS else _search_cells
    indices, squared = search(framed, count, seed, on_progress)
    _look_closer(Pairs(vectors, "euclidean", frame=frame), framed, indices, squared, scale)
    _self_first(indices, squared)
    # The squared distance of unit vectors is twice the cosine distance.
    exact = squared.astype(np.float64) / scale**2
    distances = np.asarray(exact / 2 if metric == "cosine" else np.sqrt(exact), np.float32)
    return indices, distances


def _search_all(
    vectors: Vectors, count: int, _seed: int, on_progress: Callable[[float], None]
) -> tuple[npt.NDArray[np.int64], Vectors]:
    squared, indices = faiss.knn(vectors, vectors, count)
    on_progress(1.0)
    return indices, squared


def _search_cells(
    vectors: Vectors, count: int, seed: int, on_progress: Callable[[float], None]
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Compare the vectors of each cell with all queries that probe it, in matrix products.

    faiss's inverted file compares one query at a time, which takes three times as long. Each thread compares a share of
    the queries with all cells.
    """
    vectors = np.asarray(vectors)  # A memory map would be slower to take rows from.
    rows = len(vectors)
    cells = _cells_of(vectors, seed)
    probes = np.empty((rows, min(PROBED, cells.ntotal)), np.int32)
    for first in range(0, rows, QUERIES):
        part = slice(first, first + QUERIES)
        probes[part] = cells.search(vectors[part], probes.shape[1])[1]
        on_progress(PROBING * min(first + QUERIES, rows) / rows)
    members = _grouped(probes[:, :1], cells.ntotal)
    squares = np.vecdot(vectors, vectors)
    indices, squared = np.empty((rows, count), np.int64), np.empty((rows, count), np.float32)

    def search(first: int, end: int) -> None:
        best = _Best(vectors[first:end], squares[first:end], count)
        for near, queries in zip(members, _grouped(probes[first:end, :1], cells.ntotal), strict=True):
            best.begin(queries, vectors, near)
        asking = _grouped(probes[first:end, 1:], cells.ntotal)
        for cell, (near, queries) in enumerate(zip(members, asking, strict=True)):
            best.improve(queries, vectors, squares, near)
            if not first:
                on_progress(PROBING + (1 - PROBING) * (cell + 1) / cells.ntotal)
        squared[first:end], indices[first:end] = best.found()

    threads = faiss.omp_get_max_threads()
    bounds = np.linspace(0, rows, threads + 1).astype(int).tolist()
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(threads, "neighbours", initializer=lambda: faiss.omp_set_num_threads(1)) as pool,
    ):
        for _ in pool.map(search, bounds[:-1], bounds[1:]):
            pass
    return indices, squared


class _Best:
    """The nearest vectors yet found for some queries.

    faiss's search puts all distances of a cell into heaps, which takes as long as computing them. The vectors of a
    query's own cell already give a limit that hardly any vector of another cell is below.
    """

    def __init__(self, queries: Vectors, squares: Vectors, count: int) -> None:
        self._queries, self._squares = queries, squares
        self._heaps = faiss.ResultHeap(len(queries), count)
        self._tile = np.empty(TILE[0] * TILE[1], np.float32)

    def begin(self, queries: Rows, vectors: Vectors, near: Rows) -> None:
        """Offers the vectors of one cell, `near`, to queries that have none yet."""
        count = min(self._heaps.k, len(near))
        candidates = vectors.take(near, axis=0)
        for first in range(0, len(queries) if count else 0, TILE[0]):
            asking = queries[first : first + TILE[0]]
            lengths, places = faiss.knn(self._queries.take(asking, axis=0), candidates, count)
            self._heaps.add_result_subset(asking, lengths, near[places])

    def improve(self, queries: Rows, vectors: Vectors, squares: Vectors, near: Rows) -> None:
        """Offers the vectors of one cell, `near`, that are nearer than the farthest vector a query has yet."""
        for start in range(0, len(near) if len(queries) else 0, TILE[1]):
            part = near[start : start + TILE[1]]
            candidates, halves = vectors.take(part, axis=0).T, np.float32(0.5) * squares.take(part)
            for first in range(0, len(queries), TILE[0]):
                self._compare(queries[first : first + TILE[0]], candidates, halves, part)

    def _compare(self, queries: Rows, candidates: Vectors, halves: Vectors, near: Rows) -> None:
        """Compares half the squared distance, less half the query's square, with the limit."""
        squares = self._squares.take(queries)
        tile = self._tile[: len(queries) * len(near)].reshape(len(queries), len(near))
        np.matmul(self._queries.take(queries, axis=0), candidates, out=tile)
        np.subtract(halves, tile, out=tile)
        limits = (self._heaps.D[:, 0].take(queries) - squares) / 2
        nearer = np.flatnonzero(tile < limits[:, None])
        if not len(nearer):
            return
        query_places, places = np.divmod(nearer, len(near))
        firsts = np.flatnonzero(np.diff(query_places, prepend=-1))
        sizes = np.diff(firsts, append=len(query_places))
        row = np.repeat(np.arange(len(firsts)), sizes)
        column = np.arange(len(query_places)) - np.repeat(firsts, sizes)
        lengths = np.full((len(firsts), sizes.max()), np.inf, np.float32)
        lengths[row, column] = 2 * tile.ravel().take(nearer) + squares.take(query_places)
        indices = np.full(lengths.shape, -1, np.int64)
        indices[row, column] = near.take(places)
        self._heaps.add_result_subset(queries.take(query_places.take(firsts)), lengths, indices)

    def found(self) -> tuple[Vectors, Rows]:
        """Returns the squared distances and indices, ascending by distance; at the end, for it sorts the heaps."""
        self._heaps.finalize()
        return self._heaps.D, self._heaps.I


def _grouped(cells: npt.NDArray[np.int32], count: int) -> list[npt.NDArray[np.int64]]:
    """Return the rows in which each of `count` cells occurs, ascending; `cells` has the shape (rows, some)."""
    order = np.argsort(cells, axis=None, kind="stable")
    ends = np.searchsorted(cells.ravel()[order], np.arange(1, count))
    return np.split(order // cells.shape[1], ends)


def _cells_of(vectors: Vectors, seed: int) -> faiss.Index:
    """Return the centers of cells, as an index that finds the nearest ones."""
    rows, dimensions = vectors.shape
    cells = min(4 * math.isqrt(rows), rows)
    trained = faiss.Kmeans(
        dimensions,
        cells,
        niter=TRAINING,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=PER_CELL,
    )
    trained.train(vectors)
    return trained.index


def _look_closer(pairs: Pairs, framed: Vectors, indices: npt.NDArray[np.int64], squared: Vectors, scale: float) -> None:
    """Computes distances from differences if faiss's, from matrix products, may be rounding errors.

    If even the farthest neighbour of a vector is so near that faiss may have missed nearer ones, the vector is compared
    with all others, unless there are more than EXACT_ROWS.
    """
    lengths = np.vecdot(framed, framed)
    sums = lengths[:, None] + lengths[np.maximum(indices, 0)]
    lost = np.flatnonzero(squared[:, -1] <= LOST * sums[:, -1]) if len(pairs) <= EXACT_ROWS else np.empty(0, np.int64)
    close = (squared <= CLOSE * sums) & (indices >= 0)
    close[lost] = False
    row, column = np.nonzero(close)
    squared[row, column] = pairs.single_squares(row, indices[row, column]) * scale**2
    changed = np.unique(row)
    order = np.argsort(squared[changed], axis=1, kind="stable")
    squared[changed] = np.take_along_axis(squared[changed], order, axis=1)
    indices[changed] = np.take_along_axis(indices[changed], order, axis=1)
    count, size = indices.shape[1], pairs.block(BLOCK_BYTES)
    for first in range(0, len(lost), size):
        rows = lost[first : first + size]
        exact = pairs.squares(rows)
        nearest = np.argpartition(exact, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(exact, nearest, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        squared[rows] = np.take_along_axis(found, order, axis=1) * scale**2
        indices[rows] = np.take_along_axis(nearest, order, axis=1)
    np.maximum(squared, 0, out=squared)


def index_of(vectors: Vectors, seed: int) -> faiss.Index:
    """Return an index that finds nearest neighbours: exactly, or above EXACT_ROWS with an inverted file.

    Args:
        vectors: Vectors within their frame, shape (rows, dimensions).
        seed: Seed of the inverted file's cells.
    """
    rows, dimensions = vectors.shape
    if rows <= EXACT_ROWS:
        flat = faiss.IndexFlatL2(dimensions)
        flat.add(np.ascontiguousarray(vectors))
        return flat
    cells = _cells_of(vectors, seed)
    index = faiss.IndexIVFFlat(cells, dimensions, cells.ntotal)
    index.nprobe = PROBED
    index.train(vectors[:0])
    for first in range(0, rows, EXACT_ROWS):
        index.add(np.ascontiguousarray(vectors[first : first + EXACT_ROWS]))
    return index


def _self_first(indices: npt.NDArray[np.int64], squared: Vectors) -> None:
    """Moves every vector to the first place among its own neighbours, where a duplicate may be."""
    rows = np.arange(len(indices))
    found = indices == rows[:, None]
    place = np.where(found.any(axis=1), found.argmax(axis=1), indices.shape[1] - 1)
    indices[rows, place] = indices[:, 0]
    squared[rows, place] = squared[:, 0]
    indices[:, 0] = rows
    squared[:, 0] = 0
    missing = indices < 0  # An inverted file can find fewer neighbours than requested.
    indices[missing] = np.broadcast_to(rows[:, None], indices.shape)[missing]
    squared[missing] = np.broadcast_to(squared.max(axis=1, keepdims=True, where=~missing, initial=0), squared.shape)[
        missing
    ]
