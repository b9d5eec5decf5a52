"""The merge patch between a status as the API server has it and as a decision leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustertrigger.api.status import STATUS_FIELDS, ClusterTriggerStatus


def status_patch(raw: Mapping[str, Any], status: ClusterTriggerStatus) -> dict[str, Any]:
    """Fields that differ, as a JSON merge patch (RFC 7386). Empty where nothing changed: then nothing is written.

    Top-level fields that this version does not know are left alone.
    """
    wanted = status.as_json()
    return {
        field: _change(raw.get(field), wanted.get(field))
        for field in STATUS_FIELDS
        if wanted.get(field) != raw.get(field)
    }


def _change(before: Any, after: Any) -> Any:
    """What makes the one the other: a merge patch keeps the members of an object that it does not name."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    dropped = {member: None for member in before if member not in after}
    return {**dropped, **{member: _change(before.get(member), value) for member, value in after.items()}}
