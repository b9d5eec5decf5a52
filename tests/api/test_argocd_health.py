"""Tests of the Lua health check for Argo CD, run by Lua if it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "argocd-health.yaml"
KEY = "resource.customizations.health.clustertrigger.dev_ClusterTrigger"
LUA = next(filter(None, map(shutil.which, ("lua5.1", "luajit", "lua"))), None)


def lua(value: Any) -> str:
    """Returns a JSON value as a Lua expression."""
    match value:
        case dict():
            return "{" + ", ".join(f"[{json.dumps(key)}] = {lua(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "{" + ", ".join(map(lua, value)) + "}"
        case None:
            return "nil"
        case _:
            return json.dumps(value)


def health(status: dict[str, Any] | None, *, generation: int = 1) -> tuple[str, str]:
    if LUA is None:
        pytest.skip("no lua5.1, luajit or lua on PATH")
    check = yaml.safe_load(EXAMPLE.read_text())["data"][KEY]
    obj = lua({"metadata": {"generation": generation}, "status": status})
    program = "\n".join(
        [
            f"local obj = {obj}",
            "local function check()",
            check,
            "end",
            "print(check().status)",
            "print(check().message)",
        ]
    )
    printed = subprocess.run([LUA, "-"], input=program, text=True, capture_output=True, check=True)
    first, message = printed.stdout.splitlines()
    return first, message


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
