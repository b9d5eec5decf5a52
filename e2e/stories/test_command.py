"""Story of `kubectl clustertrigger`: a person runs, inspects, pauses and resets triggers, and reads logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.stories import data
from e2e.stories.scene import Scene
from e2e.stories.triggers import by_interval

REPORT_PODS = "clustertrigger.dev/role=report"


class Person:
    """Runs commands, and reads their output."""

    def __init__(self, scene: Scene) -> None:
        self._scope = ["--kubeconfig", str(scene.kubectl.kubeconfig), "--namespace", scene.kubectl.namespace]

    def types(self, *words: str, code: int = 0, **environment: str) -> str:
        """Run a command; return its output for a terminal of 80 columns without colours."""
        done = subprocess.run(
            [sys.executable, "-m", "clustertrigger.cli.main", *words, *self._scope],
            capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, "COLUMNS": "80", **environment},
        )  # fmt: skip
        print(f"\n$ kubectl clustertrigger {' '.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def triggers(stage_set: object) -> None:
    scene: Scene = stage_set.scene  # type: ignore[attr-defined]
    five = {"algorithm": "kmeans", "n_clusters": 5}
    failing = by_interval("typed-failing", five, collection="col_no_such_file", max_consecutive_failures=1)
    scene.kubectl.apply(by_interval("typed", five), failing)
    scene.kubectl.apply(
        {
            "apiVersion": "clustertrigger.dev/v1alpha1",
            "kind": "Collection",
            "metadata": {"name": "no-such-file"},
            "spec": {
                "collection_id": "col_no_such_file",
                "volume": "embeddings",
                "source": {"uri": "no-such-file.parquet"},
            },
        }
    )
    scene.eventually(lambda: scene.condition("typed", "Ready"), "the operator has seen the trigger", "typed")


@pytest.fixture
def person(scene: Scene, triggers: None) -> Person:
    """A person at a terminal."""
    return Person(scene)


def test_a_run_is_typed_and_followed_to_its_end(scene: Scene, person: Person) -> None:
    assert "Run it now: kubectl clustertrigger run typed" in person.types("describe", "typed")
    said = person.types("run", "typed", "--wait")
    entry = scene.status("typed")["history"][0]
    assert f"{entry['job_id']}, fired for manual/" in said
    assert said.splitlines()[-1].startswith(f"{entry['job_id']} completed after ")
    assert f"5 clusters of {data.DOCUMENTS} documents" in said


def test_its_log_is_read(scene: Scene, person: Person) -> None:
    shown = person.types("logs", "typed")
    assert f"reading {data.DOCUMENTS} documents of 384 dimensions" in shown
    assert "publish 7/7" in shown
    lines = person.types("logs", "typed", "--raw").splitlines()
    of_the_worker = [json.loads(line) for line in lines if line.startswith("{")]  # libraries also write lines
    assert {line["phase"] for line in of_the_worker} >= {"open", "read", "cluster", "publish"}


def test_its_report_is_saved_and_opened(scene: Scene, person: Person, tmp_path: Path) -> None:
    file = tmp_path / "typed.html"
    assert person.types("report", "typed", "--save", str(file)).strip().endswith(str(file))
    page = file.read_text()
    assert page.startswith("<!DOCTYPE html>") or page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert scene.status("typed")["history"][0]["job_id"] in page
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    shown = person.types("report", "typed", BROWSER=f"{browser} %s").strip().splitlines()[0]
    assert Path(shown).read_text() == page
    assert (tmp_path / "opened").read_text() == Path(shown).as_uri()
    scene.eventually(
        lambda: not scene.kubectl.items("pods", f"--selector={REPORT_PODS}"), "the Pods that read reports are gone"
    )
    said = person.types("report", "typed", "--claim", "embeddings", code=1)
    assert "does not exist: the folders of older runs" in said


def test_it_is_paused_and_resumed(scene: Scene, person: Person) -> None:
    assert "typed paused" in person.types("pause", "typed")
    scene.eventually(lambda: scene.status("typed").get("status") == "paused", "it is paused", "typed")
    assert "kubectl clustertrigger resume typed" in person.types("run", "typed", code=1)
    assert "nothing: the trigger is paused" in person.types("describe", "typed")
    assert _selected(scene, "spec.status=paused") >= {"typed"}
    assert "typed" not in _selected(scene, "spec.status=active")
    assert _selected(scene, "spec.trigger_type=interval,spec.status=paused") >= {"typed"}
    assert "typed" not in _selected(scene, "spec.trigger_type=cron")
    person.types("resume", "typed")
    scene.eventually(lambda: scene.status("typed").get("status") == "active", "it is active", "typed")


def _selected(scene: Scene, selector: str) -> set[str]:
    """Return the names of the triggers that the API server selects by fields (Kubernetes 1.31 and later)."""
    return set(scene.kubectl("get", "ctr", f"--field-selector={selector}", "--output=name").replace(
        "clustertrigger.clustertrigger.dev/", "").split())  # fmt: skip


def test_a_failing_one_is_understood_and_reset(scene: Scene, person: Person) -> None:
    assert "no-such-file.parquet" in person.types("run", "typed-failing", "--wait", code=1)
    scene.eventually(lambda: scene.status("typed-failing").get("status") == "failed", "it has stopped", "typed-failing")
    assert "no-such-file.parquet" in person.types("logs", "typed-failing")
    screen = person.types("describe", "typed-failing")
    assert "needs intervention" in screen
    assert "kubectl clustertrigger reset typed-failing" in screen
    row = next(line for line in person.types("list").splitlines() if line.startswith("typed-failing "))
    assert " failed " in row
    assert "no-such-file.parquet" in row
    person.types("reset", "typed-failing")
    scene.eventually(
        lambda: scene.status("typed-failing").get("status") == "active", "it may fire again", "typed-failing"
    )


def test_the_screen_of_a_trigger_fits(scene: Scene, person: Person) -> None:
    screen = person.types("describe", "typed").splitlines()
    assert len(screen) <= 40
    fields = {line[:12].strip() for line in screen} - {""}
    assert {"Type", "Clusters", "Conditions", "Next", "Runs", "Found", "Events", "What to do"} <= fields
