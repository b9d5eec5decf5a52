"""Tests of the configuration files for the programs of a node."""

import json
import tomllib
from pathlib import Path

import pytest

from harness.cluster.debian.binaries import VERSIONS, Binaries
from harness.cluster.debian.node import full_image_name
from harness.cluster.debian.node_config import containerd_config, kubelet_config, pod_network
from harness.cluster.debian.program_image import PAUSE
from harness.cluster.versions import Version


def folder_of(tmp_path: Path, kubernetes: str, containerd: str) -> Binaries:
    (tmp_path / VERSIONS).write_text(json.dumps({"kubernetes": kubernetes, "containerd": containerd}))
    return Binaries(tmp_path)


def test_containerd_1_knows_the_pause_image_runc_and_the_network(tmp_path: Path) -> None:
    text = containerd_config(folder_of(tmp_path, "1.20.2", "1.6.20-ds1"), "overlayfs", restrict_oom_score=True)
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["version"] == 2
    assert cri["sandbox_image"] == PAUSE
    assert cri["restrict_oom_score_adj"] is True
    assert cri["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == f"{tmp_path}/bin/runc"
    assert cri["cni"]["bin_dir"] == f"{tmp_path}/cni"


def test_containerd_2_knows_the_pause_image_runc_and_the_network(tmp_path: Path) -> None:
    text = containerd_config(folder_of(tmp_path, "1.37.2", "v2.4.2"), "native", restrict_oom_score=False)
    config = tomllib.loads(text)
    images, runtime = (config["plugins"][f"io.containerd.cri.v1.{part}"] for part in ("images", "runtime"))
    assert config["version"] == 3
    assert images["pinned_images"]["sandbox"] == PAUSE
    assert images["snapshotter"] == "native"
    assert runtime["restrict_oom_score_adj"] is False
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == f"{tmp_path}/bin/runc"
    assert runtime["cni"]["bin_dirs"] == [f"{tmp_path}/cni"]


@pytest.mark.parametrize(
    ("version", "extra"),
    [
        (Version(1, 20, 2), []),
        (Version(1, 26, 15), []),
        (Version(1, 27, 0), ["containerRuntimeEndpoint"]),
        (Version(1, 31, 0), ["containerRuntimeEndpoint", "failCgroupV1"]),
        (Version(1, 37, 2), ["containerRuntimeEndpoint", "failCgroupV1"]),
    ],
    ids=str,
)
def test_the_kubelet_gets_fields_that_its_version_knows(version: Version, extra: list[str]) -> None:
    oldest = kubelet_config(Version(1, 20, 2), "10.231.1.2", "clustertrigger-0", Path("/pki"))
    config = kubelet_config(version, "10.231.1.2", "clustertrigger-0", Path("/pki"))
    assert sorted(set(config) - set(oldest)) == extra


def test_the_kubelet_never_evicts_for_a_full_disk() -> None:
    config = kubelet_config(Version(1, 37, 2), "10.231.1.2", "clustertrigger-0", Path("/pki"))
    assert set(config["evictionHard"].values()) == {"0%"}
    assert config["imageGCHighThresholdPercent"] == 100
    assert config["cgroupRoot"] == "/clustertrigger-0"


def test_pod_addresses_are_removed_with_the_namespaces() -> None:
    assert pod_network()["plugins"][0]["ipam"]["dataDir"].startswith("/run/")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("worker", "docker.io/library/worker:latest"),
        ("worker:1", "docker.io/library/worker:1"),
        ("team/worker:1", "docker.io/team/worker:1"),
        ("ghcr.io/team/worker:1", "ghcr.io/team/worker:1"),
        ("localhost/worker", "localhost/worker:latest"),
        ("registry:5000/worker", "registry:5000/worker:latest"),
        ("registry:5000/worker:2", "registry:5000/worker:2"),
    ],
)
def test_image_names_are_completed_as_kubernetes_does(name: str, expected: str) -> None:
    assert full_image_name(name) == expected
