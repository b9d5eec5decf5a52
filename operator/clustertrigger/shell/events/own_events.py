"""Counts events that the operator itself observes: completed runs, and their changes of a collection."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from clustertrigger.core.decision import CountEvents
from clustertrigger.core.events.event_counting import Arrival
from clustertrigger.core.events.seen_events import fingerprint
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.events.group_commit import GroupCommit, NotStoredError
from clustertrigger.shell.observed.triggers import Triggers


class OwnEvents:
    """Counts such events like those of senders, with a separate list of events that were already counted.

    Args:
        commits: Stores the counts.
        triggers: The triggers that may count events.
    """

    def __init__(self, commits: GroupCommit, triggers: Triggers) -> None:
        self._commits = commits
        self._index = triggers.event_index

    async def count(self, trigger: Trigger, run: CountEvents) -> None:
        """Counts a run's events for all triggers of its namespace that count such events, except its own.

        A run has one event of each type, whichever of its collections and their ids a trigger names.

        Raises:
            ApiError: not all of it could be stored. It may be counted again: what is stored counts once.
        """
        arrivals: defaultdict[Key, list[Arrival]] = defaultdict(list)
        for event in run.events:
            known_as = fingerprint(f"clustertrigger/{trigger.uid}", f"{run.job}/{event.type}")
            arrival = Arrival(known_as, event.count, run.chain, is_own=True)
            for collection_id in event.collection_ids:
                for key in self._index.match(trigger.key.namespace, event.type, collection_id) - {trigger.key}:
                    arrivals[key].append(arrival)
        try:
            await asyncio.gather(*(self._commits.count(key, counted) for key, counted in arrivals.items()))
        except NotStoredError as error:
            raise ApiError(0, "NotStored", f"the events of run {run.job} were not counted: {error}") from error
