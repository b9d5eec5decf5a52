"""Tests of the comparison of recomputed numbers with the stored ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clustercontract.check import CHECK_SPEC_VARIABLE, CheckResult, CheckSpec
from clustertrigger.cli.recompute import _pod, compare, differences, recompute_job
from harness.control_plane.checks import found
from harness.control_plane.kube import Object


@pytest.mark.parametrize(
    ("changes", "different", "last_line"),
    [
        ({}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 9e-7}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 2e-6}, ["value"],
         "1 number differs by more than 1e-6: has the collection changed since the check?"),
        ({"p_value": 0.01}, ["p_value"],
         "1 number differs by more than 1e-6: has the collection changed since the check?"),
        ({"value": 0.5, "current_documents": 3001}, ["value", "current_documents"],
         "the collection has changed since the check: its numbers cannot be the same"),
    ],
)  # fmt: skip
def test_comparing_numbers(changes: dict[str, Any], different: list[str], last_line: str) -> None:
    stored = measurement(found(0.084))
    again = found(0.084).measurement
    assert again is not None
    again = again.model_copy(update=changes)
    assert differences(stored, again) == different
    assert list(compare(stored, again))[-1] == last_line


def measurement(result: CheckResult) -> Object:
    """A measurement as in a status."""
    assert result.measurement is not None
    return result.measurement.model_dump(mode="json", exclude_none=True)


CHECK: Object = {
    "namespace": "search",
    "trigger": "products",
    "check": "products-c1",
    "slot": "2026-11-21T03:00:00Z",
    "collections": [{"collection_id": "col_a", "source": {"uri": "s3://vectors/"}}],
    "metric": "cosine_drift",
    "baseline": {
        "run": "r",
        "uri": "s3://results/baseline.npz",
        "sha256": "0" * 64,
        "documents": 5,
        "dimensions": 3,
        "captured_at": "2026-11-20T03:00:00Z",
    },
    "results": {"uri": "s3://results"},
    "threshold": 0.3,
    "seed": 1,
}


def test_the_pod_of_the_repetition_has_the_environment_of_the_check() -> None:
    """With a cloud identity or executors, a check needs more than its input."""
    others = [
        {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/a"},
        {"name": "CLUSTERTRIGGER_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    env = [{"name": CHECK_SPEC_VARIABLE, "value": json.dumps(CHECK)}, *others]
    pod = _pod({"serviceAccountName": "spark", "containers": [{"name": "worker", "env": env}]})
    (container,) = pod["containers"]
    assert container["env"][1:] == others
    again = CheckSpec.model_validate_json(container["env"][0]["value"])
    assert again == CheckSpec.model_validate({**CHECK, "slot": "recompute"})


@pytest.mark.parametrize(
    ("labels", "annotations", "queue", "keeps_engine"),
    [
        ({}, {}, None, True),
        ({"kueue.x-k8s.io/queue-name": "team"}, {}, "team", True),
        ({}, {"clustertrigger.dev/queue": "team"}, "team", False),
    ],
)
def test_executors_are_not_used_where_a_queue_would_not_count_them(
    labels: dict[str, str], annotations: dict[str, str], queue: str | None, keeps_engine: bool
) -> None:
    engine = {"type": "spark", "image": "spark:1", "executor_memory": 1024}
    env = [{"name": CHECK_SPEC_VARIABLE, "value": json.dumps({**CHECK, "engine": engine})}]
    template = {"spec": {"containers": [{"name": "worker", "env": env}]}}
    check = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"activeDeadlineSeconds": 60, "template": template},
    }
    job = recompute_job(check, "products")
    assert job["metadata"]["labels"].get("kueue.x-k8s.io/queue-name") == queue
    assert job["spec"].get("suspend", False) is (queue is not None)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    again = CheckSpec.model_validate_json(container["env"][0]["value"])
    assert (again.engine is not None) is keeps_engine
