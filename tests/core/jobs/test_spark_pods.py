"""Tests of a run with Spark: its own Pod is the driver; executors have no more rights than any run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from clustercontract.check import CHECK_SPEC_VARIABLE, CheckSpec
from clustercontract.engine import Engine
from clustercontract.run import RUN_SPEC_VARIABLE, RunSpec
from clustertrigger.api.schedule import ConditionalSchedule
from clustertrigger.core.actions.work import Image, RunDefaults
from clustertrigger.core.jobs.jobs import JobRequest, build_check_job, build_job
from clustertrigger.core.jobs.slot import CheckSlot, ScheduledSlot
from clustertrigger.core.jobs.spark_pods import _IDENTITY
from clustertrigger.core.resources.validation import parse_trigger
from harness.specs.strategies import allowed
from tests.core.builders import HOURLY, HOURLY_CHECK, at, trigger
from tests.core.jobs.test_jobs_claims_and_queues import BASELINE
from tests.core.jobs.test_pods import RUN, unrestricted, work

Object = dict[str, Any]

DEFAULTS = RunDefaults(
    image="worker:1",
    image_pull_secrets=("worker-pull",),
    spark=Image("spark:1", "Always", ("spark-pull",)),
)
SPARK = {"type": "spark", "executors": 3}


def job_of(run: Object, base: Object = HOURLY) -> Object:
    spec, problems = parse_trigger({**base, "run": run})
    assert spec is not None, problems
    return build_job(
        JobRequest(trigger({**base, "run": run}), spec, work(), "job", ScheduledSlot(at(hours=1)), DEFAULTS)
    )


def pod_of(job: Object) -> Object:
    pod: Object = job["spec"]["template"]["spec"]
    return pod


def engine_of(job: Object) -> Engine | None:
    (container,) = pod_of(job)["containers"]
    text = next(one["value"] for one in container["env"] if one["name"] == RUN_SPEC_VARIABLE)
    return RunSpec.model_validate_json(text).engine


def test_the_driver_has_the_token_its_own_identity_and_the_image_with_spark() -> None:
    pod = pod_of(job_of({"engine": SPARK, "service_account_name": "spark"}))
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == "spark"
    assert pod["automountServiceAccountToken"] is True
    assert (container["image"], container["imagePullPolicy"]) == ("spark:1", "Always")
    assert pod["imagePullSecrets"] == [{"name": "spark-pull"}]
    fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"] if "valueFrom" in one}
    assert fields == {
        "CLUSTERTRIGGER_POD_NAME": "metadata.name",
        "CLUSTERTRIGGER_POD_NAMESPACE": "metadata.namespace",
        "CLUSTERTRIGGER_POD_UID": "metadata.uid",
        "CLUSTERTRIGGER_POD_IP": "status.podIP",
        "CLUSTERTRIGGER_EXECUTOR_PLACEMENT": "metadata.annotations['clustertrigger.dev/executor-placement']",
    }


@pytest.mark.parametrize("run", [{}, {"engine": {"type": "local"}}])
def test_a_local_run_contains_nothing_of_spark(run: Object) -> None:
    job = job_of(run)
    pod = pod_of(job)
    (container,) = pod["containers"]
    assert engine_of(job) is None
    assert pod["automountServiceAccountToken"] is False
    assert (container["image"], pod["imagePullSecrets"]) == ("worker:1", [{"name": "worker-pull"}])
    assert [variable["name"] for variable in container["env"]] == [RUN_SPEC_VARIABLE]
    assert "spark" not in json.dumps(job)


def test_executors_have_the_drivers_mounts_and_no_token() -> None:
    job = job_of({"engine": SPARK, "service_account_name": "spark", "pod_labels": {"team": "search"}})
    driver, engine = pod_of(job), engine_of(job)
    assert engine is not None
    assert (engine.executors, engine.image, engine.service_account_name) == (3, "spark:1", "spark")
    template = engine.executor_template
    assert template["metadata"]["labels"] == {
        "team": "search",
        "clustertrigger.dev/trigger": "products",
        "clustertrigger.dev/trigger-uid": trigger().uid,
        "clustertrigger.dev/role": "executor",
    }
    pod = template["spec"]
    (executor,), (worker,) = pod["containers"], driver["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["volumes"] == driver["volumes"]
    assert executor["volumeMounts"] == worker["volumeMounts"]
    assert executor["securityContext"] == worker["securityContext"]
    assert executor["imagePullPolicy"] == "Always"
    assert list(unrestricted(pod)) == []
    claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert claims == [
        {"claimName": "clustertrigger-results"},
        {"claimName": "documents", "readOnly": True},
    ]
    # Spark sets these itself, from the other fields of the engine.
    assert executor.keys() & {"image", "resources", "args", "command"} == set()


@pytest.mark.parametrize(
    ("executor", "nodes", "tolerations"),
    [
        ({}, {"pool": "runs"}, [{"key": "runs", "operator": "Exists"}]),
        ({"node_selector": {}, "tolerations": []}, {}, []),
        ({"node_selector": {"pool": "big"}}, {"pool": "big"}, [{"key": "runs", "operator": "Exists"}]),
        ({"tolerations": [{"key": "spot", "operator": "Exists"}]}, {"pool": "runs"},
         [{"key": "spot", "operator": "Exists"}]),
    ],
)  # fmt: skip
def test_executors_are_placed_as_the_run_by_default(executor: Object, nodes: Object, tolerations: list[Object]) -> None:
    run = {"node_selector": {"pool": "runs"}, "tolerations": [{"key": "runs", "operator": "Exists"}]}
    engine = engine_of(job_of({**run, "engine": {**SPARK, "executor": executor}}))
    assert engine is not None
    pod = engine.executor_template["spec"]
    assert (pod["nodeSelector"], pod["tolerations"]) == (nodes, tolerations)


def test_executors_are_spread_among_themselves() -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    job = job_of({"engine": SPARK, "topology_spread_constraints": [constraint]})
    engine = engine_of(job)
    assert engine is not None
    (of_driver,) = pod_of(job)["topologySpreadConstraints"]
    (of_executor,) = engine.executor_template["spec"]["topologySpreadConstraints"]
    assert of_driver["labelSelector"] == {"matchLabels": {"app.kubernetes.io/managed-by": "clustertrigger"}}
    assert of_executor["labelSelector"] == {"matchLabels": engine.executor_template["metadata"]["labels"]}


def check_of(run: Object, schedule: Object = HOURLY_CHECK) -> Object:
    raw = {**schedule, "run": run}
    spec, problems = parse_trigger(raw)
    assert spec is not None, problems
    assert isinstance(spec.schedule, ConditionalSchedule)
    slot = CheckSlot(at(hours=1))
    return build_check_job(JobRequest(trigger(raw), spec, work(), "check", slot, DEFAULTS), spec.schedule, BASELINE)


def check_engine_of(job: Object) -> Engine | None:
    (container,) = pod_of(job)["containers"]
    text = next(one["value"] for one in container["env"] if one["name"] == CHECK_SPEC_VARIABLE)
    return CheckSpec.model_validate_json(text).engine


def test_checks_are_local_by_default() -> None:
    job = check_of({"engine": SPARK})
    (container,) = pod_of(job)["containers"]
    assert check_engine_of(job) is None
    assert container["image"] == "worker:1"
    assert pod_of(job)["automountServiceAccountToken"] is False


def test_a_check_with_the_engine_of_runs_is_a_driver() -> None:
    run = {"engine": SPARK, "service_account_name": "spark", "check": {"engine": "run"}}
    job = check_of(run)
    pod, engine = pod_of(job), check_engine_of(job)
    assert engine is not None
    assert (engine.executors, engine.image, engine.service_account_name) == (3, "spark:1", "spark")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("spark", True)
    (container,) = pod["containers"]
    assert container["image"] == "spark:1"
    assert {one["name"] for one in container["env"] if "valueFrom" in one} == set(_IDENTITY)
    template = engine.executor_template
    assert template["spec"]["volumes"] == pod["volumes"]
    assert template["metadata"]["labels"]["clustertrigger.dev/role"] == "executor"
    assert list(unrestricted(template["spec"])) == []


def test_a_check_of_volume_reads_nothing_and_has_no_executors() -> None:
    condition = {"condition_type": "volume", "metric": "document_count", "threshold": 0.1}
    schedule = {**HOURLY_CHECK, "schedule_config": {"check_interval_seconds": 3600, **condition}}
    job = check_of({"engine": SPARK, "check": {"engine": "run"}}, schedule)
    assert check_engine_of(job) is None
    assert pod_of(job)["automountServiceAccountToken"] is False


@settings(max_examples=30, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(allowed(RUN, "run"))
def test_executors_always_satisfy_restricted(run: Object) -> None:
    run = {**run, "queue_name": "", "priority_class": None, "engine": SPARK}
    spec, problems = parse_trigger({**HOURLY, "run": run})
    assume(not problems and spec is not None)
    engine = engine_of(job_of(run))
    assert engine is not None
    pod = engine.executor_template["spec"]
    assert list(unrestricted(pod)) == []
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    own = {"clustertrigger.dev/trigger": "products", "clustertrigger.dev/role": "executor"}
    assert engine.executor_template["metadata"]["labels"].items() >= own.items()
