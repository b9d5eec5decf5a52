"""Tests of the random specs that models and API server are compared on."""

from __future__ import annotations

from codegen.crd import CLUSTER_TRIGGER
from harness.specs.strategies import VALUE, put, reachable
from harness.specs.valid import trigger


def test_a_full_map_has_no_place_for_another_key() -> None:
    """A spec with as many labels as are allowed got one more, and the models refused it, as they must."""
    labels = ("run", "pod_labels")
    for count, fits in [(0, True), (31, True), (32, False)]:
        spec = put(trigger(), labels, {f"label-{number}": "x" for number in range(count)})
        assert any(path == (*labels, VALUE) for path, _ in reachable(CLUSTER_TRIGGER, spec)) is fits
    spec = put(spec, labels, {"disk": "x", **{f"label-{number}": "x" for number in range(31)}})
    assert any(path == (*labels, VALUE) for path, _ in reachable(CLUSTER_TRIGGER, spec)), (
        "this key can have another value"
    )
