"""Triggers of any action: /v1/triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import ValidationError

from clustertrigger.rest import views
from clustertrigger.rest.actions import ACTIONS, action_of
from clustertrigger.rest.api_server import Object
from clustertrigger.rest.caller import Backend, CallersTriggers, IdempotencyKey, SharedBackend
from clustertrigger.rest.errors import field_error, invalid
from clustertrigger.rest.models import (
    ChangeUnifiedTrigger,
    CreateUnifiedTrigger,
    ListUnifiedTriggers,
    QueryHistory,
    QueryUnifiedTriggers,
    Task,
    UnifiedHistory,
    UnifiedTrigger,
    UnifiedTriggers,
)
from clustertrigger.rest.routes.answers import TriggerId, answer, spec_of
from clustertrigger.rest.triggers import Triggers, stem_of

router = APIRouter(prefix="/v1/triggers", tags=["Triggers"])


@router.post("", response_model=UnifiedTrigger, summary="Create a trigger")
async def create(
    body: CreateUnifiedTrigger,
    triggers: CallersTriggers,
    backend: SharedBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a trigger that acts on a schedule, on events, or when the data has drifted."""
    action = ACTIONS[body.action_type]
    try:
        action.config.model_validate(body.action_config)
    except ValidationError as error:
        raise invalid(
            field_error(detail, "action_config", action.config) for detail in error.errors(include_url=False)
        ) from error
    config = {name: value for name, value in body.action_config.items() if value is not None}
    written = action.write(config)
    spec = {**spec_of(body, "name", "action_type", "action_config"), **written}
    acted_on = sorted(action.refers_to(spec))
    stem = stem_of(body.name, body.description, f"{body.trigger_type} {acted_on[0] if acted_on else body.action_type}")

    def field(path: str) -> str:
        inner = path.removeprefix("spec.")
        return f"action_config.{inner}" if inner.partition(".")[0] in action.config.model_fields else inner

    created = await triggers.create(spec, stem, body.name, idempotency_key, field)
    return answer(await _shown(created, backend))


@router.post("/list", response_model=UnifiedTriggers, summary="List triggers")
async def list_triggers(body: ListUnifiedTriggers, triggers: CallersTriggers, backend: SharedBackend) -> Response:
    """List triggers of the namespace."""
    return answer(await _listed(body, triggers, backend))


@router.get("", response_model=UnifiedTriggers, summary="List triggers, by a query")
async def list_by_query(
    query: Annotated[QueryUnifiedTriggers, Query()], triggers: CallersTriggers, backend: SharedBackend
) -> Response:
    """List triggers of the namespace: the same as POST /v1/triggers/list."""
    return answer(await _listed(query, triggers, backend))


@router.get("/{trigger_id}", response_model=UnifiedTrigger, summary="Get a trigger")
async def get(trigger_id: TriggerId, triggers: CallersTriggers, backend: SharedBackend) -> Response:
    """Return one trigger."""
    return answer(await _shown(await triggers.find(trigger_id), backend))


@router.patch("/{trigger_id}", response_model=UnifiedTrigger, summary="Change a trigger")
async def change(
    trigger_id: TriggerId, body: ChangeUnifiedTrigger, triggers: CallersTriggers, backend: SharedBackend
) -> Response:
    """Change name, schedule, description or status. Runs that are under way go on."""
    changed = await triggers.change(
        trigger_id, spec_of(body, "name"), body.name, lambda path: path.removeprefix("spec.")
    )
    return answer(await _shown(changed, backend))


@router.delete("/{trigger_id}", status_code=204, response_class=Response, summary="Delete a trigger")
async def delete(trigger_id: TriggerId, triggers: CallersTriggers) -> Response:
    """Delete a trigger and its runs."""
    await triggers.delete(trigger_id)
    return Response(status_code=204)


@router.post("/{trigger_id}/pause", response_model=UnifiedTrigger, summary="Pause a trigger")
async def pause(trigger_id: TriggerId, triggers: CallersTriggers, backend: SharedBackend) -> Response:
    """Let the trigger fire no more; events still count."""
    return answer(await _shown(await triggers.set_status(trigger_id, "paused"), backend))


@router.post("/{trigger_id}/resume", response_model=UnifiedTrigger, summary="Resume a trigger")
async def resume(trigger_id: TriggerId, triggers: CallersTriggers, backend: SharedBackend) -> Response:
    """Let the trigger fire again, also after too many failed runs. What has passed meanwhile does not fire."""
    return answer(await _shown(await triggers.set_status(trigger_id, "active"), backend))


@router.post("/{trigger_id}/execute", response_model=Task, summary="Run a trigger now")
async def execute(trigger_id: TriggerId, triggers: CallersTriggers, idempotency_key: IdempotencyKey = None) -> Response:
    """Request a run now; the schedule stays as it is."""
    raw, job = await triggers.execute(trigger_id, idempotency_key)
    return answer(views.task(raw, job))


@router.get("/{trigger_id}/history", response_model=UnifiedHistory, summary="List the runs of a trigger")
async def history(
    trigger_id: TriggerId, query: Annotated[QueryHistory, Query()], triggers: CallersTriggers
) -> Response:
    """Return runs, newest first: active ones, and as many ended ones as the trigger keeps."""
    return answer(views.history(await triggers.find(trigger_id), query, "task_id"))


async def _listed(page: ListUnifiedTriggers, triggers: Triggers, backend: Backend) -> Mapping[str, Any]:
    found = [raw for raw in await triggers.all() if views.matches(raw, page) and _acts_on(raw, page)]
    cluster, now = await backend.server.cluster_id(), datetime.now(UTC)
    return views.paged(found, page, lambda raw: views.unified_trigger(raw, cluster, now))


def _acts_on(raw: Object, page: ListUnifiedTriggers) -> bool:
    action = action_of(raw["spec"])
    if page.action_type not in (None, action):
        return False
    if page.resource_id is None:
        return True
    return action in ACTIONS and page.resource_id in ACTIONS[action].refers_to(raw["spec"])


async def _shown(raw: Object, backend: Backend) -> Mapping[str, Any]:
    return views.unified_trigger(raw, await backend.server.cluster_id(), datetime.now(UTC))
