"""Which Kubernetes: KUBERNETES names it, for plain processes and for kind."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cluster.debian import go_modules
from harness.cluster.debian.binaries import COMPONENTS, RUNTIME, VERSIONS, Binaries
from harness.cluster.debian.build import FOLDER, WISH, chosen_offer, finished, programs_for, recorded
from harness.cluster.debian.choice import choose
from harness.cluster.debian.debian_source import DebianSource
from harness.cluster.debian.go_modules import MODULE, required
from harness.cluster.debian.released import Released
from harness.cluster.errors import ClusterError
from harness.cluster.kind import IMAGES, node_image
from harness.cluster.state import check_directory
from harness.cluster.versions import Version, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.37", Version(1, 37)),
        ("v1.37.2", Version(1, 37, 2)),
        (" 1.20.2 ", Version(1, 20, 2)),
        ("v1.30.1-eks-1234", Version(1, 30, 1)),
        ("1.33.4+k3s1", Version(1, 33, 4)),
    ],
)
def test_versions_as_people_and_clusters_write_them(text: str, version: Version) -> None:
    assert parse_version(text, "KUBERNETES") == version


@pytest.mark.parametrize("text", ["latest", "1", "1.x", "1.37.2.1", "-1.37", "v"])
def test_what_is_no_version_is_named(text: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(f"KUBERNETES is '{text}', which is no version")):
        parse_version(text, "KUBERNETES")


@dataclass(frozen=True)
class Offered:
    version: Version
    refused: str | None = None


NEW, OLD = Offered(Version(1, 37, 2)), Offered(Version(1, 20, 2))
NO_GO = Offered(Version(1, 37, 2), "Go is not installed")


@pytest.mark.parametrize(
    ("wish", "offers", "taken"),
    [
        ("", [NEW, OLD], NEW),
        ("", [NO_GO, OLD], OLD),
        ("1.20", [NEW, OLD], OLD),
        ("v1.20.2", [NEW, OLD], OLD),
        ("1.37", [NEW, OLD], NEW),
    ],
)
def test_the_newest_that_can_be_had_or_the_one_that_is_named(wish: str, offers: list[Offered], taken: Offered) -> None:
    assert choose(wish, offers, lambda offer: offer.refused) is taken


@pytest.mark.parametrize(
    ("wish", "offers", "says"),
    [
        ("1.37", [NO_GO, OLD], "Kubernetes 1.37.2 cannot be had: Go is not installed"),
        ("1.30", [NEW, OLD], "KUBERNETES is '1.30', and what can be had as plain processes is 1.37.2 and 1.20.2"),
        ("1.37.1", [NEW, OLD], "KUBERNETES_BINARIES=DIR"),
        ("newest", [NEW, OLD], "which is no version"),
    ],
)
def test_a_version_that_cannot_be_had_is_no_other(wish: str, offers: list[Offered], says: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(says)):
        choose(wish, offers, lambda offer: offer.refused)


def test_no_more_is_asked_than_necessary() -> None:
    asked: list[Offered] = []
    choose("", [NEW, OLD], asked.append)
    assert asked == [NEW]


def test_the_parts_of_kubernetes_have_one_version() -> None:
    """They are modules of their own, replaced one by one: an upgrade that forgets one would be a mixture."""
    text = (MODULE / "go.mod").read_text()
    kubernetes = parse_version(required("k8s.io/kubernetes"), "go.mod")
    replaced = dict(re.findall(r"^\s+(k8s\.io/\S+) => k8s\.io/\S+ (\S+)$", text, re.MULTILINE))
    assert set(replaced.values()) == {f"v0.{kubernetes.minor}.{kubernetes.patch}"}
    assert {"k8s.io/api", "k8s.io/client-go", "k8s.io/kubelet", "k8s.io/kubectl"} <= set(replaced)


@pytest.mark.parametrize("image", IMAGES)
def test_kinds_images_are_found_by_their_versions(image: str) -> None:
    version = parse_version(image.partition(":")[2].partition("@")[0], "IMAGES")
    assert node_image(str(version)) == image
    assert node_image(f"{version.major}.{version.minor}") == image


def test_kinds_newest_image_is_the_default() -> None:
    assert node_image("") == max(IMAGES, key=lambda image: parse_version(image.split(":")[1].split("@")[0], "IMAGES"))
    with pytest.raises(ClusterError, match=re.escape("KUBERNETES is '1.20', and the images known for kind are")):
        node_image("1.20")


def released(folder: Path, version: str, programs: tuple[str, ...] = COMPONENTS) -> Path:
    folder.mkdir(exist_ok=True)
    for program in programs:
        (folder / program).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (folder / program).chmod(0o755)
    return folder


def test_a_folder_of_released_binaries_says_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(released(tmp_path / "v1.33", "v1.33.4")))
    monkeypatch.delenv(WISH, raising=False)
    assert chosen_offer().version == Version(1, 33, 4)
    monkeypatch.setenv(WISH, "1.33")
    assert chosen_offer().version == Version(1, 33, 4)
    monkeypatch.setenv(WISH, "1.36")
    with pytest.raises(ClusterError, match=re.escape("what can be had as plain processes is 1.33.4")):
        chosen_offer()


def test_a_folder_that_lacks_a_program_is_refused_by_name(tmp_path: Path) -> None:
    released(tmp_path, "v1.33.4", ("kube-apiserver", "kube-scheduler", "kubelet", "kube-proxy"))
    with pytest.raises(ClusterError, match=r"lacks kube-controller-manager: unpack the server binaries"):
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


def test_a_cluster_stays_on_the_version_that_it_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / VERSIONS).write_text(json.dumps({"kubernetes": "1.33.4"}))
    cluster = tmp_path / "cluster"
    check_directory(cluster, "debian", **recorded(Binaries(programs)))
    monkeypatch.delenv(WISH, raising=False)
    monkeypatch.delenv(FOLDER, raising=False)
    assert programs_for(cluster).directory == programs
    monkeypatch.setenv(WISH, str(DebianSource().version))
    with pytest.raises(ClusterError, match=r"runs Kubernetes 1\.33\.4, and another is asked for by KUBERNETES"):
        programs_for(cluster)
