"""Defines constraints, preferences and tolerations for the node of a run's Pod, as in the core API.

Settings that reach beyond the trigger's namespace are left out: if a Pod had an anti-affinity to the Pods of another
namespace, it would keep those Pods from its node.
"""

# ruff: noqa: N815 - The fields have the core API's names.

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from clustercontract.base import ApiModel, cel, with_rules

_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"
LONGEST_KEY = 317
"""Maximum length of a label's key: a domain of 253 characters, a slash and a name of 63 characters."""

LabelValue = Annotated[str, Field(json_schema_extra={"maxLength": 63, "pattern": _LABEL_VALUE})]
"""The value of a label or a taint."""

_PART = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_LABEL_KEY = f"^({_PART}([.]{_PART})*/)?[A-Za-z0-9]([A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?$"
LabelKey = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_KEY, "pattern": _LABEL_KEY})]
"""The key of a label. core.resources.labels describes what is wrong with an invalid key."""

_TAINT_KEY = f"^$|{_LABEL_KEY}"


def cel_keys(field: str, *, any_case: bool = False) -> dict[str, Any]:
    """Returns the CEL rule for the keys of a map, which a schema cannot describe.

    Args:
        field: The map.
        any_case: Whether the domain before the name can have capitals, as in the keys of annotations.
    """
    pattern = f"(?i){_LABEL_KEY}" if any_case else _LABEL_KEY
    return cel(
        f"!has(self.{field}) || self.{field}.all(key, key.size() <= {LONGEST_KEY} && key.matches('{pattern}'))",
        f"{field} has a key that Kubernetes does not accept: write up to 63 letters, digits, '-', '_' and '.', with a "
        "letter or digit at both ends, after a domain and a slash if there is one, such as example.com/team",
        field=f".{field}",
    )


VALUES_MISSING = "values must have at least one entry with operator In or NotIn: set values"
VALUES_FORBIDDEN = "values must be absent with operator Exists or DoesNotExist: remove it"
ONE_VALUE = "values must be exactly one integer with operator Gt or Lt: write one, in quotes"

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
    """A requirement for a label of the node."""

    model_config = ConfigDict(json_schema_extra=with_rules(_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE, _ORDER_TAKES_ONE))

    key: LabelKey = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="Operator that compares the label's value with values."
    )
    values: list[LabelValue] = Field(
        default_factory=list,
        max_length=64,
        description="With In and NotIn, at least one value; with Gt and Lt, exactly one integer.",
    )


class NodeSelectorTerm(ApiModel):
    """Selects nodes by their labels. All requirements must hold."""

    matchExpressions: list[NodeSelectorRequirement] = Field(
        min_length=1, max_length=16, description="Requirements for the node's labels. All of them must hold."
    )


class NodeSelector(ApiModel):
    """Selects nodes by their labels. At least one of the terms must hold."""

    nodeSelectorTerms: list[NodeSelectorTerm] = Field(
        min_length=1, max_length=16, description="Terms, of which at least one must hold."
    )


class PreferredSchedulingTerm(ApiModel):
    """Selects the preferred nodes, and sets the weight of the preference."""

    weight: int = Field(ge=1, le=100, description="Weight that is added to the score of a matching node.")
    preference: NodeSelectorTerm = Field(description="Selects the preferred nodes.")


class NodeAffinity(ApiModel):
    """Selects the nodes on which the Pod is allowed, and the nodes that it prefers."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = Field(
        None, description="Nodes on which the Pod is allowed."
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredSchedulingTerm] = Field(
        default_factory=list, max_length=16, description="Nodes that the Pod prefers."
    )


class LabelSelectorRequirement(ApiModel):
    """A requirement for a label of the Pod."""

    model_config = ConfigDict(json_schema_extra=with_rules(_IN_NEEDS_VALUES, _EXISTS_TAKES_NONE))

    key: LabelKey = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="Operator that compares the label's value with values."
    )
    values: list[LabelValue] = Field(
        default_factory=list, max_length=64, description="With In and NotIn, at least one value."
    )


class LabelSelector(ApiModel):
    """Selects Pods of the trigger's namespace by their labels. An empty selector selects all of them."""

    model_config = ConfigDict(json_schema_extra=with_rules(cel_keys("matchLabels")))

    matchLabels: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels that the Pods must have."
    )
    matchExpressions: list[LabelSelectorRequirement] = Field(
        default_factory=list, max_length=16, description="Requirements for the Pods' labels. All of them must hold."
    )


class PodAffinityTerm(ApiModel):
    """Selects Pods of the trigger's namespace, and defines which nodes count as the same place."""

    labelSelector: LabelSelector = Field(description="Selects the Pods.")
    topologyKey: LabelKey = Field(
        description="Label whose value is the same on all nodes of one place, such as kubernetes.io/hostname or "
        "topology.kubernetes.io/zone."
    )


class WeightedPodAffinityTerm(ApiModel):
    """Selects Pods to be placed beside or apart from, and sets the weight of the preference."""

    weight: int = Field(ge=1, le=100, description="Weight that is added to the score of a matching node.")
    podAffinityTerm: PodAffinityTerm = Field(description="Selects the Pods.")


class PodAffinity(ApiModel):
    """Selects the Pods beside which the Pod must or should be placed."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="Terms that must all hold."
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="Terms that should hold."
    )


class PodAntiAffinity(ApiModel):
    """Selects the Pods beside which the Pod must not or should not be placed."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="Terms of which none may hold."
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] = Field(
        default_factory=list, max_length=16, description="Terms that should not hold."
    )


class Affinity(ApiModel):
    """Constraints and preferences for the Pod's node, as in the core API."""

    nodeAffinity: NodeAffinity | None = Field(None, description="Nodes on which the Pod must or should be placed.")
    podAffinity: PodAffinity | None = Field(
        None, description="Pods of the namespace beside which the Pod must or should be placed."
    )
    podAntiAffinity: PodAntiAffinity | None = Field(
        None, description="Pods of the namespace beside which the Pod must not or should not be placed."
    )


class TopologySpreadConstraint(ApiModel):
    """How Pods of the trigger's namespace are spread, as in the core API."""

    maxSkew: int = Field(
        ge=1, le=2**31 - 1, description="Maximum difference between the numbers of Pods in two places."
    )
    topologyKey: LabelKey = Field(
        description="Label whose value is the same on all nodes of one place, such as topology.kubernetes.io/zone."
    )
    whenUnsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What happens to a Pod that would violate the constraint. DoNotSchedule: it waits. "
        "ScheduleAnyway: it is placed nevertheless."
    )
    labelSelector: LabelSelector | None = Field(
        None,
        description="Selects the Pods that are counted. If absent, all runs and checks of the namespace are counted.",
    )


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
        None,
        max_length=LONGEST_KEY,
        description="Key of the taint. If absent, the toleration applies to every taint.",
        json_schema_extra={"pattern": _TAINT_KEY},
    )
    operator: Literal["Exists", "Equal"] | None = Field(None, description="How value is compared. Default Equal.")
    value: LabelValue | None = Field(None, description="Value of the taint, with operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. If absent, the toleration applies to every effect."
    )
    tolerationSeconds: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="With effect NoExecute: how many seconds the Pod stays on the node. If "
        "absent, it stays indefinitely.",
    )
