"""Reads a run's results with a short-lived Pod, which mounts the claim read-only, or reads the bucket."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from typing import Any

from clustertrigger.api.names import WORKER_CONTAINER
from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.temporary import temporary
from clustertrigger.cli.terminal import warn
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.results import reading
from clustertrigger.results.pod import Place, reader_pod
from clustertrigger.results.reading import NotReadError, NotStartedError, content_of, until_started


class MissingFileError(CommandError):
    """The run's folder does not contain the file, or no longer exists."""


async def fetch(cluster: Cluster, trigger: Mapping[str, Any], place: Place) -> bytes:
    """Returns the content of a file of a run's results.

    Raises:
        CommandError: It does not exist or cannot be read.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise CommandError("kubectl, which reads the file from a Pod, is not in PATH: install it")
    if place.claim:
        await _check_claim(cluster, place.claim)
    pod = reader_pod(trigger["metadata"], place)
    async with temporary(cluster, paths.pods, paths.pod, pod, gracePeriodSeconds=0) as name:
        try:
            await until_started(
                lambda: cluster.api.get(paths.pod(cluster.namespace, name)),
                lambda why: warn(f"waiting for the Pod {name}: {why}"),
            )
            return await _read(cluster, kubectl, name, place)
        except NotStartedError as error:
            raise CommandError(
                f"the Pod {name}, which reads the results, {error}: check --image and --claim"
            ) from error
        except reading.MissingFileError as error:
            raise MissingFileError(
                f"{error}, or the results are on another volume: set --claim to its claim"
            ) from error
        except NotReadError as error:
            hint = (
                f": ask for pods/exec in namespace {cluster.namespace!r}" if "forbidden" in str(error).lower() else ""
            )
            raise CommandError(f"{error}{hint}") from error


async def _check_claim(cluster: Cluster, claim: str) -> None:
    """Raises an error for a missing claim, because the Pod would wait for it indefinitely."""
    with contextlib.suppress(ApiError):
        if await cluster.api.find(paths.claim(cluster.namespace, claim)) is None:
            raise CommandError(
                f"no PersistentVolumeClaim {claim!r} in namespace {cluster.namespace!r}: set --claim to the claim with "
                "the results"
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
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return content_of(place, process.returncode, output, errors.decode(errors="replace"))
