"""Tests of a run's Job: which failures of its Pod are retried, and how a Job is ended."""

from __future__ import annotations

from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.jobs.jobs import end_job_patch
from tests.core.builders import HOURLY_CHECK, at, observed, spec, trigger


def test_a_drain_does_not_count_as_an_attempt_and_a_wrong_configuration_is_not_retried() -> None:
    """The first rule that matches applies."""
    (action,) = decide(trigger(spec(HOURLY_CHECK)), observed(), at(hours=1)).actions
    assert isinstance(action, CreateJob)
    misconfigured, disrupted = action.manifest["spec"]["podFailurePolicy"]["rules"]
    assert misconfigured == {
        "action": "FailJob",
        "onExitCodes": {"containerName": "worker", "operator": "In", "values": [2]},
    }
    assert disrupted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert action.manifest["spec"]["template"]["spec"]["restartPolicy"] == "Never", "the policy needs it"


def test_a_job_is_ended_by_its_deadline() -> None:
    assert end_job_patch("stuck") == {
        "metadata": {"annotations": {"clustertrigger.dev/failure": "stuck"}},
        "spec": {"activeDeadlineSeconds": 1},
    }
    completed = end_job_patch("container istio-proxy was still running", completed=True)
    assert list(completed["metadata"]["annotations"]) == ["clustertrigger.dev/completed"]
    assert end_job_patch("refused", unstarted=True)["spec"] == {"activeDeadlineSeconds": 1, "parallelism": 0}
