"""The binaries of a node: Kubernetes built from Debian's source package, the rest unpacked from Debian's packages.

Everything lies in one folder of the cache, named by version and by a digest of this recipe. The folder is made
elsewhere and renamed when it is complete, so its presence is the proof that the build finished.
"""

import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.debian import packages, pause_image
from e2e.cluster.errors import ClusterError
from e2e.cluster.files import cache_directory, locked
from e2e.cluster.progress import say, stage

VERSION = "1.20.2"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
GO = "golang-1.19-go"
# Kubernetes 1.20 vendors a reflect2 that crashes in map iterations when it is built with Go 1.18 or newer.
REFLECT2 = "golang-github-modern-go-reflect2-dev"
RUNTIME_PACKAGES = ("etcd-server", "containerd", "runc", "containernetworking-plugins")
BUILD_BYTES = 4 * 1024**3
RECIPE = "3"  # raise it when the steps below change what comes out

_HERE = Path(__file__).parent
_PATCHES = sorted((_HERE / "patches").glob("*.patch"))
_PAUSE = _HERE / "pause/pause.go"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Binaries:
    """Paths of the programs in a finished folder of the cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cni = directory / "cni"
        self.pause_image = directory / "pause.tar"

    def __getitem__(self, program: str) -> Path:
        return self.directory / "bin" / program


def binaries() -> Binaries:
    """Return the binaries from the cache, after building them if they are not there (6 minutes on 2 cores)."""
    finished = cache_directory() / f"kubernetes-{VERSION}-{recipe_key()}"
    if finished.is_dir():
        return Binaries(finished)
    packages.require_debian()
    with locked(cache_directory() / "kubernetes.lock", "another build of Kubernetes to finish"):
        if not finished.is_dir():
            _build_into(finished)
    return Binaries(finished)


def recipe_key() -> str:
    """Return twelve hex digits that change with whatever changes the binaries."""
    digest = hashlib.sha256()
    for part in (RECIPE, VERSION, platform.machine(), GO, REFLECT2, *COMPONENTS, *RUNTIME_PACKAGES):
        digest.update(part.encode() + b"\0")
    for path in (*_PATCHES, _PAUSE):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _build_into(finished: Path) -> None:
    packages.require_root("the first start, which builds Kubernetes,")
    for stale in finished.parent.glob("kubernetes-build-*"):  # ours is the lock, so nobody builds in there
        shutil.rmtree(stale)
    free = shutil.disk_usage(finished.parent).free
    if free < BUILD_BYTES:
        raise ClusterError(
            f"{finished.parent} has {free / 1024**3:.1f} GiB free and the build needs 4: "
            "free some, or set XDG_CACHE_HOME to another disk"
        )
    work = Path(tempfile.mkdtemp(prefix="kubernetes-build-", dir=finished.parent))
    log = finished.parent / "kubernetes-build.log"
    log.unlink(missing_ok=True)
    say(f"building Kubernetes {VERSION} once, about 6 minutes on 2 cores; it is kept in {finished}")
    packages.install_missing(packages.BUILD_PROGRAMS)
    result = work / "result"
    (result / "bin").mkdir(parents=True)
    with stage("fetching the source of Kubernetes, the Go compiler and the container runtime from Debian"):
        tree = _source(work)
        packages.unpack([GO, f"{GO.removesuffix('-go')}-src", REFLECT2, *RUNTIME_PACKAGES], work / "root")
        _prepare(tree, work / "root", log)
    with stage("compiling the pause program"):
        _build_pause(work, result, log)
    with stage(f"compiling {', '.join(COMPONENTS)}"):
        _compile(tree, work, log)
    for component in COMPONENTS:
        shutil.move(tree / "_output/local/go/bin" / component, result / "bin" / component)
    _collect_runtime(work / "root", result)
    result.rename(finished)
    with stage("removing the build tree"):
        shutil.rmtree(work)
    log.unlink(missing_ok=True)


def _source(work: Path) -> Path:
    unpacked = packages.unpack_source("kubernetes", work)
    # GOPATH mode wants the tree at the place of its import path.
    tree = work / "gopath/src/k8s.io/kubernetes"
    tree.parent.mkdir(parents=True)
    unpacked.rename(tree)
    changelog = (tree / "debian/changelog").read_text().split("\n", 1)[0]
    if VERSION not in changelog:
        raise ClusterError(f"Debian's source package is now '{changelog}', not {VERSION}: adapt VERSION in {__file__}")
    return tree


def _prepare(tree: Path, root: Path, log: Path) -> None:
    vendored = tree / "vendor/github.com/modern-go/reflect2"
    shutil.rmtree(vendored)
    shutil.copytree(root / "usr/share/gocode/src/github.com/modern-go/reflect2", vendored)
    for patch in _PATCHES:
        run(["patch", "--strip=1", "--directory", tree, "--input", patch], log=log)


def _go_environment(work: Path) -> dict[str, str]:
    goroot = work / "root/usr/lib/go-1.19"
    path = f"{goroot}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "PATH": path,
        "GOROOT": str(goroot),
        "GOPATH": str(work / "gopath"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }


def _build_pause(work: Path, result: Path, log: Path) -> None:
    program = result / "bin/pause"
    run(["go", "build", "-ldflags=-s -w", "-o", program, _PAUSE], env=_go_environment(work), log=log)
    pause_image.pack(program, result / "pause.tar", _ARCHITECTURES[platform.machine()])


def _compile(tree: Path, work: Path, log: Path) -> None:
    version = work / "version"
    major, minor, _ = VERSION.split(".")
    version.write_text(
        f"KUBE_GIT_COMMIT=archive\nKUBE_GIT_TREE_STATE=archive\nKUBE_GIT_VERSION=v{VERSION}\n"
        f"KUBE_GIT_MAJOR={major}\nKUBE_GIT_MINOR={minor}\n"
    )
    environment = {
        **_go_environment(work),
        "HOME": str(work),
        "KUBE_GIT_VERSION_FILE": str(version),
        "GOLDFLAGS": "-s -w",
        "MAKEFLAGS": "",
    }
    targets = " ".join(f"cmd/{component}" for component in COMPONENTS)
    run(["make", f"WHAT={targets}"], cwd=tree, env=environment, log=log)


def _collect_runtime(root: Path, result: Path) -> None:
    for program in ("bin/etcd", "bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr", "sbin/runc"):
        shutil.move(root / "usr" / program, result / "bin" / Path(program).name)
    shutil.copytree(root / "usr/lib/cni", result / "cni")
