"""Tests of when a measurement is drift, and how it is described."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clustercontract.check import Measurement
from clustercontract.drift import volume_change
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.drift.drift_rule import judge


def measured(value: float, **fields: Any) -> Measurement:
    """A measurement of cosine_drift."""
    said = {
        "metric": "cosine_drift",
        "value": value,
        "threshold": 0.3,
        "baseline_documents": 6000,
        "current_documents": 3000,
        "noise_floor": 0.002,
        "assignment_js": 0.32,
        "baseline_run": "r",
        "baseline_uri": "/results/b.npz",
        "baseline_sha256": "0" * 64,
        "seed": 1,
        "checked_at": datetime(2026, 3, 2, tzinfo=UTC),
    }
    return Measurement.model_validate({**said, **fields})


def schedule(threshold: float = 0.3, **fields: Any) -> ConditionalSchedule:
    """A condition on cosine_drift."""
    return ConditionalSchedule(
        condition_type="drift", metric="cosine_drift", threshold=threshold, check_interval_seconds=60, **fields
    )


FEW = {"baseline_documents": 20, "current_documents": 20, "noise_floor": 0.4}


@pytest.mark.parametrize(
    ("measurement", "rule", "why", "summary"),
    [
        (measured(0.0841), schedule(), "threshold",
         "cosine_drift 0.084 ≤ 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.0841), schedule(0.05), "fires",
         "cosine_drift 0.084 > 0.05 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.3), schedule(), "threshold",
         "cosine_drift 0.3 ≤ 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.30004), schedule(), "fires",
         "cosine_drift 0.30004 > 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.29996), schedule(), "threshold",
         "cosine_drift 0.29996 ≤ 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.0), schedule(0.0), "threshold",
         "cosine_drift 0 ≤ 0 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(1e-9, noise_floor=0), schedule(0.0), "fires",
         "cosine_drift 1e-09 > 0 (floor 0, 6000 → 3000 documents, assignment_js 0.32)"),
        (measured(0.5, **FEW), schedule(), "documents",
         "cosine_drift 0.5 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32): does not fire because "
         "the smaller number of documents, 20, is below min_documents (200)"),
        (measured(0.5, **FEW), schedule(min_documents=20), "noise",
         "cosine_drift 0.5 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32): does not fire because "
         "the value does not exceed twice the noise floor"),
        (measured(0.81, **FEW), schedule(min_documents=20), "fires",
         "cosine_drift 0.81 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32)"),
        (measured(0.8, **FEW), schedule(min_documents=20), "noise",
         "cosine_drift 0.8 > 0.3 (floor 0.4, 20 → 20 documents, assignment_js 0.32): does not fire because "
         "the value does not exceed twice the noise floor"),
        (measured(0.5, baseline_documents=199), schedule(), "documents",
         "cosine_drift 0.5 > 0.3 (floor 0.002, 199 → 3000 documents, assignment_js 0.32): does not fire because "
         "the smaller number of documents, 199, is below min_documents (200)"),
        (measured(0.1, current_documents=20), schedule(), "threshold",
         "cosine_drift 0.1 ≤ 0.3 (floor 0.002, 6000 → 20 documents, assignment_js 0.32)"),
        (measured(0.7, metric="assignment_js", assignment_js=0.7), schedule(), "fires",
         "assignment_js 0.7 > 0.3 (floor 0.002, 6000 → 3000 documents)"),
        (measured(0.7, metric="domain_auc", p_value=0.004975), schedule(), "fires",
         "domain_auc 0.7 > 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32, p 0.005)"),
    ],
)  # fmt: skip
def test_judge(measurement: Measurement, rule: ConditionalSchedule, why: str, summary: str) -> None:
    verdict = judge(measurement, rule)
    assert (verdict.why, verdict.summary, verdict.fires) == (why, summary, why == "fires")


def counted(before: int, now: int) -> Measurement:
    """A measurement of document_count."""
    fields = {"metric": "document_count", "noise_floor": 0.0, "assignment_js": None}
    value = volume_change(before, now)
    return measured(value, baseline_documents=before, current_documents=now, **fields)


@pytest.mark.parametrize(
    ("before", "now", "threshold", "min_documents", "fires", "summary"),
    [
        (6000, 7501, 0.25, None, True, "document_count 0.2502 > 0.25 (6000 → 7501 documents)"),
        (6000, 7500, 0.25, None, False, "document_count 0.25 ≤ 0.25 (6000 → 7500 documents)"),
        (6000, 4200, 0.25, None, True, "document_count 0.3 > 0.25 (6000 → 4200 documents)"),
        (10, 40, 2.0, None, True, "document_count 3 > 2 (10 → 40 documents)"),
        (6000, 6001, 0.0, None, True, "document_count 0.00017 > 0 (6000 → 6001 documents)"),
        (6000, 6000, 0.0, None, False, "document_count 0 ≤ 0 (6000 → 6000 documents)"),
        (6000, 0, 0.2, None, False,
         "document_count 1 > 0.2 (6000 → 0 documents): does not fire because "
         "the smaller number of documents, 0, is below min_documents (1)"),
        (50, 80, 0.2, 60, False,
         "document_count 0.6 > 0.2 (50 → 80 documents): does not fire because "
         "the smaller number of documents, 50, is below min_documents (60)"),
    ],
)  # fmt: skip
def test_volume(before: int, now: int, threshold: float, min_documents: int | None, fires: bool, summary: str) -> None:
    """A count has no random variation, so few documents are enough; an empty collection is not clustered."""
    given = {} if min_documents is None else {"min_documents": min_documents}
    rule = ConditionalSchedule(
        condition_type="volume", metric="document_count", threshold=threshold, check_interval_seconds=60, **given
    )
    verdict = judge(counted(before, now), rule)
    assert (verdict.fires, verdict.summary) == (fires, summary)


@pytest.mark.parametrize("value", [0.9, 0.1])
def test_advice_of_the_measurement_is_passed_on(value: float) -> None:
    """If the metric cannot detect drift, the trigger's status names one that can."""
    verdict = judge(measured(value, noise_floor=1.0, advice="set metric to mmd_rbf"), schedule())
    assert not verdict.fires
    assert verdict.summary.endswith(": set metric to mmd_rbf")
