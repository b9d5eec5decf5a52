"""The control group under which all Pods of one cluster run, in cgroup v1 and v2."""

import time
from contextlib import suppress
from pathlib import Path

from harness.cluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")
# Of v2. The kubelet refuses a group that lacks one of the first five, where the machine has it.
CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "hugetlb", "io")


def hierarchies(mounts: str) -> tuple[list[Path], bool]:
    """Return the mount points of cgroup file systems and whether they are the single one of v2.

    Args:
        mounts: Text of /proc/self/mounts. Where v1 and v2 are both mounted, v1 has the controllers and v2 none.
    """
    found = [line.split() for line in mounts.splitlines()]
    version1 = [Path(fields[1]) for fields in found if fields[2] == "cgroup"]
    version2 = [Path(fields[1]) for fields in found if fields[2] == "cgroup2"]
    return (version1 + version2, False) if version1 else (version2, True)


class ControlGroup:
    """One cluster's control group.

    Args:
        name: Its name below the root of every hierarchy.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        mounts, self._unified = hierarchies(Path("/proc/self/mounts").read_text())
        self._paths = [mount / name for mount in dict.fromkeys(mounts)]

    def create(self) -> None:
        """Make the group, with every controller that the kubelet needs."""
        if not self._paths:
            raise ClusterError(f"no cgroup file system is mounted at {ROOT}: mount -t cgroup2 cgroup2 {ROOT}")
        for path in self._paths:
            if self._unified:
                _enable_controllers(path.parent)
            with suppress(FileExistsError):
                path.mkdir()
            if self._unified:
                _enable_controllers(path)
            # A new cpuset group of v1 is empty, and nothing can run in it.
            for name in ("cpuset.cpus", "cpuset.mems"):
                file = path / name
                if not self._unified and file.exists() and not file.read_text().strip():
                    file.write_text((path.parent / name).read_text())

    def remove(self) -> None:
        """Remove the group and everything below it, once its processes are gone."""
        for path in self._paths:
            deadline = time.monotonic() + 10
            while path.exists():
                _remove_tree(path)
                if path.exists() and time.monotonic() > deadline:
                    raise ClusterError(f"{path} still has processes: see cgroup.procs below it, end them and repeat")
                time.sleep(0.05 if path.exists() else 0)


def _enable_controllers(path: Path) -> None:
    available = (path / "cgroup.controllers").read_text().split()
    for controller in (name for name in CONTROLLERS if name in available):
        try:
            (path / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            if controller != "io":
                raise ClusterError(
                    f"{path}: the {controller} controller cannot be handed down ({error.strerror}): "
                    "run on the machine itself or in a container with a cgroup namespace of its own"
                ) from error


def _remove_tree(path: Path) -> None:
    for child in path.iterdir():
        if child.is_dir():
            _remove_tree(child)
    with suppress(OSError):  # a process that is just dying; tried again
        path.rmdir()
