"""Tests of a folder of released binaries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cluster.debian import go_modules
from harness.cluster.debian.binaries import COMPONENTS, RUNTIME
from harness.cluster.debian.build import FOLDER, WISH, chosen_offer, finished
from harness.cluster.debian.released import Released
from harness.cluster.errors import ClusterError
from harness.cluster.versions import Version


def released(folder: Path, version: str, programs: tuple[str, ...] = COMPONENTS) -> Path:
    folder.mkdir(exist_ok=True)
    for program in programs:
        (folder / program).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (folder / program).chmod(0o755)
    return folder


def test_a_folder_of_released_binaries_has_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(released(tmp_path / "v1.33", "v1.33.4")))
    monkeypatch.delenv(WISH, raising=False)
    assert chosen_offer().version == Version(1, 33, 4)
    monkeypatch.setenv(WISH, "1.33")
    assert chosen_offer().version == Version(1, 33, 4)
    monkeypatch.setenv(WISH, "1.36")
    with pytest.raises(ClusterError, match=re.escape("the versions available as plain processes are 1.33.4")):
        chosen_offer()


def test_a_folder_that_lacks_a_program_is_refused_by_name(tmp_path: Path) -> None:
    released(tmp_path, "v1.33.4", ("kube-apiserver", "kube-scheduler", "kubelet", "kube-proxy"))
    with pytest.raises(ClusterError, match=r"lacks kube-controller-manager: unpack the server binaries"):
        Released(tmp_path)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^KUBERNETES_BINARIES is \S+/nowhere, which is not a folder"):
        Released(tmp_path / "nowhere")


@pytest.mark.parametrize("program", ["kubelet", "kube-proxy", "etcd"])
def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path, program: str) -> None:
    released(tmp_path, "v1.33.4", (*COMPONENTS, *RUNTIME))
    (tmp_path / program).chmod(0o644)
    with pytest.raises(ClusterError, match=rf", where {program} cannot be executed: run chmod \+x on them$"):
        Released(tmp_path)


def test_a_program_of_another_kind_of_machine_is_named(tmp_path: Path) -> None:
    released(tmp_path, "v1.33.4")
    (tmp_path / "kube-scheduler").write_bytes(b"\x7fELF of another kind")
    with pytest.raises(ClusterError, match=r"/kube-scheduler cannot be run: Exec format error$"):
        Released(tmp_path)


def test_programs_of_several_releases_are_refused(tmp_path: Path) -> None:
    released(tmp_path, "v1.33.4")
    released(tmp_path, "v1.36.2", ("kube-apiserver",))
    with pytest.raises(ClusterError, match=r"of several versions \(kube-apiserver 1\.36\.2, .*, kubelet 1\.33\.4, "):
        Released(tmp_path)


def test_an_unsupported_release(tmp_path: Path) -> None:
    released(tmp_path, "v1.19.16")
    with pytest.raises(ClusterError, match=r"has Kubernetes 1\.19\.16, and the oldest version .* is 1\.20"):
        Released(tmp_path)


def test_a_program_without_a_version(tmp_path: Path) -> None:
    released(tmp_path, "unknown")
    with pytest.raises(ClusterError, match=r"^what \S+/kube-apiserver --version says is 'unknown'"):
        Released(tmp_path)


def test_a_new_kubelet_needs_a_new_containerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_modules, "refusal", lambda: "Go is not installed")
    older, newer = released(tmp_path / "a", "v1.35.0"), released(tmp_path / "b", "v1.36.2")
    assert Released(older).refusal() is None
    assert "needs containerd 2" in (Released(newer).refusal() or "")
    released(newer, "v1.36.2", RUNTIME)
    assert Released(newer).refusal() is None


def test_other_files_in_the_folder_are_another_cluster(tmp_path: Path) -> None:
    before = finished(Released(released(tmp_path, "v1.33.4")))
    assert finished(Released(tmp_path)) == before
    released(tmp_path, "v1.33.4  ")
    assert finished(Released(tmp_path)) != before
