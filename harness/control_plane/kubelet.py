"""Simulates a part of the kubelet, because there is no node: writes the status of Pods over the API.

The real Job controller then updates the status of Jobs, retries them, and applies their deadlines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from urllib3.exceptions import HTTPError

from clustercontract.check import CheckResult
from clustercontract.run import RunResult
from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY, WORKER_CONTAINER
from clustertrigger.core.instants import format_instant
from clustertrigger.core.kube import paths
from harness.control_plane.kube import Kube, Object, RefusedError, eventually

COMPLETED = RunResult(
    status="completed", num_clusters=5, num_documents=1000, results_uri="/results/test", metrics={"silhouette": 0.5}
)


class Kubelet:
    """Writes the status of the Pods of one namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._pods = paths.pods(namespace)

    def pod_of(self, job: str) -> Object:
        """Waits for the newest Pod of a Job."""
        selector = f"{self._pods}?labelSelector=job-name%3D{job}"
        found: Object = eventually(lambda: self._kube.items(selector), what=f"a Pod of {job}")[-1]
        return found

    def complete(self, job: str, result: RunResult | CheckResult = COMPLETED) -> None:
        """Completes the run with its result."""
        self._end(job, "Succeeded", exitCode=0, reason="Completed", message=result.to_message())

    def leave(self, job: str, message: str) -> None:
        """Completes the run with this termination message."""
        self._end(job, "Succeeded", exitCode=0, reason="Completed", message=message)

    def fail(self, job: str, message: str = "", *, exit_code: int = 1, reason: str = "Error") -> None:
        """Fails the run."""
        self._end(job, "Failed", exitCode=exit_code, reason=reason, message=message)

    def complete_beside(self, job: str, sidecar: str, result: RunResult | CheckResult = COMPLETED) -> None:
        """Completes the worker while an injected container is still running."""
        self._end_beside(job, sidecar, exitCode=0, reason="Completed", message=result.to_message())

    def fail_beside(self, job: str, sidecar: str, message: str) -> None:
        """Fails the worker while an injected container is still running."""
        self._end_beside(job, sidecar, exitCode=1, reason="Error", message=message)

    def start(self, job: str) -> None:
        """Starts the run's container."""
        self._write(job, "Running", {"running": {"startedAt": _now()}})

    def wait(self, job: str, reason: str, message: str) -> None:
        """Reports that the run's container cannot start."""
        self._write(job, "Pending", {"waiting": {"reason": reason, "message": message}})

    def unschedulable(self, job: str, message: str) -> None:
        """Reports that no node accepts the run's Pod, as the scheduler would."""
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        path = f"{self._pods}/{self.pod_of(job)['metadata']['name']}/status"
        self._kube.patch(path, {"status": {"conditions": [condition]}})

    def _end_beside(self, job: str, sidecar: str, **terminated: Any) -> None:
        ended = {"terminated": {"startedAt": _now(), "finishedAt": _now(), **terminated}}
        others = {sidecar: {"running": {"startedAt": _now()}}}
        self.write(self.pod_of(job)["metadata"]["name"], "Running", ended, others)

    def _end(self, job: str, phase: str, **terminated: Any) -> None:
        self._write(job, phase, {"terminated": {"startedAt": _now(), "finishedAt": _now(), **terminated}})

    def _write(self, job: str, phase: str, state: Object) -> None:
        self.write(self.pod_of(job)["metadata"]["name"], phase, state)

    def write(self, pod: str, phase: str, state: Object, others: Mapping[str, Object] = MappingProxyType({})) -> None:
        """Sets a Pod's phase and the states of its worker container and of others."""
        containers = [
            {
                "name": name,
                "image": "worker:test",
                "imageID": "",
                "ready": "running" in state,
                "restartCount": 0,
                "state": state,
            }
            for name, state in {WORKER_CONTAINER: state, **others}.items()
        ]
        body = {"status": {"phase": phase, "startTime": _now(), "containerStatuses": containers}}
        self._kube.patch(f"{self._pods}/{pod}/status", body)


class BusyKubelet:
    """Completes every run of a namespace when its Pod exists, or some time later, in a separate thread.

    Args:
        kube: Client of the API server.
        namespace: Namespace of the runs.
        lasting: Seconds to wait before each Pod is completed.
    """

    def __init__(self, kube: Kube, namespace: str, lasting: float = 0.0) -> None:
        self._kube = kube
        self._lasting = lasting
        self._appeared: dict[str, float] = {}
        self._kubelet = Kubelet(kube, namespace)
        # Only waiting Pods are read, from the API server's cache, because thousands may have run.
        self._pods = (
            f"{paths.pods(namespace)}?labelSelector={LABEL_MANAGED_BY}%3D{MANAGED_BY}"
            "&fieldSelector=status.phase%3DPending&resourceVersion=0"
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> BusyKubelet:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        ended = {"exitCode": 0, "reason": "Completed", "message": COMPLETED.to_message()}
        while not self._over.wait(0.1):
            try:
                for pod in self._kube.items(self._pods):
                    since = self._appeared.setdefault(pod["metadata"]["name"], time.monotonic())
                    if pod["status"].get("phase", "Pending") == "Pending" and time.monotonic() - since >= self._lasting:
                        state = {"terminated": {**ended, "startedAt": _now(), "finishedAt": _now()}}
                        self._kubelet.write(pod["metadata"]["name"], "Succeeded", state)
            except (RefusedError, HTTPError):  # The Pod was deleted, or the API server is down.
                continue


def _now() -> str:
    return format_instant(datetime.now(UTC).replace(microsecond=0))
