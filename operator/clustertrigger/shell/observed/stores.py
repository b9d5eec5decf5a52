"""What the reflectors keep up to date: the triggers, what they refer to, and their runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from clustertrigger.core.jobs.job_view import JobView, read_job
from clustertrigger.core.jobs.pod_view import PodView, read_pod
from clustertrigger.core.resources.trigger import Key, Owner
from clustertrigger.shell.kube.reading import Raw, read_or_skip
from clustertrigger.shell.kube.reflector import Store
from clustertrigger.shell.observed.intake import References, Runs, Triggers

REFERENCE_KINDS = ("collections", "clusterdefinitions")
Part = tuple[Owner, str]
"""A Job or a Pod: whose, and its name."""
View = TypeVar("View", JobView, PodView)


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
    return _parts(read_job, runs.put_job, runs.job_gone, lambda: runs.all_jobs(namespace))


def pods_of(runs: Runs, namespace: str | None) -> Store[Part]:
    """The Pods of such Jobs in a namespace, or all."""
    return _parts(read_pod, runs.put_pod, runs.pod_gone, lambda: runs.all_pods(namespace))


def _parts(
    read: Callable[[Raw], View | None],
    put: Callable[[View], None],
    part_gone: Callable[[Owner, str], None],
    known: Callable[[], list[Part]],
) -> Store[Part]:
    def saw(raw: Raw) -> Part | None:
        if (view := read_or_skip(read, raw)) is None:
            return None
        put(view)
        return view.owner, view.name

    def gone(raw: Raw) -> None:
        if view := read_or_skip(read, raw):
            part_gone(view.owner, view.name)

    return Store(known=known, saw=saw, gone=gone, lost=lambda part: part_gone(*part))


def _key(raw: Raw) -> Key:
    return Key(raw["metadata"]["namespace"], raw["metadata"]["name"])
