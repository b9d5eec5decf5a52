"""Runs the operator as a separate process, with the chart's permissions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from harness.control_plane.kube import PATIENCE, eventually

SOURCES = Path(__file__).parents[2] / "operator"
_PORT = re.compile(r"endpoints on port (\d+)")


class OperatorProcess:
    """A replica of the operator.

    Args:
        kubeconfig: Kubeconfig with credentials and the address of the API server.
        log: File for its output.
        settings: Settings by field name; all others have the operator's defaults.
        environ: Additional environment variables.
    """

    def __init__(
        self, kubeconfig: Path, log: Path, settings: Mapping[str, Any], environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clustertrigger.main"],
            # The client keeps certificates of the kubeconfig in temporary files, which a killed process leaves behind.
            env={**environment(kubeconfig, settings), "TMPDIR": str(log.parent), **(environ or {})},
            stdout=subprocess.DEVNULL,
            stderr=log.open("wb"),
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
        )
        self._address: str | None = None

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Waits until the operator is ready."""
        eventually(self.ready, what="an operator that is ready")

    def ready(self) -> bool:
        """Returns whether /readyz reports that the operator is ready."""
        assert self._process.poll() is None, f"the operator has ended with {self._process.returncode}"
        try:
            return self.fetch("/readyz")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        """Sends SIGKILL, and waits until the process has ended."""
        self._process.kill()
        self._process.wait()

    def ask_to_end(self) -> None:
        """Sends SIGTERM."""
        self._process.terminate()

    def terminate(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        self.ask_to_end()
        return self.exit_code()

    def running(self) -> bool:
        """Returns whether it is running."""
        return self._process.poll() is None

    def exit_code(self, within: float = 30.0) -> int:
        """Waits until the process has ended, by default as long as Kubernetes, and returns the exit code."""
        return self._process.wait(within)

    def fetch(self, path: str) -> tuple[int, str]:
        """Returns the status and the text of a response of the operator's HTTP server."""
        if self._address is None:
            found = _PORT.search(self.log.read_text())
            if found is None:
                raise ConnectionError("it does not listen yet")
            self._address = f"http://127.0.0.1:{found[1]}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self._address + path, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.request.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Returns the sum of a metric's samples with these labels."""
        families = text_string_to_metric_families(self.fetch("/metrics")[1])
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def cpu_seconds(self) -> float:
        """Returns the CPU time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_lines(self) -> list[dict[str, Any]]:
        """Returns the structured log so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def readable_log(self) -> list[str]:
        """Returns the log so far as text."""
        shown = ("trigger", "slot", "job")
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            entry = json.loads(line) if line.startswith("{") and line.endswith("}") else {"message": line}
            fields = " ".join(f"{field}={entry[field]}" for field in shown if field in entry)
            lines.append(f"{entry.get('time', '')} {entry.get('level', '')} {entry['message']} {fields}".strip())
        return lines

    def mistakes(self) -> list[str]:
        """Returns the lines that report internal errors, except Kopf's tracebacks of broken watches."""
        signs = (
            "A background task of the operator has failed",
            "Internal error",
            "never retrieved",
            "was never awaited",
        )
        lines = self.log.read_text(errors="replace").splitlines()
        found = [line for line in lines if any(sign in line for sign in signs)]
        # Kopf has logged this failure of a watcher, and does not retrieve its exception if two fail at the same time.
        return [line for line in found if not ("never retrieved" in line and "site-packages/kopf/" in line)]


def environment(kubeconfig: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """Returns the environment of the process, without variables of the tests that it would read as settings."""
    strange = ("CLUSTERTRIGGER_", "KUBERNETES_")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(strange) and not name.lower().endswith("_proxy")
    }
    own = {f"CLUSTERTRIGGER_{name.upper()}": str(value) for name, value in settings.items()}
    return {**inherited, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(kubeconfig), **own}
