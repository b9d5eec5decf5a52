"""Runs thousands of triggers on a separate control plane, with an operator and a watch that records all Jobs."""

from __future__ import annotations

import asyncio
import copy
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell import garbage
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.metrics.process import Metrics
from harness.cluster.progress import say
from harness.cluster.versions import Version
from harness.control_plane import manifests
from harness.control_plane.cluster import SYSTEM, Cluster, running_cluster
from harness.control_plane.kube import eventually
from harness.control_plane.operator_process import OperatorProcess
from harness.control_plane.watching import watch
from harness.outcome import measured_on

_CRON_JOBS_STABLE = Version(1, 21, 0)
AT_ONCE = 32
"""Maximum number of concurrent requests of the administrator."""
Object = dict[str, Any]


@contextmanager
def stage() -> Iterator[tuple[Cluster, Path]]:
    """Runs a separate control plane, with a directory for the output of its operators, while the context lasts."""
    garbage.look_rarely()  # Collecting garbage among thousands of kept Jobs would delay the watch.
    with tempfile.TemporaryDirectory(prefix="clustertrigger-bench-") as name, running_cluster(Path(name)) as cluster:
        measured_on(kubernetes=str(cluster.kubernetes))
        yield cluster, Path(name)


@asynccontextmanager
async def administrator(cluster: Cluster) -> AsyncIterator[ApiServer]:
    """The administrator's client, which creates objects quickly."""
    configuration = Configuration()
    await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(cluster.kube.kubeconfig), client_configuration=configuration
    )
    async with ApiServer(configuration, Metrics(), connections=AT_ONCE + 8) as api:
        yield api


async def namespace(api: ApiServer, name: str) -> str:
    """Creates a namespace with a Collection that triggers can refer to."""
    await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    await api.create(paths.custom("collections", name), manifests.collection())
    return name


async def create_all(api: ApiServer, path: str, bodies: Iterable[Object], at_once: int = AT_ONCE) -> None:
    """Creates objects concurrently."""
    left = iter(bodies)

    async def work() -> None:
        for body in left:
            await api.create(path, body)

    await asyncio.gather(*(work() for _ in range(at_once)))


def trigger(name: str, trigger_type: str, schedule: Object) -> Object:
    """Returns a trigger whose runs find no node, because firing is measured, not clustering."""
    return manifests.trigger(name, manifests.spec(trigger_type, schedule, pending_timeout_seconds=86_400))


async def every_second(number: int) -> AsyncIterator[int]:
    """Counts from 0, and waits each time until this number of seconds has passed."""
    began = time.monotonic()
    for second in range(number):
        await asyncio.sleep(max(0.0, began + second - time.monotonic()))
        yield second


def cron_jobs(kubernetes: Version, namespace: str) -> str:
    """Returns the path of a namespace's CronJobs."""
    return f"/apis/{_cron_api(kubernetes)}/namespaces/{namespace}/cronjobs"


def cron_job(kubernetes: Version, name: str, schedule: str, pod_labels: Mapping[str, str] | None = None) -> Object:
    """Returns a CronJob with default settings, whose Pods also find no node."""
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": manifests.NOWHERE,
        "containers": [{"name": WORKER_CONTAINER, "image": "worker:bench"}],
    }
    template = {"metadata": {"labels": dict(pod_labels or {})}, "spec": pod}
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"backoffLimit": 0, "template": template}}}
    return {"apiVersion": _cron_api(kubernetes), "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def _cron_api(kubernetes: Version) -> str:
    return "batch/v1" if kubernetes >= _CRON_JOBS_STABLE else "batch/v1beta1"


def bare_jobs(like: Object, names: Iterable[str]) -> Iterator[Object]:
    """Returns copies of a Job of the operator, for a client that only creates them."""
    kept = {field: like["metadata"][field] for field in ("labels", "annotations")}
    spec = copy.deepcopy(like["spec"])
    spec.pop("selector")
    # The API server added these labels, which have two names since 1.27.
    for label in ("controller-uid", "job-name"):
        spec["template"]["metadata"]["labels"].pop(label, None)
        spec["template"]["metadata"]["labels"].pop(f"batch.kubernetes.io/{label}", None)
    for name in names:
        yield {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, **kept}, "spec": spec}


class Arrivals:
    """Records when each Job of a namespace was observed by a watch, in order."""

    def __init__(self) -> None:
        self.jobs: list[tuple[datetime, Object]] = []

    def seconds_after(self, instant: datetime) -> list[float]:
        """Returns the seconds from an instant until each arrival."""
        return sorted((seen - instant).total_seconds() for seen, _ in self.jobs)

    async def until(self, number: int, within: float) -> None:
        """Waits for this number of Jobs.

        Raises:
            TimeoutError: fewer Jobs have arrived in time.
        """
        deadline = time.monotonic() + within
        while len(self.jobs) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.jobs)} of {number} Jobs were seen, the last at {self._last()}")
            await asyncio.sleep(0.02)

    def _last(self) -> str:
        return self.jobs[-1][0].isoformat() if self.jobs else "no time"


@asynccontextmanager
async def arrivals(api: ApiServer, in_namespace: str) -> AsyncIterator[Arrivals]:
    """Watches the Jobs of a namespace while the context lasts."""
    seen = Arrivals()
    path = paths.jobs(in_namespace)
    listed, version = await api.list(path)
    known = {job["metadata"]["uid"] for job in listed}

    def see(job: Object) -> None:
        if job["metadata"]["uid"] not in known:
            known.add(job["metadata"]["uid"])
            seen.jobs.append((datetime.now(UTC), job))

    async def follow() -> None:
        after = version
        while True:  # The server ends a watch that is too slow, and sends no bookmarks to a watch without changes.
            try:
                async for change in watch(api, path, after):
                    after = change["object"]["metadata"]["resourceVersion"]
                    if change["type"] == "ADDED":
                        see(change["object"])
            except ApiError as error:
                if error.status == HTTPStatus.GONE:
                    say("a watch of Jobs has to restart: those that it missed seem later than they were")
                    missed, after = await api.list(path)
                    for job in missed:
                        see(job)
                else:
                    await asyncio.sleep(0.1)

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@contextmanager
def operator(cluster: Cluster, directory: Path, **settings: Any) -> Iterator[OperatorProcess]:
    """Runs an operator as the leader while the context lasts."""
    with replica(cluster, directory, **settings) as process:
        eventually(lambda: process.metric("clustertrigger_leader") == 1)
        yield process


@contextmanager
def replica(cluster: Cluster, directory: Path, **settings: Any) -> Iterator[OperatorProcess]:
    """Runs an operator for all namespaces with the chart's permissions, while the context lasts."""
    defaults = {
        "worker_image": "worker:bench",
        "lease_namespace": SYSTEM,
        "identity": "bench",
        "http_port": 0,
        "log_format": "json",
    }
    process = OperatorProcess(cluster.operator_kubeconfig, directory / "operator.log", {**defaults, **settings})
    try:
        process.wait_until_ready()
        yield process
    finally:
        if process.running():
            process.terminate()
        for mistake in process.mistakes():
            print(f"operator: {mistake}")


async def until_settled(process: OperatorProcess, triggers: int, within: float = 600) -> None:
    """Waits until the operator knows this number of triggers and has nothing left to do."""

    def settled() -> bool:
        try:
            known, waiting = (process.metric(f"clustertrigger_{name}") for name in ("triggers", "queue_depth"))
        except OSError:
            return False  # It is too busy to respond.
        return known >= triggers and waiting == 0

    await asyncio.to_thread(eventually, settled, within)


def resident_mib(process: OperatorProcess) -> float:
    """Returns the resident memory of the process in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def quantile(ordered: list[float], share: float) -> float:
    """Returns a quantile of sorted figures."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def slot_of(job: Object) -> datetime:
    """Returns the slot of a trigger's Job."""
    return datetime.fromisoformat(job["metadata"]["annotations"]["clustertrigger.dev/slot"])
