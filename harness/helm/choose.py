"""Chooses Helm on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.helm.library import HelmLibrary
from harness.helm.program import HelmProgram
from harness.helm.release import Helm


def find_helm(kubeconfig: Path | None = None, namespace: str = "default") -> Helm:
    """Helm for one namespace of a cluster.

    Args:
        kubeconfig: Says which cluster; without one, Helm finds it by its own rules when it needs it.
        namespace: Where releases are kept and installed.
    """
    program = shutil.which("helm")
    return HelmProgram(program, kubeconfig, namespace) if program else HelmLibrary(kubeconfig, namespace)
