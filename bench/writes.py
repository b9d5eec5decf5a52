"""Measures the requests of a run to the API server: ``python -m bench.writes``.

Triggers fire each minute, followed by as many CronJobs with default settings, on the same control plane; runs last well
over two seconds. The Job controller's writes (a Job's status, its Pods, its own events) are the same for both and are
left out. Requests are counted by the API server's own metrics, and events by their sender.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY
from clustertrigger.core.kube import paths
from harness.cluster.progress import say
from harness.control_plane import fleet, manifests
from harness.control_plane.cluster import Cluster
from harness.control_plane.fleet import Object
from harness.control_plane.kube import Kube
from harness.control_plane.kubelet import BusyKubelet
from harness.outcome import Goal, finish

_STEADY = 5
"""Minutes until CronJobs reach their steady state: they keep three Jobs, and then delete one for each new one."""
_LASTING = 2.0
"""Duration of a run in seconds; no container starts and ends in less time."""
_QUIET = 45
"""Second of a minute at which nothing is active."""
_EVENTS_OF = {"triggers": ("clustertrigger",), "CronJobs": ("cronjob-controller",)}
"""Senders of events on each side; events of the scheduler and the Job controller do not count."""
_OWN = (
    ("jobs", "", "POST"),
    ("jobs", "", "DELETE"),
    ("clustertriggers", "status", "PATCH"),
    ("cronjobs", "status", "PUT"),
    ("cronjobs", "", "PUT"),
)


def main() -> int:
    """Measures, prints, and writes bench/out/writes.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20, help="of triggers and of CronJobs (default: %(default)s)")
    parser.add_argument("--minutes", type=int, default=2, help="that are counted (default: %(default)s)")
    options = parser.parse_args()
    with fleet.stage() as (cluster, directory):
        say(f"{options.number} triggers")
        triggers = _triggers(cluster, directory, options)
        say(f"{options.number} CronJobs")
        cron_jobs = _cron_jobs(cluster, options)
    return finish(
        "writes",
        [triggers, cron_jobs],
        [
            Goal("writes per run", triggers["writes per run"], 3, at_least=False, unit=""),
            Goal("writes per run, over CronJob's", triggers["writes per run"] / cron_jobs["writes per run"], 1,
                 at_least=False, unit="times"),
        ],
    )  # fmt: skip


def _triggers(cluster: Cluster, directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    kube, place = cluster.kube, "triggers"
    kube.create("/api/v1/namespaces", {"metadata": {"name": place}})
    kube.create(paths.custom("collections", place), manifests.collection())
    with fleet.operator(cluster, directory), BusyKubelet(kube, place, lasting=_LASTING):
        for n in range(options.number):
            body = fleet.trigger(f"t{n:03d}", "cron", {"cron_expression": "* * * * *"})
            kube.create(paths.custom("clustertriggers", place), body)
        return _counted(kube, place, "triggers", 1, options)


def _cron_jobs(cluster: Cluster, options: argparse.Namespace) -> dict[str, Any]:
    kube, kubernetes, place = cluster.kube, cluster.kubernetes, "cronjobs"
    kube.create("/api/v1/namespaces", {"metadata": {"name": place}})
    labels = {LABEL_MANAGED_BY: MANAGED_BY}  # by which the kubelet finds them
    with BusyKubelet(kube, place, lasting=_LASTING):
        for n in range(options.number):
            body = fleet.cron_job(kubernetes, f"t{n:03d}", "* * * * *", labels)
            kube.create(fleet.cron_jobs(kubernetes, place), body)
        return _counted(kube, place, "CronJobs", _STEADY, options)


def _counted(kube: Kube, place: str, case: str, settle: int, options: argparse.Namespace) -> dict[str, Any]:
    """Returns what is written between two quiet instants, for each run that ends between them."""
    _sleep_past_minutes(settle)
    before, sent = kube.writes(), _events(kube, place, case)
    _sleep_past_minutes(options.minutes)
    expected = options.number * options.minutes
    written = kube.writes() - before
    runs = written["jobs", "", "POST"]
    if runs != expected:
        raise SystemExit(f"{runs} Jobs in {options.minutes} minutes, not {expected}: this machine is too busy")
    by_kind = {kind: written[kind] for kind in _OWN}
    return {
        "case": case,
        "runs": runs,
        "Jobs created": by_kind["jobs", "", "POST"] / runs,
        "status written": sum(by_kind[kind] for kind in _OWN[2:]) / runs,
        "Jobs deleted": by_kind["jobs", "", "DELETE"] / runs,
        "writes per run": sum(by_kind.values()) / runs,
        "events per run": (_events(kube, place, case) - sent) / runs,
    }


def _events(kube: Kube, place: str, case: str) -> int:
    """Returns the number of events that this side's controller has sent, including repeated ones."""
    senders: Counter[str] = Counter()
    for event in kube.items(f"/api/v1/namespaces/{place}/events"):
        senders[_sender(event)] += event.get("count") or 1
    return sum(number for sender, number in senders.items() if sender in _EVENTS_OF[case])


def _sender(event: Object) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or "")


def _sleep_past_minutes(minutes: int) -> None:
    """Waits until second 45 of a minute, after this number of whole minutes."""
    now = time.time()
    began = now - now % 60
    until = began + 60 * minutes + _QUIET
    if datetime.now(UTC).second > _QUIET:
        until += 60
    time.sleep(until - now)


if __name__ == "__main__":
    sys.exit(main())
