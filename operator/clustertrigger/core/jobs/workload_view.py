"""Reduces a Workload of Kueue, as the API server returns it, to what decisions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clustertrigger.core.jobs.kueue_workload import DRIVER, EXECUTORS


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """The Workload of a Job, as far as it decides whether the Job may run."""

    reserved: bool = False
    """Whether it has quota."""
    admitted: bool = False
    """Whether it has quota, and all of Kueue's other checks allow its start."""
    evicted: bool = False
    """Whether its Job must stop: it was preempted or deactivated, or its queue was stopped. Kueue withdraws this when
    the Workload gets quota again.
    """
    pods_ready: bool = False
    finished: bool = False
    deleting: bool = False
    rewritten: bool = False
    """Whether it no longer has the operator's sets of Pods. Kueue replaces them if it manages the Job itself."""


def read_workload(raw: Mapping[str, Any]) -> WorkloadView:
    """Reads a Workload of kueue.x-k8s.io/v1beta2."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    holding = {condition.get("type") for condition in conditions if condition.get("status") == "True"}
    pod_sets = {one.get("name") for one in (raw.get("spec") or {}).get("podSets") or ()}
    return WorkloadView(
        reserved="QuotaReserved" in holding,
        admitted="Admitted" in holding,
        evicted="Evicted" in holding,
        pods_ready="PodsReady" in holding,
        finished="Finished" in holding,
        deleting="deletionTimestamp" in raw["metadata"],
        rewritten=bool(pod_sets) and pod_sets != {DRIVER, EXECUTORS},
    )


def is_workload_of(raw: Mapping[str, Any], job_uid: str) -> bool:
    """Returns whether a Workload belongs to the Job with this uid, rather than to an earlier one of that name."""
    return any(owner.get("uid") == job_uid for owner in raw["metadata"].get("ownerReferences") or ())
