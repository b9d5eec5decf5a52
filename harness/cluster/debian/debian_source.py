"""Kubernetes 1.20.2 from Debian's source package: the oldest supported version, and the way without Go modules."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.debian import packages, runtime
from harness.cluster.debian.binaries import COMPONENTS, complete
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage
from harness.cluster.versions import Version

VERSION = Version(1, 20, 2)
# Kubernetes 1.20 vendors a reflect2 that crashes in map iterations when it is built with Go 1.18 or newer.
REFLECT2 = "golang-github-modern-go-reflect2-dev"
BYTES = 4 * 1024**3
RECIPE = "4"  # raise it when the steps below change what comes out

_PATCHES = sorted((Path(__file__).parent / "patches").glob("*.patch"))


class DebianSource:
    """Debian's source package of Kubernetes, compiled with Debian's Go."""

    version = VERSION
    effort = "about 6 minutes on 2 cores"
    needed_bytes = BYTES

    def refusal(self) -> str | None:
        """Returns None: Debian's packages are available on every machine that can run a cluster of plain processes."""
        return None

    def ingredients(self) -> Iterator[bytes]:
        """Yield whatever changes the outcome."""
        for part in (RECIPE, runtime.GO, REFLECT2, *COMPONENTS, *runtime.PACKAGES, *runtime.DAEMON_PACKAGES):
            yield part.encode()
        for path in (*_PATCHES, runtime.PAUSE):
            yield path.read_bytes()

    def build(self, work: Path, result: Path, log: Path) -> None:
        """Fill the folder RESULT; WORK is a scratch directory, LOG takes what the compilers print."""
        packages.install_missing(packages.BUILD_PROGRAMS)
        with stage("fetching the source of Kubernetes, the Go compiler and the container runtime from Debian"):
            tree = _source(work)
            packages.unpack(
                [runtime.GO, runtime.GO_SOURCE, REFLECT2, *runtime.PACKAGES, *runtime.DAEMON_PACKAGES], work / "root"
            )
            _prepare(tree, work / "root", log)
        with stage("compiling the pause program"):
            pause = runtime.build_pause(result, runtime.debian_go(work), log)
        with stage(f"compiling {', '.join(COMPONENTS)}"):
            _compile(tree, work, log)
        for component in COMPONENTS:
            shutil.move(tree / "_output/local/go/bin" / component, result / "bin" / component)
        runtime.collect(work / "root", result)
        daemons = runtime.collect_daemons(work / "root", result)
        complete(result, pause, runtime.architecture(), {"kubernetes": str(VERSION), **daemons})


def _source(work: Path) -> Path:
    unpacked = packages.unpack_source("kubernetes", work)
    # GOPATH mode wants the tree at the place of its import path.
    tree = work / "gopath/src/k8s.io/kubernetes"
    tree.parent.mkdir(parents=True)
    unpacked.rename(tree)
    changelog = (tree / "debian/changelog").read_text().split("\n", 1)[0]
    if str(VERSION) not in changelog:
        raise ClusterError(f"Debian's source package is now '{changelog}', not {VERSION}: adapt VERSION in {__file__}")
    return tree


def _prepare(tree: Path, root: Path, log: Path) -> None:
    vendored = tree / "vendor/github.com/modern-go/reflect2"
    shutil.rmtree(vendored)
    shutil.copytree(root / "usr/share/gocode/src/github.com/modern-go/reflect2", vendored)
    for patch in _PATCHES:
        run(["patch", "--strip=1", "--directory", tree, "--input", patch], log=log)


def _compile(tree: Path, work: Path, log: Path) -> None:
    version = work / "version"
    version.write_text(
        f"KUBE_GIT_COMMIT=archive\nKUBE_GIT_TREE_STATE=archive\nKUBE_GIT_VERSION=v{VERSION}\n"
        f"KUBE_GIT_MAJOR={VERSION.major}\nKUBE_GIT_MINOR={VERSION.minor}\n"
    )
    environment = {
        **runtime.debian_go(work),
        "HOME": str(work),
        "KUBE_GIT_VERSION_FILE": str(version),
        "GOLDFLAGS": "-s -w",
        "MAKEFLAGS": "",
    }
    targets = " ".join(f"cmd/{component}" for component in COMPONENTS)
    run(["make", f"WHAT={targets}"], cwd=tree, env=environment, log=log)
