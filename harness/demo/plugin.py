"""`kubectl clustertrigger` of this checkout, as a person types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.kubectl import Kubectl

SECONDS = 120.0


class Plugin:
    """Runs the command in one namespace.

    Args:
        kubectl: Determines cluster and namespace.
    """

    def __init__(self, kubectl: Kubectl) -> None:
        self.namespace = kubectl.namespace
        self._scope = ["--kubeconfig", str(kubectl.kubeconfig), "--namespace", kubectl.namespace]

    def typed(self, *words: str) -> str:
        """Return the command line as a person types it."""
        return f"kubectl clustertrigger {' '.join(words)} -n {self.namespace}"

    def __call__(self, *words: str) -> str:
        """Returns the command's output.

        Raises:
            ClusterError: it failed; the message ends with the command's own last line.
        """
        program = [str(Path(sys.executable).with_name("kubectl-clustertrigger")), *words, *self._scope]
        done = subprocess.run(program, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode != 0:
            output = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
            raise ClusterError(f"`{self.typed(*words)}` failed with exit code {done.returncode}: {output[-1]}")
        return done.stdout
