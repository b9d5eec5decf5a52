"""Reads measurements over time, oldest first: from the line that a check logs, or from the status alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clustercontract.drift import why_not
from clustertrigger.core.instants import parse_instant

_JUDGED = ("value", "threshold", "noise_floor", "baseline_documents", "current_documents", "min_documents")


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement; unknown values are None."""

    checked_at: datetime
    value: float
    metric: str | None = None
    threshold: float | None = None
    noise_floor: float | None = None
    baseline_documents: int | None = None
    current_documents: int | None = None
    min_documents: int | None = None
    fires: bool | None = None
    """Whether it is drift, or a change of volume."""


def from_log(log: str, field: str) -> list[Point]:
    """Returns the drift record that a check logs at its end.

    Args:
        log: Log of the check's container, as JSON lines.
        field: The field of the line with the record, as {"columns": [...], "rows": [[...], ...]}.
    """
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
            record = entry[field]
            columns = record["columns"]
            return [_point(dict(zip(columns, row, strict=True))) for row in record["rows"]]
        except (ValueError, KeyError, TypeError):
            continue
    return []


def last_measurement(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the result of the last check from the status, whatever it measured; {} if there is none."""
    return status.get("last_drift_measurement") or status.get("last_volume_measurement") or {}


def from_status(status: Mapping[str, Any]) -> list[Point]:
    """Returns the series from the trigger's status: the last checks that measured, with all numbers of the last one."""
    last = last_measurement(status)
    points = [
        Point(parse_instant(check["slot"]), float(check["value"]), fires=check.get("fires"))
        for check in reversed(status.get("checks") or [])
        if check.get("value") is not None and check["job_id"] != last.get("check")
    ]
    return [*points, _point(last)] if "value" in last else points


def _point(measurement: Mapping[str, Any]) -> Point:
    known = {name: measurement.get(name) for name in Point.__slots__ if name not in ("checked_at", "fires")}
    fires = measurement.get("fires")
    return Point(
        checked_at=parse_instant(measurement["checked_at"]),
        fires=fires if fires is not None else _is_drift(measurement),
        **known,  # type: ignore[arg-type]
    )


def _is_drift(measurement: Mapping[str, Any]) -> bool | None:
    """Applies the rule to a measurement of another process; None if a part of it is unknown."""
    try:
        return why_not(**{name: measurement[name] for name in _JUDGED}) is None
    except (KeyError, TypeError):
        return None


def of_metric(points: Iterable[Point], metric: str | None) -> list[Point]:
    """Returns the points of one metric, because other metrics have other scales."""
    return [point for point in points if metric is None or point.metric in (None, metric)]
