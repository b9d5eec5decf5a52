"""Computes cosine_drift and centroid_euclidean, metrics of the mean, and their random variation.

The mean of n documents from a distribution with mean μ and covariance Σ differs from μ by about N(0, Σ/n). Therefore,
for two unchanged samples, ‖mean - mean'‖² is a sum of squared normal variables with expectation tr Σ (1/n + 1/n'). It
is distributed nearly as a multiple of χ² with df = (tr Σ)² / tr Σ² degrees of freedom (Satterthwaite 1946; Box 1954,
"Some theorems on quadratic forms", theorem 3.1).
"""

import math

import numpy as np

from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.data.settling import ROUNDING
from clusterworker.drift.baseline import StoredBaseline

CONFIDENCE = 0.995
"""Share of checks on unchanged data that stay below twice the noise floor. The documented limit is 1 % above it; the
target is half of that.
"""
HOPELESS = 0.5
"""Noise floor of cosine_drift above which only a mean in the opposite direction, with a value above 1, exceeds twice
the floor.
"""
SAME_DIRECTION = 2 * ROUNDING
"""Angle up to which the means of the same documents can differ, because a run and a check round vectors differently."""
NORMAL_TAIL = 2.5758
"""Number of standard deviations below which that share of a normal distribution is."""


def cosine_drift(baseline: Doubles, now: Doubles) -> float:
    """Returns 1 - cos of the angle between two means, 0 to 2; see docs/design/drift.md.

    Args:
        baseline: Mean of the baseline, shape (dimensions,).
        now: Mean of the current documents.
    """
    lengths = float(np.linalg.norm(baseline)), float(np.linalg.norm(now))
    if not all(lengths):
        # There is no direction to compare. The noise floor of such a mean is 1, so the trigger does not fire.
        return 1.0
    apart = baseline / lengths[0] - now / lengths[1]
    # 1 - cos itself would lose all digits where documents point nearly the same way.
    squared = float(apart @ apart)
    return 0.0 if squared <= SAME_DIRECTION**2 else float(f"{min(squared / 2, 2.0):.14g}")


def centroid_euclidean(baseline: Doubles, now: Doubles) -> float:
    """Returns the Euclidean distance of two means, each of shape (dimensions,)."""
    return float(np.linalg.norm(baseline - now))


def cosine_floor(baseline: StoredBaseline, documents: int) -> float:
    """Returns the noise floor of cosine_drift: (1 - ‖μ‖²) / (2 ‖μ‖²) · (1/n + 1/n'), at most 1; docs/design/drift.md.

    This is the expectation for unit vectors, whose tr Σ is 1 - ‖μ‖². ‖μ‖² is estimated without the bias of the mean of
    few documents. If documents vary in few directions only (df < 16), twice the expectation is too low, and half of the
    99.5th percentile replaces it.

    Args:
        baseline: Provides μ, Σ and n.
        documents: n', the current number.
    """
    variance, squared_mean = _moments(baseline)
    if squared_mean <= 0:
        return 1.0
    expected = variance / (2 * squared_mean) * (1 / baseline.documents + 1 / documents)
    direction = baseline.total / np.linalg.norm(baseline.total)
    across = baseline.reservoir - np.outer(baseline.reservoir @ direction, direction)
    widened = _widened(degrees_of_freedom(across), baseline.documents)
    return min(expected * max(1.0, widened / 2), 1.0) if np.isfinite(widened) else 1.0


def cosine_advice(floor: float, clusters: int) -> str | None:
    """Returns advice if cosine_drift can hardly exceed twice its floor, or cannot at all, because its maximum is 2.

    Args:
        floor: Noise floor of cosine_drift.
        clusters: Number of clusters of the baseline; shares of fewer than two cannot change.
    """
    if floor < HOPELESS:
        return None
    able = "can never fire" if floor >= 1 else "would fire only if the mean changed its sign"
    return (
        "the mean of the baseline is almost zero, which is typical of centred embeddings or very few documents: "
        f"cosine_drift {able} on them: set metric to "
        f"{'mmd_rbf, domain_auc or assignment_js' if clusters > 1 else 'mmd_rbf or domain_auc'}"
    )


def euclidean_floor(baseline: StoredBaseline, documents: int) -> float:
    """Returns the noise floor of centroid_euclidean.

    It is √(tr Σ (1/n + 1/n')), or half of the 99.5th percentile if that is higher. It is infinite if one document, or
    two in one direction, do not bound the variance.

    Args:
        baseline: Provides Σ and n.
        documents: n', the current number.
    """
    variance, _ = _moments(baseline)
    expected = variance * (1 / baseline.documents + 1 / documents)
    widened = _widened(degrees_of_freedom(baseline.reservoir), baseline.documents)
    return float(np.sqrt(expected * max(1.0, widened / 4))) if math.isfinite(widened) else math.inf


def degrees_of_freedom(sample: Vectors | Doubles) -> float:
    """Returns the number of directions in which documents vary: (tr Σ)² / tr Σ², at least 1, at most all.

    The estimate of tr Σ² from a sample is biased by (tr Σ)² divided by its size, which is subtracted (Bai and
    Saranadasa 1996, "Effect of high dimension", equation 3.5).

    Args:
        sample: Vectors, shape (rows, dimensions).
    """
    rows = len(sample)
    if rows < 3:
        return 1.0
    centred = sample - sample.mean(axis=0, dtype=np.float64)
    narrow = centred.T if rows > sample.shape[1] else centred
    products = narrow @ narrow.T / (rows - 1)
    trace = float(np.trace(products))
    squares = float(np.sum(products**2)) - trace**2 / (rows - 1)
    squares *= (rows - 1) ** 2 / ((rows - 2) * (rows + 1))
    if trace <= 0 or squares <= 0:
        return 1.0
    return min(max(trace**2 / squares, 1.0), float(sample.shape[1]))


def _moments(baseline: StoredBaseline) -> tuple[float, float]:
    """Returns unbiased estimates of tr Σ and ‖μ‖²."""
    count = baseline.documents
    raw = float(np.sum((baseline.total / count) ** 2))
    if count < 2:
        return 0.0, 0.0
    variance = max(float(baseline.total_squares.sum()) - count * raw, 0.0) / (count - 1)
    return variance, raw - variance / count


def tail(degrees: float, estimated: float = math.inf) -> float:
    """Returns a quantile of F, the factor of random variation over its expectation; infinity if there is no bound.

    The approximation is that of Paulson 1942, "An approximate normalization of the analysis of variance distribution".
    With an exact expectation, that is the quantile of χ² / df (Wilson and Hilferty 1931), exact within 1 %. scipy's
    function takes longer to load than a million documents to assign.

    Args:
        degrees: Degrees of freedom of the variation, at least 1.
        estimated: Degrees of freedom of the estimate of its expectation.
    """
    own, other = 2 / (9 * degrees), 2 / (9 * estimated)
    square = (1 - other) ** 2 - NORMAL_TAIL**2 * other
    if square <= 0:
        return math.inf
    middle = (1 - own) * (1 - other)
    rest = (1 - own) ** 2 - NORMAL_TAIL**2 * own
    return float(((middle + math.sqrt(middle**2 - square * rest)) / square) ** 3)


def _widened(degrees: float, documents: int) -> float:
    """Returns `tail`, with a variance and degrees of freedom that were estimated from this number of documents."""
    if documents < 2:
        return math.inf
    # Few documents can seem to vary in more directions than they do: without the correction of the bias, they do not.
    fewer = max(1 / (1 / degrees + 1 / (documents - 1)), 1.0)
    return tail(fewer, (documents - 1) * fewer)
