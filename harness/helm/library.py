"""Helm as a library (helm-python-sdk, which contains Helm 4's own code), for machines without the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import helm_python

from harness.helm.release import CHART, HelmError, Release, Values

_WARNING = 2
"""Minimum severity of findings of lint: 1 are suggestions, 2 warnings, 3 errors."""


class HelmLibrary:
    """See Helm; the arguments are those of find_helm."""

    def __init__(self, kubeconfig: Path | None = None, namespace: str = "default") -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace

    def lint(self, values: Values | None = None, *, chart: Path = CHART, kube_version: str | None = None) -> list[str]:
        """See Helm.lint."""
        with _converted_errors(f"lint {chart}"):
            report = helm_python.lint(
                chart, dict(values or {}), strict=True, namespace=self._namespace, kube_version=kube_version
            )
        serious = [found for found in report["messages"] if found["severity"] >= _WARNING]
        return [f"{found['path']}: {found['error'].strip()}" for found in serious]

    def render(self, name: str, values: Values | None = None, *, chart: Path = CHART) -> str:
        """See Helm.render."""
        files = self._render(name, values, chart)
        return "".join(f"---\n# Source: {path}\n{text}\n" for path, text in files.items() if not path.endswith(".txt"))

    def notes(self, name: str, values: Values | None = None, *, chart: Path = CHART) -> str:
        """Returns the notes of the chart after its installation, without a cluster."""
        return "".join(text for path, text in self._render(name, values, chart).items() if path.endswith("/NOTES.txt"))

    def install(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """See Helm.install."""
        options = {"namespace": self._namespace, "create_namespace": True, "timeout": timeout, "wait": _wait(wait)}
        with self._connected(f"install {name} {chart}") as config:
            return _release(config.install(chart, name, dict(values or {}), **options))

    def upgrade(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """See Helm.upgrade."""
        options = {"namespace": self._namespace, "reset_values": True, "timeout": timeout, "wait": _wait(wait)}
        with self._connected(f"upgrade {name} {chart}") as config:
            return _release(config.upgrade(chart, name, dict(values or {}), **options))

    def values(self, name: str) -> dict[str, Any]:
        """See Helm.values."""
        with self._connected(f"get values {name}") as config:
            try:
                values: dict[str, Any] = config.get_values(name)
            except helm_python.HelmNotFoundError:
                return {}
        return values

    def uninstall(self, name: str, *, wait: bool = True, timeout: int = 300) -> None:
        """See Helm.uninstall."""
        with self._connected(f"uninstall {name}") as config:
            config.uninstall(name, timeout=timeout, wait=_wait(wait), ignore_not_found=True)

    def _render(self, name: str, values: Values | None, chart: Path) -> dict[str, str]:
        with _converted_errors(f"template {name} {chart}"), helm_python.Chart.load(chart) as loaded:
            files: dict[str, str] = loaded.render(dict(values or {}), name=name, namespace=self._namespace)
        return dict(sorted(files.items()))

    @contextmanager
    def _connected(self, action: str) -> Iterator[Any]:
        with _converted_errors(action):
            config = helm_python.Config(kubeconfig_path=self._kubeconfig, namespace=self._namespace)
            with config:
                yield config


@contextmanager
def _converted_errors(action: str) -> Iterator[None]:
    """Converts the library's errors."""
    try:
        yield
    except helm_python.HelmError as error:
        raise HelmError(f"helm {action}: {str(error).strip()}") from error


def _wait(wait: bool) -> str:
    return "watcher" if wait else "hookOnly"


def _release(summary: Mapping[str, Any]) -> Release:
    return Release(
        name=summary["name"],
        namespace=summary["namespace"],
        revision=summary["revision"],
        status=summary["status"],
        notes=summary.get("notes") or "",
        manifest=summary["manifest"],
    )
