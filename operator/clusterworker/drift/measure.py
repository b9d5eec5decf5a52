"""Computes a metric and its noise floor from a baseline and a profile."""

import math
from dataclasses import dataclass

from clustercontract.counted import counted
from clustercontract.drift import NOISE_FACTOR, DriftMetric
from clusterworker.drift.assignment import (
    assignment_floor,
    assignment_js,
    assignment_psi,
    jensen_shannon,
    stability_index,
)
from clusterworker.drift.baseline import StoredBaseline
from clusterworker.drift.domain import domain_auc
from clusterworker.drift.mmd import mmd_rbf
from clusterworker.drift.moments import centroid_euclidean, cosine_advice, cosine_drift, cosine_floor, euclidean_floor
from clusterworker.drift.profile import Profile


@dataclass(frozen=True)
class Drift:
    """The result of a metric.

    Attributes:
        value: The metric's value.
        noise_floor: On unchanged data, at most 1 % of checks exceed twice this value.
        p_value: p-value of the permutation test, if the metric has one.
        advice: What to do if the metric cannot detect drift on these documents.
    """

    value: float
    noise_floor: float
    p_value: float | None = None
    advice: str | None = None


def measure(metric: DriftMetric, baseline: StoredBaseline, now: Profile, seed: int) -> Drift:
    """Measures drift; the same arguments give the same numbers.

    Args:
        metric: A metric of docs/understanding/drift.md.
        baseline: The baseline to compare with.
        now: Profile of the current documents.
        seed: Seed of draws and permutations.
    """
    before = baseline.total / baseline.documents
    match metric:
        case "cosine_drift":
            floor = cosine_floor(baseline, now.documents)
            return Drift(cosine_drift(before, now.mean), floor, advice=cosine_advice(floor, len(baseline.shares)))
        case "centroid_euclidean":
            value, floor = centroid_euclidean(before, now.mean), euclidean_floor(baseline, now.documents)
            # A report holds no infinity, and no value exceeds twice itself.
            return Drift(value, floor if math.isfinite(floor) else value, advice=variance_advice(floor, baseline))
        case "assignment_js":
            floor = assignment_floor(jensen_shannon, baseline.counts, now.counts, seed)
            return Drift(assignment_js(baseline.counts, now.counts), floor, advice=assignment_advice(metric, baseline))
        case "assignment_psi":
            floor = assignment_floor(stability_index, baseline.counts, now.counts, seed)
            return Drift(assignment_psi(baseline.counts, now.counts), floor, advice=assignment_advice(metric, baseline))
        case "mmd_rbf":
            test = mmd_rbf(baseline.reservoir, now.reservoir, seed)
            return Drift(test.value, test.noise_floor, test.p_value, sample_advice(baseline, now))
        case "domain_auc":
            test = domain_auc(baseline.reservoir, now.reservoir, seed)
            return Drift(test.value, test.noise_floor, test.p_value, limit_advice(test.noise_floor, baseline, now))


def assignment_advice(metric: DriftMetric, baseline: StoredBaseline) -> str | None:
    """Returns advice if the baseline has no two clusters between which documents could move."""
    clusters = len(baseline.shares)
    if clusters > 1:
        return None
    number = "one cluster" if clusters else "no cluster"
    return f"the baseline has {number}: {metric} can never fire on it: set metric to mmd_rbf or domain_auc"


def variance_advice(floor: float, baseline: StoredBaseline) -> str | None:
    """Returns advice if the baseline has so few documents that their variance has no bound."""
    if math.isfinite(floor):
        return None
    return (
        f"{counted(baseline.documents, 'document')} in the baseline cannot show how much documents vary: "
        "centroid_euclidean can never fire: add documents, and run the trigger again"
    )


def sample_advice(baseline: StoredBaseline, now: Profile) -> str | None:
    """Returns advice if a side has only one document, which mmd_rbf takes for unchanged."""
    if min(baseline.documents, now.documents) > 1:
        return None
    return (
        f"with {counted(baseline.documents, 'document')} in the baseline and {now.documents:,} now, mmd_rbf can never "
        f"fire: add documents{_or_means(baseline, now)}"
    )


def limit_advice(floor: float, baseline: StoredBaseline, now: Profile) -> str | None:
    """Returns advice if domain_auc, whose maximum is 1, cannot exceed twice its floor."""
    if NOISE_FACTOR * floor < 1:
        return None
    return (
        f"with {counted(baseline.documents, 'document')} in the baseline and {now.documents:,} now, chance alone "
        f"reaches the maximum of domain_auc, which can never fire: add documents{_or_means(baseline, now)}"
    )


def _or_means(baseline: StoredBaseline, now: Profile) -> str:
    """Returns the other remedy, if the distance of means can fire on so few documents."""
    able = math.isfinite(euclidean_floor(baseline, now.documents))
    return ", or set metric to centroid_euclidean" if able else ""
