"""Decides what a measurement means for a trigger, and describes it. The rule itself is in clustercontract.drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clustercontract.check import Measurement
from clustercontract.drift import WhyNot, why_not
from clustertrigger.api.schedule import ConditionalSchedule

_MOST_DIGITS = 17


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a measurement means.

    Attributes:
        fires: whether it is drift, or a change of volume.
        why: fires, or the first condition of the rule that does not hold.
        summary: the measurement and the verdict in one line.
    """

    fires: bool
    why: WhyNot | Literal["fires"]
    summary: str


def judge(measurement: Measurement, schedule: ConditionalSchedule) -> Verdict:
    """Applies the rule to a measurement, with the trigger's current schedule."""
    figures = _figures(measurement, schedule.threshold)
    obstacle = why_not(
        value=measurement.value,
        threshold=schedule.threshold,
        noise_floor=measurement.noise_floor,
        baseline_documents=measurement.baseline_documents,
        current_documents=measurement.current_documents,
        min_documents=schedule.min_documents,
    )
    match obstacle:
        case None:
            return Verdict(True, "fires", figures)
        case "threshold":
            return Verdict(False, obstacle, _with_advice(figures, measurement))
        case "documents":
            fewest = min(measurement.baseline_documents, measurement.current_documents)
            why = f"the smaller number of documents, {fewest}, is below min_documents ({schedule.min_documents})"
        case "noise":
            why = "the value does not exceed twice the noise floor"
    return Verdict(False, obstacle, _with_advice(f"{figures}: does not fire because {why}", measurement))


def _with_advice(text: str, measurement: Measurement) -> str:
    return f"{text}: {measurement.advice}" if measurement.advice else text


def _figures(measurement: Measurement, threshold: float) -> str:
    sign = ">" if measurement.value > threshold else "≤"
    details = [f"{measurement.baseline_documents} → {measurement.current_documents} documents"]
    if measurement.metric != "document_count":
        details.insert(0, f"floor {measurement.noise_floor:.2g}")
    if measurement.metric != "assignment_js" and measurement.assignment_js is not None:
        details.append(f"assignment_js {measurement.assignment_js:.2g}")
    if measurement.p_value is not None:
        details.append(f"p {measurement.p_value:.2g}")
    return f"{measurement.metric} {_shown(measurement.value, threshold)} {sign} {threshold:g} ({', '.join(details)})"


def _shown(value: float, threshold: float) -> str:
    """Returns the value with two digits, or with as many as show on which side of the threshold it is."""
    for digits in range(2, _MOST_DIGITS):
        text = f"{value:.{digits}g}"
        if (float(text) > threshold) == (value > threshold) and (float(text) != threshold or value == threshold):
            break
    return text
