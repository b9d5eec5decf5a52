"""Defines ClusterTrigger: the spec has the fields of the API's request body, and `run` adds those of Kubernetes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.actions.cluster import Cluster
from clustercontract.actions.config import ACTIONS, Action, ActionConfig, ActionType
from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.engine import (
    EXECUTORS,
    LOCAL_BELOW,
    MOST_EXECUTORS,
    PARTITION_ROWS,
    SPARK_ACTIONS,
    SPARK_ALGORITHMS,
    EngineType,
    spark_clusters,
)
from clustercontract.mode import NO_FILTERS_OF_CENTROIDS, Mode, check_mode, mode_rules
from clustercontract.report import Report
from clustercontract.source import NO_BUCKET, ObjectName, S3Endpoint, S3Region, S3SecretName
from clustercontract.variants import VariantError, check_variant, narrow, variant_rules
from clustertrigger.api.cloud_identity import CloudIdentity
from clustertrigger.api.definition import ExecutionConfig
from clustertrigger.api.notification import Receivers
from clustertrigger.api.placement import LONGEST_KEY, Affinity, LabelValue, TopologySpreadConstraint
from clustertrigger.api.schedule import SCHEDULES, Schedule, ScheduleConfig, TriggerType

DesiredStatus = Literal["active", "paused", "disabled", "failed"]
_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"

# core.pod_settings finds everything that Kubernetes would refuse in a Pod; the CRD's schema finds what it can express.
Quantity = (
    Annotated[int, Field(json_schema_extra={"minimum": 0})]
    | Annotated[str, Field(json_schema_extra={"pattern": _QUANTITY})]
)
"""A quantity of a resource, such as 2, 500m or 2Gi."""


AnnotationValue = Annotated[str, Field(max_length=4096)]
QueueName = Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$")]


class Toleration(ApiModel):
    """A toleration of the run's Pod, as in the core API."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
                "operator must be Exists without a key: set key or operator",
                field=".operator",
            ),
            cel(
                "!has(self.value) || self.value == '' || !has(self.operator) || self.operator == 'Equal'",
                "value must be empty with operator Exists: remove it",
                field=".value",
                reason="FieldValueForbidden",
            ),
            cel(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds is valid only with effect NoExecute: set that effect or remove tolerationSeconds",
                field=".tolerationSeconds",
            ),
        )
    )

    key: str | None = Field(
        None, max_length=LONGEST_KEY, description="Key of the taint. If absent, the toleration applies to every taint."
    )
    operator: Literal["Exists", "Equal"] | None = Field(None, description="How value is compared. Default Equal.")
    value: LabelValue | None = Field(None, description="Value of the taint, with operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. If absent, the toleration applies to every effect."
    )
    tolerationSeconds: int | None = Field(  # noqa: N815 - the core API's name
        None,
        ge=0,
        le=2**31 - 1,
        description="With effect NoExecute: how many seconds the Pod stays on the node. If "
        "absent, it stays indefinitely.",
    )


class SecretReference(ApiModel):
    """A Secret in the trigger's namespace, as in the core API."""

    name: ObjectName = Field(description="Name of the Secret.")


class Resources(ApiModel):
    """Resources of the run's container, as in the core API."""

    requests: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="Resources that the scheduler reserves, such as cpu and memory.",
    )
    limits: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="Maximum resources that the container can use. The number of threads follows the cpu limit.",
    )


RESULTS_VOLUME_GOES_WITH_PATH = "volume is valid only if uri is a path: remove volume, or the s3:// uri"


class Results(ApiModel):
    """Where results are written. Each run gets the folder <namespace>/<trigger>/<run> there."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "!has(self.uri) || !self.uri.contains('://') || self.uri.startsWith('s3://')",
                "uri must be a path on the volume or s3://bucket/prefix: other schemes are not supported for results",
                field=".uri",
            ),
            cel(
                "!has(self.uri) || (!self.uri.startsWith('/') && !self.uri.split('/').exists(part, part == '..'))",
                "uri must be relative to the volume's root: remove the leading / and any ..",
                field=".uri",
            ),
            cel(
                "!has(self.uri) || !self.uri.startsWith('s3://') || self.uri.matches('^s3://[^/]+')",
                NO_BUCKET,
                field=".uri",
            ),
            cel(
                "!has(self.volume) || !has(self.uri) || !self.uri.startsWith('s3://')",
                RESULTS_VOLUME_GOES_WITH_PATH,
                field=".volume",
                reason="FieldValueForbidden",
            ),
        )
    )

    uri: str | None = Field(
        None, max_length=1024, description="A path relative to the volume's root, or s3://bucket/prefix."
    )
    volume: ObjectName | None = Field(
        None, description="PersistentVolumeClaim in this namespace. Default: the claim in the operator's settings."
    )
    secret_name: S3SecretName = None
    endpoint: S3Endpoint = None
    region: S3Region = None

    @model_validator(mode="after")
    def _uri_is_writable(self) -> Self:
        uri = self.uri or ""
        if "://" in uri and not uri.startswith("s3://"):
            raise ValueError(
                f"uri {uri!r} must be a path on the volume or s3://bucket/prefix: "
                "other schemes are not supported for results"
            )
        if uri.startswith("/") or ".." in uri.split("/"):
            raise ValueError(f"uri {uri!r} must be relative to the volume's root: remove the leading / and any ..")
        if uri.startswith("s3://") and uri.removeprefix("s3://")[:1] in ("", "/"):
            raise ValueError(NO_BUCKET)
        if uri.startswith("s3://") and self.volume is not None:
            raise ValueError(RESULTS_VOLUME_GOES_WITH_PATH)
        return self


CheckEngine = Literal["local", "run"]
CHECK_NEEDS_ENGINE = (
    "engine run is valid only with run.engine.type spark or auto: remove check.engine, or set run.engine.type"
)


class CheckPolicy(ApiModel):
    """How the Jobs of checks are run. Settings that are not here are the same as for runs."""

    timeout_seconds: int = Field(3600, ge=1, le=2_592_000, description="Maximum duration of a check, in seconds.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "500m", "memory": "512Mi"}),
        description="Resources of the check's container. A check reads the collection once, in bounded memory.",
    )
    queue_name: QueueName | None = Field(
        None,
        description="Kueue's LocalQueue for checks. If absent, checks use the queue of runs. If empty, checks "
        "use no queue and never wait.",
    )
    engine: CheckEngine = Field(
        "local",
        description="local: the check's Pod reads the documents. run: run.engine applies to checks, too, so "
        "executors that the check's Pod makes read the documents. A check of document_count reads no documents.",
    )


class ExecutorPolicy(ApiModel):
    """The Pods of Spark's executors. Settings that are not here are the same as for the run's Pod."""

    resources: Resources = Field(
        default=Resources(requests={"cpu": "1", "memory": "2Gi"}),
        description="Resources of each executor. An executor works on as many partitions at a time as it has CPUs "
        "(the limit, or else the request). Its memory request is also its limit.",
    )
    node_selector: dict[str, LabelValue] | None = Field(
        None,
        max_length=64,
        description="Labels that a node must have to run an executor. Default: run.node_selector.",
    )
    tolerations: list[Toleration] | None = Field(
        None, max_length=64, description="Tolerations of the executors. Default: run.tolerations."
    )


EXECUTOR_FIELDS = ("executors", "executor", "partition_rows")
"""Fields of the engine that say how Spark works."""


def _engine_local(field: str) -> str:
    return f"{field} is valid only with engine type spark or auto: remove it, or set engine.type"


LOCAL_BELOW_NEEDS_AUTO = "local_below is valid only with engine type auto: remove it, or set engine.type: auto"


def _cel_local(run: str) -> str:
    """The CEL expression for a run that has no executors."""
    return f"!has({run}.engine) || {run}.engine.type == 'local'"


class EnginePolicy(ApiModel):
    """Where a run's work is done."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            *(
                cel(
                    f"self.type != 'local' || !has(self.{field})",
                    _engine_local(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                )
                for field in EXECUTOR_FIELDS
            ),
            cel(
                "self.type == 'auto' || !has(self.local_below)",
                LOCAL_BELOW_NEEDS_AUTO,
                field=".local_below",
                reason="FieldValueForbidden",
            ),
        )
    )

    type: EngineType = Field(
        "local",
        description="local: the run's Pod does all of the work. spark: Apache Spark's executors, which the run's Pod "
        "makes, read the documents and assign them. auto: spark above local_below documents, and local otherwise. "
        "spark and auto require the chart's value spark.enabled and collections in Parquet files, and support action "
        f"cluster with mode full and algorithm {', '.join(SPARK_ALGORITHMS)}, or with mode assign, and action "
        "taxonomy_enrichment.",
    )
    executors: int | None = Field(
        None, ge=1, le=MOST_EXECUTORS, description=f"spark, auto: number of executors. Default {EXECUTORS}."
    )
    executor: ExecutorPolicy | None = Field(None, description="spark, auto: the Pods of the executors.")
    partition_rows: int | None = Field(
        None,
        ge=1_000,
        le=100_000_000,
        description="spark, auto: maximum number of documents per partition, which an executor reads and assigns at a "
        "time. A row group of a Parquet file is never divided, so a partition is larger where a row group is. Default "
        f"{PARTITION_ROWS}.",
    )
    local_below: int | None = Field(
        None,
        ge=0,
        le=2_000_000_000,
        description=f"auto: up to this number of documents, the run's Pod does all of the work. Default {LOCAL_BELOW}.",
    )

    @property
    def has_executors(self) -> bool:
        """Whether Spark's executors may do the work, so that the run's Pod is their driver."""
        return self.type != "local"

    @model_validator(mode="after")
    def _fields_fit_type(self) -> Self:
        for field in EXECUTOR_FIELDS:
            if not self.has_executors and getattr(self, field) is not None:
                raise ValueError(_engine_local(field))
        if self.type != "auto" and self.local_below is not None:
            raise ValueError(LOCAL_BELOW_NEEDS_AUTO)
        return self


PRIORITY_NEEDS_QUEUE = (
    "priority_class requires a Kueue queue: set queue_name, or use priority_class_name to set the Pod's PriorityClass"
)


# core.resources.labels describes these keys one by one.
_OWN = r"^([^/]*[.])?(clustertrigger[.]dev|kueue[.]x-k8s[.]io)/|^app[.]kubernetes[.]io/managed-by$"
_OF_RUNTIMES = (
    r"^(io[.]kubernetes|io[.]katacontainers|org[.]systemd[.]property|run[.]oci)[.]|"
    r"^([^/]*[.])?crio[.]io/|(^|[.])crio[.]io$"
)
_OF_CLOUDS = "^iam[.]amazonaws[.]com/"
_RESERVED = f"{_OWN}|{_OF_RUNTIMES}|{_OF_CLOUDS}"
_OPEN_TO_ANNOTATIONS = "^(app|cluster-autoscaler|descheduler[.]alpha|controller|kubectl)[.]kubernetes[.]io/"
_OF_KUBERNETES = r"^([^/]*[.])?(kubernetes|k8s)[.]io/|^(job-name|controller-uid)$"


class RunPolicy(ApiModel):
    """How the trigger's Jobs are run."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                f"!has(self.pod_labels) || self.pod_labels.all(key, !key.matches('{_RESERVED}') && "
                f"(key.startsWith('app.kubernetes.io/') || !key.matches('{_OF_KUBERNETES}')))",
                "pod_labels must not contain labels that the operator uses, of Kubernetes, of Kueue, of a container "
                "runtime or for an identity of the cloud: remove them",
                field=".pod_labels",
                reason="FieldValueForbidden",
            ),
            cel(
                f"!has(self.pod_annotations) || self.pod_annotations.all(key, !key.matches('(?i){_RESERVED}') && "
                f"(key.matches('(?i){_OPEN_TO_ANNOTATIONS}') || !key.matches('(?i){_OF_KUBERNETES}')))",
                "pod_annotations must not contain annotations that the operator uses, of Kubernetes, of Kueue, of a "
                "container runtime or for an identity of the cloud: remove them",
                field=".pod_annotations",
                reason="FieldValueForbidden",
            ),
            cel(
                "!has(self.priority_class) || (has(self.queue_name) && self.queue_name != '') || "
                "(has(self.check) && has(self.check.queue_name) && self.check.queue_name != '')",
                PRIORITY_NEEDS_QUEUE,
                field=".priority_class",
            ),
            cel(
                f"!has(self.check) || !has(self.check.engine) || self.check.engine == 'local' || "
                f"!({_cel_local('self')})",
                CHECK_NEEDS_ENGINE,
                field=".check.engine",
            ),
        )
    )

    concurrency_policy: Literal["Forbid", "Allow", "Replace"] = Field(
        "Forbid",
        description="What happens if a slot is due while a run is active. Forbid: the slot is skipped. Allow: both "
        "run, up to 100 runs at a time. Replace: the active run is deleted first.",
    )
    starting_deadline_seconds: int = Field(
        3600,
        ge=1,
        le=604_800,
        description="How late a slot can still fire, for example after downtime or after the "
        "API server refused its Job.",
    )
    timeout_seconds: int = Field(21600, ge=1, le=2_592_000, description="Maximum duration of a run, in seconds.")
    pending_timeout_seconds: int = Field(
        600,
        ge=1,
        le=86_400,
        description="Maximum number of seconds until a run's Pod starts, and for which a run with engine type spark "
        "waits while it has no executor. Time in a queue is not included.",
    )
    max_consecutive_failures: int = Field(
        5,
        ge=1,
        le=1000,
        description="Number of consecutive failed runs after which the trigger stops firing (status failed), and of "
        "consecutive failed checks after which it is Stalled.",
    )
    history_limit: int = Field(
        10,
        ge=1,
        le=100,
        description="Number of ended runs to keep in status.history, and of results folders to keep (at least two).",
    )
    retries: int = Field(1, ge=0, le=10, description="How many times a failed Pod is retried within a run.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "1", "memory": "2Gi"}), description="Resources of the run's container."
    )
    service_account_name: ObjectName = Field(
        "default",
        description="Service account of the run's Pod. Its token for the API server is mounted only with engine type "
        "spark or auto, because the run's Pod makes the executors with it.",
    )
    cloud_identity: CloudIdentity | None = Field(
        None,
        description="Identity with which the run reads and writes buckets that have no Secret. If absent, the run "
        "accesses them anonymously, or with the credentials that the cloud's own webhook adds to the Pod (IRSA, EKS "
        "Pod Identity).",
    )
    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=64, description="Labels that a node must have to run the Pod."
    )
    tolerations: list[Toleration] = Field(default_factory=list, max_length=64, description="Tolerations of the Pod.")
    affinity: Affinity | None = Field(None, description="Constraints and preferences for the Pod's node.")
    topology_spread_constraints: list[TopologySpreadConstraint] = Field(
        default_factory=list, max_length=8, description="How the Pods of runs are spread over nodes and zones."
    )
    priority_class_name: ObjectName | None = Field(
        None,
        description="PriorityClass of the Pod. The operator's setting worker.allowedPriorityClasses must list it.",
    )
    runtime_class_name: ObjectName | None = Field(None, description="RuntimeClass of the Pod, such as gvisor.")
    image_pull_secrets: list[SecretReference] = Field(
        default_factory=list,
        max_length=16,
        description="Secrets to pull the worker's image with, in addition to those in the operator's settings.",
    )
    pod_labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Additional labels of the Pods, such as a cost centre. Labels of the operator, of Kubernetes, "
        "of Kueue, of container runtimes and of kube2iam are not allowed.",
    )
    pod_annotations: dict[str, AnnotationValue] = Field(
        default_factory=dict,
        max_length=32,
        description='Additional annotations of the Pods, such as sidecar.istio.io/inject: "false". Annotations of '
        "the operator, of Kubernetes, of container runtimes and of kube2iam are not allowed.",
    )
    queue_name: QueueName = Field(
        "", description="Kueue's LocalQueue for the Jobs, with their executors. If empty, the Jobs use no queue."
    )
    priority_class: ObjectName | None = Field(
        None,
        description="Kueue's WorkloadPriorityClass, which sets the Jobs' priority in the queue. Requires queue_name.",
    )
    results: Results = Field(default=Results(), description="Where results are written.")
    check: CheckPolicy = Field(default=CheckPolicy(), description="conditional: how checks are run.")
    engine: EnginePolicy = Field(default=EnginePolicy(), description="Where the work of a run is done.")
    report: Report = Field(default=Report(), description="What the report shows.")
    notify: Receivers = Field(
        default_factory=list, description="Receivers of CloudEvents about runs and checks, over HTTP."
    )

    @model_validator(mode="after")
    def _priority_needs_a_queue(self) -> Self:
        if self.priority_class is not None and not (self.queue_name or self.check.queue_name):
            raise ValueError(PRIORITY_NEEDS_QUEUE)
        return self

    @model_validator(mode="after")
    def _engine_of_checks(self) -> Self:
        if self.check.engine == "local":
            return self
        if not self.engine.has_executors:
            raise VariantError(CHECK_NEEDS_ENGINE, "check")
        return self


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
        *(
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
        ),
        cel(
            f"self.trigger_type != 'conditional' || self.action_type == '{MEASURED}'",
            DRIFT_NEEDS_CLUSTERS,
            field=".trigger_type",
        ),
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
        *_engine_rules(),
    ]


def _listed(names: Iterable[str]) -> str:
    """Names in a list of CEL."""
    return ", ".join(f"'{name}'" for name in names)


def _engine_rules() -> list[dict[str, Any]]:
    local = f"!has(self.run) || {_cel_local('self.run')}"
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
