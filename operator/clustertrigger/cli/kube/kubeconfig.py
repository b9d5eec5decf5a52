"""Reads kubeconfig files as kubectl does: merges several files, resolves relative paths, and selects one context.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clustertrigger.cli.kubectl_yaml import first_document
from clustertrigger.core.text import one_line

DEFAULT_FILE = Path("~/.kube/config")
DEFAULT_NAMESPACE = "default"
_PATHS = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
"""Fields with a path that is relative to the file."""


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the message has the reason."""


@dataclass(frozen=True)
class Context:
    """One context of a kubeconfig, with its cluster and its user.

    Attributes:
        name: The context's name.
        namespace: The context's namespace; `default` if it has none.
        cluster: Fields of the cluster entry, such as `server`.
        user: Fields of the user entry; empty if the context has no user.
    """

    name: str
    namespace: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Merged:
    current: str = ""
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)


def load_context(kubeconfig: str | None, name: str | None) -> Context:
    """Returns a context: the named one, or else the current one.

    Args:
        kubeconfig: One file; None for the files of KUBECONFIG, or else ~/.kube/config.
        name: The context's name; None for the current context.

    Raises:
        KubeconfigError: there is no such context, or a file cannot be used.
    """
    merged = _merge(kubeconfig)
    chosen = name or merged.current
    if not chosen:
        if merged.contexts:
            raise KubeconfigError("no current context is set")
        raise KubeconfigError(f"no kubeconfig was found at {', '.join(map(str, _files(kubeconfig)))}")
    if chosen not in merged.contexts:
        raise KubeconfigError(f"context {chosen!r} does not exist")
    context = merged.contexts[chosen]
    cluster = merged.clusters.get(str(context.get("cluster")))
    if cluster is None or not cluster.get("server"):
        raise KubeconfigError(f"context {chosen!r} refers to cluster {context.get('cluster')!r}, which has no server")
    user_name = context.get("user")
    if user_name and user_name not in merged.users:
        raise KubeconfigError(f"context {chosen!r} refers to user {user_name!r}, which does not exist")
    namespace = str(context.get("namespace") or DEFAULT_NAMESPACE)
    return Context(chosen, namespace, cluster, merged.users.get(str(user_name), {}))


def context_names(kubeconfig: str | None) -> list[str]:
    """Returns the names of all contexts, for completion.

    Raises:
        KubeconfigError: a file cannot be used.
    """
    return sorted(_merge(kubeconfig).contexts)


def decoded(value: object, name: str) -> bytes:
    """Returns the bytes of a `…-data` field.

    Raises:
        KubeconfigError: it is not base64.
    """
    try:
        return base64.b64decode(str(value), validate=False)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"{name} is not base64: {error}") from error


def _merge(kubeconfig: str | None) -> _Merged:
    """Merges the files. The first file that sets a value takes precedence, as in client-go's loading rules."""
    merged = _Merged()
    for file in _files(kubeconfig):
        content = _read(file, must_exist=kubeconfig is not None)
        merged.current = merged.current or str(content.get("current-context") or "")
        for kind, into in (("contexts", merged.contexts), ("clusters", merged.clusters), ("users", merged.users)):
            for name, entry in _named(content.get(kind), kind, file):
                into.setdefault(name, entry)
    return merged


def _files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig is not None:
        return [Path(kubeconfig)]
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part) for part in listed] or [DEFAULT_FILE.expanduser()]


def _read(file: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        content = first_document(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if must_exist:
            raise KubeconfigError(f"{str(file)!r}: no such file") from error
        return {}
    except OSError as error:
        raise KubeconfigError(f"{str(file)!r}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{str(file)!r} is not YAML: {one_line(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise KubeconfigError(f"{str(file)!r} is not a kubeconfig: it contains no object")
    return content


def _named(entries: object, kind: str, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Returns the entries of one kind by name, with resolved paths."""
    singular = kind.removesuffix("s")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or "name" not in entry:
            raise KubeconfigError(f"{str(file)!r}: an entry of {kind} has no name")
        fields = entry.get(singular)
        fields = dict(fields) if isinstance(fields, dict) else {}
        _resolve_paths(fields, _PATHS.get(kind, ()), file.parent)
        if isinstance(command := fields.get("exec"), dict):
            fields["exec"] = _resolved_command(command, file.parent)
        yield str(entry["name"]), fields


def _resolve_paths(fields: dict[str, Any], names: Iterable[str], folder: Path) -> None:
    for name in names:
        if fields.get(name):
            fields[name] = str(folder / str(fields[name]))


def _resolved_command(command: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Resolves a command: with a slash, it is relative to the file; without, it is found on PATH."""
    program = str(command.get("command") or "")
    return {**command, "command": str(folder / program)} if "/" in program else command
