"""Defines how drift is measured, and which measurement counts as drift. The operator and the reports share this rule.

A value above the threshold is not enough, because every metric varies at random. The variation grows as the number of
documents shrinks: with 20 documents, cosine_drift of unchanged data is about 0.4. So a value counts only if it exceeds
twice the noise floor, and only if both counts of documents are at least min_documents.

Design record: docs/design/drift.md.
"""

from __future__ import annotations

from typing import Literal

DriftMetric = Literal["cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi", "mmd_rbf", "domain_auc"]
"""How drift is measured; docs/understanding/drift.md explains which metric to choose."""
NOISE_FACTOR = 2.0
"""On unchanged data, at most 1 % of checks exceed the noise floor multiplied by this factor."""
WhyNoDrift = Literal["threshold", "documents", "noise"]
"""The first of these conditions that does not hold: the value exceeds the threshold; both counts reach min_documents;
the value exceeds NOISE_FACTOR times the noise floor.
"""


def why_no_drift(
    *,
    value: float,
    threshold: float,
    noise_floor: float,
    baseline_documents: int,
    current_documents: int,
    min_documents: int,
) -> WhyNoDrift | None:
    """Returns the reason why a measurement is not drift; None if it is drift and the trigger fires.

    Args:
        value: The metric's value.
        threshold: The trigger's threshold, on the metric's scale.
        noise_floor: The size of the metric's random variation.
        baseline_documents: Number of documents that the baseline was computed from.
        current_documents: Number of documents that the collections contain now.
        min_documents: Minimum of both numbers of documents.
    """
    if not value > threshold:
        return "threshold"
    if min(baseline_documents, current_documents) < min_documents:
        return "documents"
    if not value > NOISE_FACTOR * noise_floor:
        return "noise"
    return None
