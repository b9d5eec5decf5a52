"""Connects to the operator through the API server, with `kubectl port-forward` to its Service.

The API server's own proxy for Services is not used, because it removes the sender's token from a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from clustertrigger.cli.delivery import Destination, Route, UnreachableError
from clustertrigger.cli.kube import paths
from clustertrigger.cli.kube.client import ApiClient
from clustertrigger.cli.scope import CommandError, Scope
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.text import one_line

SELECTOR = "app.kubernetes.io/part-of=clustertrigger,app.kubernetes.io/component=operator"
"""Labels of the chart's Service."""
PORT = "events"
_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_HOPELESS = re.compile("invalid|not ?found|unauthorized", re.IGNORECASE)
"""Errors of kubectl that a repetition does not fix, unlike the replacement of a Pod."""
_STARTUP = 20.0
_POD_STARTUP = 10
_END = 5.0


@dataclass(frozen=True)
class EventsService:
    """The operator's Service.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        port: Port for events.
        https: Whether that port uses TLS.
    """

    namespace: str
    name: str
    port: int
    https: bool


async def find_service(api: ApiClient, named: tuple[str, str] | None) -> EventsService:
    """Returns the Service with this namespace and name, or the only one with the chart's labels.

    Raises:
        CommandError: There is none, there are several, or the user lacks the permission to look.
        ApiError: the API server said no for another reason.
    """
    if named is not None:
        namespace, name = named
        service = _events_service(await api.get(paths.service(namespace, name)))
        if service is None:
            raise CommandError(f"--service: {namespace}/{name} has no port named {PORT}: install with events.enabled")
        return service
    try:
        listed = await api.list(paths.services(), labelSelector=SELECTOR)
    except ApiError as error:
        if not error.is_forbidden:
            raise
        raise CommandError(
            "you do not have the right to search for the operator in all namespaces: set --service NAMESPACE/NAME to "
            "its Service, or --url to the URL at which it receives events"
        ) from error
    found = [service for raw in listed if (service := _events_service(raw)) is not None]
    if not found:
        raise CommandError(
            "no operator in this cluster receives events: install the chart with events.enabled, or set --url"
        )
    if len(found) > 1:
        names = ", ".join(sorted(f"{service.namespace}/{service.name}" for service in found))
        raise CommandError(f"several operators receive events: choose one with --service: {names}")
    return found[0]


def _events_service(raw: dict[str, Any]) -> EventsService | None:
    for port in raw["spec"].get("ports") or ():
        if port.get("name") == PORT:
            metadata = raw["metadata"]
            https = port.get("appProtocol") == "https"
            return EventsService(metadata["namespace"], metadata["name"], int(port["port"]), https)
    return None


def forwarded(service: EventsService, scope: Scope) -> Route:
    """A route to a Service through kubectl, which runs as long as the route is open.

    Raises:
        CommandError: there is no kubectl.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise CommandError("kubectl, which forwards a port to the operator, is not in PATH: install it, or set --url")
    command = [
        kubectl,
        *scope.kubectl_options(),
        f"--namespace={service.namespace}",
        "port-forward",
        "--address=127.0.0.1",
        f"--pod-running-timeout={_POD_STARTUP}s",
        f"service/{service.name}",
        f":{service.port}",
    ]

    @asynccontextmanager
    async def route() -> AsyncIterator[Destination]:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            port = await _local_port(process, service)
            scheme = "https" if service.https else "http"
            yield Destination(f"{scheme}://127.0.0.1:{port}", _unverified(), proxied=False)
        finally:
            await _end(process)

    return route


async def _local_port(process: asyncio.subprocess.Process, service: EventsService) -> int:
    assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - Both streams are pipes.
    try:
        async with asyncio.timeout(_STARTUP):
            line = await process.stdout.readline()
            if found := _FORWARDING.match(line):
                return int(found[1])
            errors = (await process.stderr.read()).decode(errors="replace").strip()
    except TimeoutError:
        raise UnreachableError(f"kubectl port-forward did not start within {_STARTUP:.0f} s") from None
    reason = one_line(errors).removeprefix("error: ") or "kubectl port-forward has ended"
    if "forbidden" in reason.lower():
        raise CommandError(
            f"{reason}: ask for the right to create pods/portforward in namespace {service.namespace!r}, or set --url"
        )
    if _HOPELESS.search(reason):
        raise CommandError(f"kubectl port-forward: {reason}: set --url instead")
    raise UnreachableError(f"kubectl port-forward: {reason}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends kubectl, unless it has already ended."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


def _unverified() -> ssl.SSLContext:
    """Accepts any certificate.

    The API server and the kubelet have authenticated the Pod, and its certificate is for another host name.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
