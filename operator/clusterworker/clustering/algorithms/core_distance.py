"""Computes core distances, which density-based algorithms and their advice use."""

import math
from collections.abc import Sequence

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


def reaches(cores: npt.NDArray[np.floating], counts: Rows, shares: Sequence[float]) -> list[float]:
    """Returns the distances within which at least these shares of the documents are core points, rounded up.

    Args:
        cores: Core distances of distinct vectors, shape (distinct,).
        counts: Documents per vector, shape (distinct,).
        shares: From 0 to 1.
    """
    # Interpolation between two distances would name one within which fewer documents are core points.
    return [rounded_up(float(value)) for value in np.quantile(cores, shares, weights=counts, method="inverted_cdf")]


def rounded_up(value: float) -> float:
    """Returns a distance rounded up to three digits, so that advice stays valid when it is followed."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit * (1 - 1e-12)) * unit:.3g}")


def as_digits(value: float) -> str:
    """Returns a number of advice as it was tried, with all digits of a whole number: three could be another value."""
    return str(value) if isinstance(value, int) else f"{value:.10g}"
