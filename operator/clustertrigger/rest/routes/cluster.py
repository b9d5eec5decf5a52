"""Cluster triggers: /v1/clusters/triggers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from clustertrigger.rest import views
from clustertrigger.rest.actions import CLUSTER
from clustertrigger.rest.caller import IdempotencyKey, triggers_of
from clustertrigger.rest.index import Definitions, Entry
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
from clustertrigger.rest.routes.answers import ERRORS, ApiRoute, TriggerId, answer, page_of, query_of, spec_of
from clustertrigger.rest.triggers import Triggers, stem_of

_SORT_KEYS = {"execution_count": "ended_count"}
"""Where an Entry calls what is sorted by otherwise."""
_EVERYTHING, _WHOLE_HISTORY = ListClusterTriggers(), HistoryPage()
"""Without a body."""
_NONE = Definitions()

router = APIRouter(
    prefix="/v1/clusters/triggers",
    tags=["Cluster triggers"],
    responses=ERRORS,
    route_class=ApiRoute,
    generate_unique_id_function=lambda route: f"{route.name}_cluster_trigger",
)


async def _clusterings(request: Request) -> Triggers:
    return triggers_of(request, CLUSTER)


Clusterings = Annotated[Triggers, Depends(_clusterings)]
"""The caller's triggers that cluster."""


@router.post("", response_model=ClusterTrigger, summary="Create a cluster trigger")
async def create(
    body: CreateClusterTrigger,
    triggers: Clusterings,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a trigger that clusters on a schedule, on events, or when the data has drifted."""
    spec = spec_of(body)
    clustered = spec.get("cluster_id") or (spec.get("execution_config") or {}).get("collection_ids", [""])[0]
    stem = stem_of(body.description, f"{body.trigger_type} {clustered}")
    created = await triggers.create(spec, stem, None, idempotency_key, _field)
    return await _one(created, triggers)


@router.post(
    "/list", operation_id="list_cluster_triggers", response_model=ClusterTriggers, summary="List cluster triggers"
)
async def list_triggers(triggers: Clusterings, body: ListClusterTriggers = _EVERYTHING) -> Response:
    """List triggers of the namespace."""
    asked = query_of(body, _SORT_KEYS)._replace(action=CLUSTER, cluster_id=body.cluster_id)
    index, cluster = await triggers.index(), await triggers.cluster_id()
    definitions = await triggers.definitions() if index.inherits else _NONE
    return answer(
        index.answer(
            asked,
            body.offset,
            body.limit,
            ("cluster", cluster, definitions.version),
            lambda total, entries: page_of((_text(entry, definitions, cluster) for entry in entries), total, body),
        )
    )


@router.get("/{trigger_id}", response_model=ClusterTrigger, summary="Get a cluster trigger")
async def get(trigger_id: TriggerId, triggers: Clusterings) -> Response:
    """Return one trigger."""
    return await _one(await triggers.entry(trigger_id), triggers)


@router.patch("/{trigger_id}", response_model=ClusterTrigger, summary="Change a cluster trigger")
async def change(trigger_id: TriggerId, body: ChangeTrigger, triggers: Clusterings) -> Response:
    """Change schedule, description or status. Active runs continue."""
    return await _one(await triggers.change(trigger_id, spec_of(body), None, _field), triggers)


@router.delete("/{trigger_id}", status_code=204, response_class=Response, summary="Delete a cluster trigger")
async def delete(trigger_id: TriggerId, triggers: Clusterings) -> Response:
    """Delete a trigger and its runs."""
    await triggers.delete(trigger_id)
    return Response(status_code=204)


@router.post("/{trigger_id}/pause", response_model=ClusterTrigger, summary="Pause a cluster trigger")
async def pause(trigger_id: TriggerId, triggers: Clusterings) -> Response:
    """Let the trigger fire no more; events still count."""
    return await _one(await triggers.set_status(trigger_id, "paused"), triggers)


@router.post("/{trigger_id}/resume", response_model=ClusterTrigger, summary="Resume a cluster trigger")
async def resume(trigger_id: TriggerId, triggers: Clusterings) -> Response:
    """Let the trigger fire again, also after too many failed runs. What has passed meanwhile does not fire."""
    return await _one(await triggers.set_status(trigger_id, "active"), triggers)


@router.post("/{trigger_id}/execute", response_model=Task, summary="Run a cluster trigger now")
async def execute(trigger_id: TriggerId, triggers: Clusterings, idempotency_key: IdempotencyKey = None) -> Response:
    """Request a run now; the schedule stays as it is."""
    raw, job = await triggers.execute(trigger_id, idempotency_key)
    return answer(views.task(raw, job))


@router.post("/{trigger_id}/history", response_model=ClusterHistory, summary="List the runs of a cluster trigger")
async def history(trigger_id: TriggerId, triggers: Clusterings, body: HistoryPage = _WHOLE_HISTORY) -> Response:
    """Return runs, newest first: active ones, and as many ended ones as the trigger keeps."""
    return answer(views.history((await triggers.entry(trigger_id)).raw, body, "job_id"))


async def _one(entry: Entry, triggers: Triggers) -> Response:
    definitions = await triggers.definitions() if entry.inherits_from is not None else _NONE
    return answer(_text(entry, definitions, await triggers.cluster_id()))


def _text(entry: Entry, definitions: Definitions, cluster: str) -> bytes:
    version, spec = definitions.inherited(entry.inherits_from or "") or ("", None)
    return entry.shown("cluster", (cluster, version), lambda: views.cluster_trigger(entry.raw, spec, cluster))


def _field(path: str) -> str:
    return path.removeprefix("spec.")
