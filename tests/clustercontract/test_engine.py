"""Tests of the placement that executors get from a queue."""

from __future__ import annotations

from typing import Any

import pytest

from clustercontract.engine import ExecutorPlacement

Object = dict[str, Any]
NODES: Object = {"nodeSelector": {"n": "1"}, "tolerations": [{"key": "t"}]}
BEFORE: Object = {
    "metadata": {"labels": {"x": "y"}},
    "spec": {"nodeSelector": {"n": "0", "m": "2"}, "tolerations": [{"key": "t"}]},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({}, {"metadata": {"labels": {"a": "b"}}, "spec": NODES}),
        (BEFORE, {"metadata": {"labels": {"x": "y", "a": "b"}},
                  "spec": {**NODES, "nodeSelector": {"n": "1", "m": "2"}}}),
    ],
)  # fmt: skip
def test_placements_are_added_to_a_template(template: Object, expected: Object) -> None:
    placement = ExecutorPlacement(labels={"a": "b"}, node_selector={"n": "1"}, tolerations=[{"key": "t"}])
    assert placement.applied_to(template) == expected
