"""`kubectl clustertrigger` of this checkout, as a person types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
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
        done = subprocess.run(self._program(words), capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode != 0:
            raise self._failed(words, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def follow(self, *words: str) -> Iterator[str]:
        """Yields the lines that the command prints, while it runs.

        Raises:
            ClusterError: as above.
        """
        unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            self._program(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=unbuffered
        ) as process:
            line = ""
            for line in process.stdout or ():
                yield line.rstrip()
        if process.returncode != 0:
            raise self._failed(words, process.returncode, line)

    def _program(self, words: tuple[str, ...]) -> list[str]:
        return [str(Path(sys.executable).with_name("kubectl-clustertrigger")), *words, *self._scope]

    def _failed(self, words: tuple[str, ...], code: int, printed: str) -> ClusterError:
        lines = printed.strip().splitlines() or ["it printed nothing"]
        return ClusterError(f"`{self.typed(*words)}` failed with exit code {code}: {lines[-1]}")
