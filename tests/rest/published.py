"""The answers that the API's published pages promise, as models that accept nothing else.

They are written from the pages, not from the service's own models: a client that knows only the pages must be able to
read every answer. Each answer to a Caller of these tests is checked in every test.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Instant = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"), AfterValidator(datetime.fromisoformat)
]
"""As in the pages' examples."""
Object = dict[str, Any]
TriggerType = Literal["cron", "interval", "event", "conditional"]
Status = Literal["active", "paused", "disabled", "failed"]
Count = Annotated[int, Field(ge=0)]


class _Published(BaseModel):
    model_config = ConfigDict(strict=True)


class _Trigger(_Published):
    namespace_id: str
    internal_id: str
    trigger_type: TriggerType
    schedule_config: Object
    trigger_id: str
    status: Status
    last_triggered_at: Instant | None
    next_scheduled_at: Instant | None
    execution_count: Count
    consecutive_failures: Count
    last_execution_status: str | None
    last_execution_error: str | None
    event_counter: Count
    last_cooldown_at: Instant | None
    created_at: Instant
    updated_at: Instant
    created_by: str | None
    description: str | None


class ExecutionConfig(_Published):
    collection_ids: Annotated[list[str], Field(min_length=1)]
    config: Object


class ClusterTrigger(_Trigger):
    execution_config: ExecutionConfig
    cluster_id: str | None
    last_execution_job_id: str | None


class UnifiedTrigger(_Trigger):
    action_type: Literal["cluster", "taxonomy_enrichment", "batch_rerun", "collection_trigger"]
    action_config: Object
    last_execution_task_id: str | None
    baseline_snapshot: Object
    last_drift_measurement: Object
    last_condition_check_at: Instant | None
    # Younger than the page.
    name: str
    last_volume_measurement: Object
    is_overdue: bool


class _Page(_Published):
    total: Count
    offset: Count
    limit: Annotated[int, Field(ge=1, le=1000)]


class ClusterTriggers(_Page):
    results: list[ClusterTrigger]


class UnifiedTriggers(_Page):
    results: list[UnifiedTrigger]


class _Execution(_Published):
    triggered_at: Instant
    status: str
    execution_time_ms: int | None
    error: str | None
    num_clusters: int | None
    num_documents: int | None


class ClusterExecution(_Execution):
    job_id: str


class UnifiedExecution(_Execution):
    task_id: str


class ClusterHistory(_Page):
    trigger_id: str
    executions: list[ClusterExecution]


class UnifiedHistory(_Page):
    trigger_id: str
    executions: list[UnifiedExecution]


class Task(_Published):
    task_id: str
    task_type: Literal[
        "engine_cluster_build", "api_taxonomies_execute", "api_buckets_batches_process", "api_collections_trigger"
    ]
    status: Literal["PENDING", "QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED"]
    inputs: list[Object]
    outputs: list[Object]
    additional_data: Object
    error: str | None


class Error(_Published):
    """The only model without other keys, by which clients distinguish it from an answer."""

    model_config = ConfigDict(extra="forbid")

    class Detail(_Published):
        model_config = ConfigDict(extra="forbid")

        message: Annotated[str, Field(min_length=1)]
        type: Annotated[str, Field(pattern="^[a-z_]+$")]
        code: str | None = None
        details: Object | None = None

    success: Literal[False]
    status: int
    error: Detail


class Nothing(_Published):
    """The model of 204, which has no body."""


ROWS: dict[tuple[str, str], type[BaseModel]] = {
    ("POST", "/v1/clusters/triggers"): ClusterTrigger,
    ("GET", "/v1/clusters/triggers/{trigger_id}"): ClusterTrigger,
    ("PATCH", "/v1/clusters/triggers/{trigger_id}"): ClusterTrigger,
    ("DELETE", "/v1/clusters/triggers/{trigger_id}"): Nothing,
    ("POST", "/v1/clusters/triggers/list"): ClusterTriggers,
    ("POST", "/v1/clusters/triggers/{trigger_id}/pause"): ClusterTrigger,
    ("POST", "/v1/clusters/triggers/{trigger_id}/resume"): ClusterTrigger,
    ("POST", "/v1/clusters/triggers/{trigger_id}/execute"): Task,
    ("POST", "/v1/clusters/triggers/{trigger_id}/history"): ClusterHistory,
    ("POST", "/v1/triggers"): UnifiedTrigger,
    ("GET", "/v1/triggers/{trigger_id}"): UnifiedTrigger,
    ("PATCH", "/v1/triggers/{trigger_id}"): UnifiedTrigger,
    ("DELETE", "/v1/triggers/{trigger_id}"): Nothing,
    ("POST", "/v1/triggers/list"): UnifiedTriggers,
    ("GET", "/v1/triggers"): UnifiedTriggers,
    ("POST", "/v1/triggers/{trigger_id}/pause"): UnifiedTrigger,
    ("POST", "/v1/triggers/{trigger_id}/resume"): UnifiedTrigger,
    ("POST", "/v1/triggers/{trigger_id}/execute"): Task,
    ("GET", "/v1/triggers/{trigger_id}/history"): UnifiedHistory,
}
"""The model of the answer to each successful request. The first row that matches a path applies."""
_PLACES = [
    (method, re.compile(path.replace("{trigger_id}", "[^/]+")), model)
    for (method, path), model in sorted(ROWS.items(), key=lambda row: "{" in row[0][1])
]


def check(answer: httpx.Response) -> None:
    """Checks that an answer matches the pages."""
    method, path = answer.request.method, answer.request.url.path
    if not path.startswith("/v1/"):
        return
    answer.read()
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/json", answer.text
        if method != "HEAD":
            assert Error.model_validate_json(answer.content).status == answer.status_code
        return
    (model, *_) = (model for verb, place, model in _PLACES if verb == method and place.fullmatch(path))
    if model is Nothing:
        assert (answer.status_code, answer.content) == (204, b"")
        return
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    model.model_validate_json(answer.content)
