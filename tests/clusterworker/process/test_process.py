"""Tests of the worker as a process: exit codes, the termination message, signals, and invalid starts."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.container import RESULT_LIMIT
from clustercontract.run import RunResult, RunSpec
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.process.worker_process import finish_worker, start_worker

KMEANS = {"algorithm": "kmeans", "n_clusters": 3}


def start(pod: Pod, *arguments: str, spec: RunSpec | str | None = None, **options: Any) -> Any:
    command, *others = arguments or ("run",)
    return start_worker(pod, command, *others, spec=spec, **options)


def finish(pod: Pod, process: Any) -> tuple[int, RunResult, list[dict[str, Any]]]:
    code, result, log = finish_worker(pod, process)
    return code, RunResult.model_validate_json(result), log


def test_completes(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    spec = pod.spec(KMEANS)
    code, result, log = finish(pod, start(pod, spec=spec))
    assert code == 0
    assert result.status == "completed"
    assert result.num_clusters == 3
    assert [line["phase"] for line in log if line.get("done") == 0] == [
        "open", "read", "cluster", "assign", "measure", "report", "publish",
    ]  # fmt: skip
    assert {(line["namespace"], line["trigger"], line["run"]) for line in log} == {("search", "nightly", spec.run)}


def test_reads_the_spec_from_a_file(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    (pod.root / "spec.json").write_text(pod.spec(KMEANS).model_dump_json())
    code, _, _ = finish(pod, start(pod, "run", f"--spec={pod.root / 'spec.json'}"))
    assert code == 0


def test_a_file_of_another_encoding(pod: Pod) -> None:
    """Windows PowerShell writes UTF-16. The worker ended with a traceback, and without a result."""
    file = pod.root / "spec.json"
    file.write_text(pod.spec(KMEANS).model_dump_json(), encoding="utf-16")
    code, result, _ = finish(pod, start(pod, "run", f"--spec={file}"))
    assert code == 2
    assert (result.error or "").startswith(f"{file}: not a valid RunSpec: document: Invalid JSON: ")


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (None, "no RunSpec: set CLUSTERWORKER_RUN_SPEC, or give --spec FILE"),
        (
            "{",
            "environment variable CLUSTERWORKER_RUN_SPEC: not a valid RunSpec: document: Invalid JSON: EOF while "
            "parsing an object at line 1 column 1",
        ),
        (
            '{"version": 2}',
            "environment variable CLUSTERWORKER_RUN_SPEC: not a valid RunSpec: version: Input should be 1: "
            "the operator and the worker's image must have the same version",
        ),
    ],
)
def test_bad_spec(pod: Pod, spec: str | None, line: str) -> None:
    code, result, log = finish(pod, start(pod, spec=spec))
    assert code == 2
    assert result.status == "failed"
    assert result.error == log[-1]["message"] == line


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"uri": "p[z-a]*"}, ": uri contains [z-a], whose range is reversed: write a-z instead of z-a"),
        (
            {"uri": "a", "colour": "red"},
            ".colour: Extra inputs are not permitted: the operator and the worker's image must have the same version",
        ),
    ],
)
def test_a_bad_source_in_a_spec(pod: Pod, source: dict[str, str], problem: str) -> None:
    """An error of a value has its own remedy; another version is the reason only for unknown fields."""
    document = pod.spec(KMEANS).model_dump(mode="json", exclude_none=True)
    document["collections"][0]["source"] = source
    code, result, _ = finish(pod, start(pod, spec=json.dumps(document)))
    assert code == 2
    assert result.error == (
        f"environment variable CLUSTERWORKER_RUN_SPEC: not a valid RunSpec: collections.0.source{problem}"
    )


def test_wrong_configuration_is_told_without_loading_the_libraries(pod: Pod) -> None:
    watch = (
        "import atexit\n"
        "heavy = {'faiss', 'evoc', 'umap', 'numba', 'matplotlib', 'sklearn', 'scipy', 'fast_hdbscan', 'jinja2'}\n"
        "import os; leave = os._exit\n"
        "def exiting(code):\n"
        "    loaded = sorted(heavy & set(sys.modules))\n"
        "    leave(99 if loaded else code)\n"
        "os._exit = exiting\n"
    )
    code, result, _ = finish(pod, start(pod, spec=pod.spec(KMEANS), before=watch))
    assert result.error is not None
    assert result.error.startswith("data.parquet: no such file on the volume: check source.uri")
    assert code == 2


def test_unexpected_error_is_one_line_and_a_traceback_in_the_log(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    broken = (
        "import clusterworker.data.sources.collections as collections\n"
        "def broken(*_): raise ZeroDivisionError('divided\\nby zero')\n"
        "collections.open_collections = broken"
    )
    code, result, log = finish(pod, start(pod, spec=pod.spec(KMEANS), before=broken))
    assert code == 1
    assert result.error == "internal error: ZeroDivisionError: divided by zero"
    assert "in broken" in log[-1]["traceback"]


STALL = (
    # A compiled call that neither returns nor lets Python handle signals, as a long clustering does.
    "import ctypes, clusterworker.data.sources.collections as collections\n"
    "collections.open_collections = lambda *_: (print('stalled', flush=True), ctypes.PyDLL(None).sleep(60))"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_asked_to(pod: Pod, number: signal.Signals) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    spec = pod.spec(KMEANS)
    process = start(pod, spec=spec, before=STALL)
    assert any(line == "stalled\n" for line in process.stdout)
    partial = list(pod.folder(spec).parent.glob("*.partial"))
    assert len(partial) == 1
    process.send_signal(number)
    process.wait(timeout=30)  # half of the time for which the call stalls
    code, result, _ = finish(pod, process)
    assert code == 128 + number
    assert result.error == "stopped: the Pod was terminated (deletion or timeout) before results were written"
    # Its RunSpec alone, by which it may be run again.
    assert [left.name for left in pod.folder(spec).parent.iterdir()] == [f".{spec.run}.spec.json"]


EMBED_FOREVER = (
    "import clusterworker.clustering.algorithms.{module} as module\n"
    "embed, state = module.{function}, dict(first=True)\n"
    "def forever(*arguments, **options):\n"
    "    while True:\n"
    "        embed(*arguments, **options)\n"
    "        state.pop('first', None) and print('stalled', flush=True)\n"
    "module.{function} = forever"
)


@pytest.mark.parametrize(
    ("config", "module", "function"),
    [
        ({"algorithm": "evoc"}, "evoc", "embed"),
        ({"algorithm": "hdbscan", "min_cluster_size": 5}, "density", "reduced_space"),
    ],
)
def test_ends_at_once_in_the_midst_of_a_layout(pod: Pod, config: dict[str, Any], module: str, function: str) -> None:
    """EVōC's compiled code runs on separate threads."""
    write(pod.volume / "data.parquet", planted(2_000, 8, dimensions=64).vectors)
    spec = pod.spec(config)
    process = start(pod, spec=spec, before=EMBED_FOREVER.format(module=module, function=function))
    assert any(line == "stalled\n" for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    code, result, _ = finish(pod, process)
    assert code == 143
    assert result.error == "stopped: the Pod was terminated (deletion or timeout) before results were written"
    assert [left.name for left in pod.folder(spec).parent.iterdir()] == [f".{spec.run}.spec.json"]


def children(process: Any) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_killed_for_want_of_memory_is_told(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    spec = pod.spec(KMEANS)
    process = start(pod, spec=spec, before=STALL)
    assert any(line == "stalled\n" for line in process.stdout)
    os.kill(children(process)[0], signal.SIGKILL)
    code, result, _ = finish(pod, process)
    assert code == 137
    assert result.error == "killed by SIGKILL, most likely out of memory: raise run.resources.limits.memory"
    # Its RunSpec alone, by which it may be run again.
    assert [left.name for left in pod.folder(spec).parent.iterdir()] == [f".{spec.run}.spec.json"]


def test_no_orphan_survives_the_parent(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    process = start(pod, spec=pod.spec(KMEANS), before=STALL)
    assert any(line == "stalled\n" for line in process.stdout)
    child = children(process)[0]
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}/status").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def test_allocation_that_fails_names_the_remedy(pod: Pod) -> None:
    write(pod.volume / "data.parquet", planted(39, 3).vectors)
    greedy = (
        "import clusterworker.data.sources.collections as collections\n"
        "collections.open_collections = lambda *_: bytearray(1 << 60)"
    )
    code, result, _ = finish(pod, start(pod, spec=pod.spec(KMEANS), before=greedy))
    assert code == 1
    assert result.error == "out of memory: raise run.resources.limits.memory"


def test_message_fits_whatever_the_error(pod: Pod) -> None:
    columns = {f"column_{number:04}_" + "ü" * 100: [1] for number in range(300)}
    pq.write_table(pa.table(columns), pod.volume / "data.parquet")
    code, result, _ = finish(pod, start(pod, spec=pod.spec(KMEANS)))
    assert code == 2
    assert len((pod.root / "result").read_bytes()) <= RESULT_LIMIT
    assert result.error is not None
    assert result.error.startswith("data.parquet: no column document_id: it has column_0000")
