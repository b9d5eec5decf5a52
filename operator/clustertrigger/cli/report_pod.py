"""The short-lived Pod that reads a run's results: it mounts the claim read-only, or reads the bucket."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import shutil
import zlib
from collections.abc import Mapping
from typing import Any

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.temporary import temporary
from clustertrigger.cli.terminal import warn
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.text import one_line
from clustertrigger.results.pod import MISSING, STARTUP, Place, reader_pod

_POLL_SECONDS = 0.5


class MissingFileError(CommandError):
    """The file is not in the run's folder, or the folder is gone."""


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
    for _ in range(round(STARTUP / _POLL_SECONDS)):
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
        f"the Pod {name}, which reads the results, did not start within {STARTUP} s: {said or 'no reason is known'}: "
        "check --image and --claim"
    )


async def _read(cluster: Cluster, kubectl: str, pod: str, place: Place) -> bytes:
    process = await asyncio.create_subprocess_exec(
        kubectl,
        *cluster.scope.kubectl_options(),
        f"--namespace={cluster.namespace}",
        "exec",
        pod,
        f"--container={WORKER_CONTAINER}",
        "--",
        *place.program(),
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
    if process.returncode == MISSING:
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
