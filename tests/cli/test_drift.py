"""`kubectl clustertrigger drift`: the picture, the table, and the numbers computed again."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clustercontract.check import CHECK_SPEC_VARIABLE, RECOMPUTE_SLOT, CheckResult
from clustertrigger.cli.drift_chart import ASCII, HEIGHT, UNICODE, chart, marks_for
from clustertrigger.cli.main import main
from clustertrigger.cli.recompute import compare, differences
from clustertrigger.core.drift.drift_series import Point, from_log, from_status
from harness.control_plane.checks import QUIET, about_to_check, found, jobs, measured, the_check
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def points(*values: float, threshold: float = 0.3) -> list[Point]:
    """Hourly measurements."""
    return [Point(START + timedelta(hours=hour), value, fires=value > threshold) for hour, value in enumerate(values)]


def test_the_picture() -> None:
    assert chart(points(0.0, 0.1, 0.1, 0.2, 0.45), 0.3, 32, UNICODE) == [
        "     0.45 │                ▲",
        "          │",
        "          │",
        "      0.3 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄",
        "          │",
        "          │            ●",
        "          │",
        "          │    ●   ●",
        "          │",
        "        0 │●",
    ]


@pytest.mark.parametrize("values", [(0.0,), (0.3,), (-0.1, 0.2), (1e-9, 1e-9), tuple(n / 300 for n in range(300))])
@pytest.mark.parametrize("width", [1, 20, 80])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.3])
def test_any_picture_fits(values: tuple[float, ...], width: int, threshold: float | None) -> None:
    drawn = chart(points(*values), threshold, width, UNICODE)
    assert len(drawn) == HEIGHT
    assert max(map(len, drawn)) <= max(width, 12)
    marks = sum(line.count(UNICODE.quiet) + line.count(UNICODE.fires) for line in drawn)
    assert 1 <= marks <= len(values)
    assert threshold is None or any(UNICODE.threshold in line or marks == 1 for line in drawn)


def test_a_terminal_without_those_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        encoding = "latin-1"

    assert marks_for(Terminal()) == ASCII  # type: ignore[arg-type]
    assert all(line.isascii() for line in chart(points(0.1, 0.5), 0.3, 40, ASCII))


def test_the_record_in_a_log() -> None:
    columns = ["checked_at", "metric", "value", "threshold", "noise_floor", "baseline_documents", "current_documents",
               "min_documents"]  # fmt: skip
    rows = [
        ["2026-03-02T12:00:00Z", "cosine_drift", 0.01, 0.3, 0.002, 6000, 6000, 200],
        ["2026-03-02T13:00:00Z", "cosine_drift", 0.5, 0.3, 0.002, 6000, 6000, 200],
        ["2026-03-02T14:00:00Z", "cosine_drift", 0.5, 0.3, 0.4, 6000, 6000, 200],
        ["2026-03-02T15:00:00Z", "cosine_drift", 0.5, 0.3, 0.002, 6000, 20, 200],
    ]
    line = json.dumps({"level": "info", "record": {"columns": columns, "rows": rows}})
    read = from_log(f"not json\n{line}\n" + json.dumps({"message": "completed"}), "record")
    assert [point.value for point in read] == [0.01, 0.5, 0.5, 0.5]
    assert [point.fires for point in read] == [False, True, False, False]
    assert from_log("nothing\n{}\n[]\n", "record") == []


def test_what_the_status_alone_tells() -> None:
    status = {
        "checks": [
            {"job_id": "c3", "slot": "2026-03-02T14:00:00Z", "status": "completed", "value": 0.3, "fires": False},
            {"job_id": "c2", "slot": "2026-03-02T13:00:00Z", "status": "failed", "error": "no"},
            {"job_id": "c1", "slot": "2026-03-02T12:00:00Z", "status": "completed", "value": 0.1, "fires": False},
        ],
        "last_drift_measurement": {"check": "c3", "value": 0.3, "metric": "cosine_drift", "fires": False,
                                   "checked_at": "2026-03-02T14:00:05Z"},
    }  # fmt: skip
    assert [(point.value, point.metric) for point in from_status(status)] == [(0.1, None), (0.3, "cosine_drift")]
    assert from_status({}) == []


@pytest.mark.parametrize(
    ("changes", "different", "last_line"),
    [
        ({}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 9e-7}, [], "every number agrees to 1e-6"),
        ({"value": 0.084 + 2e-6}, ["value"],
         "1 of them differ by more than 1e-6: has the collection changed since the check?"),
        ({"p_value": 0.01}, ["p_value"],
         "1 of them differ by more than 1e-6: has the collection changed since the check?"),
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
    """As it is in a status."""
    assert result.measurement is not None
    return result.measurement.model_dump(mode="json", exclude_none=True)


def drift(sandbox: Sandbox, *arguments: str) -> int:
    """The command; returns its exit code."""
    return main(["drift", "-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig), *arguments])


def test_on_a_cluster(
    operator: StartOperator, sandbox: Sandbox, kubelet: Kubelet, capsys: pytest.CaptureFixture[str]
) -> None:
    about_to_check(sandbox, "drifting")
    sandbox.trigger("other", rarely())
    assert drift(sandbox, "drifting") == 0
    assert "nothing has been measured yet" in capsys.readouterr().out
    assert drift(sandbox, "drifting", "--recompute") == 1
    assert "there are no numbers to compute again: nothing has been measured yet" in capsys.readouterr().err
    assert drift(sandbox, "other") == 1
    assert "trigger 'other' is of type interval: only conditional triggers measure drift" in capsys.readouterr().err
    assert drift(sandbox, "nobody") == 1
    assert f"no ClusterTrigger 'nobody' in namespace '{sandbox.namespace}'" in capsys.readouterr().err

    operator()
    check = the_check(sandbox, "drifting")
    kubelet.complete(check, found(0.084))
    measured(sandbox, "drifting")
    assert drift(sandbox, "drifting") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0] == f"{sandbox.namespace}/drifting  cosine_drift > 0.3 every 1h"
    assert lines[1].startswith("baseline: 6000 documents of 384 dimensions, run first, ")
    assert lines[2] == f"last check: {QUIET}"
    assert any("0.3 │┄" in line for line in lines)
    assert lines[-1].split()[1:] == ["0.084", "0.3", "0.002", "6000", "to", "3000", "no"], printed
    assert drift(sandbox, "drifting", "-o", "json") == 0
    (said,) = json.loads(capsys.readouterr().out)["measurements"]
    assert (said["value"], said["fires"]) == (0.084, False)

    before = sandbox.get("drifting")["metadata"]["resourceVersion"]
    for value, code, last in ((0.084, 0, "every number agrees"), (0.085, 1, "1 of them differ by more than 1e-6")):
        assert recompute(sandbox, kubelet, found(value)) == code
        assert capsys.readouterr().out.splitlines()[-1].startswith(last)
    assert recompute(sandbox, kubelet, found(0.084), sidecar="istio-proxy") == 0, "the end of the worker is the end"
    assert "every number agrees" in capsys.readouterr().out
    lost = CheckResult(status="completed", obstacle="baseline_missing", error="/results/b.npz: is not there")
    assert recompute(sandbox, kubelet, lost) == 1
    assert "it cannot be computed again: /results/b.npz: is not there" in capsys.readouterr().err
    assert jobs(sandbox, "drifting", "recompute") == [], "it clears up"
    assert sandbox.get("drifting")["metadata"]["resourceVersion"] == before, "the operator passes it over"

    sandbox.delete_job(check)
    eventually(lambda: not sandbox.jobs("drifting"))
    assert drift(sandbox, "drifting", "--recompute") == 1
    assert (
        f"the check's Job {check} is gone, and it says what to compute: wait for the next at" in capsys.readouterr().err
    )


def recompute(sandbox: Sandbox, kubelet: Kubelet, result: CheckResult, *, sidecar: str = "") -> int:
    """The command with --recompute; its worker ends with a result, beside a sidecar that goes on if there is one."""
    seen: list[Object] = []

    def play() -> None:
        (job,) = eventually(lambda: jobs(sandbox, "drifting", "recompute"))
        seen.append(sandbox.job(job))
        if sidecar:
            kubelet.complete_beside(job, sidecar, result)
        else:
            kubelet.complete(job, result)

    player = threading.Thread(target=play)
    player.start()
    code = drift(sandbox, "drifting", "--recompute")
    player.join()
    (container,) = seen[0]["spec"]["template"]["spec"]["containers"]
    said = {variable["name"]: variable["value"] for variable in container["env"]}
    assert json.loads(said[CHECK_SPEC_VARIABLE])["slot"] == RECOMPUTE_SLOT
    return code
