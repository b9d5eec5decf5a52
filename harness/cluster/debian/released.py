"""Uses the programs of a Kubernetes release.

The variable KUBERNETES_BINARIES names a folder with them. The programs etcd and containerd are taken from the folder if
it has them; otherwise from their Go modules; otherwise from Debian, whose containerd the kubelets of version 1.36 and
newer reject.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from harness.cluster.commands import find_program, run
from harness.cluster.debian import go_modules, packages, runtime
from harness.cluster.debian.binaries import COMPONENTS, RUNTIME, complete
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage
from harness.cluster.versions import Version, parse_version

BYTES = 3 * 1024**3
OLDEST = Version(1, 20)
NEEDS_CONTAINERD_2 = Version(1, 36, 0)


class Released:
    """The programs in a folder.

    Args:
        folder: Has kube-apiserver and the other components, perhaps kubectl, etcd and containerd's programs.

    Raises:
        ClusterError: one of Kubernetes' own is missing, does not run, or is of another version than the rest.
    """

    effort = "a minute or two for etcd and containerd, where they are not in the folder"
    needed_bytes = BYTES

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        setting = f"KUBERNETES_BINARIES is {folder}"
        if not self._folder.is_dir():
            raise ClusterError(f"{setting}, which is not a folder: name the one with {', '.join(COMPONENTS)}")
        if missing := [program for program in COMPONENTS if not (self._folder / program).is_file()]:
            raise ClusterError(
                f"{setting}, which lacks {', '.join(missing)}: unpack the server binaries of a Kubernetes release there"
            )
        if closed := [program for program in self._given() if not os.access(self._folder / program, os.X_OK)]:
            raise ClusterError(f"{setting}, where {', '.join(closed)} cannot be executed: run chmod +x on them")
        versions = {program: self._version_of(program) for program in COMPONENTS}
        self.version = versions["kubelet"]
        if len(set(versions.values())) > 1:
            found = ", ".join(f"{program} {version}" for program, version in versions.items())
            raise ClusterError(f"{setting}, whose programs are of several versions ({found}): take all of one release")
        if self.version < OLDEST:
            raise ClusterError(
                f"{setting}, which has Kubernetes {self.version}, and the oldest version that is supported is "
                f"{OLDEST}: take the binaries of a newer release"
            )

    def refusal(self) -> str | None:
        """Returns why it is not available on this machine; None if it is."""
        if self.version >= NEEDS_CONTAINERD_2 and not self._has_runtime() and go_modules.refusal():
            return (
                f"Kubernetes {self.version} needs containerd 2, and Go modules are not available "
                f"({go_modules.refusal()}): put {', '.join(RUNTIME)} into {self._folder}"
            )
        return None

    def ingredients(self) -> Iterator[bytes]:
        """Yields everything that the result depends on: which files, and whether they changed."""
        for program in self._given():
            state = (self._folder / program).stat()
            yield f"{self._folder}/{program} {state.st_size} {state.st_mtime_ns}".encode()
        yield from (part.encode() for part in runtime.PACKAGES)
        yield runtime.PAUSE.read_bytes()
        if not self._has_runtime():
            yield (go_modules.MODULE / "go.sum").read_bytes()

    def build(self, work: Path, result: Path, log: Path) -> None:
        """Fills the folder RESULT; WORK is a scratch directory, and LOG receives the output of a compiler."""
        with_modules = not go_modules.refusal()
        wanted = list(runtime.PACKAGES)
        if find_program("go") is None:
            wanted += [runtime.GO, runtime.GO_SOURCE]
        if not (self._has_runtime() or with_modules):
            wanted += runtime.DAEMON_PACKAGES
        with stage(f"fetching {', '.join(wanted)} from Debian"):
            packages.unpack(wanted, work / "root")
        runtime.collect(work / "root", result)
        (result / "client").mkdir()
        for program in self._given():
            # The program is then found under a path of the cache, as every other: see processes.strays.
            (result / ("client" if program == "kubectl" else "bin") / program).symlink_to(self._folder / program)
        if self._has_runtime():
            daemons = runtime.daemon_versions(result)
        elif with_modules:
            go_modules.compile_programs(RUNTIME, result, log)
            daemons = runtime.daemon_versions(result)
        else:
            daemons = runtime.collect_daemons(work / "root", result)
        pause = runtime.build_pause(result, {} if find_program("go") else runtime.debian_go(work), log)
        complete(result, pause, runtime.architecture(), {"kubernetes": str(self.version), **daemons})

    def _version_of(self, program: str) -> Version:
        output = run([self._folder / program, "--version"], timeout=60).strip()  # Kubernetes v1.36.2
        return parse_version(output.rpartition(" ")[2], f"what {self._folder}/{program} --version says")

    def _has_runtime(self) -> bool:
        return all((self._folder / program).is_file() for program in RUNTIME)

    def _given(self) -> Iterator[str]:
        runtime_programs = RUNTIME if self._has_runtime() else ()
        for program in (*COMPONENTS, *runtime_programs, "kubectl"):
            if (self._folder / program).is_file():
                yield program
