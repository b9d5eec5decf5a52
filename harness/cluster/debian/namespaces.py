"""Runs a full cluster in separate namespaces for processes, mounts and network.

kube-proxy's iptables chains, the CNI bridge, the mounts of containerd and the kubelet, and the shims that outlive
containerd are global to a machine. In separate namespaces, all clusters can use the same ports and address ranges. When
the first process of the namespaces ends for any reason, the kernel ends the others and removes the mounts, the bridge,
the chains and the Pods' networks. `down` then only has to remove the link to the host (network.py), cgroups and files.

The first process is the pause program of the Pods: it waits, and reaps orphaned processes.
"""

import ctypes
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.cluster.commands import find_program, run
from harness.cluster.debian.processes import Daemons, Process
from harness.cluster.errors import ClusterError

INIT = "init"
HOME = Path("/run/cluster")  # path of the cluster's directory inside, short enough for socket paths
_READY = Path("run/ready")

_MOUNTS, _PROCESSES, _NETWORK = 0x00020000, 0x20000000, 0x40000000  # CLONE_NEWNS, _NEWPID, _NEWNET of sched.h
_ALL = _MOUNTS | _PROCESSES | _NETWORK

# The kubelet sets these kernel parameters of the machine unless they have the values that it requires. Inside the
# namespaces, copies with these values replace the files.
_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


class Namespaces:
    """The namespaces of one cluster.

    Args:
        directory: The cluster's own directory.
        init: The program of their first process.
        daemons: The cluster's daemons, to which the first process is added.
    """

    def __init__(self, directory: Path, init: Path, daemons: Daemons) -> None:
        self._directory = directory
        self._init = init
        self._daemons = daemons

    def start(self) -> None:
        """Create the namespaces, unless they exist and are complete."""
        process = self._process()
        if process and (Path(f"/proc/{process.pid}/root") / _READY).exists():
            return
        self.stop()
        # The program ignores the directory, by which processes.strays finds the process.
        self._daemons.start(INIT, [self._init, self._directory], enter=_make)
        self.run(["sh", "-euc", self._preparations()])

    def stop(self) -> None:
        """End all processes inside, after which the kernel removes the namespaces."""
        self._daemons.kill(INIT)

    def running(self) -> bool:
        """Return whether the namespaces exist."""
        return self._process() is not None

    def enter(self) -> None:
        """Move the calling process into the namespaces; only its children enter the process namespace."""
        handle = os.pidfd_open(self.pid)
        _check(_libc().setns(handle, _ALL))
        os.close(handle)
        os.chdir("/")

    def run(self, argv: Sequence[str | Path], *, stdin: str | None = None, timeout: float | None = None) -> str:
        """Run a command inside the namespaces; see commands.run."""
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--wd=/", "--", *argv]
        return run(inside, stdin=stdin, timeout=timeout)

    @property
    def pid(self) -> int:
        """Process id of the first process on the host."""
        process = self._process()
        if process is None:
            raise ClusterError(f"the cluster in {self._directory} does not run: start it with `up`")
        return process.pid

    def _process(self) -> Process | None:
        return self._daemons.find(INIT)

    def _preparations(self) -> str:
        home = shlex.quote(str(self._directory))
        lines = [
            # Later mounts of the host still appear inside, and those made inside do not appear on the host.
            "mount --make-rslave /",
            "mount --make-rshared /",
            "mount -t proc proc /proc",
            f"mkdir -p {home}/var-log {home}/sysctl /var/lib/cni",
            f"mount --bind {home}/var-log /var/log",
            "mount -t tmpfs -o mode=755 tmpfs /var/lib/cni",
            f"mkdir -p /tmp && mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/netns /run/lock {HOME}",
            f"mount --bind {home} {HOME}",
        ]
        for name, value in _SYSCTLS.items():
            copy = f"{HOME}/sysctl/{name.replace('/', '.')}"
            lines += [f"echo {value} > {copy}", f"mount --bind {copy} /proc/sys/{name}"]
        ip = find_program("ip")
        lines += [
            f"{ip} link set lo up",
            "echo 1 > /proc/sys/net/ipv4/ip_forward",
            "if [ -e /proc/sys/net/bridge ]; then echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables; fi",
            f"touch /{_READY}",
        ]
        return "\n".join(lines)


def _make() -> None:
    _check(_libc().unshare(_ALL))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering namespaces: {os.strerror(number)}")
