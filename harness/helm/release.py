"""Defines the interface of Helm for tests, stories and the demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.cluster.errors import ClusterError

CHART = Path(__file__).resolve().parents[2] / "charts" / "clustertrigger"

Values = Mapping[str, Any]
"""Content of a values file, which overrides the chart's own values.yaml."""


class HelmError(ClusterError):
    """Helm refused or failed. The message has the command, and Helm's own message."""


@dataclass(frozen=True, slots=True)
class Release:
    """One revision of an installed chart."""

    name: str
    namespace: str
    revision: int
    status: str
    notes: str
    manifest: str
    """All objects as they were sent: a stream of YAML documents."""


class Helm(Protocol):
    """Helm for one namespace of one cluster.

    `timeout` is in seconds. With `wait`, it also bounds how long objects may take to become ready or to disappear.
    """

    def lint(self, values: Values | None = None, *, chart: Path = CHART, kube_version: str | None = None) -> list[str]:
        """Returns warnings and errors, one text each, without suggestions.

        Args:
            values: Values to lint the chart with.
            chart: The chart's folder.
            kube_version: Version of Kubernetes to render for, such as 1.20.2; default: what Helm was built with.
        """

    def render(self, name: str, values: Values | None = None, *, chart: Path = CHART) -> str:
        """Returns the manifests as a stream of YAML documents, without a cluster: `lookup` finds nothing.

        Raises:
            HelmError: the values break the chart's schema or its rules.
        """

    def install(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """Installs the chart as a new release, and creates the namespace if it is missing.

        Raises:
            HelmError: refused, failed, or not ready in time.
        """

    def upgrade(
        self, name: str, values: Values | None = None, *, chart: Path = CHART, wait: bool = True, timeout: int = 300
    ) -> Release:
        """Upgrades a release to the chart and exactly these values; those of earlier revisions are dropped.

        Raises:
            HelmError: no such release; refused, failed, or not ready in time.
        """

    def values(self, name: str) -> dict[str, Any]:
        """Returns the values of a release's last revision, without the chart's own; {} if there is no release.

        Raises:
            HelmError: the cluster does not answer.
        """

    def uninstall(self, name: str, *, wait: bool = True, timeout: int = 300) -> None:
        """Removes a release and its history. It is not an error if it does not exist.

        Raises:
            HelmError: failed, or objects are still there when the time is over.
        """
