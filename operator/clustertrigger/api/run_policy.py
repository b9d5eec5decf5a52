"""Defines `run`: how a trigger's Jobs are run on Kubernetes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiModel, cel, with_rules
from clustercontract.report import Report
from clustercontract.source import ObjectName
from clustercontract.variants import VariantError
from clustertrigger.api.cloud_identity import CloudIdentity
from clustertrigger.api.engine import EnginePolicy, cel_local
from clustertrigger.api.notification import Receivers
from clustertrigger.api.placement import Affinity, LabelValue, Toleration, TopologySpreadConstraint, cel_keys
from clustertrigger.api.reserved_keys import CHART, LABEL_NAME, OF_THE_OPERATOR, cel_reserved
from clustertrigger.api.resources import Resources
from clustertrigger.api.results import Results

AnnotationValue = Annotated[str, Field(max_length=4096)]
LabelName = Annotated[ObjectName, Field(max_length=63)]
"""The name of an object that a label has as its value."""
QueueName = Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$")]


class SecretReference(ApiModel):
    """A Secret in the trigger's namespace, as in the core API."""

    name: ObjectName = Field(description="Name of the Secret.")


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


PRIORITY_NEEDS_QUEUE = (
    "priority_class requires a Kueue queue: set queue_name, or use priority_class_name to set the Pod's PriorityClass"
)


class RunPolicy(ApiModel):
    """How the trigger's Jobs are run."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            cel_keys("node_selector"),
            cel_keys("pod_labels"),
            cel_keys("pod_annotations", any_case=True),
            cel_reserved("pod_labels", "label"),
            cel_reserved("pod_annotations", "annotation"),
            cel(
                f"!has(self.pod_labels) || !('{LABEL_NAME}' in self.pod_labels) || "
                f"self.pod_labels['{LABEL_NAME}'] != '{CHART}'",
                f"pod_labels: {LABEL_NAME} {OF_THE_OPERATOR}",
                field=".pod_labels",
            ),
            cel(
                "!has(self.priority_class) || (has(self.queue_name) && self.queue_name != '') || "
                "(has(self.check) && has(self.check.queue_name) && self.check.queue_name != '')",
                PRIORITY_NEEDS_QUEUE,
                field=".priority_class",
            ),
            cel(
                f"!has(self.check) || !has(self.check.engine) || self.check.engine == 'local' || "
                f"!({cel_local('self')})",
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
        "of Kueue, of container runtimes and of identities of the cloud are not allowed.",
    )
    pod_annotations: dict[str, AnnotationValue] = Field(
        default_factory=dict,
        max_length=32,
        description='Additional annotations of the Pods, such as sidecar.istio.io/inject: "false". Annotations of '
        "the operator, of Kubernetes, of container runtimes, of networks and of identities of the cloud are not "
        "allowed.",
    )
    queue_name: QueueName = Field(
        "", description="Kueue's LocalQueue for the Jobs, with their executors. If empty, the Jobs use no queue."
    )
    priority_class: LabelName | None = Field(
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
