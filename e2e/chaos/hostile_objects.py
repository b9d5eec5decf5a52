"""Makes ClusterTriggers as erring or malicious users may send them: from the CRD's schema, and from naughty strings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from clustertrigger.api import API_VERSION
from clustertrigger.api.names import ANNOTATION_RESET_REQUESTED, ANNOTATION_RUN_REQUESTED
from codegen.crd import CLUSTER_TRIGGER
from e2e.chaos.naughty import STRINGS
from harness.control_plane.manifests import interval, trigger
from harness.specs.cases import ACCEPTED
from harness.specs.strategies import ITEM, VALUE, Changed, Path, places, put, with_changes

Object = dict[str, Any]
T = TypeVar("T")

_FIRES = interval(3600, start_immediately=True)
"""Spec for odd metadata. It fires at once, because Job, Pod and events are made from the metadata."""
_ELSEWHERE = {
    "spec.trigger_type": "spec.schedule_config",
    "spec.cluster_id": "spec.execution_config",
    "spec.action_config": "spec.execution_config",
    "spec.action_type": "spec.action_config",
    "spec.action_config.mode": "spec.trigger_type",
    "spec.execution_config.mode": "spec.trigger_type",
}
"""Fields that an error may name instead, because the value of the other field decides what is valid."""
_MAPS: tuple[tuple[Path, Any], ...] = (
    (("run", "node_selector"), "ssd"),
    (("run", "resources", "requests"), "1"),
    (("run", "resources", "limits"), "1"),
    (("run", "check", "resources", "limits"), "1"),
)
"""Objects with arbitrary keys, and a valid value in them."""


@dataclass(frozen=True)
class Case:
    """One trigger to create.

    Attributes:
        what: Kind of the case, for the count.
        body: The object to send.
        fields: Fields of which a rejection must name one, without the index of an item; empty if nothing is invalid.
    """

    what: str
    body: Object
    fields: frozenset[str]


Make = Callable[[str, str], Case]
"""Makes a case from the name of an object and a naughty string."""


def generated(number: int, seeded: int) -> Iterator[Case]:
    """Yields cases from the schema: up to three places of a valid spec have another valid or barely invalid value."""
    for n, changed in enumerate(_drawn(with_changes([CLUSTER_TRIGGER]), number, seeded)):
        yield Case("generated", trigger(f"generated-{n}", changed.spec), _to_blame(changed))


def naughty(*, everywhere: bool, seeded: int) -> Iterator[Case]:
    """Yields cases with each naughty string at one place, or with each at every place."""
    makes = list(_makes())
    if everywhere:
        pairs = [(make, text) for make in makes for text in STRINGS]
    else:
        texts = list(STRINGS)
        random.Random(seeded).shuffle(texts)  # noqa: S311 - an order, not a secret
        pairs = list(zip(cycle(makes), texts, strict=False))
    for n, (make, text) in enumerate(pairs):
        yield make(f"naughty-{n}", text)


def special() -> Iterator[Case]:
    """Yields cases that a single string cannot cause."""
    wrong: dict[str, Any] = {"none": None, "empty": {}, "list": [], "text": "spec", "number": 5}
    for name, spec in wrong.items():
        yield Case("no spec", trigger(f"spec-{name}", spec), frozenset({"spec"}))
    selectors = {f"{n}-" + "x" * 2_000: "ssd" for n in range(64)}
    yield _special("many selectors", interval(3600, node_selector=selectors), "spec.run.node_selector")
    yield _special("huge selector", interval(3600, node_selector={"x" * 500_000: "ssd"}), "spec.run.node_selector")
    tolerations = [{"key": f"{n}" + "!" * 310, "operator": "Exists"} for n in range(64)]
    yield _special("many tolerations", interval(3600, tolerations=tolerations), "spec.run.tolerations.key")
    quantities = {"requests": {"cpu": "9" * 200_000}, "limits": {"cpu": "1" * 100_000}}
    yield _special("huge quantities", interval(3600, resources=quantities), "spec.run.resources")
    amount = {"requests": {"memory": "9" * 200_000}}
    yield _special("huge amount", interval(3600, start_immediately=True, resources=amount), "spec.run.resources")
    token = {ANNOTATION_RUN_REQUESTED: "r" * 200_000}
    yield Case("huge token", trigger("huge-token", _FIRES, annotations=token), frozenset())
    kopfs = {"kopf.zalando.org/last-handled-configuration": "{", "kopf.zalando.org/touch-dummy": "\0"}
    yield Case("annotations of Kopf's", trigger("annotations-of-kopf", _FIRES, annotations=kopfs), frozenset())
    for name in ("1.2.3.4", "a" * 199 + ".b", "a" * 199 + "-b", "a" * 253):
        yield Case("long name", trigger(name, _FIRES), frozenset())
    yield Case("deep ownership", trigger("deep-ownership", _FIRES, managedFields=[_deep_ownership()]), frozenset())
    finalizers = ["kopf.zalando.org/KopfFinalizerMarker"]
    yield Case("finalizer of Kopf's", trigger("finalizer-of-kopf", _FIRES, finalizers=finalizers), frozenset())


def _deep_ownership() -> Object:
    """Returns an entry of managedFields, which no schema limits, nested deeper than Python's recursion limit."""
    fields: Object = {}
    for _ in range(5_000):
        fields = {"f:a": fields}
    return {
        "manager": "anybody",
        "operation": "Update",
        "apiVersion": API_VERSION,
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": fields},
    }


def _special(what: str, spec: Object, field: str) -> Case:
    return Case(what, trigger(what.replace(" ", "-"), spec), frozenset({field}))


def _makes() -> Iterator[Make]:
    """Yields a function for every place that can have a string."""
    bases = [case.spec for case in ACCEPTED if case.kind is CLUSTER_TRIGGER]
    for path, schema in places(CLUSTER_TRIGGER):
        if schema.get("type") == "string" or schema.get("x-kubernetes-int-or-string"):
            base = max(bases, key=lambda spec: _held(spec, path))
            # The effect of spec.run is visible only if the trigger fires.
            yield _value({**_FIRES, "run": base.get("run", {})} if path[0] == "run" else base, path)
    for path, value in _MAPS:
        yield _key(path, value)
    yield lambda name, text: Case("naughty field", trigger(name, {**_FIRES, text: "x"}), frozenset({"spec"}))
    yield lambda name, text: _metadata("naughty label", "labels", name, {text: "x"})
    yield lambda name, text: _metadata("naughty label", "labels", name, {"x": text})
    yield lambda name, text: _metadata("naughty annotation", "annotations", name, {text: "x"})
    for key in ("x", ANNOTATION_RUN_REQUESTED, ANNOTATION_RESET_REQUESTED):
        yield _annotation(key)
    yield lambda _, text: _named("name", {"name": text})
    yield lambda _, text: _named("generateName", {"generateName": text})


def _value(base: Object, path: Path) -> Make:
    # A valid value may be invalid together with its neighbours, and the message may name one of these.
    fields = frozenset({_field(path), _field(path[:2]) if path[0] == "run" else _field(path)})
    return lambda name, text: Case("naughty value", trigger(name, put(base, path, text)), fields)


def _key(path: Path, value: Any) -> Make:
    return lambda name, text: Case(
        "naughty key", trigger(name, put(_FIRES, path, {text: value})), frozenset({_field(path)})
    )


def _annotation(key: str) -> Make:
    return lambda name, text: _metadata("naughty annotation", "annotations", name, {key: text})


def _metadata(what: str, field: str, name: str, given: dict[str, str]) -> Case:
    return Case(what, trigger(name, _FIRES, **{field: given}), frozenset({f"metadata.{field}"}))


def _named(field: str, metadata: Object) -> Case:
    body = {**trigger("", _FIRES), "metadata": metadata}
    return Case("naughty name", body, frozenset({f"metadata.{field}", "metadata.name"}))


def _held(spec: Object, path: Path) -> int:
    """Returns how many parts of a path a spec contains."""
    at: Any = spec
    for depth, part in enumerate(path):
        inner = at[:1] if part == ITEM else [at.get(part)] if isinstance(at, dict) else []
        if not inner or inner[0] is None:
            return depth
        at = inner[0]
    return len(path)


def _to_blame(changed: Changed) -> frozenset[str]:
    """Returns the changed fields and those that contain them, for rules that span several fields."""
    fields = {_field(path[:depth]) for path in changed.paths for depth in range(1, len(path) + 1)}
    return frozenset(fields | {other for field, other in _ELSEWHERE.items() if field in fields})


def _field(path: Path) -> str:
    """Returns the path as in messages: without the index of items, and only up to a map."""
    within = path[: path.index(VALUE)] if VALUE in path else path
    return ".".join(["spec", *(part for part in within if part != ITEM)])


def _drawn(strategy: SearchStrategy[T], number: int, seeded: int) -> list[T]:
    """Returns a number of examples, which are the same for the same seed."""
    found: list[T] = []

    @seed(seeded)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found
