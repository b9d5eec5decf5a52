"""Runs clustertrigger-api as a separate process."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.control_plane.kube import PATIENCE, eventually
from harness.control_plane.operator_process import environment

_LISTENING = re.compile(r"Serving requests on port (\d+)")


class ApiProcess:
    """A replica of clustertrigger-api.

    Args:
        server: URL of the API server.
        ca: CA certificate of the API server.
        log: File for its output.
        settings: Settings by field name; all others have their defaults.
    """

    def __init__(self, server: str, ca: Path, log: Path, settings: Mapping[str, Any]) -> None:
        self.log = log
        own = {"server": server, "server_ca": ca, "port": 0, "host": "127.0.0.1", **settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clustertrigger.rest.main"],
            env=environment(Path("/nonexistent"), {f"api_{name}": value for name, value in own.items()}),
            stdout=subprocess.DEVNULL,
            stderr=log.open("wb"),
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
        )
        port = eventually(self._port, what="an API that listens")
        self.url = f"{'https' if settings.get('cert_dir') else 'http'}://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """Returns the status and the text of the response for a path that needs no token."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + path, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.request.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def mistakes(self) -> list[str]:
        """Returns the lines of its log that report internal errors."""
        signs = ("Internal error", "Traceback", "never retrieved", "was never awaited")
        return [
            line for line in self.log.read_text(errors="replace").splitlines() if any(sign in line for sign in signs)
        ]

    def _port(self) -> str | None:
        assert self._process.poll() is None, self.log.read_text()
        found = _LISTENING.search(self.log.read_text())
        return found[1] if found else None
