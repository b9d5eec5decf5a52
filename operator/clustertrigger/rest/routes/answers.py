"""What the routes share: paths' parameters, specs out of bodies, and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Response

from clustertrigger.core.json_text import write_json
from clustertrigger.rest.models import LONGEST_NAME, ChangeTrigger, CreateTrigger

TriggerId = Annotated[
    str, Path(max_length=LONGEST_NAME, description="The trigger_id, or the metadata.name of the ClusterTrigger.")
]


def answer(body: Mapping[str, Any]) -> Response:
    """200. Views hold what their models say, so that nothing is read and written twice."""
    return Response(write_json(body), media_type="application/json")


def spec_of(body: CreateTrigger | ChangeTrigger, *without: str) -> dict[str, Any]:
    """The fields that a request sets, as in a trigger's spec."""
    return body.model_dump(mode="json", exclude_unset=True, exclude=set(without))
