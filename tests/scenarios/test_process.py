"""Tests of the operator's process: its settings, its endpoints, its metrics, its log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import interval
from harness.control_plane.operator_process import environment
from harness.control_plane.proxy import Answer, Proxy
from harness.control_plane.sandbox import Sandbox

_UNITS = ("_seconds", "_bytes", "_ratio", "_size")


@pytest.mark.parametrize(
    ("settings", "needles"),
    [
        ({}, ["CLUSTERTRIGGER_WORKER_IMAGE"]),
        ({"worker_image": "worker:1", "worker_imag": "x"}, ["CLUSTERTRIGGER_WORKER_IMAG", "unknown"]),
        ({"worker_image": "worker:1", "concurrency": "many"}, ["CLUSTERTRIGGER_CONCURRENCY", "'many'"]),
        ({"worker_image": "worker:1", "http_port": "70000"}, ["CLUSTERTRIGGER_HTTP_PORT", "70000"]),
        ({"worker_image": "worker:1", "log_level": "LOUD"}, ["CLUSTERTRIGGER_LOG_LEVEL", "'LOUD'", "DEBUG"]),
        (
            {"worker_image": "worker:1", "events_trusted_proxies": "10.0.0.0/8,10.0.0.1/8"},
            ["CLUSTERTRIGGER_EVENTS_TRUSTED_PROXIES", "10.0.0.1/8 has host bits set", "10.0.0.0/8,fd00::/8"],
        ),
        (
            {"worker_image": "worker:1", "notify_allowed_networks": "inside"},
            ["CLUSTERTRIGGER_NOTIFY_ALLOWED_NETWORKS", "'inside'", "10.0.0.0/8,fd00::/8"],
        ),
        (
            {"worker_image": "worker:1", "notify_credentials": "ci"},
            ["CLUSTERTRIGGER_NOTIFY_CREDENTIALS", "'ci'", '"namespaces": ["search"]'],
        ),
        (
            {"worker_image": "worker:1", "notify_ca_file": "/dev/null"},
            ["CLUSTERTRIGGER_NOTIFY_CA_FILE", "PEM certificates"],
        ),
        (
            {"worker_image": "worker:1", "lease_duration_seconds": "5"},
            ["lease_duration_seconds", "lease_renew_seconds"],
        ),
    ],
)
def test_wrong_settings_stop_it_at_start_with_one_line(
    settings: dict[str, str], needles: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clustertrigger.main"],
        env=environment(tmp_path / "no-kubeconfig", settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    for needle in needles:
        assert needle in line


def test_without_a_cluster_it_says_so_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clustertrigger.main"],
        env=environment(tmp_path / "no-kubeconfig", {"worker_image": "worker:1", "log_format": "json"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    said = json.loads(done.stderr.splitlines()[-1])
    assert said["level"] == "ERROR"
    assert "Connecting to a cluster failed" in said["message"]


def test_it_is_alive_at_once_and_ready_when_it_knows_the_cluster(
    operator: StartOperator, sandbox: Sandbox, proxy: Proxy
) -> None:
    proxy.rule = lambda request: Answer(503) if request.matches("GET", "/collections") else None
    process = operator(through=proxy, wait=False)

    def alive() -> bool:
        try:
            return process.fetch("/livez") == (200, "ok\n")
        except OSError:
            return False

    eventually(alive)
    code, text = eventually(lambda: process.fetch("/readyz"), until=lambda answer: "the test says 503" in answer[1])
    assert code == 503
    assert text.startswith("the API server: ")
    sandbox.trigger("early", interval(3600, start_immediately=True))
    proxy.rule = None
    process.wait_until_ready()
    assert process.fetch("/readyz") == (200, "ok\n")
    eventually(lambda: sandbox.history("early"))


def test_metrics_and_log(operator: StartOperator, sandbox: Sandbox, busy_kubelet: None) -> None:
    process = operator()
    sandbox.trigger("fired", interval(3600, start_immediately=True))
    eventually(lambda: sandbox.status("fired").get("execution_count") == 1)
    assert process.metric("clustertrigger_fires_total", trigger_type="interval", result="created") == 1
    assert process.metric("clustertrigger_runs_total", result="completed") == 1
    assert process.metric("clustertrigger_fire_lateness_seconds_count") == 1
    assert process.metric("clustertrigger_reconcile_duration_seconds_count") >= 2
    eventually(lambda: process.metric("clustertrigger_queue_depth") == 0)
    assert process.metric("clustertrigger_leader") == 1
    assert process.metric("clustertrigger_triggers") == 1

    code, text = process.fetch("/metrics")
    assert code == 200
    families = list(text_string_to_metric_families(text))
    for family in families:
        # What `promtool check metrics` wants.
        assert family.documentation, family.name
        assert re.fullmatch(r"(clustertrigger|process|python)_[a-z0-9_]+", family.name), family.name
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_milliseconds", "_minutes"))
        names = {sample.name for sample in family.samples}
        if family.type == "counter":
            assert names <= {f"{family.name}_total", f"{family.name}_created"}, names
        elif family.type == "histogram":
            assert family.name.endswith(_UNITS), family.name
        else:
            assert not family.name.endswith("_total"), family.name
        assert not any(label in sample.labels for sample in family.samples for label in ("namespace", "trigger", "job"))

    (created,) = [line for line in process.log_lines() if line["message"] == "Created the Job"]
    (job,) = sandbox.jobs("fired")
    assert created["namespace"] == sandbox.namespace
    assert created["trigger"] == "fired"
    assert created["job"] == job["metadata"]["name"]
    assert created["slot"] == sandbox.history("fired")[0]["slot"]
    assert created["level"] == "INFO"


def test_sigterm_while_busy_ends_in_order(operator: StartOperator, sandbox: Sandbox) -> None:
    process = operator()
    for n in range(20):
        sandbox.trigger(f"busy-{n}", interval(1, concurrency_policy="Allow"))
    eventually(lambda: len(sandbox.jobs()) > 20)
    assert process.terminate() == 0


_PROMPTLY = 25.0
"""Seconds: less than the 30 that the kubelet waits, even on a busy machine."""


@pytest.mark.parametrize("election", [False, True])
@pytest.mark.parametrize("held", ["limit=1", "resourceVersion=0"], ids=["before Kopf watches", "while Kopf watches"])
def test_sigterm_ends_it_promptly_while_a_list_hangs_at_its_start(
    held: str, election: bool, operator: StartOperator, sandbox: Sandbox, proxy: Proxy
) -> None:
    """Only the API server can end such a request, while the Pod's node is being drained."""
    let_go = Event()
    proxy.rule = lambda request: let_go if held in request.query and "watch=true" not in request.query else None
    process = operator(through=proxy, wait=False, leader_election=election)
    try:
        eventually(lambda: any(held in request.query for request in list(proxy.requests)))
        asked = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - asked < _PROMPTLY
    finally:
        let_go.set()


@pytest.mark.parametrize("election", [False, True])
def test_sigterm_ends_it_promptly_while_nothing_is_answered(
    election: bool, operator: StartOperator, sandbox: Sandbox, proxy: Proxy
) -> None:
    """The watches are broken, lists do not end, and the Lease cannot be released."""
    process = operator(through=proxy, leader_election=election)
    eventually(lambda: process.metric("clustertrigger_leader") == 1)
    let_go = Event()
    seen = len(proxy.requests)
    proxy.rule = lambda _: let_go
    proxy.cut()
    proxy.mend()
    try:
        eventually(lambda: any("watch" not in request.query for request in list(proxy.requests)[seen:]))
        asked = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - asked < _PROMPTLY
    finally:
        let_go.set()
