"""Defines which cluster a command uses, and the error with which a command can end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


class CommandError(Exception):
    """A command failed. The message has the reason and the remedy in one line. Exit code 1."""


@dataclass
class Scope:
    """The chosen cluster, namespace and user: kubectl's global options.

    Attributes:
        namespace: -n; None for the context's namespace.
        context: --context; None for the current context.
        kubeconfig: --kubeconfig; None for KUBECONFIG, or else ~/.kube/config.
        user: --as; None for the user itself.
        groups: --as-group.
    """

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    user: str | None = None
    groups: Sequence[str] = field(default_factory=tuple)

    def kubectl_options(self) -> list[str]:
        """Returns the same options for kubectl itself, without the namespace."""
        options = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        options += [f"--context={self.context}"] if self.context else []
        options += [f"--as={self.user}"] if self.user else []
        return options + [f"--as-group={group}" for group in self.groups]
