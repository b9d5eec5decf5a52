"""Provides metrics of triggers. They are read from the statuses at each scrape, so nothing has to be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.resources.trigger import Trigger

_DRIFT_LABELS = ("namespace", "trigger", "metric")


class TriggerCollector(Collector):
    """Collects the last measurement of every conditional trigger, and the triggers that are not ready.

    Args:
        triggers: Returns the triggers that this replica currently reports.
    """

    def __init__(self, triggers: Callable[[], Iterable[Trigger]]) -> None:
        self._triggers = triggers

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Returns all metrics without samples, which does not read the triggers."""
        return (*_drift_families(), _not_ready_family())

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the current gauges."""
        value, threshold, floor = drift = _drift_families()
        not_ready = _not_ready_family()
        for trigger in self._triggers():
            if ready := trigger.not_ready:
                not_ready.add_metric((*trigger.key, ready.reason), 1)
            measured = trigger.status.last_measurement
            schedule = trigger.spec.schedule if trigger.spec else None
            if measured and "value" in measured and isinstance(schedule, ConditionalSchedule):
                labels = (*trigger.key, str(measured["metric"]))
                value.add_metric(labels, measured["value"])
                threshold.add_metric(labels, schedule.threshold)
                floor.add_metric(labels, measured["noise_floor"])
        return (*drift, not_ready)


def _drift_families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    labels = _DRIFT_LABELS
    return (
        GaugeMetricFamily("clustertrigger_drift_value", "Measurement of the last check.", labels=labels),
        GaugeMetricFamily(
            "clustertrigger_drift_threshold",
            "The value that the metric must exceed for the trigger to fire.",
            labels=labels,
        ),
        GaugeMetricFamily(
            "clustertrigger_drift_noise_floor",
            "The noise floor; the value must exceed twice the noise floor.",
            labels=labels,
        ),
    )


def _not_ready_family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "clustertrigger_trigger_not_ready",
        "1 for each trigger that is not Ready, with the reason of its Ready condition.",
        labels=("namespace", "trigger", "reason"),
    )
