"""Drift as Prometheus sees it: read off the triggers' statuses at each scrape, so nothing has to be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.resources.trigger import Trigger

_LABELS = ("namespace", "trigger", "metric")


class DriftCollector(Collector):
    """The last measurement of every conditional trigger that has one.

    Args:
        triggers: those that this replica speaks for, now.
    """

    def __init__(self, triggers: Callable[[], Iterable[Trigger]]) -> None:
        self._triggers = triggers

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """What there may be, said without a look at the triggers."""
        return _families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges as of now."""
        value, threshold, floor = families = _families()
        for trigger in self._triggers():
            measured = trigger.status.last_drift_measurement
            if not measured or "value" not in measured:
                continue
            schedule = trigger.spec.schedule if trigger.spec else None
            if not isinstance(schedule, ConditionalSchedule):
                continue
            labels = (trigger.key.namespace, trigger.key.name, str(measured["metric"]))
            value.add_metric(labels, measured["value"])
            threshold.add_metric(labels, schedule.threshold)
            floor.add_metric(labels, measured["noise_floor"])
        return families


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("clustertrigger_drift_value", "What the last check measured.", labels=_LABELS),
        GaugeMetricFamily("clustertrigger_drift_threshold", "What fires when it is exceeded.", labels=_LABELS),
        GaugeMetricFamily(
            "clustertrigger_drift_noise_floor", "What chance alone does; twice this must be exceeded.", labels=_LABELS
        ),
    )
