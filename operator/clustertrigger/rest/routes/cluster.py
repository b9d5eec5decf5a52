"""Cluster triggers: /v1/clusters/triggers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from clustertrigger.rest import views
from clustertrigger.rest.actions import CLUSTER, cluster_id_of
from clustertrigger.rest.api_server import Object
from clustertrigger.rest.caller import Backend, CallersTriggers, IdempotencyKey, SharedBackend
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
from clustertrigger.rest.routes.answers import TriggerId, answer, spec_of
from clustertrigger.rest.triggers import Triggers, stem_of

router = APIRouter(prefix="/v1/clusters/triggers", tags=["Cluster triggers"])


def _clusterings(triggers: CallersTriggers) -> Triggers:
    return triggers.only(CLUSTER)


Clusterings = Annotated[Triggers, Depends(_clusterings)]
"""The caller's triggers that cluster."""


@router.post("", response_model=ClusterTrigger, summary="Create a cluster trigger")
async def create(
    body: CreateClusterTrigger,
    triggers: Clusterings,
    backend: SharedBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a trigger that clusters on a schedule, on events, or when the data has drifted."""
    spec = spec_of(body)
    clustered = spec.get("cluster_id") or (spec.get("execution_config") or {}).get("collection_ids", [""])[0]
    stem = stem_of(body.description, f"{body.trigger_type} {clustered}")
    created = await triggers.create(spec, stem, None, idempotency_key, _field)
    return answer(await _shown(created, triggers, backend))


@router.post("/list", response_model=ClusterTriggers, summary="List cluster triggers")
async def list_triggers(body: ListClusterTriggers, triggers: Clusterings, backend: SharedBackend) -> Response:
    """List triggers of the namespace."""
    found = [
        raw
        for raw in await triggers.all()
        if views.matches(raw, body) and body.cluster_id in (None, cluster_id_of(raw["spec"]))
    ]
    inherited = await _Inherited.of(found, triggers)
    cluster = await backend.server.cluster_id()
    return answer(views.paged(found, body, lambda raw: views.cluster_trigger(raw, inherited.by(raw), cluster)))


@router.get("/{trigger_id}", response_model=ClusterTrigger, summary="Get a cluster trigger")
async def get(trigger_id: TriggerId, triggers: Clusterings, backend: SharedBackend) -> Response:
    """Return one trigger."""
    return answer(await _shown(await triggers.find(trigger_id), triggers, backend))


@router.patch("/{trigger_id}", response_model=ClusterTrigger, summary="Change a cluster trigger")
async def change(trigger_id: TriggerId, body: ChangeTrigger, triggers: Clusterings, backend: SharedBackend) -> Response:
    """Change schedule, description or status. Runs that are under way go on."""
    return answer(await _shown(await triggers.change(trigger_id, spec_of(body), None, _field), triggers, backend))


@router.delete("/{trigger_id}", status_code=204, response_class=Response, summary="Delete a cluster trigger")
async def delete(trigger_id: TriggerId, triggers: Clusterings) -> Response:
    """Delete a trigger and its runs."""
    await triggers.delete(trigger_id)
    return Response(status_code=204)


@router.post("/{trigger_id}/pause", response_model=ClusterTrigger, summary="Pause a cluster trigger")
async def pause(trigger_id: TriggerId, triggers: Clusterings, backend: SharedBackend) -> Response:
    """Let the trigger fire no more; events still count."""
    return answer(await _shown(await triggers.set_status(trigger_id, "paused"), triggers, backend))


@router.post("/{trigger_id}/resume", response_model=ClusterTrigger, summary="Resume a cluster trigger")
async def resume(trigger_id: TriggerId, triggers: Clusterings, backend: SharedBackend) -> Response:
    """Let the trigger fire again, also after too many failed runs. What has passed meanwhile does not fire."""
    return answer(await _shown(await triggers.set_status(trigger_id, "active"), triggers, backend))


@router.post("/{trigger_id}/execute", response_model=Task, summary="Run a cluster trigger now")
async def execute(trigger_id: TriggerId, triggers: Clusterings, idempotency_key: IdempotencyKey = None) -> Response:
    """Request a run now; the schedule stays as it is."""
    raw, job = await triggers.execute(trigger_id, idempotency_key)
    return answer(views.task(raw, job))


@router.post("/{trigger_id}/history", response_model=ClusterHistory, summary="List the runs of a cluster trigger")
async def history(trigger_id: TriggerId, body: HistoryPage, triggers: Clusterings) -> Response:
    """Return runs, newest first: active ones, and as many ended ones as the trigger keeps."""
    return answer(views.history(await triggers.find(trigger_id), body, "job_id"))


async def _shown(raw: Object, triggers: Triggers, backend: Backend) -> Mapping[str, Any]:
    inherited = await _Inherited.of([raw], triggers)
    return views.cluster_trigger(raw, inherited.by(raw), await backend.server.cluster_id())


def _field(path: str) -> str:
    return path.removeprefix("spec.")


class _Inherited:
    """What triggers inherit from ClusterDefinitions.

    Args:
        definitions: of the namespace.
    """

    def __init__(self, definitions: Iterable[Object]) -> None:
        self._by_name: dict[str, Object] = {}
        self._by_id: dict[str, list[Object]] = defaultdict(list)
        for found in definitions:
            self._by_name[found["metadata"]["name"]] = found["spec"]
            self._by_id[found["spec"].get("cluster_id", "")].append(found["spec"])

    @classmethod
    async def of(cls, raws: Iterable[Object], triggers: Triggers) -> _Inherited:
        """What these triggers inherit; ClusterDefinitions are asked for only where there is such a trigger."""
        asked = any("execution_config" not in raw["spec"] for raw in raws)
        return cls(await triggers.definitions() if asked else ())

    def by(self, raw: Mapping[str, Any]) -> Object | None:
        """What a trigger inherits: by id first, by name second; None where nobody knows."""
        wanted = cluster_id_of(raw["spec"]) or ""
        claiming = self._by_id.get(wanted) or []
        return claiming[0] if len(claiming) == 1 else None if claiming else self._by_name.get(wanted)
