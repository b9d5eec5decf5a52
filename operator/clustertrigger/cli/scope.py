"""Which cluster a command is meant for, and the error that any of them may end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


class CommandError(Exception):
    """Why a command could not do what was asked, in one line that names the remedy. Exit code 1."""


@dataclass
class Scope:
    """The chosen cluster, namespace and user: kubectl's global options.

    Attributes:
        namespace: -n; None: the context's.
        context: --context; None: the current one.
        kubeconfig: --kubeconfig; None: KUBECONFIG, or else ~/.kube/config.
        user: --as; None: yourself.
        groups: --as-group.
    """

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    user: str | None = None
    groups: Sequence[str] = field(default_factory=tuple)

    def kubectl_options(self) -> list[str]:
        """Return the same options for kubectl itself, without the namespace."""
        options = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        options += [f"--context={self.context}"] if self.context else []
        options += [f"--as={self.user}"] if self.user else []
        return options + [f"--as-group={group}" for group in self.groups]
