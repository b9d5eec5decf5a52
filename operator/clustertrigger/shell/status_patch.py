"""The merge patch between a status as the API server has it and as a decision leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustertrigger.api.status import ClusterTriggerStatus


def status_patch(raw: Mapping[str, Any], status: ClusterTriggerStatus) -> dict[str, Any]:
    """Top-level fields that differ; None removes one. Empty where nothing changed: then nothing is written.

    Fields that this version does not know are left alone.
    """
    wanted = status.model_dump(mode="json", exclude_none=True)
    return {
        field: wanted.get(field) for field in ClusterTriggerStatus.model_fields if wanted.get(field) != raw.get(field)
    }
