"""Fetches a run's report with the reader's token, as `kubectl clustertrigger report` does: from a short-lived Pod."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clustertrigger.api.names import COMMAND, LABEL_MANAGED_BY, MANAGED_BY, WORKER_CONTAINER
from clustertrigger.api.status import Execution
from clustertrigger.core.kube import paths
from clustertrigger.core.trigger_state import TriggerState
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.objects import Object
from clustertrigger.results.pod import Place, image_in, place_of, reader_pod
from clustertrigger.results.reading import (
    MissingFileError,
    NotReadError,
    NotStartedError,
    TooLargeError,
    content_of,
    until_started,
)

LARGEST = 64 << 20
"""Maximum size of a report in bytes."""
_READING = 60.0


async def fetch_report(
    server: ApiServer, token: str, trigger: Mapping[str, Any], run: Execution, image: str, pull_secrets: tuple[str, ...]
) -> bytes:
    """Returns a run's report.

    Args:
        server: the API server.
        token: The reader's token, which creates, uses and deletes the Pod.
        trigger: The object.
        run: A run of the trigger that wrote results.
        image: Image of the Pod if no Job names one; empty if unknown.
        pull_secrets: Secrets that pull the image.

    Raises:
        RefusedError: The reader may not do that, or it cannot be read.
    """
    namespace = trigger["metadata"]["namespace"]
    jobs = await _jobs(server, token, namespace)
    known = image_in(jobs, trigger["metadata"]["name"], run)
    if not (known or image):
        raise RefusedError(
            503,
            "the worker's image is not known, because the Jobs of past runs were deleted: use "
            f"{COMMAND} report {trigger['metadata']['name']} -n {namespace} --image IMAGE",
        )
    try:
        place = place_of(trigger, run, jobs, claim=None, image=known or image)
    except LookupError as error:
        raise RefusedError(404, str(error)) from None
    if not known:
        place = replace(place, image_pull_secrets=pull_secrets)
    if place.claim:
        await _check_claim(server, token, namespace, place.claim)
    made = await server.create(token, paths.pods(namespace), reader_pod(trigger["metadata"], place))
    pod = paths.pod(namespace, made["metadata"]["name"])
    try:
        return await _read(server, token, pod, place)
    finally:
        await asyncio.shield(_end_pod(server, token, pod))


async def _end_pod(server: ApiServer, token: str, pod: str) -> None:
    """Deletes the Pod. It also ends by itself, in case it may not be deleted."""
    with contextlib.suppress(RefusedError):
        await server.end_pod(token, pod)


async def _jobs(server: ApiServer, token: str, namespace: str) -> list[Object]:
    """Returns the operator's Jobs, oldest first; none if the reader may not list them."""
    try:
        found = await server.get(token, paths.jobs(namespace), labelSelector=f"{LABEL_MANAGED_BY}={MANAGED_BY}")
    except RefusedError as problem:
        if problem.status != 403:
            raise
        return []
    return sorted(found.get("items") or (), key=lambda job: str(job["metadata"]["creationTimestamp"]))


async def _check_claim(server: ApiServer, token: str, namespace: str, claim: str) -> None:
    """Raises an error for a missing claim, because the Pod would wait for it indefinitely."""
    try:
        await server.get(token, paths.claim(namespace, claim))
    except RefusedError as problem:
        if problem.status == 404:
            raise RefusedError(404, f"the claim with the results, {claim!r}, does not exist") from problem
        if problem.status != 403:
            raise


async def _read(server: ApiServer, token: str, pod: str, place: Place) -> bytes:
    try:
        await until_started(lambda: server.get(token, pod))
        ended = await server.run_in_pod(token, pod, WORKER_CONTAINER, place.program(), _READING)
        return content_of(place, ended.exit_code, ended.output, ended.errors, LARGEST)
    except NotStartedError as error:
        raise RefusedError(503, f"the Pod that reads the results {error}") from error
    except MissingFileError as error:
        raise RefusedError(404, str(error)) from error
    except TooLargeError as error:
        raise RefusedError(413, f"{error}: save it with {COMMAND} report") from error
    except NotReadError as error:
        raise RefusedError(503, str(error)) from error


def run_of(trigger: Mapping[str, Any], job: str, *, with_report: bool = False) -> Execution:
    """Returns the run of a trigger with this Job.

    Args:
        trigger: The object.
        job: The Job's name.
        with_report: Whether it must have written a report.

    Raises:
        RefusedError: There is none.
    """
    for run in TriggerState(trigger).status.history:
        if run.job_id == job:
            if with_report and (run.status != "completed" or not run.results_uri):
                raise RefusedError(404, f"Run {job} has no report: only completed runs with results have one.")
            return run
    raise RefusedError(404, f"Run {job!r} is not in the history of trigger {trigger['metadata']['name']!r}.")
