"""Computes core distances, which density-based algorithms and their advice use."""

import math

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Rows


def core_distances(
    distances: npt.NDArray[np.floating], min_samples: int, counts: Rows | None = None
) -> npt.NDArray[np.floating]:
    """Returns the distance within which each vector has min_samples documents, including itself, shape (rows,).

    Args:
        distances: Distances to all distinct vectors, shape (rows, distinct).
        min_samples: At least 1, and at most the number of documents.
        counts: Documents per distinct vector, shape (distinct,). Default: one each.
    """
    reach = min(min_samples, distances.shape[1])
    if counts is None or (counts == 1).all():
        return np.partition(distances, reach - 1, axis=1)[:, reach - 1]
    nearest = np.argpartition(distances, reach - 1, axis=1)[:, :reach]
    near = np.take_along_axis(distances, nearest, axis=1)
    order = np.argsort(near, axis=1, kind="stable")
    reached = counts[np.take_along_axis(nearest, order, axis=1)].cumsum(axis=1) >= min_samples
    return np.take_along_axis(near, np.take_along_axis(order, reached.argmax(axis=1)[:, None], axis=1), axis=1)[:, 0]


def rounded_up(value: float) -> float:
    """Returns a distance rounded up to three digits, so that advice stays valid when it is followed."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit * (1 - 1e-12)) * unit:.3g}")
