"""Defines ClusterTrigger: the spec has the fields of the API's request body, and `run` adds those of Kubernetes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.actions.cluster import Cluster
from clustercontract.actions.config import ACTIONS, Action, ActionConfig, ActionType
from clustercontract.base import ApiId, ApiModel, cel
from clustercontract.engine import SPARK_ACTIONS, SPARK_ALGORITHMS, spark_clusters
from clustercontract.mode import NO_FILTERS_OF_CENTROIDS, Mode, check_mode, mode_rules
from clustercontract.variants import VariantError, check_variant, narrow, variant_rules
from clustertrigger.api.definition import ExecutionConfig
from clustertrigger.api.engine import cel_local
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.api.schedule import SCHEDULES, Schedule, ScheduleConfig, TriggerType

DesiredStatus = Literal["active", "paused", "disabled", "failed"]

NEEDS_WORK = "execution_config or cluster_id is required: set one of them"
NEEDS_CONFIG = "action_config is required with every action_type except cluster: set it"
DRIFT_NEEDS_CLUSTERS = (
    "trigger_type conditional is valid only with action_type cluster: only a clustering writes a baseline for checks"
)
RUN_COMPLETED = "run_completed"
"""Type of the event that the operator counts for a completed run."""
WAITS_FOR_ITSELF = (
    "the trigger's own runs write this collection, so that each run would start the next one: wait for another "
    "collection, or remove this one from the outputs"
)
DRIFT_NEEDS_FULL = (
    "trigger_type conditional is valid only with mode full: checks measure the change since the last clustering of "
    "documents, and modes assign and composite do not cluster documents"
)
SPARK_NEEDS_ACTION = (
    f"engine type spark or auto is valid only with action_type {' or '.join(SPARK_ACTIONS)}: remove engine, or set "
    "engine.type: local"
)
SPARK_NEEDS_DOCUMENTS = (
    "engine type spark or auto is not valid with mode composite, which reads centroids and no documents: remove "
    "engine, or set engine.type: local"
)
SPARK_NEEDS_CENTROIDS = (
    f"engine type spark or auto supports algorithm {', '.join(SPARK_ALGORITHMS)} only, except with mode assign: set "
    "one of them, or set engine.type: local"
)
BY_ID = "cluster_id "
"""Prefix of `ClusterTriggerSpec.clustering` if a ClusterDefinition says what is clustered."""
SHORT_FORM = ("execution_config", "cluster_id")
"""Top-level fields that replace the action_config of one action."""
SHORT_FORM_OF: str = "cluster"
MEASURED: str = "cluster"
"""The action that writes a baseline for checks."""


def _short_form_elsewhere(field: str) -> str:
    return f"{field} is valid only with action_type cluster: remove it"


def _both_forms(field: str) -> str:
    return f"{field} is the short form of action_config: set one of them"


def _spec_rules(schema: dict[str, Any]) -> None:
    schema["x-kubernetes-validations"] = [
        *variant_rules(
            SCHEDULES,
            discriminator="self.trigger_type",
            parent="self.schedule_config",
            fields=ScheduleConfig.model_fields,
        ),
        *variant_rules(
            ACTIONS,
            discriminator="self.action_type",
            parent="self.action_config",
            fields=ActionConfig.model_fields,
            optional=True,
        ),
        *_work_rules(),
        *_chain_rules(),
        cel(
            f"self.trigger_type != 'conditional' || self.action_type == '{MEASURED}'",
            DRIFT_NEEDS_CLUSTERS,
            field=".trigger_type",
        ),
        *_mode_rules(),
        *_engine_rules(),
    ]


def _work_rules() -> list[dict[str, Any]]:
    """Rules on what a run works on: in action_config, or in the short form."""
    return [
        cel(
            f"self.action_type != '{SHORT_FORM_OF}' || has(self.execution_config) || has(self.cluster_id) || "
            "has(self.action_config)",
            NEEDS_WORK,
            field=".execution_config",
            reason="FieldValueRequired",
        ),
        cel(
            f"self.action_type == '{SHORT_FORM_OF}' || has(self.action_config)",
            NEEDS_CONFIG,
            field=".action_config",
            reason="FieldValueRequired",
        ),
        *(
            rule
            for field in SHORT_FORM
            for rule in (
                cel(
                    f"!has(self.{field}) || self.action_type == '{SHORT_FORM_OF}'",
                    _short_form_elsewhere(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                ),
                cel(
                    f"!has(self.{field}) || !has(self.action_config) || self.action_type != '{SHORT_FORM_OF}'",
                    _both_forms(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                ),
            )
        ),
    ]


def _chain_rules() -> list[dict[str, Any]]:
    return [
        cel(
            f"self.trigger_type != 'event' || !has(self.schedule_config.event_type) || "
            f"self.schedule_config.event_type != '{RUN_COMPLETED}' || !has(self.schedule_config.collection_id) || "
            f"!has(self.{parent}) || !has(self.{parent}.{outputs}) || "
            f"!(self.schedule_config.collection_id {relation} self.{parent}.{outputs})",
            f"collection_id is not valid with event_type {RUN_COMPLETED}: {WAITS_FOR_ITSELF}",
            field=".schedule_config.collection_id",
        )
        for parent, outputs, relation in (
            ("execution_config", "outputs", "in"),
            ("action_config", "output_collection_ids", "in"),
            ("action_config", "target_collection_id", "=="),
        )
    ]


def _mode_rules() -> list[dict[str, Any]]:
    return [
        *mode_rules("self.action_config", f"self.action_type != '{SHORT_FORM_OF}' || !has(self.action_config)"),
        cel(
            "!has(self.action_config) || !has(self.action_config.mode) || self.action_config.mode != 'composite' || "
            f"self.action_type != '{SHORT_FORM_OF}' || !has(self.action_config.filters)",
            NO_FILTERS_OF_CENTROIDS,
            field=".action_config.filters",
            reason="FieldValueForbidden",
        ),
        *(
            cel(
                f"self.trigger_type != 'conditional' || !has(self.{field}) || !has(self.{field}.mode) || "
                f"self.{field}.mode == 'full'",
                DRIFT_NEEDS_FULL,
                field=".trigger_type",
            )
            for field in ("execution_config", "action_config")
        ),
    ]


def _engine_rules() -> list[dict[str, Any]]:
    local = f"!has(self.run) || {cel_local('self.run')}"
    execution = "self.execution_config"
    return [
        cel(f"{local} || self.action_type in [{_listed(SPARK_ACTIONS)}]", SPARK_NEEDS_ACTION, field=".run.engine"),
        *(
            cel(
                f"{local} || !has(self.{field}) || !has(self.{field}.mode) || self.{field}.mode != 'composite'",
                SPARK_NEEDS_DOCUMENTS,
                field=".run.engine",
            )
            for field in ("execution_config", "action_config")
        ),
        cel(
            f"{local} || !has({execution}) || {execution}.config.algorithm in [{_listed(SPARK_ALGORITHMS)}] || "
            f"(has({execution}.mode) && {execution}.mode == 'assign')",
            SPARK_NEEDS_CENTROIDS,
            field=".run.engine",
        ),
    ]


def _listed(names: Iterable[str]) -> str:
    """Names in a list of CEL."""
    return ", ".join(f"'{name}'" for name in names)


class ClusterTriggerSpec(ApiModel):
    """Defines when embeddings are clustered again, and how."""

    model_config = ConfigDict(json_schema_extra=_spec_rules)

    trigger_type: TriggerType = Field(
        description="What makes the trigger due. It determines which fields of schedule_config apply."
    )
    schedule_config: ScheduleConfig = Field(description="Fields of the schedule.")
    action_type: ActionType = Field(
        "cluster", description="What a run does. It determines which fields of action_config apply."
    )
    action_config: ActionConfig | None = Field(None, description="Fields of the action.")
    execution_config: ExecutionConfig | None = Field(
        None, description="cluster, short form: what to cluster. It takes precedence over cluster_id if both are set."
    )
    cluster_id: ApiId | None = Field(
        None, description="cluster, short form: the cluster_id or the name of a ClusterDefinition."
    )
    description: str | None = Field(
        None, max_length=2048, description="Free text for readers; the operator ignores it."
    )
    status: DesiredStatus = Field(
        "active",
        description="The desired state. active: the trigger fires. paused: it does not fire, but still counts "
        "events. disabled: it does neither. failed: it stops, as if the operator had set it to failed in status "
        "after too many failures.",
    )
    run: RunPolicy = Field(default=RunPolicy(), description="How the trigger's Jobs are run.")

    @model_validator(mode="after")
    def _schedule_fits_type(self) -> Self:
        check_variant(SCHEDULES, self.trigger_type, self.schedule_config, "schedule_config")
        return self

    @model_validator(mode="after")
    def _work_fits_action(self) -> Self:
        short = next((field for field in SHORT_FORM if getattr(self, field) is not None), None)
        if self.action_config is not None:
            check_variant(ACTIONS, self.action_type, self.action_config, "action_config")
            check_mode(self.action_config, "action_config")
            if self.action_config.mode == "composite" and self.action_config.filters is not None:
                raise VariantError(NO_FILTERS_OF_CENTROIDS, "action_config")
        has_short_form = self.action_type == SHORT_FORM_OF
        if has_short_form and self.action_config is None and short is None:
            raise ValueError(NEEDS_WORK)
        if not has_short_form and self.action_config is None:
            raise ValueError(NEEDS_CONFIG)
        if not has_short_form and short is not None:
            raise ValueError(_short_form_elsewhere(short))
        if self.action_config is not None and short is not None:
            raise ValueError(_both_forms(short))
        if self.action_type != MEASURED and self.trigger_type == "conditional":
            raise ValueError(DRIFT_NEEDS_CLUSTERS)
        if self.mode != "full" and self.trigger_type == "conditional":
            raise ValueError(DRIFT_NEEDS_FULL)
        return self

    @model_validator(mode="after")
    def _waits_for_others(self) -> Self:
        config = self.schedule_config
        execution, action = self.execution_config, self.action_config
        written = [*(execution.outputs if execution else ()), *((action and action.output_collection_ids) or ())]
        if action is not None and action.target_collection_id is not None:
            written.append(action.target_collection_id)
        is_chain = self.trigger_type == "event" and config.event_type == RUN_COMPLETED
        if is_chain and config.collection_id in written:
            raise ValueError(f"collection_id is not valid with event_type {RUN_COMPLETED}: {WAITS_FOR_ITSELF}")
        return self

    @model_validator(mode="after")
    def _engine_fits_work(self) -> Self:
        if not self.run.engine.has_executors:
            return self
        if self.action_type not in SPARK_ACTIONS:
            raise VariantError(SPARK_NEEDS_ACTION, "run")
        if self.mode == "composite":
            raise VariantError(SPARK_NEEDS_DOCUMENTS, "run")
        if self.execution_config and not spark_clusters(self.mode, self.execution_config.config.algorithm):
            raise VariantError(SPARK_NEEDS_CENTROIDS, "run")
        return self

    @property
    def mode(self) -> Mode:
        """The mode of a run; full for actions that have no modes."""
        given = self.execution_config or self.action_config
        return (given.mode if given else None) or "full"

    @cached_property
    def clustering(self) -> str | None:
        """What is clustered: equal for the same cluster_id, or the same collections and configuration.

        None with actions that do not cluster. It has a space, which no name of an object has.
        """
        if self.execution_config is not None:
            what = self.execution_config
            written = f"{sorted(what.collection_ids)} {what.config.model_dump_json(exclude_none=True)}"
            return f"execution_config {hashlib.sha256(written.encode()).hexdigest()[:16]}"
        return f"{BY_ID}{self.action.cluster_id}" if isinstance(self.action, Cluster) else None

    @cached_property
    def schedule(self) -> Schedule:
        """The trigger type's own model, with its defaults filled in."""
        schedule: Schedule = narrow(SCHEDULES, self.trigger_type, self.schedule_config)
        return schedule

    @cached_property
    def action(self) -> Action | None:
        """The action's own model, with its defaults filled in; None if execution_config defines what to cluster."""
        if self.execution_config is not None:
            return None
        written = self.action_config or ActionConfig(cluster_id=self.cluster_id)
        action: Action = narrow(ACTIONS, self.action_type, written)
        return action
