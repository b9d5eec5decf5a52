"""Determines which Pods belong to a run: those of its Job, and the executors that they have created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clustertrigger.core.jobs.job_view import JobView

_ENDED = ("Succeeded", "Failed")
_LONGEST_STEM = 58
"""Maximum length of a generated name without its suffix."""
_SUFFIX = 5


def any_left(job: JobView, pods: Iterable[Mapping[str, Any]]) -> bool:
    """Returns whether a run still has Pods that use resources.

    Args:
        job: Job of the run.
        pods: All Pods of its trigger, as the API server returns them.
    """
    return any(_belongs(job, pod) and (pod.get("status") or {}).get("phase") not in _ENDED for pod in pods)


def _belongs(job: JobView, pod: Mapping[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    if any(owner.get("uid") == job.uid for owner in owners):
        return True
    # An executor can outlive the Pod that has created it, of which only the name is known then.
    stem = f"{job.name}-"[:_LONGEST_STEM]
    return any(owner.get("kind") == "Pod" and owner.get("name", "")[:-_SUFFIX] == stem for owner in owners)
