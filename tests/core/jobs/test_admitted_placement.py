"""Tests of how a Job is resumed on the nodes of the flavors that Kueue has assigned."""

from __future__ import annotations

import json
from typing import Any

from clustercontract.engine import ExecutorPlacement
from clustertrigger.core.jobs.admitted_placement import resumption
from clustertrigger.core.jobs.kueue_workload import build_workload
from tests.core.jobs.test_kueue_workload import RUN, created
from tests.core.jobs.test_spark_pods import job_of

Object = dict[str, Any]
SPOT = {"spec": {"nodeLabels": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}}
PLAIN: Object = {"spec": {}}


def admitted(job: Object, driver: str, executors: str, *checks: Object) -> Object:
    """The Workload of a Job with these flavors."""
    flavors = {"driver": driver, "executors": executors}
    assigned = [{"name": name, "flavors": {"cpu": flavor, "memory": flavor}} for name, flavor in flavors.items()]
    status = {"admission": {"podSetAssignments": assigned}, "admissionChecks": list(checks)}
    return {**build_workload(job), "status": status}


def test_without_labels_of_the_flavor_a_job_is_only_resumed() -> None:
    job = created(job_of(RUN))
    found = resumption({**job, "status": {"startTime": "t"}}, admitted(job, "plain", "plain"), {"plain": PLAIN})
    assert found.job == {"metadata": {"resourceVersion": "7"}, "spec": {"suspend": False}}
    assert not found.resets_start


def test_driver_and_executors_go_where_their_flavors_are() -> None:
    job = created(job_of(RUN))
    found = resumption(job, admitted(job, "plain", "spot"), {"plain": PLAIN, "spot": SPOT})
    template = found.job["spec"]["template"]
    assert "spec" not in template, "the driver's flavor has no labels"
    placement = ExecutorPlacement.model_validate_json(
        template["metadata"]["annotations"]["clustertrigger.dev/executor-placement"]
    )
    assert placement.node_selector == {"pool": "spot"}
    assert placement.tolerations == [{"key": "spot", "operator": "Exists"}]

    found = resumption(job, admitted(job, "spot", "plain"), {"plain": PLAIN, "spot": SPOT})
    assert found.job["spec"]["template"] == {
        "spec": {"nodeSelector": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}
    }


def test_an_admission_check_adds_to_its_set_of_pods() -> None:
    job = created(job_of(RUN))
    update = {
        "name": "driver",
        "annotations": {"consume": "request-1"},
        "labels": {"a": "b"},
        "nodeSelector": {"c": "d"},
    }
    found = resumption(job, admitted(job, "plain", "plain", {"podSetUpdates": [update]}), {"plain": PLAIN})
    template = found.job["spec"]["template"]
    assert template["metadata"] == {"labels": {"a": "b"}, "annotations": {"consume": "request-1"}}
    assert template["spec"] == {"nodeSelector": {"c": "d"}}


def test_nothing_is_left_of_an_earlier_admission() -> None:
    original = created(job_of(RUN))
    workload = admitted(original, "plain", "plain")
    placed = json.loads(json.dumps(original))
    template = placed["spec"]["template"]
    template["metadata"]["annotations"] = {"clustertrigger.dev/executor-placement": "{}"}
    template["metadata"]["labels"]["of-a-check"] = "b"
    template["spec"] |= {"nodeSelector": {"pool": "spot", "zone": "a"}, "tolerations": [{"key": "spot"}]}
    placed["status"] = {"startTime": "t"}
    found = resumption(placed, workload, {"plain": PLAIN})
    assert found.resets_start
    assert found.job["spec"]["template"] == {
        "metadata": {
            "labels": {"of-a-check": None},
            "annotations": {"clustertrigger.dev/executor-placement": None},
        },
        "spec": {"nodeSelector": {"zone": None, "pool": "runs"}, "tolerations": []},
    }
