"""mmd_rbf: the maximum mean discrepancy of two samples, and its permutation test.

Gretton et al. 2012, "A Kernel Two-Sample Test", JMLR 13: the unbiased estimate of MMD² (lemma 6) with a Gaussian kernel
exp(-gamma ‖x - y‖²), gamma = 1 / median², the median of the distances in both samples together (section 8).
"""

from dataclasses import dataclass

import numpy as np

from clusterworker.arrays import Doubles, Vectors
from clusterworker.drift.moments import CONFIDENCE

PERMUTATIONS = 500
_MEDIAN_ROWS = 1_000
"""Documents whose distances to all others give the median: evenly chosen, of both samples."""


@dataclass(frozen=True)
class Discrepancy:
    """What the test found.

    Attributes:
        value: unbiased MMD²; about 0, and often below, where nothing has changed.
        noise_floor: half of what permuted samples stay below in 99.5 % of permutations, at least 0.
        p_value: share of permutations at least as far apart.
    """

    value: float
    noise_floor: float
    p_value: float


def mmd_rbf(baseline: Vectors, now: Vectors, seed: int, permutations: int = PERMUTATIONS) -> Discrepancy:
    """Compare two samples.

    Args:
        baseline: shape (rows, dimensions).
        now: shape (other rows, dimensions).
        seed: of the permutations.
        permutations: how many.

    Returns:
        The value and the test; of fewer than two documents on a side, no discrepancy.
    """
    if min(len(baseline), len(now)) < 2:
        return Discrepancy(0.0, 0.0, 1.0)
    kernel = _kernel(np.concatenate([baseline, now]))
    size, total = len(baseline), len(baseline) + len(now)
    generator = np.random.default_rng(seed)
    chosen = np.zeros((total, permutations + 1), np.float32)
    chosen[:size, 0] = 1
    for column in range(1, permutations + 1):
        chosen[generator.permutation(total)[:size], column] = 1
    found = _discrepancies(kernel, chosen)
    value, null = float(found[0]), found[1:]
    reached = int(np.count_nonzero(null >= value))
    floor = max(float(np.quantile(null, CONFIDENCE)) / 2, 0.0) if permutations else 0.0
    return Discrepancy(value, floor, (1 + reached) / (1 + permutations))


def _kernel(vectors: Vectors) -> Vectors:
    """Kernel matrix with an empty diagonal, less its mean: MMD² is the same, and float32 sums stay exact."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.einsum("ij,ij->i", centred, centred)
    squares = centred @ centred.T
    squares *= -2
    squares += lengths[:, None]
    squares += lengths[None, :]
    np.maximum(squares, 0, out=squares)
    np.fill_diagonal(squares, 0)
    median = _median(squares)
    kernel = np.exp(np.multiply(squares, np.float32(-1 / median), out=squares), out=squares)
    others = len(vectors) * (len(vectors) - 1)
    kernel -= np.float32((kernel.sum(dtype=np.float64) - len(vectors)) / others)
    np.fill_diagonal(kernel, 0)
    return np.asarray(kernel, np.float32)


def _median(squares: Vectors) -> float:
    """Squared median of the distances between different rows; 1 if all rows are alike, which makes MMD² 0.

    Each row of the matrix holds one 0, that of the row itself, which sorts to the front.
    """
    rows = squares[:: max(len(squares) // _MEDIAN_ROWS, 1)]
    pairs = rows.size - len(rows)
    middle = [len(rows) + (pairs - 1) // 2, len(rows) + pairs // 2]
    median = float(np.partition(rows, middle, axis=None)[middle].mean())
    if median > 0:
        return median
    positive = squares[squares > 0]
    return float(positive.mean()) if positive.size else 1.0


def _discrepancies(kernel: Vectors, chosen: Vectors) -> Doubles:
    """Unbiased MMD² of the chosen rows against the others, one per column of `chosen` (0 or 1)."""
    total = len(kernel)
    size = float(chosen[:, 0].sum())
    rest = total - size
    within = np.einsum("ij,ij->j", chosen, kernel @ chosen, dtype=np.float64)
    across = kernel.sum(axis=1, dtype=np.float64) @ chosen - within
    others = float(kernel.sum(dtype=np.float64)) - within - 2 * across
    return np.asarray(within / (size * (size - 1)) + others / (rest * (rest - 1)) - 2 * across / (size * rest))
