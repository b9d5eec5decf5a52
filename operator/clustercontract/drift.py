"""Defines what checks measure, and which measurement fires. The operator, the reports and the command share this rule.

A value above the threshold is not enough, because every metric of drift varies at random. The variation grows as the
number of documents shrinks: with 20 documents, cosine_drift of unchanged data is about 0.4. So a value counts only if
it exceeds twice the noise floor, and only if both counts of documents are at least min_documents. Volume is counted
exactly, so its noise floor is 0.

Design record: docs/design/drift.md.
"""

from __future__ import annotations

from typing import Literal, get_args

ConditionType = Literal["drift", "volume"]
"""What is checked: whether the documents have moved, or whether there are more or fewer of them."""
DriftMetric = Literal["cosine_drift", "centroid_euclidean", "assignment_js", "assignment_psi", "mmd_rbf", "domain_auc"]
"""How drift is measured; docs/understanding/drift.md explains which metric to choose."""
VolumeMetric = Literal["document_count"]
"""How volume is measured: the change of the number of documents, as a share of the baseline's number."""
Metric = Literal[DriftMetric, VolumeMetric]
METRICS: dict[ConditionType, tuple[str, ...]] = {"drift": get_args(DriftMetric), "volume": get_args(VolumeMetric)}
"""The metrics of each condition_type."""
LARGEST: dict[str, float] = {"cosine_drift": 2, "assignment_js": 1, "mmd_rbf": 2, "domain_auc": 1}
"""The largest value of each metric that has one. A threshold that is not below it never fires."""
MIN_DOCUMENTS: dict[ConditionType, int] = {"drift": 200, "volume": 1}
"""Default of min_documents. With volume, an emptied collection does not fire: there would be nothing to cluster."""
NOISE_FACTOR = 2.0
"""On unchanged data, at most 1 % of checks exceed the noise floor multiplied by this factor."""
WhyNot = Literal["threshold", "documents", "noise"]
"""The first of these conditions that does not hold: the value exceeds the threshold; both counts reach min_documents;
the value exceeds NOISE_FACTOR times the noise floor.
"""


def why_not(
    *,
    value: float,
    threshold: float,
    noise_floor: float,
    baseline_documents: int,
    current_documents: int,
    min_documents: int,
) -> WhyNot | None:
    """Returns the reason why a measurement does not fire; None if it is drift or a change of volume, and fires.

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


def volume_change(baseline_documents: int, current_documents: int) -> float:
    """Returns the value of document_count: 0.5 if half as many documents were added, or if half of them were removed.

    Args:
        baseline_documents: Number of documents that the baseline was computed from, at least 1.
        current_documents: Number of documents that the collections contain now.
    """
    return abs(current_documents - baseline_documents) / baseline_documents
