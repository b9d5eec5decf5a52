"""Tests of alerts with Prometheus' own promtool: each fires if and only if it should."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from harness.prometheus import promtool
from tests.charts.objects import NAMESPACE, RELEASE, Object
from tests.charts.test_alerts import rules, spec

Series = dict[str, str]
"""Values, a minute apart and in promtool's notation, by series."""


def of(name: str, **labels: str) -> str:
    """A series of one of the operator's Pods."""
    shown = {"job": RELEASE, "namespace": NAMESPACE, "pod": "a", **labels}
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in shown.items()) + "}"


def runs(kind: str, failed: str, completed: str) -> Series:
    """Counters of runs or checks."""
    name = f"clustertrigger_{kind}_total"
    return {of(name, result="failed"): failed, of(name, result="completed"): completed}


def fires(within_30_s: str, all_of_them: str) -> Series:
    """The histogram of lateness."""
    name = "clustertrigger_fire_lateness_seconds"
    return {of(f"{name}_bucket", le="30.0"): within_30_s, of(f"{name}_count"): all_of_them}


@dataclass(frozen=True)
class Case:
    """A case of one alert.

    Attributes:
        firing: Series for which it fires after an hour.
        quiet: Similar series for which it does not fire after an hour.
        labels: Labels of the alert, besides its severity.
    """

    firing: Series
    quiet: Series
    labels: Series = field(default_factory=dict)


CASES = {
    "ClusterTriggerNoLeader": Case({of("clustertrigger_leader"): "0x60"}, {of("clustertrigger_leader"): "1x60"}),
    "ClusterTriggerSeveralLeaders": Case(
        {of("clustertrigger_leader"): "1x60", of("clustertrigger_leader", pod="b"): "1x60"},
        {of("clustertrigger_leader"): "1x60", of("clustertrigger_leader", pod="b"): "0x60"},
    ),
    "ClusterTriggerFiresLate": Case(fires("0+9x60", "0+10x60"), fires("0+10x60", "0+10x60")),
    "ClusterTriggerFiresRefused": Case(
        {of("clustertrigger_fires_total", trigger_type="cron", result="refused"): "0+1x60"},
        {
            of("clustertrigger_fires_total", trigger_type="cron", result="refused"): "3x60",
            of("clustertrigger_fires_total", trigger_type="cron", result="created"): "0+1x60",
        },
        {"trigger_type": "cron"},
    ),
    "ClusterTriggerNotReady": Case(
        {of("clustertrigger_trigger_not_ready", namespace="search", trigger="nightly", reason="InvalidSpec"): "1x60"},
        {
            of(
                "clustertrigger_trigger_not_ready", namespace="search", trigger="a", reason="CollectionNotFound"
            ): "_x55 1x5"
        },
        {"namespace": "search", "trigger": "nightly", "reason": "InvalidSpec"},
    ),
    "ClusterTriggerRunsFail": Case(runs("runs", "0+2x60", "0+1x60"), runs("runs", "0+1x60", "0+2x60")),
    "ClusterTriggerChecksFail": Case(runs("checks", "0+2x60", "0x60"), runs("checks", "0x58 1x2", "0x60")),
    "ClusterTriggerReconcilesFail": Case(
        {of("clustertrigger_reconcile_errors_total"): "0+1x60"}, {of("clustertrigger_reconcile_errors_total"): "9x60"}
    ),
    "ClusterTriggerSendersTurnedAway": Case(
        {of("clustertrigger_event_requests_total", code="403"): "0+2x60"},
        {
            of("clustertrigger_event_requests_total", code="401"): "5x55 6x5",
            of("clustertrigger_event_requests_total", code="202"): "0+9x60",
        },
        {"code": "403"},
    ),
    "ClusterTriggerEventsNotStored": Case(
        {of("clustertrigger_event_requests_total", code="503"): "0+1x60"},
        {of("clustertrigger_event_requests_total", code="400"): "0+1x60"},
        {"code": "503"},
    ),
    "ClusterTriggerNotificationsGivenUp": Case(
        {of("clustertrigger_notifications_total", result="given_up"): "0x50 1x10"},
        {
            of("clustertrigger_notifications_total", result="given_up"): "3x60",
            of("clustertrigger_notifications_total", result="failed"): "0+1x60",
        },
    ),
    "ClusterTriggerReceiversFail": Case(
        {of("clustertrigger_notification_receivers_failing"): "0x20 1x40"},
        {
            of("clustertrigger_notification_receivers_failing"): "1x20 0x20 1x20",
            of("clustertrigger_notification_receivers_failing", pod="b"): "0x60",
        },
    ),
    "ClusterTriggerNewsDropped": Case(
        {of("clustertrigger_events_dropped_total"): "0+1x60"}, {of("clustertrigger_events_dropped_total"): "1x60"}
    ),
}


def test_every_alert_has_its_case() -> None:
    assert list(CASES) == [rule["alert"] for rule in rules()]


@pytest.mark.skipif(promtool() is None, reason="no promtool: run `make prepare`, or install Prometheus")
def test_prometheus_fires_each_alert_if_and_only_if_it_should(tmp_path: Path) -> None:
    complete = write(tmp_path / "complete.yaml", spec())
    assert errors_of("check", "rules", complete) == ""
    # promtool compares annotations as well; their labels are checked in test_alerts.py.
    bare = [{name: value for name, value in rule.items() if name != "annotations"} for rule in rules()]
    write(tmp_path / "rules.yaml", {"groups": [{"name": "clustertrigger", "rules": bare}]})
    tests = [unit_test(alert, case, is_firing=firing) for alert, case in CASES.items() for firing in (True, False)]
    asked = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    assert errors_of("test", "rules", write(tmp_path / "tests.yaml", asked)) == ""


def unit_test(alert: str, case: Case, *, is_firing: bool) -> Object:
    """The case in promtool's format."""
    (severity,) = (rule["labels"]["severity"] for rule in rules() if rule["alert"] == alert)
    fired = [{"exp_labels": {"severity": severity, **case.labels}}] if is_firing else []
    series = case.firing if is_firing else case.quiet
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": "1h", "exp_alerts": fired}],
    }


def write(file: Path, content: Object) -> Path:
    file.write_text(yaml.safe_dump(content))
    return file


def errors_of(*words: str | Path) -> str:
    """The errors that promtool reports."""
    program = promtool()
    assert program is not None
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
