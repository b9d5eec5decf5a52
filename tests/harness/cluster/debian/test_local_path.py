"""Tests of the provisioner's decisions; the stories test that Pods can write into its volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cluster.debian.local_path import (
    ANNOTATION_NODE,
    ANNOTATION_PROVISIONED_BY,
    PROVISIONER,
    awaits_volume,
    folder_of,
    is_released,
    volume_of,
)

ROOT = Path("/clusters/one/volumes")
CHOSEN = {"annotations": {ANNOTATION_NODE: "node"}}


def claim(spec: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "search",
            "name": "results",
            "uid": "0815",
            **(CHOSEN if metadata is None else metadata),
        },
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **(spec or {}),
        },
    }


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (claim(), True),
        (claim(metadata={}), False),
        (claim({"storageClassName": "fast"}), False),
        (claim({"storageClassName": None}), False),
        (claim({"volumeName": "pvc-0815"}), False),
        (claim({"volumeMode": "Block"}), False),
        (claim(metadata={**CHOSEN, "deletionTimestamp": "2026-01-01T00:00:00Z"}), False),
    ],
    ids=["waits", "no Pod yet", "another class", "no class", "has one", "a device", "is deleted"],
)
def test_which_claims_get_a_volume(waiting: dict[str, Any], expected: bool) -> None:
    assert awaits_volume(waiting, {"standard"}) is expected


def test_the_volume_belongs_to_one_claim_and_its_folder_is_named_after_it() -> None:
    folder = folder_of(claim(), ROOT)
    volume = volume_of(claim(), folder)
    assert folder == ROOT / "search_results_pvc-0815"
    assert volume["spec"]["claimRef"]["uid"] == "0815"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    assert volume["spec"]["hostPath"] == {"path": str(folder)}
    assert volume == volume_of(claim(), folder)


def volume(phase: str = "Released", path: Path = ROOT / "search_results_pvc-0815", **changed: Any) -> dict[str, Any]:
    annotations = {ANNOTATION_PROVISIONED_BY: changed.pop("by", PROVISIONER)}
    spec = {"hostPath": {"path": str(path)}, "persistentVolumeReclaimPolicy": "Delete", **changed}
    return {"metadata": {"name": "pvc-0815", "annotations": annotations}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (volume(), True),
        (volume("Bound"), False),
        (volume("Available"), False),
        (volume(by="kubernetes.io/host-path"), False),
        (volume(persistentVolumeReclaimPolicy="Retain"), False),
        (volume(path=ROOT), False),
        (volume(path=Path("/home/me")), False),
        (volume(path=ROOT / "one/two"), False),
    ],
    ids=["left", "in use", "not yet in use", "another's", "kept", "all of them", "elsewhere", "too deep"],
)
def test_which_folders_are_removed(left: dict[str, Any], expected: bool) -> None:
    assert is_released(left, ROOT) is expected
