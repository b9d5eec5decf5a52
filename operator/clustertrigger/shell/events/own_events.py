"""Events that the operator itself has learned of: what a run did to the collection that it processed."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from clustertrigger.core.decision import CountDocuments
from clustertrigger.core.events.event_counting import Arrival
from clustertrigger.core.events.seen_events import fingerprint
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.shell.events.group_commit import GroupCommit, NotStoredError
from clustertrigger.shell.observed.intake import Triggers


class OwnEvents:
    """Counts them as those that senders report, and with the same memory of what has been counted.

    Args:
        commits: stores the counts.
        triggers: those that may count events.
    """

    def __init__(self, commits: GroupCommit, triggers: Triggers) -> None:
        self._commits = commits
        self._index = triggers.event_index

    async def count(self, trigger: Trigger, run: CountDocuments) -> None:
        """Count what a run of a trigger did, for all triggers of its namespace that count such events.

        A run has one event of each type, whichever of the collection's ids a trigger names.

        Raises:
            ApiError: not all of it could be stored. It may be counted again: what is stored counts once.
        """
        arrivals: defaultdict[Key, list[Arrival]] = defaultdict(list)
        for event_type, number in run.documents.events():
            arrival = Arrival(fingerprint(f"clustertrigger/{trigger.uid}", f"{run.job}/{event_type}"), number)
            for collection_id in run.collection_ids:
                for key in self._index.match(trigger.key.namespace, event_type, collection_id):
                    arrivals[key].append(arrival)
        try:
            await asyncio.gather(*(self._commits.count(key, counted) for key, counted in arrivals.items()))
        except NotStoredError as error:
            raise ApiError(0, "NotStored", f"the events of run {run.job} were not counted: {error}") from error
