"""Tests of the curve of recorded measurements: its coordinates, and that a run's report shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clusterworker.drift.record import RecordedMeasurement
from clusterworker.run.report.curve import Curve, curve
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import KMEANS, check_spec, measured
from tests.clusterworker.planted import planted, write

FIRST = datetime(2026, 11, 21, 2, tzinfo=UTC)


def recorded(hour: float, value: float, **fields: Any) -> RecordedMeasurement:
    known = {
        "metric": "cosine_drift",
        "value": value,
        "threshold": 0.3,
        "baseline_documents": 6000,
        "current_documents": 3000,
        "noise_floor": 0.02,
        "assignment_js": 0.1,
        "baseline_run": "nightly-1",
        "baseline_uri": "/results/search/nightly/nightly-1/baseline.npz",
        "baseline_sha256": "0" * 64,
        "seed": 1,
        "checked_at": FIRST + timedelta(hours=hour),
        "check": f"check-{hour}",
        "slot": "2026-11-21T02:00:00Z",
        "min_documents": 200,
    }
    return RecordedMeasurement.model_validate(known | fields)


def drawn(*measurements: RecordedMeasurement) -> Curve:
    found = curve(measurements)
    assert found is not None
    return found


def test_nothing_to_draw() -> None:
    assert curve([]) is None


def test_places() -> None:
    """Higher values are nearer to the top; times are to scale."""
    found = drawn(recorded(0, 0.0), recorded(1, 0.1), recorded(4, 0.3))
    first, second, third = found.dots
    assert first.y == found.bottom
    assert found.top < third.y < second.y < first.y
    assert second.x - first.x == pytest.approx((third.x - first.x) / 4, abs=0.2)
    assert found.left < first.x < third.x < found.right
    assert found.threshold.split("L")[-1] == f"{found.right} {third.y:g}"
    assert [tick.text for tick in found.values] == ["0", "0.1", "0.2", "0.3"]
    assert [tick.text for tick in found.times] == ["2026-11-21 02:00", "2026-11-21 06:00"]


@pytest.mark.parametrize(
    ("fields", "fires"),
    [
        ({"value": 0.31}, True),
        ({"value": 0.3}, False),
        ({"value": 0.5, "noise_floor": 0.25}, False),
        ({"value": 0.31, "current_documents": 199}, False),
        ({"value": 0.31, "baseline_documents": 199}, False),
    ],
)
def test_large_dots_are_what_fires(fields: dict[str, Any], fires: bool) -> None:
    """The operator's rule: above the threshold, above twice the floor, enough documents on both sides."""
    value = fields.pop("value")
    assert drawn(recorded(0, value, **fields)).dots[0].fires is fires


def test_new_baselines_and_other_metrics() -> None:
    found = drawn(
        recorded(0, 1.0, metric="mmd_rbf"),
        recorded(1, 0.1),
        recorded(2, 0.4),
        recorded(3, 0.0, baseline_run="nightly-2"),
    )
    assert found.metric == "cosine_drift"
    assert found.earlier == 1
    assert len(found.dots) == 3
    assert len(found.renewals) == 1
    assert found.dots[1].x < found.renewals[0] < found.dots[2].x


@pytest.mark.parametrize("value", [0.0, -0.001, 1e-9, 12_345.0])
def test_one_measurement_of_any_size(value: float) -> None:
    found = drawn(recorded(0, value, metric="mmd_rbf", threshold=0.0, noise_floor=0.0))
    assert found.top <= found.dots[0].y <= found.bottom
    assert len(found.times) == 1
    assert 2 <= len(found.values) <= 12


def test_the_report_of_a_run_shows_what_checks_measured(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(90, 3).vectors)
    spec = pod.spec(KMEANS)
    result = pod.run(spec)
    page = pod.folder(spec) / "report.html"
    assert "<h2>Drift</h2>" not in page.read_text()
    for number in range(3):
        measured(pod, check_spec(spec, result, check=f"check-{number}"))
    pod.run(spec)
    text = page.read_text()
    assert text.count("since nightly-1a2b</title>") == 3
    assert "<code>cosine_drift</code> of the last 3 checks before this run" in text


def test_a_record_that_cannot_be_read_stops_no_run(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(90, 3).vectors)
    spec = pod.spec(KMEANS)
    (pod.results / "search" / "nightly" / "drift.json").mkdir(parents=True)
    assert pod.run(spec).status == "completed"
    assert any(line["message"].startswith("the report does not show drift: ") for line in pod.messages)
