"""Delivers an event to the operator, and repeats it with the same id until it is stored."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from clustertrigger.cli.command import PROG
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import warn
from clustertrigger.core.events.cloudevents import STRUCTURED
from clustertrigger.core.text import beginning, reason

_ANSWER = httpx.Timeout(30.0, connect=10.0)
_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_ACCEPTED = 202
_LATER = frozenset({408, 429, 500, 502, 503, 504})
"""Temporary errors, which the operator or an Ingress returns."""


@dataclass(frozen=True)
class Destination:
    """The address at which the operator can be reached at the moment.

    Attributes:
        base: URL without the operator's path.
        tls: Verifies an https URL.
        proxied: Whether the HTTP proxy of the environment applies.
    """

    base: str
    tls: ssl.SSLContext
    proxied: bool = True


Route = Callable[[], AbstractAsyncContextManager[Destination]]
"""Opens a connection to the operator for one attempt.

Raises:
    UnreachableError: the operator cannot be reached now; a later attempt may succeed.
    CommandError: a later attempt would fail, too.
"""


class UnreachableError(Exception):
    """The operator could not be reached in this attempt."""


@dataclass(frozen=True)
class Receipt:
    """The result of sending an event.

    Attributes:
        accepted: Number of events that were counted.
        duplicates: Number of events that had been counted before.
        unmatched: Number of events that no trigger counts.
        tried_again: Whether an earlier attempt may have been stored. If so, a duplicate is this command's own event.
    """

    accepted: int
    duplicates: int
    unmatched: int
    tried_again: bool


def direct(url: str, certificate_authority: str | None) -> Route:
    """Returns the route to a URL.

    Raises:
        CommandError: the certificate authority cannot be read.
    """
    try:
        tls = ssl.create_default_context(cafile=certificate_authority)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(
            f"--certificate-authority: {certificate_authority!r}: {error.strerror or error}: name a PEM file"
        ) from error

    @asynccontextmanager
    async def route() -> AsyncIterator[Destination]:
        yield Destination(url, tls)

    return route


async def deliver(
    route: Route, namespace: str, token: str, event: Mapping[str, Any], patience: float, pause: float = _PAUSE
) -> Receipt:
    """Sends an event until there is a final response.

    Args:
        route: Route to the operator, opened for each attempt.
        namespace: Namespace of the triggers that count it.
        token: Token of the sender.
        event: The event, in CloudEvents' JSON format.
        patience: Seconds for which to repeat it.
        pause: Seconds before the first repetition; the pause doubles each time.

    Raises:
        CommandError: the event was refused, or the time is over.
    """
    give_up = time.monotonic() + patience
    attempts = 0
    while True:
        attempts += 1
        try:
            async with route() as destination:
                status, answer, after = await _post(destination, namespace, token, event)
        except (UnreachableError, httpx.TransportError) as error:
            _check_certificate(error)
            obstacle, after = reason(error), None
        else:
            if status == _ACCEPTED and isinstance(answer, dict) and "accepted" in answer:
                counts = {name: int(answer.get(name, 0)) for name in ("accepted", "duplicates", "unmatched")}
                return Receipt(**counts, tried_again=attempts > 1)
            obstacle = _error_of(status, answer)
            if status not in _LATER:
                raise CommandError(f"{obstacle}{_remedy(answer, destination)}")
        if time.monotonic() + pause > give_up:
            raise CommandError(f"not delivered within {patience:.0f} s: {obstacle}: send again with --id {event['id']}")
        warn(f"{PROG}: retrying with the same id: {obstacle}")
        await asyncio.sleep(max(pause, min(after or 0.0, _LONGEST_PAUSE)))
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _post(
    destination: Destination, namespace: str, token: str, event: Mapping[str, Any]
) -> tuple[int, Any, float | None]:
    """Returns status, parsed body or text, and the seconds until the next attempt."""
    url = f"{destination.base}/v1/namespaces/{namespace}/events"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": STRUCTURED}
    async with httpx.AsyncClient(verify=destination.tls, trust_env=destination.proxied, timeout=_ANSWER) as session:
        # A redirection would send the token to another server.
        response = await session.post(url, content=json.dumps(event), headers=headers, follow_redirects=False)
    after = response.headers.get("Retry-After", "")
    try:
        answer = response.json()
    except ValueError:
        answer = beginning(response.content)
    return response.status_code, answer, float(after) if after.isdecimal() else None


def _check_certificate(error: Exception) -> None:
    """Raises an error for an untrusted certificate, because repeating the request does not help."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            host = error.request.url.host if isinstance(error, httpx.TransportError) else "the operator"
            raise CommandError(
                f"{host}: {cause.verify_message}: name the authority that signed it with --certificate-authority FILE"
            ) from error
        cause = cause.__cause__ or cause.__context__


def _error_of(status: int, answer: Any) -> str:
    message = answer.get("error") if isinstance(answer, dict) else answer
    return f"{status}: {message}" if message else f"answered {status}"


def _remedy(answer: Any, destination: Destination) -> str:
    """Returns a hint if the response does not come from the operator."""
    if isinstance(answer, dict) and "error" in answer:
        return ""
    return f": is {destination.base} where the operator receives events?"
