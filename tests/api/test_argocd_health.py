"""Tests of the Lua health check for Argo CD, run by the Lua that Argo CD uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.gitops.judges import judge, why_not

EXAMPLE = Path(__file__).parents[2] / "examples" / "argocd-health.yaml"
HEALTH = yaml.safe_load(EXAMPLE.read_text())["data"]["resource.customizations.health.clustertrigger.dev_ClusterTrigger"]

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"the judges cannot be compiled: {why_not()}")


def health(status: dict[str, Any] | None, *, generation: int = 1) -> tuple[str, str]:
    trigger: dict[str, Any] = {
        "apiVersion": "clustertrigger.dev/v1alpha1",
        "kind": "ClusterTrigger",
        "metadata": {"name": "nightly", "generation": generation},
    }
    if status is not None:
        trigger["status"] = status
    (verdict,) = judge([trigger], health=HEALTH)
    return verdict.health, verdict.health_message


def status(ready: str, reason: str, *, stalled: str = "False", **fields: Any) -> dict[str, Any]:
    conditions = [
        {"type": "Ready", "status": ready, "reason": reason, "message": f"message of {reason}"},
        {"type": "Stalled", "status": stalled, "reason": reason, "message": ""},
        {"type": "Running", "status": "False", "reason": "NoActiveRun", "message": ""},
    ]
    return {"observedGeneration": 1, "conditions": conditions, **fields}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "Progressing"),
        ({"observedGeneration": -1}, "Progressing"),
        (status("True", "Scheduled"), "Healthy"),
        (status("True", "Paused"), "Healthy"),
        (status("True", "Disabled"), "Healthy"),
        (status("False", "CollectionNotFound"), "Progressing"),
        (status("False", "DefinitionNotFound"), "Progressing"),
        (status("False", "AmbiguousReference"), "Degraded"),
        (status("False", "InvalidSpec", stalled="True"), "Degraded"),
        (status("False", "TooManyFailures", stalled="True"), "Degraded"),
    ],
)
def test_health(given: dict[str, Any] | None, expected: str) -> None:
    assert health(given)[0] == expected


def test_edited_trigger_is_progressing_until_seen() -> None:
    assert health(status("True", "Scheduled"), generation=2)[0] == "Progressing"


def test_failed_run_is_healthy_and_quoted() -> None:
    failed = status("True", "Scheduled", last_execution_status="failed", last_execution_error="no such column")
    assert health(failed) == ("Healthy", "message of Scheduled (last run failed: no such column)")
