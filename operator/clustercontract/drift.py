"""How drift is measured, and when a measurement is drift: the one rule that the operator fires by, and reports draw by.

A value above the threshold is not enough. Chance alone moves every metric, the more the fewer documents there are: at
20 documents cosine_drift of unchanged data is about 0.4. So a value counts only above twice the noise floor, and only
where both counts of documents reach min_documents.

Design record: docs/design/drift.md.
"""

from __future__ import annotations

from typing import Literal

DriftMetric = Literal["cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi", "mmd_rbf", "domain_auc"]
"""How drift is measured; docs/understanding/drift.md helps to choose."""
NOISE_FACTOR = 2.0
"""Unchanged data exceeds this many times the noise floor in at most 1 % of checks."""
WhyNoDrift = Literal["threshold", "documents", "noise"]
"""The first condition that does not hold: the value exceeds the threshold, both counts reach min_documents, the value
exceeds NOISE_FACTOR times the floor."""


def why_no_drift(
    *,
    value: float,
    threshold: float,
    noise_floor: float,
    baseline_documents: int,
    current_documents: int,
    min_documents: int,
) -> WhyNoDrift | None:
    """Why a measurement is no drift; None where it is, and the trigger fires.

    Args:
        value: of the metric.
        threshold: of the trigger, on the metric's scale.
        noise_floor: scale of what chance alone does to the value.
        baseline_documents: documents that the baseline was made of.
        current_documents: documents that the collections hold now.
        min_documents: least number of either.
    """
    if not value > threshold:
        return "threshold"
    if min(baseline_documents, current_documents) < min_documents:
        return "documents"
    if not value > NOISE_FACTOR * noise_floor:
        return "noise"
    return None
