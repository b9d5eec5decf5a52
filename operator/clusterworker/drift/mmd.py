"""Computes mmd_rbf: the maximum mean discrepancy of two samples, and its permutation test.

The method is that of Gretton et al. 2012, "A Kernel Two-Sample Test", JMLR 13. It computes the unbiased estimate of
MMD² (lemma 6) with a Gaussian kernel exp(-gamma ‖x - y‖²). gamma is 1 / median² of the distances in both samples
together (section 8). If distances have two scales, it is the mean of two such kernels.
"""

import numpy as np

from clusterworker.clustering.algorithms.pairs import Pairs
from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.drift.moments import CONFIDENCE
from clusterworker.drift.permutation_test import PermutationTest, tested

PERMUTATIONS = 500
_BLOCK_BYTES = 32 << 20
_SAME = 4e-14
"""Share of ‖a‖² + ‖b‖² up to which squared distances can be caused by rounding of the documents' numbers."""
_LARGE, _OTHER_SCALE = 0.9, 4.0
"""Quantile of the squared distances, and its ratio to their median above which the distances have two scales: at twice
the median distance, the kernel is below 0.02.
"""
_MEDIAN_ROWS = 1_000
"""Number of documents whose distances to all others determine the median; they are evenly spaced in both samples."""


def mmd_rbf(baseline: Vectors, now: Vectors, seed: int, permutations: int = PERMUTATIONS) -> PermutationTest:
    """Compares two samples.

    Args:
        baseline: shape (rows, dimensions).
        now: shape (other rows, dimensions).
        seed: Seed of the permutations.
        permutations: Number of permutations.

    Returns:
        The unbiased MMD²: about 0, and often below, if nothing has changed. Its noise floor is at least 0. Fewer than
        two documents on a side count as unchanged.
    """
    if min(len(baseline), len(now)) < 2:
        return PermutationTest(0.0, 0.0, 1.0)
    kernel = _kernel(np.concatenate([baseline, now]))
    size, total = len(baseline), len(baseline) + len(now)
    generator = np.random.default_rng(seed)
    chosen = np.zeros((total, permutations + 1), np.float32)
    chosen[:size, 0] = 1
    for column in range(1, permutations + 1):
        chosen[generator.permutation(total)[:size], column] = 1
    found = _discrepancies(kernel, chosen)
    null = found[1:]
    floor = max(float(np.quantile(null, CONFIDENCE)) / 2, 0.0) if permutations else 0.0
    return tested(float(found[0]), null, floor)


def _kernel(vectors: Vectors) -> Vectors:
    """Returns the kernel matrix without its diagonal and minus its mean.

    MMD² stays the same, and float32 sums stay exact.
    """
    scales = _scales(vectors)
    pairs = Pairs(vectors, "euclidean")
    kernel = np.empty((len(vectors), len(vectors)), np.float32)
    size = pairs.block(_BLOCK_BYTES)
    for first in range(0, len(vectors), size):
        rows = slice(first, first + size)
        squares = pairs.squares(rows, slice(first, None))
        kernel[rows, first:] = sum(np.exp(squares / -scale) for scale in scales) / len(scales)
        kernel[first:, rows] = kernel[rows, first:].T
    others = len(vectors) * (len(vectors) - 1)
    kernel -= np.float32((kernel.sum(dtype=np.float64) - len(vectors)) / others)
    np.fill_diagonal(kernel, 0)
    return np.asarray(kernel, np.float32)


def _scales(vectors: Vectors) -> list[float]:
    """Returns the squared median of the distances between different documents; 1 if all are equal, so that MMD² is 0.

    Copies are left out, and so are documents that differ from a copy only by rounding, unless all do, as with a common
    offset that is millions of times their spread. If most pairs were copies, the
    median would be almost 0, all other documents would be equally far apart for the kernel, and no drift would be
    found. For the same reason there is a second scale, the median of the large distances, if most pairs are nearly
    equal in relation to these. The kernel is the mean of the kernels of both.
    """
    rows = vectors[:: max(len(vectors) // _MEDIAN_ROWS, 1)]
    squares = Pairs(rows, "euclidean", vectors).squares(slice(None))
    lengths, others = (np.einsum("ij,ij->i", part, part, dtype=np.float64) for part in (rows, vectors))
    apart = squares[squares > _SAME * (lengths[:, None] + others)]
    apart = apart if apart.size else squares[squares > 0]
    if not apart.size:
        return [1.0]
    median, large = (float(value) for value in np.quantile(apart, [0.5, _LARGE]))
    if large <= _OTHER_SCALE * median:
        return [median]
    return [median, float(np.median(apart[apart > large / _OTHER_SCALE]))]


def _discrepancies(kernel: Vectors, chosen: Vectors) -> Doubles:
    """Returns the unbiased MMD² of the chosen rows against the others, one for each column of `chosen` (0 or 1)."""
    total = len(kernel)
    size = float(chosen[:, 0].sum())
    rest = total - size
    within = np.einsum("ij,ij->j", chosen, kernel @ chosen, dtype=np.float64)
    across = kernel.sum(axis=1, dtype=np.float64) @ chosen - within
    others = float(kernel.sum(dtype=np.float64)) - within - 2 * across
    return np.asarray(within / (size * (size - 1)) + others / (rest * (rest - 1)) - 2 * across / (size * rest))
