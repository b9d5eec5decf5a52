"""Limits chains of triggers.

The end of a run is an event that the next trigger counts, but no run may lead back to its own trigger.
"""

from __future__ import annotations

from collections.abc import Iterable

from clustertrigger.api.trigger import RUN_COMPLETED

__all__ = ["MOST_LINKS", "RUN_COMPLETED", "lengthened", "merged", "why_stopped"]

MOST_LINKS = 32
"""Maximum number of triggers in a chain. Annotations and statuses contain the names, and must stay small."""


def why_stopped(chain: tuple[str, ...], trigger: str) -> str | None:
    """Returns why a trigger does not count an event; None if it does.

    Args:
        chain: The triggers whose runs led to the event, the first one first; empty for the event of a sender.
        trigger: The trigger that would count the event.
    """
    if trigger in chain:
        way = " → ".join([*chain[chain.index(trigger) :], trigger])
        return (
            f"the triggers fire each other in a loop ({way}): an event of {chain[-1]} was not counted. Change "
            "schedule_config.collection_id or the outputs of one of them"
        )
    if len(chain) > MOST_LINKS:
        return (
            f"an event of {chain[-1]} was not counted, because the chain of triggers that led to it has {len(chain)} "
            f"triggers, and the maximum is {MOST_LINKS}. Use a schedule for the later ones"
        )
    return None


def lengthened(chain: Iterable[str], trigger: str) -> tuple[str, ...]:
    """Returns the chain of the events that a trigger's run causes."""
    return (*(name for name in chain if name != trigger), trigger)


def merged(chains: Iterable[Iterable[str]]) -> list[str]:
    """Merges several chains that lead to one run.

    Each trigger occurs once; if there are too many, the latest are kept.
    """
    return list(dict.fromkeys(name for chain in chains for name in chain))[-MOST_LINKS - 1 :]
