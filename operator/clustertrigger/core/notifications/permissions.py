"""Checks which receivers the operator's settings allow for the triggers of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from clustertrigger.api.notification import Receiver
from clustertrigger.core.notifications.addresses import Allowed, why_blocked
from clustertrigger.core.resources.problem import Problem


@dataclass(frozen=True, slots=True)
class Credentials:
    """The namespaces that may use credentials, and the hosts that may receive them."""

    namespaces: tuple[str, ...]
    hosts: tuple[str, ...]
    """Host names, in lower case."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """The operator's settings for notifications."""

    enabled: bool = True
    plain_http: bool = False
    allowed: Allowed = field(default_factory=Allowed)
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    """Credentials, by name."""


def host_of(uri: str) -> str:
    """The host of an address, in lower case; empty if there is none."""
    try:
        return (urlsplit(uri).hostname or "").rstrip(".")
    except ValueError:
        return ""


def why_refused(receiver: Receiver, namespace: str, permissions: Permissions) -> str | None:
    """Returns why nothing is sent to a receiver, if that is known before its name is resolved; None otherwise.

    The text begins with the field.

    Args:
        receiver: The trigger's receiver.
        namespace: The trigger's namespace.
        permissions: The operator's settings.
    """
    found = _refusal(receiver, namespace, permissions)
    return None if found is None else f"{found[0]}: {found[2]}"


def problems_in(receivers: list[Receiver], namespace: str, permissions: Permissions) -> list[Problem]:
    """Returns the problems of the receivers to which nothing would be sent."""
    found = ((index, _refusal(receiver, namespace, permissions)) for index, receiver in enumerate(receivers))
    return [
        Problem(f"spec.run.notify[{index}].{refusal[0]}", refusal[1], refusal[2])
        for index, refusal in found
        if refusal is not None
    ]


def _refusal(receiver: Receiver, namespace: str, permissions: Permissions) -> tuple[str, str | None, str] | None:
    """Returns the field, its value, and what is wrong."""
    uri, host = receiver.uri, host_of(receiver.uri)
    if not permissions.enabled:
        return "uri", uri, "notifications are disabled by notify.enabled of the operator's chart: remove run.notify"
    try:
        urlsplit(uri).port  # noqa: B018 - reading it checks it
    except ValueError:
        return "uri", uri, "the port must be a number up to 65535: correct it"
    if not host:
        return "uri", uri, "has no host: write it as https://host/path"
    if uri.startswith("http:") and not permissions.plain_http:
        return "uri", uri, "must begin with https://: http:// requires notify.allowHttp of the operator's chart"
    if _is_address(host) and (why := why_blocked(host, host, permissions.allowed)):
        return "uri", uri, why
    if receiver.credentials is None:
        return None
    return _credentials_refused(receiver.credentials, host, namespace, permissions)


def _credentials_refused(
    name: str, host: str, namespace: str, permissions: Permissions
) -> tuple[str, str | None, str] | None:
    known = permissions.credentials.get(name)
    if known is None:
        listed = ", ".join(sorted(permissions.credentials)) or "none"
        why = f"notify.credentials of the operator's chart has no such entry (it has: {listed})"
        return "credentials", name, f"{why}: correct the name, or add an entry to the chart's values"
    if namespace not in known.namespaces:
        why = f"notify.credentials of the operator's chart does not allow it in namespace {namespace!r}"
        return "credentials", name, f"{why}: add the namespace to the chart's values"
    if host not in known.hosts:
        why = f"notify.credentials of the operator's chart does not allow it for host {host!r}"
        return "credentials", name, f"{why}: add the host to the chart's values"
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
