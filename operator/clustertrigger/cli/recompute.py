"""`drift --recompute`: computes the last measurement again with a Job, and compares every number.

The Job runs a copy of the check's Pod, with the same CheckSpec except for the slot. It has neither the operator's
labels nor a slot of the schedule, so the operator ignores it. It is deleted with the trigger, and after ten minutes at
the latest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from clustercontract.check import CHECK_SPEC_VARIABLE, RECOMPUTE_SLOT, CheckResult, CheckSpec, Measurement
from clustercontract.counted import counted
from clustertrigger.api.names import ANNOTATION_QUEUE, LABEL_QUEUE, LABEL_ROLE, LABEL_TRIGGER
from clustertrigger.cli.cluster import Cluster, pods_of
from clustertrigger.cli.kube import paths
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.temporary import temporary
from clustertrigger.cli.terminal import say, table, warn
from clustertrigger.core.drift.drift_series import last_measurement
from clustertrigger.core.jobs.naming import generated_name
from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.jobs.pods import json_variable

TOLERANCE = 1e-6
NUMBERS = ("value", "noise_floor", "assignment_js", "p_value", "baseline_documents", "current_documents")
_ROLE = "recompute"
_TTL_SECONDS = 600
_POLL_SECONDS = 1.0
_OVER = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")


async def recompute(cluster: Cluster, trigger: Mapping[str, Any]) -> int:
    """Computes the last measurement again and prints both.

    Returns:
        0 where every number agrees to TOLERANCE, else 1.

    Raises:
        CommandError: there is nothing to compute again, or it could not be done.
    """
    stored = last_measurement(trigger.get("status") or {})
    if "value" not in stored:
        why = stored.get("summary") or "nothing has been measured yet"
        raise CommandError(f"there is no measurement to compute again: {why}")
    template = await _check_job(cluster, trigger, stored["check"])
    again = recompute_job(template, trigger["metadata"]["name"])
    async with temporary(cluster, paths.jobs, paths.job, again) as name:
        warn(f"computing the measurement of {stored['check']} again with Job {name}")
        result = await _result(cluster, name)
    if result.measurement is None:
        raise CommandError(f"the measurement cannot be computed again: {result.error}")
    say(*compare(stored, result.measurement))
    return 1 if differences(stored, result.measurement) else 0


def recompute_job(check: Mapping[str, Any], trigger: str) -> dict[str, Any]:
    """Returns the Job that computes the measurement of a check again.

    Args:
        check: The check's Job.
        trigger: The trigger's name.
    """
    metadata, spec = check["metadata"], check["spec"]
    labels = {LABEL_TRIGGER: (metadata.get("labels") or {}).get(LABEL_TRIGGER, ""), LABEL_ROLE: _ROLE}
    # Kueue would not count executors of this Job, because the operator creates no Workload for it.
    of_executors = (metadata.get("annotations") or {}).get(ANNOTATION_QUEUE)
    queue = of_executors or (metadata.get("labels") or {}).get(LABEL_QUEUE)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": generated_name(trigger, _ROLE),
            "labels": {**labels, **({LABEL_QUEUE: queue} if queue else {})},
            "ownerReferences": metadata.get("ownerReferences") or [],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "activeDeadlineSeconds": spec["activeDeadlineSeconds"],
            "ttlSecondsAfterFinished": _TTL_SECONDS,
            **({"suspend": True} if queue else {}),
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(spec["template"]["spec"], local=bool(of_executors)),
            },
        },
    }


def differences(stored: Mapping[str, Any], again: Measurement) -> list[str]:
    """Returns the names of the numbers that differ by more than TOLERANCE."""
    return [name for name in NUMBERS if not _agree(stored.get(name), getattr(again, name))]


def compare(stored: Mapping[str, Any], again: Measurement) -> Iterator[str | Text]:
    """Yields both measurements side by side, and the conclusion."""
    different = differences(stored, again)
    rows: list[list[str | Text]] = []
    for name in NUMBERS:
        one, other = stored.get(name), getattr(again, name)
        if one is not None or other is not None:
            verdict = Text("differs", style="red") if name in different else Text("agrees", style="green")
            rows.append([name, _shown(one), _shown(other), verdict])
    yield from table(("NUMBER", "STORED", "COMPUTED AGAIN", ""), rows)
    if not different:
        yield "every number agrees to 1e-6"
    elif "current_documents" in different:
        yield "the collection has changed since the check: its numbers cannot be the same"
    else:
        differ = "differs" if len(different) == 1 else "differ"
        found = f"{counted(len(different), 'number')} {differ} by more than 1e-6"
        yield f"{found}: has the collection changed since the check?"


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.9g}"


def _agree(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE


def _pod(spec: Mapping[str, Any], *, local: bool = False) -> dict[str, Any]:
    (container,) = spec["containers"]
    value = next(one["value"] for one in container["env"] if one["name"] == CHECK_SPEC_VARIABLE)
    check = CheckSpec.model_validate_json(value).model_copy(update={"slot": RECOMPUTE_SLOT})
    if local:
        check = check.model_copy(update={"engine": None})
    variable = json_variable(CHECK_SPEC_VARIABLE, check.model_dump_json(exclude_none=True))
    env = [variable if one["name"] == CHECK_SPEC_VARIABLE else one for one in container["env"]]
    return {**spec, "containers": [{**container, "env": env}]}


async def _check_job(cluster: Cluster, trigger: Mapping[str, Any], name: str) -> dict[str, Any]:
    if (found := await cluster.api.find(paths.job(cluster.namespace, name))) is not None:
        return found
    upcoming = (trigger.get("status") or {}).get("next_scheduled_at")
    when = f" at {upcoming}" if upcoming else ""
    raise CommandError(
        f"the check's Job {name}, which defines what to compute, is deleted: wait for the next check{when}"
    )


async def _result(cluster: Cluster, name: str) -> CheckResult:
    """Waits for the Job's end and reads its result.

    Raises:
        CommandError: it failed.
    """
    path, warned = paths.job(cluster.namespace, name), ""
    while True:
        status = (await cluster.api.get(path)).get("status") or {}
        pods = await pods_of(cluster, name)
        pod = read_pod(pods[-1]) if pods else None
        over = [c for c in status.get("conditions") or () if c["type"] in _OVER and c["status"] == "True"]
        # The end of the worker counts, because a sidecar can keep running, and there is no other attempt.
        if over or (pod and pod.exit_code is not None):
            break
        waits = f"waiting: {pod.reason} {pod.message}".strip() if pod and pod.reason and not pod.running else ""
        if waits and waits != warned:
            warn(waits)
            warned = waits
        await asyncio.sleep(_POLL_SECONDS)
    message = pod.message if pod else ""
    try:
        result = CheckResult.model_validate_json(message)
    except ValidationError:
        why = message or (pod.reason if pod else "") or (over and over[0].get("message")) or "its Pod wrote no result"
        raise CommandError(f"Job {name} failed: {why}") from None
    if result.status == "failed":
        raise CommandError(f"Job {name} failed: {result.error}")
    return result
