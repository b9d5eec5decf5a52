"""Derives names from the objects that they identify.

The Job's name ensures that a slot fires once. Design record: docs/design/job-name.md.
"""

from __future__ import annotations

import hashlib

from clustertrigger.core.jobs.slot import CheckSlot, EventSlot, ManualSlot, ScheduledSlot, Slot

_LONGEST_JOB_NAME = 63
"""Maximum length of a Job's name, because it becomes a label of its Pods."""
_LONGEST_OF_EVENT = 200
_LONGEST_STEM = 40


def trigger_id(uid: str) -> str:
    """`trg_` and the first 16 hex digits of the object's uid."""
    return "trg_" + uid.replace("-", "")[:16]


def job_name(trigger: str, uid: str, slot: Slot) -> str:
    """Returns the name of a slot's only Job; instants are rounded to seconds.

    `products-nightly-3f9a2c-20261121020000` consists of the beginning of the trigger's name, six hexadecimal digits of
    its uid, and the slot. The digits distinguish triggers with the same beginning, and successive triggers of the same
    name.
    """
    tail = f"-{_digest(uid, 6)}-{_suffix(slot)}"
    return trigger.replace(".", "-")[: _LONGEST_JOB_NAME - len(tail)].rstrip("-") + tail


def event_name(trigger: str, identity: str) -> str:
    """Returns the name of the Kubernetes event with this identity."""
    return f"{trigger[:_LONGEST_OF_EVENT].rstrip('.-')}.{_digest(identity, 16)}"


def seed(uid: str) -> int:
    """Returns the random seed of all runs of a trigger, 0 to 2³¹ - 1: the same data yield the same clusters."""
    return int(_digest(uid, 8), 16) & 0x7FFF_FFFF


def generated_name(trigger: str, role: str) -> str:
    """Returns the generateName of a Pod or Job for a trigger. The API server appends a unique suffix."""
    return f"{trigger.replace('.', '-')[:_LONGEST_STEM].rstrip('-')}-{role}-"


def _suffix(slot: Slot) -> str:
    match slot:
        case ScheduledSlot(instant):
            return f"{instant:%Y%m%d%H%M%S}"
        case CheckSlot(instant):
            return f"c{instant:%Y%m%d%H%M%S}"
        case EventSlot(ordinal):
            return f"e{ordinal}"
        case ManualSlot():
            return "m" + _digest(str(slot), 13)


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
