"""ClusterTrigger: the spec, field for field the API's request body, and `run` for what only Kubernetes needs."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.actions.config import ACTIONS, Action, ActionConfig, ActionType
from clustercontract.base import ApiId, ApiModel, cel, with_rules
from clustercontract.report import Report
from clustercontract.source import NO_BUCKET, ObjectName, S3Endpoint, S3Region, S3SecretName
from clustercontract.variants import check_variant, narrow, variant_rules
from clustertrigger.api.cloud_identity import CloudIdentity
from clustertrigger.api.definition import ExecutionConfig
from clustertrigger.api.placement import LONGEST_KEY, Affinity, LabelValue, TopologySpreadConstraint
from clustertrigger.api.schedule import SCHEDULES, Schedule, ScheduleConfig, TriggerType

DesiredStatus = Literal["active", "paused", "disabled", "failed"]
_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"

# What Kubernetes would refuse in a Pod is said in full by core.pod_settings; the CRD's schema says what it can of it.
Quantity = (
    Annotated[int, Field(json_schema_extra={"minimum": 0})]
    | Annotated[str, Field(json_schema_extra={"pattern": _QUANTITY})]
)
"""An amount of a resource, such as 2, 500m or 2Gi."""


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
                "tolerationSeconds goes with effect NoExecute only: set that effect or remove tolerationSeconds",
                field=".tolerationSeconds",
            ),
        )
    )

    key: str | None = Field(None, max_length=LONGEST_KEY, description="The taint's key; absent: every taint.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="How value is compared; default Equal.")
    value: LabelValue | None = Field(None, description="The taint's value, with operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect; absent: every effect."
    )
    tolerationSeconds: int | None = Field(  # noqa: N815 - the core API's name
        None, ge=0, le=2**31 - 1, description="With effect NoExecute: how long the Pod stays; absent: for ever."
    )


class SecretReference(ApiModel):
    """A Secret in the trigger's namespace, as in the core API."""

    name: ObjectName = Field(description="The Secret's metadata.name.")


class Resources(ApiModel):
    """Resources of the run's container, as in the core API."""

    requests: dict[str, Quantity] = Field(
        default_factory=dict, max_length=16, description="What the scheduler sets aside, such as cpu and memory."
    )
    limits: dict[str, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="What the container may not exceed; threads follow the cpu limit.",
    )


RESULTS_VOLUME_GOES_WITH_PATH = "volume goes with a path only: remove it, or the s3:// uri"


class Results(ApiModel):
    """Where results go; a folder <namespace>/<trigger>/<run> is made below."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                "!has(self.uri) || !self.uri.contains('://') || self.uri.startsWith('s3://')",
                "uri is a path on the volume or s3://bucket/prefix: other schemes are not written",
                field=".uri",
            ),
            cel(
                "!has(self.uri) || (!self.uri.startsWith('/') && !self.uri.split('/').exists(part, part == '..'))",
                "uri is relative to the volume's root: remove the leading / and any ..",
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
        None, description="PersistentVolumeClaim in this namespace; default: the one that the operator is set up with."
    )
    secret_name: S3SecretName = None
    endpoint: S3Endpoint = None
    region: S3Region = None

    @model_validator(mode="after")
    def _uri_is_writable(self) -> Self:
        uri = self.uri or ""
        if "://" in uri and not uri.startswith("s3://"):
            raise ValueError(
                f"uri {uri!r} is a path on the volume or s3://bucket/prefix: other schemes are not written"
            )
        if uri.startswith("/") or ".." in uri.split("/"):
            raise ValueError(f"uri {uri!r} is relative to the volume's root: remove the leading / and any ..")
        if uri.startswith("s3://") and uri.removeprefix("s3://")[:1] in ("", "/"):
            raise ValueError(NO_BUCKET)
        if uri.startswith("s3://") and self.volume is not None:
            raise ValueError(RESULTS_VOLUME_GOES_WITH_PATH)
        return self


class CheckPolicy(ApiModel):
    """How the Jobs of checks are run; what is not here is as for runs."""

    timeout_seconds: int = Field(3600, ge=1, le=2_592_000, description="Longest time a check may take.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "500m", "memory": "512Mi"}),
        description="Resources of the check's container: a check reads the collection once, in bounded memory.",
    )
    queue_name: QueueName | None = Field(
        None, description="Kueue's LocalQueue of checks; absent: that of runs; empty: none, so that checks never wait."
    )


PRIORITY_NEEDS_QUEUE = "priority_class orders a queue of Kueue's: set queue_name, or priority_class_name for the Pod"


# Which keys these are is said one by one, and why, by core.resources.labels.
_OWN = r"^([^/]*[.])?(clustertrigger[.]dev|kueue[.]x-k8s[.]io)/|^app[.]kubernetes[.]io/managed-by$"
_OPEN_TO_ANNOTATIONS = "^(app|cluster-autoscaler|descheduler[.]alpha|controller|kubectl)[.]kubernetes[.]io/"
_OF_KUBERNETES = r"^([^/]*[.])?(kubernetes|k8s)[.]io/|^(job-name|controller-uid)$|^io[.]kubernetes[.]"


class RunPolicy(ApiModel):
    """How the trigger's Jobs are run."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel(
                f"!has(self.pod_labels) || self.pod_labels.all(key, !key.matches('{_OWN}') && "
                f"(key.startsWith('app.kubernetes.io/') || !key.matches('{_OF_KUBERNETES}')))",
                "pod_labels must not hold labels of the operator, of Kubernetes or of Kueue: remove them",
                field=".pod_labels",
                reason="FieldValueForbidden",
            ),
            cel(
                f"!has(self.pod_annotations) || self.pod_annotations.all(key, !key.matches('(?i){_OWN}') && "
                f"(key.matches('(?i){_OPEN_TO_ANNOTATIONS}') || !key.matches('(?i){_OF_KUBERNETES}')))",
                "pod_annotations must not hold annotations of the operator, of Kubernetes, of Kueue or of a container "
                "runtime: remove them",
                field=".pod_annotations",
                reason="FieldValueForbidden",
            ),
            cel(
                "!has(self.priority_class) || (has(self.queue_name) && self.queue_name != '') || "
                "(has(self.check) && has(self.check.queue_name) && self.check.queue_name != '')",
                PRIORITY_NEEDS_QUEUE,
                field=".priority_class",
            ),
        )
    )

    concurrency_policy: Literal["Forbid", "Allow", "Replace"] = Field(
        "Forbid",
        description="When a slot comes while a run is active. Forbid: the slot is skipped; Allow: both run, up to 100 "
        "at a time; Replace: the active run is deleted first.",
    )
    starting_deadline_seconds: int = Field(
        3600, ge=1, le=604_800, description="How late a slot may still fire, after downtime or a refused Job."
    )
    timeout_seconds: int = Field(21600, ge=1, le=2_592_000, description="Longest time a run may take.")
    pending_timeout_seconds: int = Field(
        600, ge=1, le=86_400, description="Longest time a run's Pod may take to start; time in a queue does not count."
    )
    max_consecutive_failures: int = Field(
        5,
        ge=1,
        le=1000,
        description="Failed runs in a row after which the trigger stops firing (status failed); failed checks in a row "
        "after which it is Stalled.",
    )
    history_limit: int = Field(
        10, ge=1, le=100, description="Ended runs kept in status.history, and folders of results kept (at least two)."
    )
    retries: int = Field(1, ge=0, le=10, description="How often a failed Pod is tried again within a run.")
    resources: Resources = Field(
        default=Resources(requests={"cpu": "1", "memory": "2Gi"}), description="Resources of the run's container."
    )
    service_account_name: ObjectName = Field(
        "default", description="Service account of the run's Pod; its token for the API server is not mounted."
    )
    cloud_identity: CloudIdentity | None = Field(
        None,
        description="Buckets without a Secret are read and written as this identity of the service account; absent: "
        "anonymously, or as what the cloud's own webhook puts into the Pod (IRSA, EKS Pod Identity).",
    )
    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=64, description="Labels of the nodes that may run the Pod."
    )
    tolerations: list[Toleration] = Field(default_factory=list, max_length=64, description="Tolerations of the Pod.")
    affinity: Affinity | None = Field(None, description="Where the Pod may and should be.")
    topology_spread_constraints: list[TopologySpreadConstraint] = Field(
        default_factory=list, max_length=8, description="How the Pods of runs are spread over nodes and zones."
    )
    priority_class_name: ObjectName | None = Field(
        None,
        description="PriorityClass of the Pod: one of those that the operator's setting worker.allowedPriorityClasses "
        "names.",
    )
    runtime_class_name: ObjectName | None = Field(None, description="RuntimeClass of the Pod, such as gvisor.")
    image_pull_secrets: list[SecretReference] = Field(
        default_factory=list,
        max_length=16,
        description="Secrets to pull the worker's image with, beside those that the operator is set up with.",
    )
    pod_labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="More labels of the Pods, such as a cost centre. Those of the operator, of Kubernetes and of Kueue "
        "cannot be set.",
    )
    pod_annotations: dict[str, AnnotationValue] = Field(
        default_factory=dict,
        max_length=32,
        description='More annotations of the Pods, such as sidecar.istio.io/inject: "false". Those of the operator, of '
        "Kubernetes and of container runtimes cannot be set.",
    )
    queue_name: QueueName = Field("", description="Kueue's LocalQueue, if any.")
    priority_class: ObjectName | None = Field(
        None, description="Kueue's WorkloadPriorityClass, which orders the queue; goes with queue_name."
    )
    results: Results = Field(default=Results(), description="Where results go.")
    check: CheckPolicy = Field(default=CheckPolicy(), description="conditional: how checks are run.")
    report: Report = Field(default=Report(), description="What the report shows.")

    @model_validator(mode="after")
    def _priority_needs_a_queue(self) -> Self:
        if self.priority_class is not None and not (self.queue_name or self.check.queue_name):
            raise ValueError(PRIORITY_NEEDS_QUEUE)
        return self


NEEDS_WORK = "execution_config or cluster_id is required: set one of them"
SHORT_FORM = ("execution_config", "cluster_id")
"""Fields at the top that stand for the action_config of one action."""
SHORT_FORM_OF: str = "cluster"


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
        *(
            rule
            for field in SHORT_FORM
            for rule in (
                cel(
                    f"!has(self.{field}) || !has(self.action_config) || self.action_type != '{SHORT_FORM_OF}'",
                    _both_forms(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                ),
            )
        ),
    ]


class ClusterTriggerSpec(ApiModel):
    """Says when embeddings are to be clustered again, and how."""

    model_config = ConfigDict(json_schema_extra=_spec_rules)

    trigger_type: TriggerType = Field(description="What makes the trigger due; decides the fields of schedule_config.")
    schedule_config: ScheduleConfig = Field(description="The schedule's own fields.")
    action_type: ActionType = Field("cluster", description="What a run does; decides the fields of action_config.")
    action_config: ActionConfig | None = Field(None, description="The action's own fields.")
    execution_config: ExecutionConfig | None = Field(
        None, description="cluster, short form: what to cluster; wins over cluster_id where both are set."
    )
    cluster_id: ApiId | None = Field(
        None, description="cluster, short form: a ClusterDefinition, by its cluster_id or name."
    )
    description: str | None = Field(None, max_length=2048, description="For people.")
    status: DesiredStatus = Field(
        "active",
        description="What the owner wants. paused fires nothing but counts events; disabled does neither; failed is "
        "what the operator sets in status after too many failures, and as a wish stops the trigger too.",
    )
    run: RunPolicy = Field(default=RunPolicy(), description="How the trigger's Jobs are run.")

    @model_validator(mode="after")
    def _schedule_fits_type(self) -> Self:
        check_variant(SCHEDULES, self.trigger_type, self.schedule_config)
        return self

    @model_validator(mode="after")
    def _work_fits_action(self) -> Self:
        short = next((field for field in SHORT_FORM if getattr(self, field) is not None), None)
        if self.action_config is not None:
            check_variant(ACTIONS, self.action_type, self.action_config)
        has_short_form = self.action_type == SHORT_FORM_OF
        if has_short_form and self.action_config is None and short is None:
            raise ValueError(NEEDS_WORK)
        if self.action_config is not None and short is not None:
            raise ValueError(_both_forms(short))
        return self

    @cached_property
    def schedule(self) -> Schedule:
        """The trigger type's own model, with its defaults filled in."""
        schedule: Schedule = narrow(SCHEDULES, self.trigger_type, self.schedule_config)
        return schedule

    @cached_property
    def action(self) -> Action | None:
        """The action's own model, with its defaults filled in; None where execution_config says what to cluster."""
        if self.execution_config is not None:
            return None
        written = self.action_config or ActionConfig(cluster_id=self.cluster_id)
        action: Action = narrow(ACTIONS, self.action_type, written)
        return action
