"""Where a run's Pod may and should be: parts of the core API, under its own names.

What reaches beyond the trigger's namespace is left out: a Pod's anti-affinity to the Pods of others keeps those from
its node.
"""

# ruff: noqa: N815 - the core API's names

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from clustercontract.base import ApiModel, cel, with_rules

_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"
LONGEST_KEY = 317
"""Of a label: a domain of 253 characters, a slash, a name of 63."""

LabelValue = Annotated[str, Field(json_schema_extra={"maxLength": 63, "pattern": _LABEL_VALUE})]
"""The value of a label or a taint."""

_LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
LabelKey = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_KEY, "pattern": _LABEL_KEY})]
"""The key of a label; what is wrong with another one is said by core.resources.labels."""

VALUES_MISSING = "values must name at least one with operator In or NotIn: set values"
VALUES_FORBIDDEN = "values must be absent with operator Exists or DoesNotExist: remove it"
ONE_VALUE = "values must be one whole number with operator Gt or Lt: write one, in quotes"

_IN_NEEDS_VALUES = cel(
    "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
    VALUES_MISSING,
    field=".values",
)
_EXISTS_TAKES_NONE = cel(
    "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
    VALUES_FORBIDDEN,
    field=".values",
    reason="FieldValueForbidden",
)
_ORDER_TAKES_ONE = cel(
    "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && size(self.values) == 1)", ONE_VALUE, field=".values"
)


class NodeSelectorRequirement(ApiModel):
    """What a label of the node must be."""

    model_config = ConfigDict(json_schema_extra=with_rules(_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE, _ORDER_TAKES_ONE))

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the label's value is compared with values."
    )
    values: list[LabelValue] = Field(
        default_factory=list, max_length=64, description="In, NotIn: at least one; Gt, Lt: one whole number."
    )


class NodeSelectorTerm(ApiModel):
    """Nodes, by their labels; all requirements must hold."""

    matchExpressions: list[NodeSelectorRequirement] = Field(
        min_length=1, max_length=16, description="All of them must hold."
    )


class NodeSelector(ApiModel):
    """Nodes, by their labels; one of the terms must hold."""

    nodeSelectorTerms: list[NodeSelectorTerm] = Field(min_length=1, max_length=16, description="One of them must hold.")


class PreferredSchedulingTerm(ApiModel):
    """Nodes that are preferred, and how much."""

    weight: int = Field(ge=1, le=100, description="What a node that matches gains.")
    preference: NodeSelectorTerm = Field(description="The nodes.")


class NodeAffinity(ApiModel):
    """On which nodes the Pod may and should be."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = Field(None, description="Where it may be.")
    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredSchedulingTerm] = Field(
        default_factory=list, max_length=16, description="Where it should be."
    )


class LabelSelectorRequirement(ApiModel):
    """What a label of the Pod must be."""

    model_config = ConfigDict(json_schema_extra=with_rules(_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE))

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label's value is compared with values."
    )
    values: list[LabelValue] = Field(default_factory=list, max_length=64, description="In, NotIn: at least one.")


class LabelSelector(ApiModel):
    """Pods of the trigger's namespace, by their labels; an empty one selects all of them."""

    matchLabels: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels that they must have."
    )
    matchExpressions: list[LabelSelectorRequirement] = Field(
        default_factory=list, max_length=16, description="All of them must hold."
    )


class PodAffinityTerm(ApiModel):
    """Pods of the trigger's namespace, and what counts as beside them."""

    labelSelector: LabelSelector = Field(description="The Pods.")
    topologyKey: LabelKey = Field(
        description="The label of nodes that share a place, such as kubernetes.io/hostname or "
        "topology.kubernetes.io/zone."
    )


class WeightedPodAffinityTerm(ApiModel):
    """Pods that it is preferred to be beside, or not to be, and how much."""

    weight: int = Field(ge=1, le=100, description="What a node that matches gains.")
    podAffinityTerm: PodAffinityTerm = Field(description="The Pods.")


class PodAffinity(ApiModel):
    """Beside which Pods the Pod may and should be."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="All of them must hold."
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="What is better."
    )


class PodAntiAffinity(ApiModel):
    """Beside which Pods the Pod may not and should not be."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="None of them may hold."
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="What is worse."
    )


class Affinity(ApiModel):
    """Where the Pod may and should be, as in the core API."""

    nodeAffinity: NodeAffinity | None = Field(None, description="On which nodes.")
    podAffinity: PodAffinity | None = Field(None, description="Beside which Pods of the namespace.")
    podAntiAffinity: PodAntiAffinity | None = Field(None, description="Not beside which Pods of the namespace.")


class TopologySpreadConstraint(ApiModel):
    """How Pods of the trigger's namespace are spread, as in the core API."""

    maxSkew: int = Field(ge=1, le=2**31 - 1, description="By how many Pods two places may differ.")
    topologyKey: LabelKey = Field(
        description="The label of nodes that share a place, such as topology.kubernetes.io/zone."
    )
    whenUnsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What happens to a Pod that cannot be placed so: it waits, or is placed all the same."
    )
    labelSelector: LabelSelector | None = Field(
        None, description="The Pods that are counted; absent: all runs and checks of the namespace."
    )
