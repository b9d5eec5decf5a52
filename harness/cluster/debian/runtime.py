"""What every node needs beside Kubernetes: Debian's runc and network plugins, the pause program, and Debian's daemons.

Debian's etcd and containerd serve Kubernetes 1.20; newer ones take those of the Go modules.
"""

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.cluster.commands import run

PACKAGES = ("runc", "containernetworking-plugins")
DAEMON_PACKAGES = ("etcd-server", "containerd")
GO = "golang-1.19-go"
GO_SOURCE = "golang-1.19-src"
PAUSE = Path(__file__).parent / "pause/pause.go"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return Go's name of this machine's architecture."""
    return _ARCHITECTURES[platform.machine()]


def debian_go(work: Path) -> dict[str, str]:
    """Return the variables under which Debian's Go, unpacked below WORK/root, compiles trees of the old kind."""
    goroot = work / "root/usr/lib/go-1.19"
    return {
        "PATH": f"{goroot}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "GOROOT": str(goroot),
        "GOPATH": str(work / "gopath"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }


def build_pause(result: Path, environment: Mapping[str, str], log: Path) -> Path:
    """Compile the pause program into the folder RESULT; returns it."""
    program = result / "bin/pause"
    run(["go", "build", "-ldflags=-s -w", "-o", program, PAUSE], env={"CGO_ENABLED": "0", **environment}, log=log)
    return program


def collect(root: Path, result: Path) -> None:
    """Take runc and the network plugins out of the packages unpacked below ROOT."""
    shutil.move(root / "usr/sbin/runc", result / "bin/runc")
    shutil.copytree(root / "usr/lib/cni", result / "cni")


def collect_daemons(root: Path, result: Path) -> dict[str, str]:
    """Take Debian's etcd and containerd out of the packages unpacked below ROOT; returns their versions."""
    for program in ("etcd", "containerd", "containerd-shim-runc-v2", "ctr"):
        shutil.move(root / "usr/bin" / program, result / "bin" / program)
    return daemon_versions(result)


def daemon_versions(result: Path) -> dict[str, str]:
    """Ask the programs in RESULT/bin for their versions."""
    etcd = run([result / "bin/etcd", "--version"])  # etcd Version: 3.7.3
    containerd = run([result / "bin/containerd", "--version"])  # containerd MODULE v2.4.2 COMMIT
    return {
        "etcd": etcd.splitlines()[0].rpartition(" ")[2],
        "containerd": containerd.split()[2].replace("~", "-"),
    }
