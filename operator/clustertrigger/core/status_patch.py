"""Computes the merge patch from a status of the API server to the status after a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustertrigger.api.status import STATUS_FIELDS, ClusterTriggerStatus


def status_patch(raw: Mapping[str, Any], status: ClusterTriggerStatus) -> dict[str, Any]:
    """Returns the fields that differ, as a JSON merge patch (RFC 7386).

    It is empty if nothing changed, and then nothing is written. Top-level fields that this version does not know are
    kept.
    """
    wanted = status.as_json()
    return {
        field: _change(raw.get(field), wanted.get(field))
        for field in STATUS_FIELDS
        if wanted.get(field) != raw.get(field)
    }


def _change(before: Any, after: Any) -> Any:
    """Returns the patch for an object.

    A merge patch keeps the members that it does not name, so removed members are null.
    """
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    dropped = {member: None for member in before if member not in after}
    return {**dropped, **{member: _change(before.get(member), value) for member, value in after.items()}}
