"""Sends SIGKILL to the operator's process, which neither `kubectl delete` nor a process in its container can send.

A Pod with access to the node's processes sends it. It runs as the operator's user and needs no privilege.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.kubectl import Kubectl

NAME = "reaper"
USER = 65532
_READY_SECONDS = 120
_KILL = """
import os, signal, sys
killed = 0
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{process}/environ", "rb") as environment:
            if f"CLUSTERTRIGGER_IDENTITY={sys.argv[1]}".encode() in environment.read().split(b"\\0"):
                os.kill(int(process), signal.SIGKILL)
                killed += 1
    except OSError:
        pass
print(killed)
"""


class Reaper:
    """Kills operators; `reaper` creates it."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def kill(self, pod: str) -> int:
        """Kill the operator of a Pod; return the number of killed processes."""
        return int(self._kubectl.pipe(["exec", NAME, "--", "python", "-c", _KILL, pod]))


@contextmanager
def reaper(kubectl: Kubectl, image: str) -> Iterator[Reaper]:
    """Run the Pod while the context lasts."""
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sleep", "86400"],
        "securityContext": {"runAsUser": USER, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    spec = {
        "hostPID": True,
        "automountServiceAccountToken": False,
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
    }
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec})
    try:
        kubectl("wait", f"pod/{NAME}", "--for=condition=Ready", f"--timeout={_READY_SECONDS}s", timeout=130)
        yield Reaper(kubectl)
    finally:
        kubectl("delete", "pod", NAME, "--grace-period=0", "--force", "--wait=false")
