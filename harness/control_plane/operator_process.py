"""The operator as a process of its own, under the rights that the chart gives it."""

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
    """One replica.

    Args:
        kubeconfig: whom it is, and where the API server is.
        log: file for its output.
        settings: its settings, by field name; the rest has the operator's own defaults.
        environ: further variables of its environment.
    """

    def __init__(
        self, kubeconfig: Path, log: Path, settings: Mapping[str, Any], environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clustertrigger.main"],
            # The client keeps certificates of the kubeconfig in temporary files, and one that is killed leaves them.
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
        """Waits until it serves what it knows."""
        eventually(self.ready, what="an operator that is ready")

    def ready(self) -> bool:
        """Whether /readyz says so."""
        assert self._process.poll() is None, f"the operator has ended with {self._process.returncode}"
        try:
            return self.fetch("/readyz")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL: it can say and write nothing more."""
        self._process.kill()
        self._process.wait()

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.ask_to_end()
        return self.exit_code()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def exit_code(self, within: float = 30.0) -> int:
        """Waits for its end, no longer than Kubernetes does by default."""
        return self._process.wait(within)

    def fetch(self, path: str) -> tuple[int, str]:
        """Status and text of one of its endpoints."""
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
        """The sum of a metric's samples that carry the labels."""
        families = text_string_to_metric_families(self.fetch("/metrics")[1])
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def cpu_seconds(self) -> float:
        """Processor time spent so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_lines(self) -> list[dict[str, Any]]:
        """Its structured log so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def readable_log(self) -> list[str]:
        """Its log so far, for people."""
        shown = ("trigger", "slot", "job")
        lines = []
        for line in self.log.read_text(errors="replace").splitlines():
            said = json.loads(line) if line.startswith("{") and line.endswith("}") else {"message": line}
            fields = " ".join(f"{field}={said[field]}" for field in shown if field in said)
            lines.append(f"{said.get('time', '')} {said.get('level', '')} {said['message']} {fields}".strip())
        return lines

    def mistakes(self) -> list[str]:
        """Lines that speak of a mistake in the operator itself; Kopf's tracebacks of broken watches are none."""
        signs = (
            "A background task of the operator has failed",
            "Internal error",
            "never retrieved",
            "was never awaited",
        )
        lines = self.log.read_text(errors="replace").splitlines()
        found = [line for line in lines if any(sign in line for sign in signs)]
        # A watcher's failure that Kopf has logged itself, and not retrieved where two fail at once.
        return [line for line in found if not ("never retrieved" in line and "site-packages/kopf/" in line)]


def environment(kubeconfig: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """The process's environment: nothing of the tests' own that it could take for its settings."""
    strange = ("CLUSTERTRIGGER_", "KUBERNETES_")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(strange) and not name.lower().endswith("_proxy")
    }
    own = {f"CLUSTERTRIGGER_{name.upper()}": str(value) for name, value in settings.items()}
    return {**inherited, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(kubeconfig), **own}
