"""The short-lived Pod that reads a run's results: it mounts the claim read-only, or reads the bucket."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import json
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clustercontract.container import RESULTS_MOUNT, SECRETS_MOUNT
from clustertrigger.api.names import LABEL_ROLE, LABEL_TRIGGER, WORKER_CONTAINER
from clustertrigger.cli import report_reader
from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.temporary import generated_name, temporary
from clustertrigger.cli.terminal import warn
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.pods import container_security, pod_security
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.text import one_line

_ROLE = "report"
_LIFETIME = 300
"""Seconds after which the Pod ends by itself if it is not deleted."""
_STARTUP = 120
_POLL_SECONDS = 0.5
_MISSING = 3


class MissingFileError(CommandError):
    """The file is not in the run's folder, or the folder is gone."""


@dataclass(frozen=True)
class Place:
    """Where a file of a run's results lies, and what Pod may read it.

    Attributes:
        uri: absolute path below RESULTS_MOUNT, or s3://bucket/key.
        claim: PersistentVolumeClaim that is mounted there; None for a bucket.
        secret: Secret with the bucket's keys; None: anonymous.
        endpoint: of an S3-compatible server.
        region: of the bucket.
        image: the worker's.
        image_pull_policy: of that image.
        image_pull_secrets: names of Secrets.
        node_selector: the run's.
        tolerations: the run's.
    """

    uri: str
    claim: str | None = None
    secret: str | None = None
    endpoint: str | None = None
    region: str | None = None
    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    def asked(self) -> dict[str, str | None]:
        """The input of the reader in the Pod."""
        secret = f"{SECRETS_MOUNT}/{self.secret}" if self.secret else None
        return {"uri": self.uri, "secret": secret, "endpoint": self.endpoint, "region": self.region}


async def fetch(cluster: Cluster, trigger: Mapping[str, Any], place: Place) -> bytes:
    """Return the content of a file of a run's results.

    Raises:
        CommandError: It does not exist or cannot be read.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise CommandError("kubectl is not in PATH, which reads the file from a Pod: install kubectl")
    if place.claim:
        await _check_claim(cluster, place.claim)
    pod = reader_pod(trigger["metadata"], place)
    async with temporary(cluster, paths.pods, paths.pod, pod, gracePeriodSeconds=0) as name:
        await _started(cluster, name)
        return await _read(cluster, kubectl, name, place)


def reader_pod(owner: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The Pod: no token, no root, no writing, and gone after some minutes whatever happens.

    Args:
        owner: metadata of the trigger, with which the Pod goes.
        place: what it is to read.
    """
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
    mounts: list[dict[str, Any]] = [{"name": "scratch", "mountPath": "/tmp"}]  # noqa: S108 - the Pod's own
    if place.claim:
        volumes.append({"name": "results", "persistentVolumeClaim": {"claimName": place.claim}})
        mounts.append({"name": "results", "mountPath": RESULTS_MOUNT, "readOnly": True})
    if place.secret:
        volumes.append({"name": "secret", "secret": {"secretName": place.secret, "defaultMode": 0o440}})
        mounts.append({"name": "secret", "mountPath": f"{SECRETS_MOUNT}/{place.secret}", "readOnly": True})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": generated_name(owner["name"], _ROLE),
            "labels": {LABEL_ROLE: _ROLE, **_label(str(owner["name"]))},
            "ownerReferences": [
                {
                    "apiVersion": "clustertrigger.dev/v1alpha1",
                    "kind": "ClusterTrigger",
                    "name": owner["name"],
                    "uid": owner["uid"],
                }
            ],
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _STARTUP + _LIFETIME,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": dict(place.node_selector),
            "tolerations": [dict(toleration) for toleration in place.tolerations],
            "imagePullSecrets": [{"name": secret} for secret in place.image_pull_secrets],
            "securityContext": pod_security(),
            "volumes": volumes,
            "containers": [
                {
                    "name": WORKER_CONTAINER,
                    "image": place.image,
                    "imagePullPolicy": place.image_pull_policy,
                    "command": ["python", "-c", f"import time; time.sleep({_LIFETIME})"],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "64Mi"},
                        "limits": {"cpu": "1", "memory": "512Mi"},
                    },
                    "securityContext": container_security(),
                    "volumeMounts": mounts,
                }
            ],
        },
    }


def _label(name: str) -> dict[str, str]:
    """The trigger's label, where its name fits into one."""
    return {LABEL_TRIGGER: name} if len(name) <= 63 else {}


async def _check_claim(cluster: Cluster, claim: str) -> None:
    """A Pod that mounts a missing claim would wait for it indefinitely."""
    with contextlib.suppress(ApiError):
        if await cluster.api.find(paths.claim(cluster.namespace, claim)) is None:
            raise CommandError(
                f"no PersistentVolumeClaim {claim!r} in namespace {cluster.namespace!r}: name the one that holds the "
                "results with --claim"
            )


async def _started(cluster: Cluster, name: str) -> None:
    """Wait until the Pod runs, and say meanwhile what it waits for.

    Raises:
        CommandError: it does not start.
    """
    said = ""
    for _ in range(round(_STARTUP / _POLL_SECONDS)):
        seen = read_pod(await cluster.api.get(paths.pod(cluster.namespace, name)))
        if seen.running:
            return
        why = one_line(f"{seen.reason} {seen.message}")
        if seen.terminated:
            raise CommandError(f"the Pod {name}, which reads the results, has ended: {why or 'no reason is known'}")
        if why and why != said and seen.reason not in ("ContainerCreating", "PodInitializing"):
            said = why
            warn(f"waiting for the Pod {name}: {why}")
        await asyncio.sleep(_POLL_SECONDS)
    raise CommandError(
        f"the Pod {name}, which reads the results, did not start within {_STARTUP} s: {said or 'no reason is known'}: "
        "check --image and --claim"
    )


async def _read(cluster: Cluster, kubectl: str, pod: str, place: Place) -> bytes:
    script = inspect.getsource(report_reader)
    process = await asyncio.create_subprocess_exec(
        kubectl,
        *cluster.scope.kubectl_options(),
        f"--namespace={cluster.namespace}",
        "exec",
        pod,
        f"--container={WORKER_CONTAINER}",
        "--",
        "python",
        "-c",
        script,
        json.dumps(place.asked()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        content, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    if process.returncode == _MISSING:
        raise MissingFileError(
            f"{place.uri} does not exist: the folders of older runs are removed (run.history_limit), or the results "
            "are "
            "on another volume: name it with --claim"
        )
    if process.returncode != 0:
        reason = one_line(said[0] if said else "").removeprefix("error: ") or "no reason is known"
        if "forbidden" in reason.lower():
            reason = f"{reason}: ask for pods/exec in namespace {cluster.namespace!r}"
        raise CommandError(f"{place.uri} cannot be read: {reason}")
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise CommandError(f"the report arrived incomplete ({error}): try again") from error
