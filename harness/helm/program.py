"""Helm by the program of that name, version 3.13 or later."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness.helm.release import CHART, HelmError, Release, Values

_SECONDS_TO_RENDER = 60
_SECONDS_TO_READ = 60
_SECONDS_TO_GIVE_UP = 60
"""Seconds that Helm can take beyond its own timeout, to report it."""


class HelmProgram:
    """See Helm; the arguments are the program's path, and those of find_helm."""

    def __init__(self, program: str, kubeconfig: Path | None = None, namespace: str = "default") -> None:
        self._program = program
        self._scope = ["--namespace", namespace, *(["--kubeconfig", str(kubeconfig)] if kubeconfig else [])]

    def lint(self, values: Values | None = None, *, chart: Path = CHART, kube_version: str | None = None) -> list[str]:
        """See Helm.lint."""
        version = ["--kube-version", kube_version] if kube_version else []
        with _values_file(values) as file:
            done = self._run(_SECONDS_TO_RENDER, "lint", str(chart), "--strict", "--values", file, *version)
        lines = (done.stdout + done.stderr).splitlines()
        found = [line.partition("] ")[2] for line in lines if line.startswith(("[WARNING] ", "[ERROR] "))]
        if done.returncode != 0 and not found:
            raise HelmError(f"helm lint {chart}: {_error_of(done)}")
        return found

    def render(self, name: str, values: Values | None = None, *, chart: Path = CHART) -> str:
        """See Helm.render."""
        with _values_file(values) as file:
            return self._checked(_SECONDS_TO_RENDER, "template", name, str(chart), "--values", file)

    def install(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """See Helm.install."""
        with _values_file(values) as file:
            options = ("--create-namespace", "--values", file, *_patience(wait, timeout))
            return self._released(timeout, "install", name, str(chart), *options)

    def upgrade(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """See Helm.upgrade."""
        with _values_file(values) as file:
            options = ("--reset-values", "--values", file, *_patience(wait, timeout))
            return self._released(timeout, "upgrade", name, str(chart), *options)

    def values(self, name: str) -> dict[str, Any]:
        """See Helm.values."""
        command = ("get", "values", name)
        done = self._run(_SECONDS_TO_READ, *command, "--output", "json")
        if done.returncode == 0:
            return json.loads(done.stdout) or {}  # null without values
        if "release: not found" in done.stderr:
            return {}
        raise HelmError(f"{_tried(command)}: {_error_of(done)}")

    def uninstall(self, name: str, *, wait: bool = True, timeout: int = 300) -> None:
        """See Helm.uninstall."""
        options = ("--ignore-not-found", *_patience(wait, timeout))
        self._checked(timeout + _SECONDS_TO_GIVE_UP, "uninstall", name, *options)

    def _released(self, timeout: int, *arguments: str) -> Release:
        answer = json.loads(self._checked(timeout + _SECONDS_TO_GIVE_UP, *arguments, "--output", "json"))
        return Release(
            name=answer["name"],
            namespace=answer["namespace"],
            revision=answer["version"],
            status=answer["info"]["status"],
            notes=answer["info"].get("notes", ""),
            manifest=answer["manifest"],
        )

    def _checked(self, seconds: int, *arguments: str) -> str:
        done = self._run(seconds, *arguments)
        if done.returncode != 0:
            raise HelmError(f"{_tried(arguments)}: {_error_of(done)}")
        return done.stdout

    def _run(self, seconds: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [self._program, *arguments, *self._scope]
        try:
            return subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"{_tried(arguments)}: no answer within {seconds} s") from error


def _patience(wait: bool, timeout: int) -> tuple[str, ...]:
    return ("--timeout", f"{timeout}s", *(["--wait"] if wait else []))


def _tried(arguments: tuple[str, ...]) -> str:
    return shlex.join(["helm", *takewhile(lambda argument: not argument.startswith("--"), arguments)])


def _error_of(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip().removeprefix("Error: ") or f"exit code {done.returncode}"


@contextmanager
def _values_file(values: Values | None) -> Iterator[str]:
    """Writes the values to a file; JSON is YAML."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(dict(values or {}), file)
        file.flush()
        yield file.name
