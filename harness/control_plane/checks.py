"""Creates conditional triggers that are about to be checked, and the results of their checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clustercontract.baseline import Baseline
from clustercontract.check import CheckResult, Measurement
from harness.control_plane.earlier_operator import left_by_earlier_operator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.manifests import conditional
from harness.control_plane.sandbox import Sandbox

_HOUR = timedelta(hours=1)
_SOON = timedelta(seconds=3)
BASELINE = Baseline(
    uri="/results/b.npz",
    sha256="0" * 64,
    run="first",
    documents=6000,
    dimensions=384,
    captured_at=datetime(2026, 3, 2, tzinfo=UTC),
)
QUIET = "cosine_drift 0.084 ≤ 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"
DRIFTED = "cosine_drift 0.42 > 0.3 (floor 0.002, 6000 → 3000 documents, assignment_js 0.32)"


def found(value: float) -> CheckResult:
    """Returns the result of a check that measured this value."""
    measurement = Measurement(
        metric="cosine_drift",
        value=value,
        threshold=0.3,
        baseline_documents=6000,
        current_documents=3000,
        noise_floor=0.002,
        assignment_js=0.32,
        baseline_run=BASELINE.run,
        baseline_uri=BASELINE.uri,
        baseline_sha256=BASELINE.sha256,
        seed=1,
        checked_at=datetime.now(UTC).replace(microsecond=0),
    )
    return CheckResult(status="completed", measurement=measurement)


def about_to_check(sandbox: Sandbox, name: str, **run: Any) -> None:
    """Creates an hourly condition with a baseline, whose next slot is in a few seconds; no operator runs yet."""
    snapshot = BASELINE.model_dump(mode="json")
    anchor = _HOUR - _SOON
    left_by_earlier_operator(
        sandbox, name, conditional(3600, **run), away=anchor, anchor=anchor, baseline_snapshot=snapshot
    )


def jobs(sandbox: Sandbox, name: str, role: str) -> list[str]:
    """Returns the names of a trigger's checks or runs."""
    found = sandbox.jobs(name)
    return [job["metadata"]["name"] for job in found if job["metadata"]["labels"]["clustertrigger.dev/role"] == role]


def the_check(sandbox: Sandbox, name: str) -> str:
    """Waits for the trigger's only check."""
    (check,) = eventually(lambda: jobs(sandbox, name, "check"))
    return str(check)


def the_run(sandbox: Sandbox, name: str) -> str:
    """Waits for the trigger's only run."""
    (run,) = eventually(lambda: jobs(sandbox, name, "run"))
    return str(run)


def measured(sandbox: Sandbox, name: str) -> Object:
    """Waits for the last measurement."""
    status = eventually(lambda: sandbox.status(name), until=lambda status: status.get("last_drift_measurement"))
    measurement: Object = status["last_drift_measurement"]
    return measurement


def checks_of(sandbox: Sandbox, name: str) -> list[Object]:
    """Returns the checks in the trigger's status."""
    checks: list[Object] = sandbox.status(name).get("checks") or []
    return checks
