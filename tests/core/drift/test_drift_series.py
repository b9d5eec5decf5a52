"""Tests of the measurements of checks, as read from a log and from a status."""

from __future__ import annotations

import json

from clustertrigger.core.drift.drift_series import from_log, from_status


def test_the_record_in_a_log() -> None:
    columns = ["checked_at", "metric", "value", "threshold", "noise_floor", "baseline_documents", "current_documents",
               "min_documents"]  # fmt: skip
    rows = [
        ["2026-03-02T12:00:00Z", "cosine_drift", 0.01, 0.3, 0.002, 6000, 6000, 200],
        ["2026-03-02T13:00:00Z", "cosine_drift", 0.5, 0.3, 0.002, 6000, 6000, 200],
        ["2026-03-02T14:00:00Z", "cosine_drift", 0.5, 0.3, 0.4, 6000, 6000, 200],
        ["2026-03-02T15:00:00Z", "cosine_drift", 0.5, 0.3, 0.002, 6000, 20, 200],
    ]
    line = json.dumps({"level": "info", "record": {"columns": columns, "rows": rows}})
    read = from_log(f"not json\n{line}\n" + json.dumps({"message": "completed"}), "record")
    assert [point.value for point in read] == [0.01, 0.5, 0.5, 0.5]
    assert [point.fires for point in read] == [False, True, False, False]
    assert from_log("nothing\n{}\n[]\n", "record") == []


def test_measurements_from_the_status_alone() -> None:
    status = {
        "checks": [
            {"job_id": "c3", "slot": "2026-03-02T14:00:00Z", "status": "completed", "value": 0.3, "fires": False},
            {"job_id": "c2", "slot": "2026-03-02T13:00:00Z", "status": "failed", "error": "no"},
            {"job_id": "c1", "slot": "2026-03-02T12:00:00Z", "status": "completed", "value": 0.1, "fires": False},
        ],
        "last_drift_measurement": {"check": "c3", "value": 0.3, "metric": "cosine_drift", "fires": False,
                                   "checked_at": "2026-03-02T14:00:05Z"},
    }  # fmt: skip
    assert [(point.value, point.metric) for point in from_status(status)] == [(0.1, None), (0.3, "cosine_drift")]
    assert from_status({}) == []
