"""Names that are pure functions of what they name. The Job's name is the lock that makes a slot fire once."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from clustertrigger.core.instants import format_instant, parse_instant

MANUAL = "manual/"
EVENT = "event/"
CHECK = "check/"
_ORDINAL = re.compile(r"[0-9]{1,18}")
"""Anybody who may create Jobs can write anything where a slot is read: more digits would be no number to Python."""
_LONGEST_JOB_NAME = 63
"""The Job's name becomes a label of its Pods."""
_LONGEST_OF_EVENT = 200


def trigger_id(uid: str) -> str:
    """`trg_` and the first 16 hex digits of the object's uid."""
    return "trg_" + uid.replace("-", "")[:16]


def manual_slot(token: str) -> str:
    """The slot of a run that was requested by hand."""
    return MANUAL + token


def is_manual(slot: str) -> bool:
    """Whether the slot is a request by hand rather than an instant of the schedule."""
    return slot.startswith(MANUAL)


def event_slot(ordinal: int) -> str:
    """The slot of the event that reached the threshold, by its number among all that were counted."""
    return f"{EVENT}{ordinal}"


def event_ordinal(slot: str) -> int | None:
    """The number of the event that the slot is, if it is one."""
    number = slot.removeprefix(EVENT)
    return int(number) if number != slot and _ORDINAL.fullmatch(number) else None


def check_slot(instant: datetime) -> str:
    """The slot of a check: the instant for which it is due."""
    return CHECK + format_instant(instant)


def check_instant(slot: str) -> datetime | None:
    """The instant for which a check was due, if the slot is a check's."""
    instant = slot.removeprefix(CHECK)
    return instant_of(instant) if instant != slot else None


def instant_of(slot: str) -> datetime | None:
    """The instant of the schedule that the slot is, if it is one."""
    try:
        return parse_instant(slot)
    except ValueError:
        return None


def is_slot(text: str) -> bool:
    """Whether a text names a slot: an instant, an event, a request by hand, or a check's."""
    return is_manual(text) or any(read(text) is not None for read in (event_ordinal, check_instant, instant_of))


def job_name(trigger: str, uid: str, slot: datetime | str) -> str:
    """Name of a slot's one Job; the slot is an instant, to the second, or the slot of an event, a check, a run by hand.

    `products-nightly-3f9a2c-20261121020000`: the trigger's name as far as it fits, six hex digits that tell
    triggers with the same beginning and successive triggers of the same name apart, and the slot.
    """
    if isinstance(slot, datetime):
        suffix = f"{slot:%Y%m%d%H%M%S}"
    elif (ordinal := event_ordinal(slot)) is not None:
        suffix = f"e{ordinal}"
    elif (instant := check_instant(slot)) is not None:
        suffix = f"c{instant:%Y%m%d%H%M%S}"
    else:
        suffix = "m" + _digest(slot, 13)
    tail = f"-{_digest(uid, 6)}-{suffix}"
    return trigger.replace(".", "-")[: _LONGEST_JOB_NAME - len(tail)].rstrip("-") + tail


def event_name(trigger: str, identity: str) -> str:
    """Name of the one Kubernetes event that tells of this, whatever it is that its identity stands for."""
    return f"{trigger[:_LONGEST_OF_EVENT].rstrip('.-')}.{_digest(identity, 16)}"


def seed(uid: str) -> int:
    """Random seed of all runs of a trigger, 0 to 2³¹ - 1: the same data yield the same clusters."""
    return int(_digest(uid, 8), 16) & 0x7FFF_FFFF


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
