"""`kubectl clustertrigger report`: shows a run's report.html in the browser, or saves it."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from clustertrigger.api.names import LABEL_MANAGED_BY, MANAGED_BY
from clustertrigger.api.status import Execution
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.command import PROG, add_command, name_argument, on_cluster, run_option
from clustertrigger.cli.forwarding import SELECTOR
from clustertrigger.cli.kube import paths
from clustertrigger.cli.report_pod import fetch
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import say, warn
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.trigger_state import TriggerState
from clustertrigger.results.pod import REPORT, Place, image_in, place_of

_IMAGE_VARIABLE = "CLUSTERTRIGGER_WORKER_IMAGE"


def add_report(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "report",
        section="See",
        examples=[f"{PROG} report nightly -n search", f"{PROG} report nightly --save nightly.html"],
    )
    @on_cluster
    @name_argument
    @run_option("Run whose report is shown. Default: the newest completed run.")
    @click.option("--save", metavar="FILE", help="Write the report to this file, or - for standard output.")
    @click.option("--claim", metavar="NAME", help="PersistentVolumeClaim with the results. Default: the run's.")
    @click.option("--image", metavar="IMAGE", help="Image of the Pod that reads the results. Default: the worker's.")
    async def command(
        cluster: Cluster, name: str, job: str | None, save: str | None, claim: str | None, image: str | None
    ) -> int:
        """Open the report of a run in the browser.

        Starts a short-lived Pod in the trigger's namespace that mounts the claim with the results read-only, or reads
        the bucket with the run's Secret; copies report.html; and deletes the Pod.

        You need kubectl, and the rights to create, get and delete Pods and to create pods/exec in that namespace.
        """
        return await report(cluster, name, job, save=save, claim=claim, image=image)


async def report(
    cluster: Cluster, name: str, job: str | None, *, save: str | None, claim: str | None, image: str | None
) -> int:
    """Fetches a run's report, and shows or saves it.

    Raises:
        CommandError: It does not exist or cannot be read.
    """
    trigger = await read_trigger(cluster, name)
    run = chosen_run(TriggerState(trigger), job)
    content = await fetch(cluster, trigger, await find_place(cluster, trigger, run, claim=claim, image=image))
    if save == "-":
        sys.stdout.buffer.write(content)
        return 0
    file = Path(save) if save else Path(tempfile.mkdtemp(prefix="clustertrigger-")) / f"{run.job_id}.html"
    try:
        file.write_bytes(content)
    except OSError as error:
        raise CommandError(f"--save: {save!r}: {error.strerror}: name a file that you can write") from error
    say(str(file))
    if not save and not webbrowser.open(file.absolute().as_uri()):
        warn("no browser was found: open the file above")
    return 0


def chosen_run(state: TriggerState, job: str | None) -> Execution:
    """Returns the named run, or the newest completed one.

    Raises:
        CommandError: There is no such run, or it wrote no results.
    """
    history = state.status.history
    if job is None:
        completed = [run for run in history if run.status == "completed" and run.results_uri]
        if not completed:
            raise CommandError(
                f"no run of trigger {state.name!r} has completed: {PROG} describe {state.name} shows details"
            )
        return completed[0]
    for run in history:
        if run.job_id == job:
            if not run.results_uri:
                raise CommandError(f"--run: {job!r} is {run.status}: only completed runs have a report")
            return run
    raise CommandError(f"--run: {job!r} is not in the trigger's history: {PROG} results {state.name} lists its runs")


async def find_place(
    cluster: Cluster,
    trigger: Mapping[str, Any],
    run: Execution,
    *,
    claim: str | None = None,
    image: str | None = None,
    file: str = REPORT,
) -> Place:
    """Returns `place_of`, with the namespace's Jobs. `image` is None if the user sets none.

    Raises:
        CommandError: The image is unknown, or how to reach the results.
    """
    jobs = await jobs_of(cluster)
    image = image or await image_of(cluster, trigger["metadata"]["name"], run, jobs)
    try:
        return place_of(trigger, run, jobs, claim=claim, image=image, file=file)
    except LookupError as error:
        raise CommandError(str(error)) from None


async def jobs_of(cluster: Cluster) -> list[dict[str, Any]]:
    """Returns the operator's Jobs in the namespace, oldest first; none if the user may not list them."""
    try:
        found = await cluster.api.list(paths.jobs(cluster.namespace), labelSelector=f"{LABEL_MANAGED_BY}={MANAGED_BY}")
    except ApiError:
        return []
    return sorted(found, key=lambda job: str(job["metadata"]["creationTimestamp"]))


async def image_of(cluster: Cluster, name: str, run: Execution, jobs: Sequence[Mapping[str, Any]]) -> str:
    """Returns the worker's image from the run's Job, the trigger's, any Job, or the operator's settings.

    Raises:
        CommandError: It is unknown.
    """
    if found := image_in(jobs, name, run):
        return found
    with suppress(ApiError):
        deployments = await cluster.api.list(paths.deployments(), labelSelector=SELECTOR)
        containers = (one for each in deployments for one in each["spec"]["template"]["spec"]["containers"])
        variables = (variable for container in containers for variable in container.get("env") or ())
        for variable in variables:
            if variable["name"] == _IMAGE_VARIABLE and variable.get("value"):
                return str(variable["value"])
    raise CommandError("the worker's image is not known, because the Jobs of past runs were deleted: set --image")
