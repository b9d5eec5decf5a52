"""Requests and responses of the API, field for field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clustercontract.actions.config import ActionType
from clustercontract.base import ApiId, ApiModel
from clustertrigger.api.definition import ExecutionConfig
from clustertrigger.api.schedule import ScheduleConfig, TriggerType
from clustertrigger.api.status import RunStatus
from clustertrigger.api.trigger import DesiredStatus

LONGEST_NAME = 253
"""Characters of a trigger's name: as many as an object's name may have."""
LARGEST_PAGE = 1000

Description = Annotated[
    str | None, Field(max_length=2048, description="Free text for readers; the operator ignores it.")
]
DisplayName = Annotated[
    str | None, Field(min_length=1, max_length=LONGEST_NAME, description="Display name of the trigger, for readers.")
]
Offset = Annotated[int, Field(ge=0, le=2**31 - 1, description="Number of items to skip.")]
Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Maximum number of items to return.")]
SortKey = Literal[
    "created_at",
    "updated_at",
    "last_triggered_at",
    "next_scheduled_at",
    "execution_count",
    "consecutive_failures",
    "trigger_id",
    "trigger_type",
    "status",
    "description",
]
UnifiedSortKey = Literal[SortKey, "name", "action_type"]
Direction = Literal["asc", "desc"]
TaskStatus = Literal["PENDING", "QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED"]


class CreateTrigger(ApiModel):
    """What both kinds of requests to create a trigger have."""

    trigger_type: TriggerType = Field(
        description="What makes the trigger due. It determines which fields of schedule_config apply."
    )
    schedule_config: ScheduleConfig = Field(description="Fields of the schedule.")
    description: Description = None
    status: DesiredStatus = Field("active", description="Initial status.")


class CreateClusterTrigger(CreateTrigger):
    """A cluster trigger to create. Either execution_config or cluster_id is required."""

    cluster_id: ApiId | None = Field(None, description="The cluster_id or the name of a ClusterDefinition.")
    execution_config: ExecutionConfig | None = Field(
        None, description="What to cluster; takes precedence over cluster_id if both are set."
    )


class CreateUnifiedTrigger(CreateTrigger):
    """A trigger of any action to create."""

    name: DisplayName = None
    action_type: ActionType = Field(description="What a run does. It determines which fields of action_config apply.")
    action_config: dict[str, Any] = Field(description="Fields of the action.")


class ChangeTrigger(ApiModel):
    """What can be changed of a cluster trigger; what is absent or null stays as it is."""

    schedule_config: ScheduleConfig | None = Field(None, description="Replaces all fields of the schedule.")
    description: Description = None
    status: DesiredStatus | None = Field(None, description="The desired status.")


class ChangeUnifiedTrigger(ChangeTrigger):
    """What can be changed of a trigger; what is absent or null stays as it is."""

    name: DisplayName = None


class Page(ApiModel):
    """Which triggers to list."""

    trigger_type: TriggerType | None = Field(None, description="Return only triggers of this type.")
    status: DesiredStatus | None = Field(None, description="Return only triggers in this state.")
    offset: Offset = 0
    limit: Limit = 50
    sort_by: SortKey = Field("created_at", description="Field to sort by. Triggers without a value come last.")
    direction: Direction = Field("desc", description="Sort order: ascending (asc) or descending (desc).")


class ListClusterTriggers(Page):
    """Which cluster triggers to list."""

    cluster_id: str | None = Field(
        None, max_length=LONGEST_NAME, description="Return only triggers of this ClusterDefinition."
    )


class ListUnifiedTriggers(Page):
    """Which triggers to list."""

    sort_by: UnifiedSortKey = Field(  # type: ignore[assignment]
        "created_at", description="Field to sort by. Triggers without a value come last."
    )
    action_type: ActionType | None = Field(None, description="Return only triggers with this action.")
    resource_id: str | None = Field(
        None,
        max_length=LONGEST_NAME,
        description="Return only triggers that act on this cluster_id, taxonomy_id or collection_id.",
    )


class HistoryPage(ApiModel):
    """Which executions to return."""

    offset: Offset = 0
    limit: Limit = 50
    status_filter: RunStatus | None = Field(None, description="Return only executions in this state.")


_TEXT = ConfigDict(strict=False)
"""Validates a query, in which all values are text."""


class _Query(ApiModel):
    namespace: str | None = Field(None, max_length=63, description="Alternative to the header.")


class QueryUnifiedTriggers(_Query, ListUnifiedTriggers):
    """Which triggers to list."""

    model_config = _TEXT


class QueryHistory(_Query, HistoryPage):
    """Which executions to return."""

    model_config = _TEXT


class _Answer(BaseModel):
    # Every field is always there, so that it is required of the answer even where a client need not expect it.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class TriggerExecutionConfig(_Answer):
    """What is clustered, and how."""

    collection_ids: list[str] = Field(
        min_length=1,
        description="Collections that are clustered. <unknown> if the cluster_id does not exist, or if the caller must "
        "not see its ClusterDefinition.",
    )
    config: dict[str, Any] = Field(description="Algorithm and parameters. Empty if unknown.")
    mode: str = Field("full", description="Mode of a run: full, assign or composite.")


class _Trigger(_Answer):
    namespace_id: str = Field(description="The namespace's name.")
    internal_id: str = Field(description="The Kubernetes cluster's id: the uid of the namespace kube-system.")
    trigger_type: TriggerType
    schedule_config: dict[str, Any]
    trigger_id: str = Field(description="trg_ and 16 hex digits.")
    status: DesiredStatus = Field("active", description="The effective state.")
    last_triggered_at: AwareDatetime | None = None
    next_scheduled_at: AwareDatetime | None = None
    consecutive_failures: int = Field(0, description="Failed runs since the last success.")
    last_execution_status: str | None = None
    last_execution_error: str | None = Field(None, description="Why the last run failed, in one line.")
    event_counter: int = Field(0, description="Events since the trigger last fired.")
    last_cooldown_at: AwareDatetime | None = None
    description: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    created_by: str | None = None


class ClusterTrigger(_Trigger):
    """A cluster trigger."""

    execution_config: TriggerExecutionConfig = Field(
        description="What is clustered, and how. With a cluster_id, this is inherited from the ClusterDefinition."
    )
    cluster_id: str | None = None
    last_execution_job_id: str | None = None
    execution_count: int = Field(0, description="Runs that ended.")


class UnifiedTrigger(_Trigger):
    """A trigger of any action."""

    name: str
    action_type: ActionType
    action_config: dict[str, Any]
    last_execution_task_id: str | None = None
    execution_count: int = Field(0, description="Runs that succeeded.")
    baseline_snapshot: dict[str, Any] = Field(
        {}, description="The baseline that checks compare with. Empty if there is none yet."
    )
    last_drift_measurement: dict[str, Any] = Field(
        {}, description="Result of the last check, with condition_type drift. Empty if there is none."
    )
    last_volume_measurement: dict[str, Any] = Field(
        {}, description="Result of the last check, with condition_type volume. Empty if there is none."
    )
    last_condition_check_at: AwareDatetime | None = None
    is_overdue: bool = Field(False, description="Whether the trigger is active and overdue.")


class ClusterTriggers(_Answer):
    """A page of cluster triggers."""

    results: list[ClusterTrigger]
    total: int = Field(description="Total number of items on all pages.")
    offset: int
    limit: int


class UnifiedTriggers(_Answer):
    """A page of triggers."""

    results: list[UnifiedTrigger]
    total: int = Field(description="Total number of items on all pages.")
    offset: int
    limit: int


class _Execution(_Answer):
    triggered_at: AwareDatetime
    status: str
    execution_time_ms: int | None = None
    error: str | None = None
    num_clusters: int | None = None
    num_documents: int | None = None


class ClusterExecution(_Execution):
    """One run of a cluster trigger."""

    job_id: str


class UnifiedExecution(_Execution):
    """One run of a trigger."""

    task_id: str


class ClusterHistory(_Answer):
    """A page of the runs of a cluster trigger, newest first."""

    trigger_id: str
    executions: list[ClusterExecution]
    total: int = Field(description="Total number of items on all pages.")
    offset: int
    limit: int


class UnifiedHistory(_Answer):
    """A page of the runs of a trigger, newest first."""

    trigger_id: str
    executions: list[UnifiedExecution]
    total: int = Field(description="Total number of items on all pages.")
    offset: int
    limit: int


class Task(_Answer):
    """One run, as a task."""

    task_id: str = Field(description="Name of the run's Job, as in the history.")
    task_type: str = Field(description="Derived from the action_type.")
    status: TaskStatus
    inputs: list[dict[str, Any]] = Field(description="The trigger's action_config.")
    outputs: list[dict[str, Any]] = Field(description="Result of a completed run. Empty until it completes.")
    additional_data: dict[str, Any] = Field(description="trigger_id, namespace_id and name of the trigger.")
    error: str | None = Field(None, description="Why the run failed, in one line.")
