"""Serves cluster triggers: /v1/clusters/triggers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from clustertrigger.rest import views
from clustertrigger.rest.actions import CLUSTER
from clustertrigger.rest.caller import IdempotencyKey, triggers_of
from clustertrigger.rest.definitions import Definitions
from clustertrigger.rest.index import Entry
from clustertrigger.rest.models import (
    ChangeTrigger,
    ClusterHistory,
    ClusterTrigger,
    ClusterTriggers,
    CreateClusterTrigger,
    HistoryPage,
    ListClusterTriggers,
    Task,
)
from clustertrigger.rest.requests import body_of, read_body
from clustertrigger.rest.routes.answers import ERRORS, TriggerId, answer, page_of, query_of, spec_of
from clustertrigger.rest.triggers import Triggers, stem_of

_SORT_KEYS = {"execution_count": "ended_count"}
"""Attributes of an Entry for the request's sort keys, where their names differ."""
_NONE = Definitions()

router = APIRouter(
    prefix="/v1/clusters/triggers",
    tags=["Cluster triggers"],
    responses=ERRORS,
    generate_unique_id_function=lambda route: f"{route.name}_cluster_trigger",
)


@router.post(
    "", response_model=ClusterTrigger, summary="Create a cluster trigger", openapi_extra=body_of(CreateClusterTrigger)
)
async def create(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
    """Create a trigger that clusters on a schedule, on events, or when the data has drifted."""
    triggers, body = triggers_of(request, CLUSTER), await read_body(request, CreateClusterTrigger)
    spec = spec_of(body)
    clustered = spec.get("cluster_id") or (spec.get("execution_config") or {}).get("collection_ids", [""])[0]
    stem = stem_of(body.description, f"{body.trigger_type} {clustered}")
    created = await triggers.create(spec, stem, None, idempotency_key, _field)
    return await _one(created, triggers)


@router.post(
    "/list",
    operation_id="list_cluster_triggers",
    response_model=ClusterTriggers,
    summary="List cluster triggers",
    openapi_extra=body_of(ListClusterTriggers, required=False),
)
async def list_triggers(request: Request) -> Response:
    """List triggers of the namespace."""
    triggers, body = triggers_of(request, CLUSTER), await read_body(request, ListClusterTriggers, required=False)
    query = query_of(body, _SORT_KEYS)._replace(action=CLUSTER, cluster_id=body.cluster_id)
    index, cluster = await triggers.index(), await triggers.cluster_id()
    definitions = await triggers.definitions() if index.inherits else _NONE
    return answer(
        index.answer(
            query,
            body.offset,
            body.limit,
            ("cluster", cluster, definitions.version),
            lambda total, entries: page_of((_text(entry, definitions, cluster) for entry in entries), total, body),
        )
    )


@router.get("/{trigger_id}", response_model=ClusterTrigger, summary="Get a cluster trigger")
async def get(request: Request, trigger_id: TriggerId) -> Response:
    """Return one trigger."""
    triggers = triggers_of(request, CLUSTER)
    return await _one(await triggers.entry(trigger_id), triggers)


@router.patch(
    "/{trigger_id}",
    response_model=ClusterTrigger,
    summary="Change a cluster trigger",
    openapi_extra=body_of(ChangeTrigger),
)
async def change(request: Request, trigger_id: TriggerId) -> Response:
    """Change schedule, description or status. Active runs continue."""
    triggers, body = triggers_of(request, CLUSTER), await read_body(request, ChangeTrigger)
    return await _one(await triggers.change(trigger_id, spec_of(body), None, _field), triggers)


@router.delete("/{trigger_id}", status_code=204, response_class=Response, summary="Delete a cluster trigger")
async def delete(request: Request, trigger_id: TriggerId) -> Response:
    """Delete a trigger and its runs."""
    await triggers_of(request, CLUSTER).delete(trigger_id)
    return Response(status_code=204)


@router.post("/{trigger_id}/pause", response_model=ClusterTrigger, summary="Pause a cluster trigger")
async def pause(request: Request, trigger_id: TriggerId) -> Response:
    """Stop the trigger from firing; events still count."""
    triggers = triggers_of(request, CLUSTER)
    return await _one(await triggers.set_status(trigger_id, "paused"), triggers)


@router.post("/{trigger_id}/resume", response_model=ClusterTrigger, summary="Resume a cluster trigger")
async def resume(request: Request, trigger_id: TriggerId) -> Response:
    """Let the trigger fire again, also after too many failed runs. Slots that passed in the meantime do not fire."""
    triggers = triggers_of(request, CLUSTER)
    return await _one(await triggers.set_status(trigger_id, "active"), triggers)


@router.post("/{trigger_id}/execute", response_model=Task, summary="Run a cluster trigger now")
async def execute(request: Request, trigger_id: TriggerId, idempotency_key: IdempotencyKey = None) -> Response:
    """Request a run now; the schedule stays as it is."""
    raw, job = await triggers_of(request, CLUSTER).execute(trigger_id, idempotency_key)
    return answer(views.task(raw, job))


@router.post(
    "/{trigger_id}/history",
    response_model=ClusterHistory,
    summary="List the runs of a cluster trigger",
    openapi_extra=body_of(HistoryPage, required=False),
)
async def history(request: Request, trigger_id: TriggerId) -> Response:
    """Return runs, newest first: active ones, and as many ended ones as the trigger keeps."""
    triggers, page = triggers_of(request, CLUSTER), await read_body(request, HistoryPage, required=False)
    return answer(views.history((await triggers.entry(trigger_id)).raw, page, "job_id"))


async def _one(entry: Entry, triggers: Triggers) -> Response:
    definitions = await triggers.definitions() if entry.inherits_from is not None else _NONE
    return answer(_text(entry, definitions, await triggers.cluster_id()))


def _text(entry: Entry, definitions: Definitions, cluster: str) -> bytes:
    version, spec = definitions.inherited(entry.inherits_from or "") or ("", None)
    return entry.shown("cluster", (cluster, version), lambda: views.cluster_trigger(entry.raw, spec, cluster))


def _field(path: str) -> str:
    return path.removeprefix("spec.")
