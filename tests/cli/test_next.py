"""Tests of `kubectl clustertrigger next`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustertrigger.cli.main import main

CRON = """
apiVersion: clustertrigger.dev/v1alpha1
kind: ClusterTrigger
metadata: {name: nightly, namespace: search}
spec:
  trigger_type: cron
  schedule_config: {cron_expression: "30 2 * * *", timezone: Europe/Berlin}
  cluster_id: cluster_a
"""
INTERVAL = """
apiVersion: clustertrigger.dev/v1alpha1
kind: ClusterTrigger
metadata: {name: often}
spec:
  trigger_type: interval
  schedule_config: {interval_seconds: 90, start_immediately: %s}
  cluster_id: cluster_a
"""
EVENT = """
apiVersion: clustertrigger.dev/v1alpha1
kind: ClusterTrigger
metadata: {name: eager}
spec:
  trigger_type: event
  schedule_config: {event_type: documents_added, event_threshold: 100, collection_id: col_a, cooldown_seconds: 300}
  cluster_id: cluster_a
"""
CONDITIONAL = """
apiVersion: clustertrigger.dev/v1alpha1
kind: ClusterTrigger
metadata: {name: drifting}
spec:
  trigger_type: conditional
  schedule_config: {condition_type: drift, threshold: 0.3, metric: cosine_drift, check_interval_seconds: 3600}
  cluster_id: cluster_a
"""


@pytest.fixture(autouse=True)
def machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(folder: Path, content: str, *options: str) -> int:
    file = folder / "triggers.yaml"
    file.write_text(content)
    return main(["next", "-f", str(file), *options])


def test_cron_in_utc_and_in_its_time_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, CRON, "--from", "2026-03-28T00:00:00Z", "--count", "3") == 0
    assert capsys.readouterr().out.splitlines() == [
        "search/nightly  cron  30 2 * * * Europe/Berlin",
        "  UTC                   Europe/Berlin",
        "  2026-03-28T01:30:00Z  Sat 2026-03-28 02:30:00 CET",
        "  2026-03-29T01:00:00Z  Sun 2026-03-29 03:00:00 CEST",
        "  2026-03-30T00:30:00Z  Mon 2026-03-30 02:30:00 CEST",
    ]


@pytest.mark.parametrize(
    ("immediately", "slots"),
    [
        ("false", ["2026-03-28T00:01:30Z  Sat 2026-03-28 09:01:30 JST",
                   "2026-03-28T00:03:00Z  Sat 2026-03-28 09:03:00 JST"]),
        ("true", ["2026-03-28T00:00:00Z  Sat 2026-03-28 09:00:00 JST",
                  "2026-03-28T00:01:30Z  Sat 2026-03-28 09:01:30 JST"]),
    ],
)  # fmt: skip
def test_interval_as_if_created_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], immediately: str, slots: list[str]
) -> None:
    assert run(tmp_path, INTERVAL % immediately, "--from", "2026-03-28T01:00:00+01:00", "--count", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "default/often  interval  every 90s",
        "  as if created at 2026-03-28T00:00:00Z, because the slots are counted from the creation of the trigger",
        "  UTC                   this machine's zone",
        *(f"  {slot}" for slot in slots),
    ]


def test_the_checks_of_a_conditional_trigger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, CONDITIONAL, "--from", "2026-03-28T00:00:00Z", "--count", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "default/drifting  conditional  cosine_drift > 0.3 every 1h",
        "  checked every 1h, fires when cosine_drift exceeds 0.3; without a baseline, the slot starts a run, which "
        "writes one",
        "  as if created at 2026-03-28T00:00:00Z, because the slots are counted from the creation of the trigger",
        "  UTC                   this machine's zone",
        "  2026-03-28T01:00:00Z  Sat 2026-03-28 10:00:00 JST",
        "  2026-03-28T02:00:00Z  Sat 2026-03-28 11:00:00 JST",
    ]


def test_the_checks_of_a_condition_on_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = CONDITIONAL.replace("condition_type: drift", "condition_type: volume")
    volume = volume.replace("metric: cosine_drift", "metric: document_count")
    assert run(tmp_path, volume, "--from", "2026-03-28T00:00:00Z", "--count", "1") == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "default/drifting  conditional  document_count ±30% every 1h",
        "  checked every 1h, fires when the number of documents has changed by more than 30 %; without a baseline, "
        "the slot starts a run, which writes one",
    ]


def test_triggers_without_slots_in_advance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, EVENT) == 0
    assert capsys.readouterr().out.splitlines() == [
        "default/eager  event  100 documents_added, cooldown 5m",
        "  no slots in advance: fires after 100 documents_added events of col_a",
    ]


def test_a_paused_trigger_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, CRON.rstrip() + "\n  status: paused\n") == 0
    assert "  status is paused: the trigger does not fire until it is active" in capsys.readouterr().out.splitlines()


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--from", "2026-10-25T00:00:00Z", "--count", "2", "-o", "json")
    assert run(tmp_path, f"{CRON}---{EVENT}", *options) == 0
    assert json.loads(capsys.readouterr().out) == {
        "from": "2026-10-25T00:00:00Z",
        "triggers": [
            {
                "file": str(tmp_path / "triggers.yaml"),
                "namespace": "search",
                "name": "nightly",
                "trigger_type": "cron",
                "schedule": "30 2 * * * Europe/Berlin",
                "timezone": "Europe/Berlin",
                "slots": [
                    {"utc": "2026-10-25T00:30:00Z", "local": "2026-10-25T02:30:00+02:00"},
                    {"utc": "2026-10-26T01:30:00Z", "local": "2026-10-26T02:30:00+01:00"},
                ],
                "notes": [],
            },
            {
                "file": str(tmp_path / "triggers.yaml"),
                "namespace": "default",
                "name": "eager",
                "trigger_type": "event",
                "schedule": "100 documents_added, cooldown 5m",
                "timezone": None,
                "slots": [],
                "notes": ["no slots in advance: fires after 100 documents_added events of col_a"],
            },
        ],
    }


def test_an_invalid_trigger_beside_a_valid_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, f"{CRON}---{CRON.replace('30 2', '61 2')}", "-o", "json") == 1
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["triggers"]) == 1
    assert captured.err == (
        f"{tmp_path}/triggers.yaml:10: ClusterTrigger search/nightly: spec.schedule_config.cron_expression: "
        "'61 2 * * *': minute 61 is out of range 0-59: write a number from 0 to 59\n"
    )


def test_no_trigger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n") == 1
    assert capsys.readouterr().err == "no ClusterTrigger found: check apiVersion and kind\n"
