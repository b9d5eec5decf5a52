"""Prometheus metrics, named by Prometheus' conventions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_COMMIT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_RECONCILE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """All metrics of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.fires = Counter(
            "clustertrigger_fires",
            "Slots that were to fire, by trigger type (check: to be checked) and result: created, existed, refused.",
            ("trigger_type", "result"),
            registry=self.registry,
        )
        self.lateness = Histogram(
            "clustertrigger_fire_lateness_seconds",
            "From a slot of the schedule until its Job was created.",
            buckets=_LATENESS,
            registry=self.registry,
        )
        self.runs = Counter(
            "clustertrigger_runs", "Runs that ended, by result: completed, failed.", ("result",), registry=self.registry
        )
        self.checks = Counter(
            "clustertrigger_checks",
            "Checks that ended, by result: completed, failed.",
            ("result",),
            registry=self.registry,
        )
        self.reconcile = Histogram(
            "clustertrigger_reconcile_duration_seconds",
            "From taking a trigger off the queue until its status was written.",
            buckets=_RECONCILE,
            registry=self.registry,
        )
        self.reconcile_errors = Counter(
            "clustertrigger_reconcile_errors",
            "Reconciliations that failed and are tried again.",
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "clustertrigger_queue_depth", "Triggers that wait to be reconciled.", registry=self.registry
        )
        self.triggers = Gauge("clustertrigger_triggers", "Triggers that are known.", registry=self.registry)
        self.api_errors = Counter(
            "clustertrigger_api_errors",
            "Requests that the API server refused or did not answer (code 0).",
            ("method", "code"),
            registry=self.registry,
        )
        self.leader = Gauge("clustertrigger_leader", "1 while this replica fires triggers.", registry=self.registry)
        self.clock_skew = Gauge(
            "clustertrigger_clock_skew_seconds",
            "How far this machine's clock is ahead of the API server's, whose time is then taken; 0 where they agree.",
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "clustertrigger_events_dropped", "Kubernetes events that could not be written.", registry=self.registry
        )
        self.cloudevents = Counter(
            "clustertrigger_cloudevents",
            "CloudEvents acknowledged, by result: accepted, duplicate, unmatched.",
            ("result",),
            registry=self.registry,
        )
        self.event_requests = Counter(
            "clustertrigger_event_requests",
            "Requests with CloudEvents, by HTTP code.",
            ("code",),
            registry=self.registry,
        )
        self.commit_duration = Histogram(
            "clustertrigger_event_commit_duration_seconds",
            "From the end of a window until its count was stored, or given up.",
            buckets=_COMMIT,
            registry=self.registry,
        )
        self.commit_size = Histogram(
            "clustertrigger_event_commit_size", "Events in one write.", buckets=_SIZES, registry=self.registry
        )
