"""Triggers that somebody should look at: read off their statuses at each scrape, so nothing has to be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from clustertrigger.core.resources.trigger import Trigger


class NotReadyCollector(Collector):
    """One sample for each trigger whose Ready condition is not True.

    Args:
        triggers: those that this replica speaks for, now.
    """

    def __init__(self, triggers: Callable[[], Iterable[Trigger]]) -> None:
        self._triggers = triggers

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """What there may be, said without a look at the triggers."""
        return (_family(),)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauge as of now."""
        family = _family()
        for trigger in self._triggers():
            if ready := trigger.not_ready:
                family.add_metric((trigger.key.namespace, trigger.key.name, ready.reason), 1)
        return (family,)


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "clustertrigger_trigger_not_ready",
        "1 for each trigger that does not fire as its owner wants, with the reason of its Ready condition.",
        labels=("namespace", "trigger", "reason"),
    )
