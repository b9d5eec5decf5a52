"""What the reflectors keep up to date: the triggers, what they refer to, and their runs."""

from __future__ import annotations

from functools import partial

from clustertrigger.core.trigger import Key, Owner
from clustertrigger.core.workload import JobView, PodView, read_job, read_pod
from clustertrigger.shell.intake import References, Runs, Triggers
from clustertrigger.shell.reading import Raw, read_or_skip
from clustertrigger.shell.reflector import Store

REFERENCE_KINDS = ("collections", "clusterdefinitions")
Part = tuple[Owner, str]
"""A Job or a Pod: whose, and its name."""


def triggers_of(triggers: Triggers, namespace: str | None) -> Store[Key]:
    """The triggers of a namespace, or all."""

    def saw(raw: Raw) -> Key:
        read_or_skip(triggers.saw, raw)
        return _key(raw)

    return Store(
        known=lambda: triggers.all_keys(namespace),
        saw=saw,
        gone=lambda raw: triggers.gone(_key(raw), raw["metadata"]["uid"]),
        lost=triggers.gone,
    )


def references_of(references: References, kind: str, namespace: str | None) -> Store[tuple[str, str]]:
    """The Collections or the ClusterDefinitions of a namespace, or all."""

    def saw(raw: Raw) -> tuple[str, str]:
        read_or_skip(partial(references.saw, kind), raw)
        return _key(raw)

    return Store(
        known=lambda: references.known(kind, namespace),
        saw=saw,
        gone=lambda raw: references.gone(kind, *_key(raw)),
        lost=lambda key: references.gone(kind, *key),
    )


def jobs_of(runs: Runs, namespace: str | None) -> Store[Part]:
    """The Jobs of runs and checks in a namespace, or all."""

    def saw(raw: Raw) -> Part | None:
        if (job := _job(raw)) is None:
            return None
        runs.put_job(job)
        return job.owner, job.name

    def gone(raw: Raw) -> None:
        if job := _job(raw):
            runs.job_gone(job.owner, job.name)

    return Store(known=lambda: runs.all_jobs(namespace), saw=saw, gone=gone, lost=lambda part: runs.job_gone(*part))


def pods_of(runs: Runs, namespace: str | None) -> Store[Part]:
    """The Pods of such Jobs in a namespace, or all."""

    def saw(raw: Raw) -> Part | None:
        if (pod := _pod(raw)) is None:
            return None
        runs.put_pod(pod)
        return pod.owner, pod.name

    def gone(raw: Raw) -> None:
        if pod := _pod(raw):
            runs.pod_gone(pod.owner, pod.name)

    return Store(known=lambda: runs.all_pods(namespace), saw=saw, gone=gone, lost=lambda part: runs.pod_gone(*part))


def _key(raw: Raw) -> Key:
    return Key(raw["metadata"]["namespace"], raw["metadata"]["name"])


def _job(raw: Raw) -> JobView | None:
    return read_or_skip(read_job, raw)


def _pod(raw: Raw) -> PodView | None:
    return read_or_skip(read_pod, raw)
