"""The newest Kubernetes from its Go modules, and etcd and containerd from theirs.

The module in kubernetes/ requires exact versions and names the programs as tools; go.sum proves what was fetched. Its
`replace` lines put the parts of Kubernetes that are modules of their own at the version that belongs to it, as its own
go.mod does by paths that only its repository has.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from harness.cluster.commands import find_program, run
from harness.cluster.debian import packages, runtime
from harness.cluster.debian.binaries import COMPONENTS, complete
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage
from harness.cluster.versions import Version, parse_version

MODULE = Path(__file__).parent / "kubernetes"
BYTES = 6 * 1024**3
RECIPE = "1"  # raise it when the steps below change what comes out
ANSWER_SECONDS = 120.0

_KUBERNETES = "k8s.io/kubernetes"
_CONTAINERD = "github.com/containerd/containerd/v2"
_ETCD = "go.etcd.io/etcd/server/v3"
_PACKAGES = {
    **{component: f"{_KUBERNETES}/cmd/{component}" for component in (*COMPONENTS, "kubectl")},
    **{program: f"{_CONTAINERD}/cmd/{program}" for program in ("containerd", "containerd-shim-runc-v2", "ctr")},
    "etcd": _ETCD,
}
# Snapshotters that need libraries or devices of the machine.
_TAGS = "no_btrfs,no_devmapper,no_zfs"


def required(module: str, by: Path = MODULE) -> str:
    """Returns the version of MODULE that a module of this repository requires, without the v.

    Args:
        module: Path of the required one.
        by: Folder of that module.
    """
    match = re.search(rf"^(?:require)?\s+{re.escape(module)} v(\S+)", (by / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ClusterError(f"{by}/go.mod does not require {module}: add it with `go get`")
    return match[1]


class GoModules:
    """The module in kubernetes/, compiled with the machine's Go."""

    effort = "about 10 minutes on 2 cores"
    needed_bytes = BYTES

    @property
    def version(self) -> Version:
        """Version of Kubernetes."""
        return parse_version(required(_KUBERNETES), f"{MODULE}/go.mod")

    def refusal(self) -> str | None:
        """Returns why it is not available on this machine; None if it is."""
        return refusal()

    def ingredients(self) -> Iterator[bytes]:
        """Yields everything that the result depends on."""
        for part in (RECIPE, _TAGS, *_PACKAGES, *runtime.PACKAGES):
            yield part.encode()
        for path in (MODULE / "go.mod", MODULE / "go.sum", runtime.PAUSE):
            yield path.read_bytes()

    def build(self, work: Path, result: Path, log: Path) -> None:
        """Fills the folder RESULT; WORK is a scratch directory, and LOG receives the output of the compiler."""
        with stage("fetching runc and the network plugins from Debian"):
            packages.unpack(list(runtime.PACKAGES), work / "root")
        runtime.collect(work / "root", result)
        compile_programs(tuple(_PACKAGES), result, log)
        (result / "client").mkdir()
        (result / "bin/kubectl").rename(result / "client/kubectl")
        pause = runtime.build_pause(result, {}, log)
        complete(
            result, pause, runtime.architecture(), {"kubernetes": str(self.version), **runtime.daemon_versions(result)}
        )


def compile_programs(programs: Sequence[str], result: Path, log: Path) -> None:
    """Compile PROGRAMS into RESULT/bin.

    Args:
        programs: Keys of _PACKAGES.
        result: The folder.
        log: Takes one line per package of Go that is compiled.
    """
    kubernetes = parse_version(required(_KUBERNETES), "go.mod")
    stamps = {
        "k8s.io/component-base/version.gitVersion": f"v{kubernetes}",
        "k8s.io/component-base/version.gitMajor": str(kubernetes.major),
        "k8s.io/component-base/version.gitMinor": str(kubernetes.minor),
        "k8s.io/component-base/version.gitTreeState": "archive",
        f"{_CONTAINERD}/version.Version": f"v{required(_CONTAINERD)}",
    }
    packages_of_go = [_PACKAGES[program] for program in programs]
    environment = {"CGO_ENABLED": "0", "GOWORK": "off"}
    with stage("fetching the Go modules"):
        run(["go", "mod", "download", "-x"], cwd=MODULE, env=environment, log=log)
    listed = ["go", "list", "-deps", f"-tags={_TAGS}", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"]
    total = len(run([*listed, *packages_of_go], cwd=MODULE, env=environment).split())
    with stage(f"compiling {', '.join(programs)}", _compiled(log, total)):
        # -v prints each package that is compiled; those in Go's own cache are not.
        flags = ["-v", "-trimpath", "-mod=readonly", "-buildvcs=false", f"-tags={_TAGS}"]
        linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
        command = ["go", "build", *flags, f"-ldflags={linker}", "-o", f"{result}/bin/", *packages_of_go]
        run(command, cwd=MODULE, env=environment, log=log)
    if "etcd" in programs:
        (result / "bin/server").rename(result / "bin/etcd")  # named by its path: go.etcd.io/etcd/server


def _compiled(log: Path, total: int) -> Callable[[], str]:
    before = len(log.read_text(errors="replace").splitlines()) if log.exists() else 0

    def done() -> str:
        lines = log.read_text(errors="replace").splitlines()[before:]
        return f"{sum('.' in line.split('/')[0] for line in lines)} of {total} packages"

    return done


@cache
def refusal() -> str | None:
    """Returns why Go modules are not available on this machine; None if they are."""
    if find_program("go") is None:
        return "Go is not installed"
    environment = {"GOWORK": "off"}
    try:
        run(["go", "list", "-m"], cwd=MODULE, env=environment, timeout=ANSWER_SECONDS)
        run(
            ["go", "mod", "download", f"{_KUBERNETES}@v{required(_KUBERNETES)}"],
            cwd=MODULE, env=environment, timeout=ANSWER_SECONDS,
        )  # fmt: skip
    except ClusterError as error:
        return str(error)
    return None
