"""Vector sets that are difficult for arithmetic: copies, offsets, outliers, all scales, constant columns, integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from clusterworker.data.arrays import Doubles, Vectors

SCALES = [1e-42, 1e-30, 1e-20, 1e-6, 1e-3, 1.0, 1.0, 1.0, 1e3, 1e6, 1e12]
OFFSETS = [0.0, 0.0, 0.0, 1.0, 30.0, 1e4, 1e6]
OUTLIERS = [0.0, 0.0, 10.0, 1e4, 1e6]
SHAPES = ["normal", "groups", "tight", "whole", "line", "equal"]


@dataclass(frozen=True)
class VectorSet:
    """The drawn parameters, which determine everything, so that a failure identifies its case."""

    seed: int
    rows: int
    dimensions: int
    shape: str
    scale: float
    offset: float
    outlier: float
    copies: float
    constant: bool
    negative_zeros: bool

    def vectors(self) -> Vectors:
        """Shape (rows, dimensions)."""
        generator = np.random.default_rng(self.seed)
        size = (self.rows, self.dimensions)
        noise = generator.normal(size=size)
        groups = generator.normal(size=(3, self.dimensions))[generator.integers(3, size=self.rows)]
        drawn = {
            "normal": noise,
            "groups": groups + 0.1 * noise,
            "tight": groups + 1e-5 * noise,
            "whole": np.round(2 * noise),
            "line": np.outer(noise[:, 0], np.ones(self.dimensions)),
            "equal": np.broadcast_to(noise[0], size).copy(),
        }[self.shape]
        if self.outlier and self.rows > 2:
            drawn[generator.integers(self.rows)] *= self.outlier
        if self.constant:
            drawn[:, -1] = 1.0
        found = np.clip((drawn + self.offset) * self.scale, -1e15, 1e15).astype(np.float32)
        if self.copies:
            sources = generator.integers(max(1, self.rows // 4), size=self.rows)
            copied = generator.random(self.rows) < self.copies
            found[copied] = found[sources[copied]]
        if self.negative_zeros:
            zeros = (found == 0) & (generator.random(size) < 0.5)
            found[zeros] = -0.0
        return found


VECTOR_SETS = st.builds(
    VectorSet,
    seed=st.integers(0, 2**31),
    rows=st.one_of(st.integers(1, 8), st.integers(9, 60)),
    dimensions=st.one_of(st.integers(1, 4), st.sampled_from([8, 20, 64])),
    shape=st.sampled_from(SHAPES),
    scale=st.sampled_from(SCALES),
    offset=st.sampled_from(OFFSETS),
    outlier=st.sampled_from(OUTLIERS),
    copies=st.sampled_from([0.0, 0.0, 0.3, 0.9]),
    constant=st.booleans(),
    negative_zeros=st.booleans(),
)


def exact_distances(vectors: Vectors, metric: str) -> Doubles:
    """Distances of all pairs, in double precision and by differences, shape (rows, rows)."""
    exact: Doubles = vectors.astype(np.float64)
    if metric == "cosine":
        exact = exact / np.abs(exact).max(axis=1, keepdims=True)
        exact = exact / np.linalg.norm(exact, axis=1, keepdims=True)
        return np.asarray(cdist(exact, exact, "sqeuclidean") / 2)
    return np.asarray(cdist(exact, exact))


def between(distances: Doubles, share: float, least: float = 0.0) -> float | None:
    """A distance unlike that of any pair, with about this share of the pairs below it; None if there is none."""
    values: npt.NDArray[np.float64] = np.unique(distances[distances > least])
    if not values.size:
        return None
    edges = np.r_[values[0] / 2, values, values[-1] * 2]
    clear = np.flatnonzero(edges[1:] > edges[:-1] * 1.001)
    place = clear[np.abs(clear - share * len(values)).argmin()]
    found = float(np.sqrt(edges[place]) * np.sqrt(edges[place + 1]))
    return found if found > least else None
