"""Serves triggers of any action: /v1/triggers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from clustertrigger.rest import views
from clustertrigger.rest.actions import ACTIONS
from clustertrigger.rest.caller import IdempotencyKey, triggers_of
from clustertrigger.rest.errors import unlike
from clustertrigger.rest.index import Entry
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
from clustertrigger.rest.requests import body_of, read_body, read_query
from clustertrigger.rest.routes.answers import ERRORS, TriggerId, answer, page_of, query_of, spec_of
from clustertrigger.rest.triggers import Triggers, stem_of

_SORT_KEYS = {"name": "display_name"}
"""Attributes of an Entry for the request's sort keys, where their names differ."""

LIST_BY_QUERY, HISTORY_BY_QUERY = "list_triggers_by_query", "history_trigger"
QUERIES: dict[str, type[BaseModel]] = {LIST_BY_QUERY: QueryUnifiedTriggers, HISTORY_BY_QUERY: QueryHistory}
"""Models of the queries, by operationId."""

router = APIRouter(
    prefix="/v1/triggers",
    tags=["Triggers"],
    responses=ERRORS,
    generate_unique_id_function=lambda route: f"{route.name}_trigger",
)


@router.post("", response_model=UnifiedTrigger, summary="Create a trigger", openapi_extra=body_of(CreateUnifiedTrigger))
async def create(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Create a trigger that acts on a schedule, on events, or when the data has drifted."""
    triggers, body = triggers_of(request), await read_body(request, CreateUnifiedTrigger)
    action = ACTIONS[body.action_type]
    try:
        action.config.model_validate(body.action_config)
    except ValidationError as error:
        raise unlike(error, "action_config", action.config) from error
    config = {name: value for name, value in body.action_config.items() if value is not None}
    written = action.write(config)
    spec = {**spec_of(body, "name", "action_type", "action_config"), **written}
    acted_on = sorted(action.refers_to(spec))
    stem = stem_of(body.name, body.description, f"{body.trigger_type} {acted_on[0] if acted_on else body.action_type}")

    def field(path: str) -> str:
        inner = path.removeprefix("spec.")
        return f"action_config.{inner}" if inner.partition(".")[0] in action.config.model_fields else inner

    created = await triggers.create(spec, stem, body.name, idempotency_key, field)
    return await _shown(created, triggers)


@router.post(
    "/list",
    operation_id="list_triggers",
    response_model=UnifiedTriggers,
    summary="List triggers",
    openapi_extra=body_of(ListUnifiedTriggers, required=False),
)
async def list_triggers(request: Request) -> Response:
    """List triggers of the namespace."""
    triggers = triggers_of(request)
    return await _listed(await read_body(request, ListUnifiedTriggers, required=False), triggers)


@router.get("", operation_id=LIST_BY_QUERY, response_model=UnifiedTriggers, summary="List triggers, by a query")
async def list_by_query(request: Request) -> Response:
    """List triggers of the namespace: the same as POST /v1/triggers/list."""
    # Clients that were generated from a document in which this GET has a body send one.
    triggers = triggers_of(request)
    return await _listed(await read_query(request, QueryUnifiedTriggers, ListUnifiedTriggers), triggers)


@router.get("/{trigger_id}", response_model=UnifiedTrigger, summary="Get a trigger")
async def get(request: Request, trigger_id: TriggerId) -> Response:
    """Return one trigger."""
    triggers = triggers_of(request)
    return await _shown(await triggers.entry(trigger_id), triggers)


@router.patch(
    "/{trigger_id}",
    response_model=UnifiedTrigger,
    summary="Change a trigger",
    openapi_extra=body_of(ChangeUnifiedTrigger),
)
async def change(request: Request, trigger_id: TriggerId) -> Response:
    """Change name, schedule, description or status. Active runs continue."""
    triggers, body = triggers_of(request), await read_body(request, ChangeUnifiedTrigger)
    changed = await triggers.change(
        trigger_id, spec_of(body, "name"), body.name, lambda path: path.removeprefix("spec.")
    )
    return await _shown(changed, triggers)


@router.delete("/{trigger_id}", status_code=204, response_class=Response, summary="Delete a trigger")
async def delete(request: Request, trigger_id: TriggerId) -> Response:
    """Delete a trigger and its runs."""
    await triggers_of(request).delete(trigger_id)
    return Response(status_code=204)


@router.post("/{trigger_id}/pause", response_model=UnifiedTrigger, summary="Pause a trigger")
async def pause(request: Request, trigger_id: TriggerId) -> Response:
    """Stop the trigger from firing; events still count."""
    triggers = triggers_of(request)
    return await _shown(await triggers.set_status(trigger_id, "paused"), triggers)


@router.post("/{trigger_id}/resume", response_model=UnifiedTrigger, summary="Resume a trigger")
async def resume(request: Request, trigger_id: TriggerId) -> Response:
    """Let the trigger fire again, also after too many failed runs. Slots that passed in the meantime do not fire."""
    triggers = triggers_of(request)
    return await _shown(await triggers.set_status(trigger_id, "active"), triggers)


@router.post("/{trigger_id}/execute", response_model=Task, summary="Run a trigger now")
async def execute(request: Request, trigger_id: TriggerId, idempotency_key: IdempotencyKey = None) -> Response:
    """Request a run now; the schedule stays as it is."""
    raw, job = await triggers_of(request).execute(trigger_id, idempotency_key)
    return answer(views.task(raw, job))


@router.get(
    "/{trigger_id}/history",
    operation_id=HISTORY_BY_QUERY,
    response_model=UnifiedHistory,
    summary="List the runs of a trigger",
)
async def history(request: Request, trigger_id: TriggerId) -> Response:
    """Return runs, newest first: active ones, and as many ended ones as the trigger keeps."""
    triggers, page = triggers_of(request), await read_query(request, QueryHistory)
    return answer(views.history((await triggers.entry(trigger_id)).raw, page, "task_id"))


async def _listed(page: ListUnifiedTriggers, triggers: Triggers) -> Response:
    query = query_of(page, _SORT_KEYS)._replace(action=page.action_type, resource_id=page.resource_id)
    index, cluster = await triggers.index(), await triggers.cluster_id()
    return answer(
        index.answer(
            query,
            page.offset,
            page.limit,
            ("unified", cluster),
            lambda total, entries: page_of((_text(entry, cluster) for entry in entries), total, page),
        )
    )


async def _shown(entry: Entry, triggers: Triggers) -> Response:
    return answer(_text(entry, await triggers.cluster_id()))


def _text(entry: Entry, cluster: str) -> bytes:
    overdue = entry.is_overdue
    return entry.shown(
        "unified", (cluster, overdue), lambda: views.unified_trigger(entry.raw, cluster, overdue=overdue)
    )
