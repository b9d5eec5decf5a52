from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.outcome import CHECK, Goal, finish, table

ROWS = [{"case": "reading", "seconds": 1.5, "peak MiB": 120}, {"case": "drift", "seconds": 2.25, "ratio": 1.5}]
MET = Goal("drift over reading", 1.5, 2.0, at_least=False, unit="times")
MISSED = Goal("vectors per second", 90.0, 100.0, at_least=True, unit="/s")


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHECK, raising=False)


@pytest.mark.parametrize(
    ("measured", "limit", "at_least", "met"),
    [
        (1.0, 2.0, False, True), (2.0, 2.0, False, True), (2.1, 2.0, False, False),
        (1.0, 2.0, True, False), (2.0, 2.0, True, True), (float("nan"), 2.0, False, False),
    ],
)  # fmt: skip
def test_met(measured: float, limit: float, at_least: bool, met: bool) -> None:
    assert Goal("x", measured, limit, at_least=at_least, unit="s").met is met


def test_table() -> None:
    assert table(ROWS) == [
        "case     seconds  peak MiB  ratio",
        "reading      1.5       120      -",
        "drift       2.25         -    1.5",
    ]


def test_large_numbers_are_grouped() -> None:
    assert table([{"rows": 1_000_000, "bytes": 1_536_000_000.0}])[1] == "1,000,000  1,536,000,000"


def test_results_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish("sample", ROWS, [MET, MISSED], tmp_path) == 0
    document = json.loads((tmp_path / "sample.json").read_text())
    assert document["rows"] == ROWS
    assert [goal["met"] for goal in document["goals"]] == [True, False]
    assert document["goals"][0]["limit"] == 2.0
    assert document["machine"]["cpus"] > 0
    assert document["versions"]["python"].startswith("3.")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "met     drift over reading: 1.5 times, goal at most 2 times",
        "MISSED  vectors per second: 90 /s, goal at least 100 /s",
    ]


def test_check_names_each_missed_goal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CHECK, "1")
    assert finish("sample", ROWS, [MET], tmp_path) == 0
    assert finish("sample", ROWS, [MET, MISSED], tmp_path) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "sample: 1 of 2 goals missed: vectors per second"
