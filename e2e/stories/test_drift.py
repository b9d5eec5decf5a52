"""Story of conditional triggers: what fires, what does not fire, and what users see."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from e2e.stories.conftest import Stage
from e2e.stories.data import EXAMPLE
from e2e.stories.scene import Object, Scene
from harness.claim_files import ClaimFiles, claim_files

TRIGGERS = ("drifting", "twenty", "narrowed", "growing")
CODE, DESKTOP, FEW = ["golang", "rust", "haskell"], ["x11", "text", "net"], ["admin"]
"""Sections with 402 packages, with as many others, and with 134 more, which drift by less than the threshold."""
FEWER_DIMENSIONS = 256
BASELINE_SEED, RESAMPLING_SEEDS = 0, (5, 8, 12)
"""Seeds of random samples. By chance, each of the latter has drifted from the first by more than 0.3."""
QUIET_CHECKS = 3


@pytest.fixture(scope="module")
def packages() -> pa.Table:
    """3,003 packages of Debian, with their sections."""
    return pq.read_table(EXAMPLE)


@pytest.fixture(scope="module")
def triggers(stage_set: Stage, packages: pa.Table) -> Iterator[ClaimFiles]:
    """Applies all collections and triggers, and yields the claims, in which their files can be changed."""
    scene = stage_set.scene
    with claim_files(scene.kubectl, stage_set.images.worker.name, ["embeddings"]) as claims:
        claims.upload_new(
            "embeddings",
            {
                "drifting/code.parquet": written(of_sections(packages, CODE)),
                "twenty.parquet": written(sampled(packages, BASELINE_SEED)),
                "narrowed.parquet": written(of_sections(packages, CODE)),
                "growing/code.parquet": written(of_sections(packages, CODE)),
            },
        )
        scene.apply_file("drift.yaml")
        yield claims
        scene.kubectl("delete", "clustertrigger", *TRIGGERS)


def of_sections(packages: pa.Table, sections: list[str]) -> pa.Table:
    return packages.filter(pc.is_in(packages["section"], pa.array(sections)))


def sampled(packages: pa.Table, seed: int) -> pa.Table:
    """Return twenty random packages."""
    return packages.take(np.random.default_rng(seed).choice(len(packages), 20, replace=False))


def narrowed(packages: pa.Table) -> pa.Table:
    """Return the packages with vectors of fewer dimensions, like those of another model."""
    vectors = packages["embedding"].combine_chunks()
    values = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(packages), -1)[:, :FEWER_DIMENSIONS]
    shorter = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), FEWER_DIMENSIONS)
    return packages.set_column(packages.schema.get_field_index("embedding"), "embedding", shorter)


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def checks(scene: Scene, name: str) -> list[Object]:
    """Return the ended checks, newest first."""
    return [check for check in scene.status(name).get("checks", []) if check["status"] != "pending"]


def latest_slot(scene: Scene, name: str) -> datetime:
    """Return the slot of the latest check, which may not have ended."""
    return max(datetime.fromisoformat(check["slot"]) for check in scene.status(name)["checks"])


def checked_after(scene: Scene, name: str, slot: datetime) -> Object:
    """Wait for a check of a later slot that did not fail, and return it."""

    def ended() -> Object | None:
        later = (check for check in checks(scene, name) if datetime.fromisoformat(check["slot"]) > slot)
        return next((check for check in later if check["status"] == "completed"), None)

    return scene.eventually(ended, f"{name}: a check after {slot}", name)


def drift(scene: Scene, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `kubectl clustertrigger drift` like a user."""
    plugins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    scope = [f"--namespace={scene.kubectl.namespace}", f"--kubeconfig={scene.kubectl.kubeconfig}"]
    command = ["kubectl", "clustertrigger", "drift", name, *scope, *options]
    environment = {**os.environ, "PATH": plugins, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_drift_fires_once_and_renews_the_baseline(scene: Scene, triggers: ClaimFiles, packages: pa.Table) -> None:
    scene.shows("drifting", "SCHEDULE", "cosine_drift > 0.05 every 20s")
    first = scene.run_ended("drifting")
    assert first["status"] == "completed", first["error"]
    before = scene.status("drifting")["baseline_snapshot"]
    assert (before["run"], before["documents"]) == (first["job_id"], len(of_sections(packages, CODE)))
    scene.eventually(lambda: len(checks(scene, "drifting")) >= QUIET_CHECKS, "drifting: three checks", "drifting")
    quiet = checks(scene, "drifting")
    assert [check["fires"] for check in quiet] == [False] * len(quiet)
    assert scene.status("drifting")["execution_count"] == 1

    triggers.upload("embeddings", {"drifting/desktop.parquet": written(of_sections(packages, DESKTOP))})
    fired = scene.eventually(
        lambda: next((check for check in checks(scene, "drifting") if check["fires"]), None),
        "drifting: a check fires",
        "drifting",
    )
    assert fired["value"] > 0.05
    second = scene.run_ended("drifting", slot=fired["slot"])
    assert (second["status"], second["num_documents"]) == ("completed", len(of_sections(packages, CODE + DESKTOP)))
    after = scene.status("drifting")["baseline_snapshot"]
    assert (after["run"], after["documents"]) == (second["job_id"], second["num_documents"])

    calm = checked_after(scene, "drifting", datetime.fromisoformat(fired["slot"]))
    assert (calm["fires"], calm["value"]) == (False, pytest.approx(0, abs=1e-6))
    scene.wait_for_event("drifting", "DriftDetected: ")
    events = scene.events("drifting")
    assert sum(event.startswith("DriftDetected: cosine_drift 0.0") for event in events) == 1
    assert sum(event.startswith("NoDrift: cosine_drift ") for event in events) == 1, "quiet ones are one event"
    assert scene.status("drifting")["execution_count"] == 2


def test_what_a_person_sees(scene: Scene, triggers: ClaimFiles, packages: pa.Table) -> None:
    triggers.upload("embeddings", {"drifting/few.parquet": written(of_sections(packages, FEW))})
    scene.eventually(
        lambda: next((check.get("value") for check in checks(scene, "drifting")), None),
        "drifting: a little drift",
        "drifting",
    )
    shown = drift(scene, "drifting")
    again = drift(scene, "drifting", "--recompute")
    described = scene.kubectl("describe", "clustertrigger", "drifting")
    print(f"\n$ kubectl clustertrigger drift drifting\n{shown.stdout}")
    print(f"$ kubectl clustertrigger drift drifting --recompute\n{again.stderr}{again.stdout}")
    print(scene.kubectl("get", "clustertriggers", *TRIGGERS), *scene.events("drifting"), sep="\n")
    measured = len(checks(scene, "drifting"))
    assert shown.returncode == 0, shown.stderr
    assert "0.05 │┄" in shown.stdout
    assert "▲" in shown.stdout, "the check that fired"
    counted = re.search(r"(\d+) checks from ", shown.stdout)
    assert counted
    assert int(counted[1]) >= min(measured, QUIET_CHECKS + 2)
    assert again.returncode == 0, again.stderr + again.stdout
    assert again.stdout.splitlines()[-1] == "every number agrees to 1e-6"
    assert re.search(r"Summary: +cosine_drift 0.0\d+ ≤ 0.05 \(floor 0.0\d+, 804 → 938 documents, assign", described)
    scene.pause("drifting")


def test_a_collection_that_has_grown_by_a_third(scene: Scene, triggers: ClaimFiles, packages: pa.Table) -> None:
    scene.shows("growing", "SCHEDULE", "document_count ±20% every 20s")
    first = scene.run_ended("growing")
    assert (first["status"], first["num_documents"]) == ("completed", len(of_sections(packages, CODE)))
    scene.eventually(lambda: checks(scene, "growing"), "growing: a check", "growing")
    assert scene.status("growing")["last_volume_measurement"]["summary"] == (
        "document_count 0 ≤ 0.2 (402 → 402 documents)"
    )

    triggers.upload("embeddings", {"growing/few.parquet": written(of_sections(packages, FEW))})
    fired = scene.eventually(
        lambda: next((check for check in checks(scene, "growing") if check["fires"]), None),
        "growing: a check fires",
        "growing",
    )
    assert fired["value"] == pytest.approx(134 / 402)
    second = scene.run_ended("growing", slot=fired["slot"])
    assert (second["status"], second["num_documents"]) == ("completed", 536)
    calm = checked_after(scene, "growing", datetime.fromisoformat(fired["slot"]))
    assert (calm["fires"], calm["value"]) == (False, 0)
    scene.wait_for_event("growing", "VolumeChanged: ")
    noted = scene.events("growing")
    assert sum(event == "VolumeChanged: document_count 0.33 > 0.2 (402 → 536 documents)" for event in noted) == 1
    shown = drift(scene, "growing")
    again = drift(scene, "growing", "--recompute")
    print(f"\n$ kubectl clustertrigger drift growing\n{shown.stdout}{again.stdout}", *noted, sep="\n")
    assert shown.returncode == 0, shown.stderr
    assert "▲" in shown.stdout, "the check that fired"
    assert again.returncode == 0, again.stderr + again.stdout
    assert again.stdout.splitlines()[-1] == "every number agrees to 1e-6"
    assert len(scene.status("growing")["history"]) == 2
    scene.pause("growing")


def test_twenty_documents_drawn_anew_do_not_fire(scene: Scene, triggers: ClaimFiles, packages: pa.Table) -> None:
    assert scene.run_ended("twenty")["status"] == "completed"
    summaries = []
    for seed in RESAMPLING_SEEDS:
        scene.eventually(lambda: checks(scene, "twenty"), "twenty: a check", "twenty")
        triggers.upload("embeddings", {"twenty.parquet": written(sampled(packages, seed))})
        check = checked_after(scene, "twenty", latest_slot(scene, "twenty"))
        assert check["fires"] is False
        assert check["value"] > 0.3
        summaries.append(scene.status("twenty")["last_drift_measurement"]["summary"])
        assert summaries[-1].endswith("does not fire because the value does not exceed twice the noise floor")
    print("", *summaries, sep="\n")
    assert len(scene.status("twenty")["history"]) == 1
    scene.pause("twenty")


def test_another_dimension_is_told_and_does_not_fire(scene: Scene, triggers: ClaimFiles, packages: pa.Table) -> None:
    assert scene.run_ended("narrowed")["status"] == "completed"
    triggers.upload("embeddings", {"narrowed.parquet": written(narrowed(of_sections(packages, CODE)))})
    stalled = scene.eventually(
        lambda: stalled if (stalled := scene.condition("narrowed", "Stalled"))["status"] == "True" else None,
        "narrowed: stalled",
        "narrowed",
    )
    assert stalled["reason"] == "NotComparable"
    assert "256 dimensions" in stalled["message"]
    scene.wait_for_event("narrowed", "NotComparable: collection col_narrowed has 256")
    measurement = scene.status("narrowed")["last_drift_measurement"]
    assert (measurement["fires"], measurement["obstacle"]) == (False, "dimensions_changed")
    assert len(scene.status("narrowed")["history"]) == 1
    print(f"\n{stalled['message']}")

    scene.request_run("narrowed", "renew")
    assert scene.run_ended("narrowed", slot="manual/renew")["status"] == "completed"
    scene.eventually(
        lambda: scene.condition("narrowed", "Stalled")["status"] == "False", "narrowed: no longer stalled", "narrowed"
    )
    slot = latest_slot(scene, "narrowed")
    assert checked_after(scene, "narrowed", slot)["fires"] is False
    assert scene.status("narrowed")["baseline_snapshot"]["dimensions"] == FEWER_DIMENSIONS
    scene.pause("narrowed")
