"""Defines the metrics of a process, named by Prometheus' conventions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_LATENESS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_COMMIT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_RECONCILE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """All metrics of one operator process, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.fires = Counter(
            "clustertrigger_fires",
            "Fires, by trigger type (check: the fire of a check) and result: created, existed, refused.",
            ("trigger_type", "result"),
            registry=self.registry,
        )
        self.lateness = Histogram(
            "clustertrigger_fire_lateness_seconds",
            "Seconds from a slot of the schedule to the creation of its Job.",
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
            "Seconds from the start of a reconciliation to the write of the status.",
            buckets=_RECONCILE,
            registry=self.registry,
        )
        self.reconcile_errors = Counter(
            "clustertrigger_reconcile_errors",
            "Reconciliations that failed and are retried.",
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "clustertrigger_queue_depth", "Triggers that wait for reconciliation.", registry=self.registry
        )
        self.triggers = Gauge("clustertrigger_triggers", "Number of triggers.", registry=self.registry)
        self.api_errors = Counter(
            "clustertrigger_api_errors",
            "Requests that the API server refused or did not answer (code 0).",
            ("method", "code"),
            registry=self.registry,
        )
        self.leader = Gauge("clustertrigger_leader", "1 while this replica fires triggers.", registry=self.registry)
        self.clock_skew = Gauge(
            "clustertrigger_clock_skew_seconds",
            "Seconds by which this machine's clock is ahead of the API server's clock; 0 if they agree. If they "
            "differ, the operator uses the API server's time.",
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "clustertrigger_events_dropped", "Kubernetes events that could not be written.", registry=self.registry
        )
        self.cloudevents = Counter(
            "clustertrigger_cloudevents",
            "CloudEvents accepted, by result: accepted, duplicate, unmatched.",
            ("result",),
            registry=self.registry,
        )
        self.event_requests = Counter(
            "clustertrigger_event_requests",
            "Requests with CloudEvents, by HTTP code.",
            ("code",),
            registry=self.registry,
        )
        self.notifications = Counter(
            "clustertrigger_notifications",
            "CloudEvents to receivers of run.notify, by result: delivered, failed (an attempt), given_up.",
            ("result",),
            registry=self.registry,
        )
        for result in ("delivered", "failed", "given_up"):
            # The series start at 0, because increase() does not count a series' first value.
            self.notifications.labels(result)
        self.failing_receivers = Gauge(
            "clustertrigger_notification_receivers_failing",
            "Receivers whose last attempt failed, each counted once for each trigger.",
            registry=self.registry,
        )
        self.commit_duration = Histogram(
            "clustertrigger_event_commit_duration_seconds",
            "Seconds from the end of a window to the write of its count, or to its failure.",
            buckets=_COMMIT,
            registry=self.registry,
        )
        self.commit_size = Histogram(
            "clustertrigger_event_commit_size", "Events in one write.", buckets=_SIZES, registry=self.registry
        )
