"""When a measurement is drift: the rule, and how it is told.

A value above the threshold is not enough. Chance alone moves every metric, the more the fewer documents there are: at
20 documents cosine_drift of unchanged data is about 0.4. So a value counts only above twice the noise floor, and only
where both counts reach min_documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clustertrigger.api.check import Measurement
from clustertrigger.api.schedule import ConditionalSchedule

NOISE_FACTOR = 2.0
Why = Literal["drift", "threshold", "noise", "documents"]
_MOST_DIGITS = 17


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a measurement means.

    Attributes:
        fires: whether it is drift.
        why: drift, or the first of the three conditions that does not hold.
        summary: the measurement and the verdict in one line.
    """

    fires: bool
    why: Why
    summary: str


def judge(measurement: Measurement, schedule: ConditionalSchedule) -> Verdict:
    """Fires if value > threshold, value > 2 x noise floor, and both counts reach min_documents."""
    value, fewest = measurement.value, min(measurement.baseline_documents, measurement.current_documents)
    told = _told(measurement, schedule.threshold)
    if not value > schedule.threshold:
        return Verdict(False, "threshold", told)
    if fewest < schedule.min_documents:
        why = f"{fewest} documents are fewer than min_documents ({schedule.min_documents})"
        return Verdict(False, "documents", f"{told}: does not fire, {why}")
    if not value > NOISE_FACTOR * measurement.noise_floor:
        return Verdict(False, "noise", f"{told}: does not fire, chance alone reaches twice the floor")
    return Verdict(True, "drift", told)


def _told(measurement: Measurement, threshold: float) -> str:
    sign = ">" if measurement.value > threshold else "≤"
    beside = [
        f"floor {measurement.noise_floor:.2g}",
        f"{measurement.baseline_documents} → {measurement.current_documents} documents",
    ]
    if measurement.metric != "assignment_js":
        beside.append(f"assignment_js {measurement.assignment_js:.2g}")
    if measurement.p_value is not None:
        beside.append(f"p {measurement.p_value:.2g}")
    return f"{measurement.metric} {_shown(measurement.value, threshold)} {sign} {threshold:g} ({', '.join(beside)})"


def _shown(value: float, threshold: float) -> str:
    """Two digits, or as many as show on which side of the threshold the value lies."""
    for digits in range(2, _MOST_DIGITS):
        text = f"{value:.{digits}g}"
        if (float(text) > threshold) == (value > threshold) and (float(text) != threshold or value == threshold):
            break
    return text
