"""Tests of `python -m clusterworker check` as a process: exit codes, the termination message, memory, and signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clustercontract.check import CheckResult, CheckSpec
from tests.clusterworker.conftest import Pod
from tests.clusterworker.drift.drifting import KMEANS, check_spec
from tests.clusterworker.planted import planted, write
from tests.clusterworker.process.worker_process import finish_worker, start_worker

STALL = (
    "import ctypes, clusterworker.data.sources.collections as collections\n"
    "collections.open_collections = lambda *_: (print('stalled', flush=True), ctypes.PyDLL(None).sleep(60))"
)


def start(pod: Pod, spec: CheckSpec | str | None, *arguments: str, **options: Any) -> Any:
    return start_worker(pod, "check", *arguments, spec=spec, **options)


def finish(pod: Pod, process: Any) -> tuple[int, CheckResult, list[dict[str, Any]]]:
    code, result, log = finish_worker(pod, process)
    return code, CheckResult.model_validate_json(result), log


@pytest.fixture
def spec(pod: Pod) -> CheckSpec:
    write(pod.volume / "data.parquet", planted(60, 3).vectors)
    run = pod.spec(KMEANS)
    return check_spec(run, pod.run(run))


def test_completes(pod: Pod, spec: CheckSpec) -> None:
    code, result, log = finish(pod, start(pod, spec))
    assert code == 0
    assert result.measurement is not None
    begun = [(line["phase"], line["step"], line["steps"]) for line in log if line.get("done") == 0]
    assert begun == [("open", 1, 3), ("read", 2, 3), ("measure", 3, 3)]
    assert {(line["namespace"], line["trigger"], line["check"]) for line in log} == {("search", "nightly", spec.check)}
    assert log[-1]["message"].startswith("completed: cosine_drift 0, threshold 0.3 (floor 0.")
    assert log[-1]["message"].endswith(", 60 → 60 documents, assignment_js 0)")


def test_reads_the_spec_from_a_file(pod: Pod, spec: CheckSpec) -> None:
    (pod.root / "spec.json").write_text(spec.model_dump_json())
    code, result, _ = finish(pod, start(pod, None, f"--spec={pod.root / 'spec.json'}"))
    assert code == 0
    assert result.measurement is not None


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (None, "no CheckSpec: set CLUSTERWORKER_CHECK_SPEC, or give --spec FILE"),
        (
            '{"version": 2}',
            "environment variable CLUSTERWORKER_CHECK_SPEC: not a valid CheckSpec: version: Input should be 1: "
            "the operator and the worker's image must have the same version",
        ),
    ],
)
def test_bad_spec(pod: Pod, given: str | None, line: str) -> None:
    code, result, log = finish(pod, start(pod, given))
    assert code == 2
    assert result.status == "failed"
    assert result.error == log[-1]["message"] == line


def test_an_obstacle_is_no_failure_and_is_told_without_loading_the_libraries(pod: Pod, spec: CheckSpec) -> None:
    Path(spec.baseline.uri).unlink()
    watch = (
        "import os; leave = os._exit\n"
        "heavy = {'faiss', 'evoc', 'umap', 'numba', 'matplotlib', 'sklearn', 'scipy', 'jinja2'}\n"
        "os._exit = lambda code: leave(99 if heavy & set(sys.modules) else code)\n"
    )
    code, result, log = finish(pod, start(pod, spec, before=watch))
    assert code == 0
    assert result.obstacle == "baseline_missing"
    assert log[-1]["message"] == f"completed: nothing to measure: {result.error}"


def test_bad_data_need_not_be_tried_again(pod: Pod, spec: CheckSpec) -> None:
    bad = planted(60, 3).vectors
    bad[7, 0] = np.inf
    write(pod.volume / "data.parquet", bad)
    code, result, _ = finish(pod, start(pod, spec))
    assert code == 2
    assert result.status == "failed"
    assert result.error is not None
    assert "row 7" in result.error


def test_ends_at_once_when_asked_to(pod: Pod, spec: CheckSpec) -> None:
    process = start(pod, spec, before=STALL)
    assert any(line == "stalled\n" for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)  # half of the time for which the call stalls
    code, result, _ = finish(pod, process)
    assert code == 128 + signal.SIGTERM
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.startswith("stopped: the Pod was terminated (deletion or timeout)")


def test_killed_for_want_of_memory_names_the_field(pod: Pod, spec: CheckSpec) -> None:
    process = start(pod, spec, before=STALL)
    assert any(line == "stalled\n" for line in process.stdout)
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(child, signal.SIGKILL)
    code, result, _ = finish(pod, process)
    assert code == 137
    assert result.error == "killed by SIGKILL, most likely out of memory: raise run.check.resources.limits.memory"


def test_allocation_that_fails_names_the_field(pod: Pod, spec: CheckSpec) -> None:
    greedy = (
        "import clusterworker.data.sources.collections as collections\n"
        "collections.open_collections = lambda *_: bytearray(1 << 60)"
    )
    code, result, _ = finish(pod, start(pod, spec, before=greedy))
    assert code == 1
    assert result.error == "out of memory: raise run.check.resources.limits.memory"


def test_memory_does_not_grow_with_the_collection(pod: Pod) -> None:
    """Two collections, one of them five times as large, which has 100 MB more of vectors."""
    tell = (
        "import os; leave = os._exit\n"
        "def exiting(code):\n"
        "    print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=open('peak', 'w'))\n"
        "    leave(code)\n"
        "os._exit = exiting\n"
    )
    vectors = np.random.default_rng(0).normal(size=(100_000, 320)).astype(np.float32)
    write(pod.volume / "data.parquet", vectors[:60])
    run = pod.spec(KMEANS)
    spec = check_spec(run, pod.run(run))
    peaks = []
    for documents in (20_000, 100_000):
        write(pod.volume / "data.parquet", vectors[:documents], ids=range(documents))
        code, result, _ = finish(pod, start(pod, spec, before=tell, cwd=pod.root))
        assert code == 0
        assert result.measurement is not None
        peaks.append(int((pod.root / "peak").read_text()) / 1024)
    assert peaks[1] < peaks[0] + 60, peaks
