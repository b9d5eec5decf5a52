"""How near documents lie to one another: what density-based algorithms are built on, and what advice is taken from."""

import math

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Rows


def core_distances(
    distances: npt.NDArray[np.floating], min_samples: int, counts: Rows | None = None
) -> npt.NDArray[np.floating]:
    """Distance within which each of some vectors has min_samples documents, itself included, shape (rows,).

    Args:
        distances: to all distinct vectors, shape (rows, distinct).
        min_samples: at least 1, and no more than there are documents.
        counts: documents per distinct vector, shape (distinct,); default one each.
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
    """Three digits of a distance, not less than it: what is advised must hold when it is followed."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit * (1 - 1e-12)) * unit:.3g}")
