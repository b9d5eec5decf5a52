"""Finds out from Kubernetes events why runs do not start. A refused Pod or volume is reported nowhere else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clustertrigger.api.status import ClusterTriggerStatus
from clustertrigger.core.jobs.pod_warnings import most_telling
from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.clock import Clock
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.reading import Raw
from clustertrigger.shell.observed.runs import Runs

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Minimum number of seconds from a request to the list of events that answers it."""
_SHARE = 0.1
"""Maximum share of time in which such lists are read."""


@dataclass(slots=True)
class _Memory:
    """Warnings about the runs of one trigger, by Job name.

    Attributes:
        warnings: Warnings in events.
        asked_at: When events were last requested or read.
    """

    warnings: dict[str, str] = field(default_factory=dict)
    asked_at: dict[str, datetime] = field(default_factory=dict)


_NOTHING = _Memory()


class Inquiries:
    """Requests and warnings about runs that do not start."""

    def __init__(self, api: ApiServer, clock: Clock, runs: Runs) -> None:
        self._api = api
        self._clock = clock
        self._runs = runs
        self._memory: defaultdict[Key, _Memory] = defaultdict(_Memory)
        self._questions: dict[str, dict[tuple[Key, str], Trigger]] = {}
        """Jobs with pending requests, by namespace."""
        self._asking: asyncio.Queue[str] = asyncio.Queue()
        """Returns the namespaces with pending requests."""
        self._rested = 0.0
        """When the next list may be read, on the clock `time.perf_counter`."""

    def warnings(self, key: Key) -> Mapping[str, str]:
        """Returns the warnings in events, by the names of requested Jobs whose worker has not started."""
        return dict(self._recalled(key).warnings)

    def asked_at(self, key: Key) -> Mapping[str, datetime]:
        """Returns when events were last requested or read, by Job name."""
        return dict(self._recalled(key).asked_at)

    def settle(self, key: Key, status: ClusterTriggerStatus) -> None:
        """Drops warnings about runs and checks that the status no longer shows as pending."""
        memory = self._memory.pop(key, None)
        if memory is None:
            return
        pending = {entry.job_id for entry in status.history if entry.status == "pending"}
        pending |= {check.job_id for check in status.checks if check.status == "pending"}
        kept = _Memory(
            warnings={name: warning for name, warning in memory.warnings.items() if name in pending},
            asked_at={name: at for name, at in memory.asked_at.items() if name in pending},
        )
        if kept != _NOTHING:
            self._memory[key] = kept

    def forget(self, key: Key) -> None:
        """Removes a trigger that was deleted."""
        self._memory.pop(key, None)

    def ask(self, trigger: Trigger, name: str) -> None:
        """Requests that `answer` finds out why a run does not start."""
        namespace = trigger.key.namespace
        self._memory[trigger.key].asked_at[name] = self._clock()
        if namespace not in self._questions:
            self._questions[namespace] = {}
            self._asking.put_nowait(namespace)
        self._questions[namespace][trigger.key, name] = trigger

    async def answer(self) -> list[Key]:
        """Answers the requests of one namespace with one list of its events.

        The API server does not cache events, and reads all events of a namespace for each list. If a thousand runs that
        do not start caused a list each, the server could not create Jobs any longer. The list is read one second after
        the first request, because runs that were created together cause requests together. It is followed by a pause of
        nine times its duration.

        Returns:
            The triggers for which there is something new.
        """
        namespace = await self._asking.get()
        await asyncio.sleep(max(_PAUSE, self._rested - time.perf_counter()))
        began = time.perf_counter()
        about: defaultdict[tuple[str, str], list[tuple[Key, str]]] = defaultdict(list)
        for (key, name), trigger in self._questions.pop(namespace).items():
            if name in self._recalled(key).asked_at and (subject := self._what_may_tell(trigger, name)):
                about[subject].append((key, name))
        if not about:
            return []
        found = await self._warnings(namespace, "type=Warning", about)
        ended = time.perf_counter()
        self._rested = ended + (ended - began) * (1 / _SHARE - 1)
        return self._keep(about, found)

    async def ask_now(self, trigger: Trigger, name: str) -> None:
        """Reads the warnings about a run that is about to be ended, unless they were read before."""
        if name in self._recalled(trigger.key).asked_at or not self._runs.has_job(trigger.owner, name):
            return
        if about := self._what_may_tell(trigger, name):
            kind, subject = about
            self._memory[trigger.key].asked_at[name] = self._clock()
            selector = f"involvedObject.kind={kind},involvedObject.name={subject},type=Warning"
            self._keep({about: [(trigger.key, name)]}, await self._warnings(trigger.key.namespace, selector))

    def _what_may_tell(self, trigger: Trigger, name: str) -> tuple[str, str] | None:
        """Returns kind and name of the object that events are about; None if a worker has started."""
        pods = [pod for pod in self._runs.pods.of(trigger.owner).values() if pod.job == name]
        if any(pod.running or pod.terminated for pod in pods):
            return None
        newest = max(pods, key=lambda pod: pod.created_at, default=None)
        return ("Pod", newest.name) if newest else ("Job", name)

    def _keep(self, about: Mapping[tuple[str, str], list[tuple[Key, str]]], events: list[Raw]) -> list[Key]:
        """Stores warnings. Returns the triggers that have new ones."""
        by_subject = defaultdict(list)
        for event in events:
            by_subject[_involved(event)].append(event)
        changed = []
        for subject, asking in about.items():
            warning = most_telling(by_subject[subject])
            for key, name in asking:
                memory = self._recalled(key)
                if warning and name in memory.asked_at and memory.warnings.get(name) != warning:
                    memory.warnings[name] = warning
                    changed.append(key)
        return changed

    def _recalled(self, key: Key) -> _Memory:
        """Returns the records of a trigger, without creating one."""
        return self._memory.get(key, _NOTHING)

    async def _warnings(
        self, namespace: str, selector: str, about: Container[tuple[str, str]] | None = None
    ) -> list[Raw]:
        """Returns the warnings of a namespace. They are not essential: if they cannot be read, other messages are used.

        Args:
            namespace: The namespace.
            selector: Field selector of the API server.
            about: Kinds and names of the relevant objects, if the selector does not name one.
        """
        found: list[Raw] = []
        try:
            async for page, _ in self._api.pages(paths.events(namespace), fieldSelector=selector):
                # The last warning of a Job can be that its deadline passed.
                found += [
                    event
                    for event in page
                    if (about is None or _involved(event) in about)
                    and (_involved(event)[0] != "Job" or event.get("reason") == "FailedCreate")
                ]
        except ApiError as error:
            logger.warning("Reading the Kubernetes events of namespace %s failed: %s", namespace, error)
        return found


def _involved(event: Raw) -> tuple[str, str]:
    """Returns kind and name of the object that an event is about."""
    about = event.get("involvedObject") or {}
    return str(about.get("kind")), str(about.get("name"))
