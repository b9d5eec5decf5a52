"""Tests of the rule of drift, and that all of its users agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustercontract.check import Measurement
from clustercontract.drift import volume_change, why_not
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.drift.drift_rule import judge
from clustertrigger.core.drift.drift_series import from_status
from clusterworker.drift.record import RecordedMeasurement
from clusterworker.run.report.curve import curve

CHECKED_AT = datetime(2026, 3, 2, tzinfo=UTC)
NUMBERS = st.sampled_from((0.0, 1e-9, 0.1, 0.2, 0.3, 0.30001, 0.4, 0.5, 1.0))
COUNTS = st.sampled_from((1, 19, 20, 199, 200, 6000))


@pytest.mark.parametrize(
    ("value", "threshold", "floor", "before", "now", "least", "why"),
    [
        (0.31, 0.3, 0.1, 200, 200, 200, None),
        (0.3, 0.3, 0.0, 200, 200, 200, "threshold"),
        (0.31, 0.3, 0.155, 200, 200, 200, "noise"),
        (0.31, 0.3, 0.1, 199, 200, 200, "documents"),
        (0.31, 0.3, 0.1, 200, 199, 200, "documents"),
        (0.2, 0.3, 0.4, 1, 1, 200, "threshold"),
        (0.31, 0.3, 0.4, 1, 1, 200, "documents"),
        (float("nan"), 0.3, 0.1, 200, 200, 200, "threshold"),
    ],
)
def test_the_rule(
    value: float, threshold: float, floor: float, before: int, now: int, least: int, why: str | None
) -> None:
    assert (
        why_not(
            value=value,
            threshold=threshold,
            noise_floor=floor,
            baseline_documents=before,
            current_documents=now,
            min_documents=least,
        )
        == why
    )


@pytest.mark.parametrize(
    ("before", "now", "value"),
    [(100, 100, 0.0), (100, 125, 0.25), (100, 75, 0.25), (1000, 0, 1.0), (1, 4, 3.0), (3, 4, 1 / 3)],
)
def test_volume_is_a_share_of_the_baselines_documents(before: int, now: int, value: float) -> None:
    assert volume_change(before, now) == pytest.approx(value)


@given(NUMBERS, NUMBERS, NUMBERS, COUNTS, COUNTS, COUNTS)
def test_operator_report_and_command_agree(
    value: float, threshold: float, floor: float, before: int, now: int, least: int
) -> None:
    measurement = Measurement(
        metric="cosine_drift",
        value=value,
        threshold=threshold,
        baseline_documents=before,
        current_documents=now,
        noise_floor=floor,
        assignment_js=0.1,
        baseline_run="first",
        baseline_uri="/results/b.npz",
        baseline_sha256="0" * 64,
        seed=1,
        checked_at=CHECKED_AT,
    )
    schedule = ConditionalSchedule(
        condition_type="drift",
        metric="cosine_drift",
        threshold=threshold,
        check_interval_seconds=60,
        min_documents=least,
    )
    said = {**measurement.model_dump(mode="json"), "min_documents": least}
    drawn = curve([RecordedMeasurement.model_validate({**said, "check": "c", "slot": "s"})])
    assert drawn is not None
    (point,) = from_status({"last_drift_measurement": said})
    assert judge(measurement, schedule).fires == drawn.dots[0].fires == point.fires
