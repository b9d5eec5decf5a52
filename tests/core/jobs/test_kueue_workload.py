"""Tests of the Workload of a run or a check with executors."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.jobs.kueue_workload import PriorityClass, build_workload, default_priority
from tests.core.jobs.test_spark_pods import SPARK, check_of, job_of

Object = dict[str, Any]
QUEUE, PRIORITY = "clustertrigger.dev/queue", "clustertrigger.dev/queue-priority-class"
OF_KUEUE = "kueue.x-k8s.io"


def created(job: Object) -> Object:
    """The Job as the API server returns it."""
    metadata = {**job["metadata"], "namespace": "search", "uid": "u", "resourceVersion": "7"}
    template = job["spec"]["template"]
    labels = {**template["metadata"]["labels"], "job-name": "job", "batch.kubernetes.io/controller-uid": "u"}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    return {**job, "metadata": metadata, "spec": {**job["spec"], "template": template}}


@pytest.mark.parametrize(
    ("run", "annotations"),
    [
        ({"queue_name": "a"}, {QUEUE: "a"}),
        ({"queue_name": "a", "priority_class": "low"}, {QUEUE: "a", PRIORITY: "low"}),
        ({}, {}),
        ({"check": {"queue_name": "b"}}, {}),
    ],
)
@pytest.mark.parametrize("engine", ["spark", "auto"])
def test_a_job_with_executors_has_no_label_of_kueue(engine: str, run: Object, annotations: Object) -> None:
    job = job_of({"engine": {"type": engine}, **run})
    assert not any(OF_KUEUE in label for label in job["metadata"]["labels"])
    assert {key: value for key, value in job["metadata"]["annotations"].items() if "queue" in key} == annotations
    assert job["spec"].get("suspend", False) is bool(annotations)


@pytest.mark.parametrize(
    ("run", "queue"),
    [
        ({"queue_name": "a", "check": {"engine": "run"}}, "a"),
        ({"queue_name": "a", "check": {"engine": "run", "queue_name": "b"}}, "b"),
        ({"queue_name": "a", "check": {"engine": "run", "queue_name": ""}}, None),
    ],
)
def test_checks_with_executors_have_a_workload_too(run: Object, queue: str | None) -> None:
    job = check_of({"engine": SPARK, **run})
    assert job["metadata"]["annotations"].get(QUEUE) == queue
    assert job["spec"].get("suspend", False) is (queue is not None)
    if queue:
        sets = build_workload(created(job))["spec"]["podSets"]
        assert [(one["name"], one["count"]) for one in sets] == [("driver", 1), ("executors", 3)]


@pytest.mark.parametrize("run", [{}, {"engine": SPARK, "check": {"engine": "local"}}, {"engine": SPARK}])
def test_a_local_check_keeps_kueues_label(run: Object) -> None:
    job = check_of({"queue_name": "a", **run})
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "a"
    assert QUEUE not in job["metadata"]["annotations"]


RUN: Object = {
    "queue_name": "a",
    "node_selector": {"pool": "runs"},
    "resources": {"requests": {"cpu": "500m", "memory": "4Gi"}},
    "engine": {
        **SPARK,
        "executor": {
            "resources": {"requests": {"cpu": "1500m", "memory": "8Gi"}, "limits": {"cpu": "2"}},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
        },
    },
}


def test_the_workload_counts_driver_and_executors() -> None:
    workload = build_workload(created(job_of(RUN)))
    assert workload["metadata"]["name"] == "job"
    assert workload["metadata"]["labels"]["kueue.x-k8s.io/job-uid"] == "u"
    assert workload["spec"]["queueName"] == "a"
    driver, executors = workload["spec"]["podSets"]
    (container,) = driver["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "4Gi"}
    assert "env" not in container, "it can be large, and does not matter for the quota"
    assert "job-name" not in driver["template"]["metadata"]["labels"]
    assert driver["template"]["spec"]["nodeSelector"] == {"pool": "runs"}
    (container,) = executors["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("executor", "spark:1")
    assert container["resources"] == {
        "requests": {"cpu": "1500m", "memory": "8192Mi"},
        "limits": {"cpu": "2", "memory": "8192Mi"},
    }
    assert executors["count"] == 3
    assert executors["template"]["spec"]["tolerations"] == [{"key": "batch", "operator": "Exists"}]


def classes(*values: tuple[int, bool]) -> list[Object]:
    return [
        {"metadata": {"name": f"class {number}"}, "value": value, "globalDefault": default}
        for number, (value, default) in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], (None, 0)),
        (classes((7, False)), (None, 0)),
        (classes((7, False), (5, True)), ("class 1", 5)),
        (classes((7, True), (-5, True)), ("class 1", -5)),
        ([{"metadata": {"name": "zero"}, "globalDefault": True}], ("zero", 0)),
    ],
    ids=["none", "no default", "one default", "the lowest of two", "without a value"],
)
def test_the_default_priority(found: list[Object], expected: tuple[str | None, int]) -> None:
    """The values are those of getDefaultPriority in Kueue 0.17."""
    name, value = expected
    of_pods = None if name is None else PriorityClass("scheduling.k8s.io", "PriorityClass", name)
    assert default_priority(found) == (of_pods, value)
