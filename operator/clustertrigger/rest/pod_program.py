"""Runs a program in a container of a Pod."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp

from clustertrigger.core.kube.answers import object_in
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.objects import Object
from clustertrigger.rest.refusals import unavailable

_EXEC = ("v4.channel.k8s.io",)
"""The protocol of exec that every supported version knows. A message's first byte identifies its stream."""
_STDOUT, _STDERR, _OUTCOME = 1, 2, 3


class Ended(NamedTuple):
    """The result of a program in a Pod."""

    output: bytes
    errors: str
    exit_code: int | None
    """Exit code; None if the connection broke off."""


async def run_program(
    session: aiohttp.ClientSession, token: str, path: str, container: str, program: Sequence[str], seconds: float
) -> Ended:
    """Runs a program in a container of a Pod, with the WebSocket protocol of `kubectl exec`.

    Args:
        session: Connections to the API server.
        token: The caller's token.
        path: Path of the Pod's subresource exec.
        container: Name of the container.
        program: The program and its arguments.
        seconds: Maximum duration.

    Raises:
        RefusedError: refused, no answer, or it took longer.
    """
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in program]
    headers = {"Authorization": f"Bearer {token}"}
    streams: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: [], _OUTCOME: []}
    try:
        async with (
            asyncio.timeout(seconds),
            session.ws_connect(path, params=query, headers=headers, protocols=_EXEC) as socket,
        ):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY and message.data and message.data[0] in streams:
                    streams[message.data[0]].append(message.data[1:])
    except aiohttp.WSServerHandshakeError as error:
        if error.status in (401, 403, 404):
            raise RefusedError(
                error.status,
                "the Kubernetes API server does not allow this token to run a program in a Pod: ask for the right "
                "to create and get pods/exec in the namespace",
            ) from error
        raise unavailable(f"answered {error.status} to pods/exec") from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise unavailable("did not answer in time" if isinstance(error, TimeoutError) else None) from error
    output, errors, outcome = (b"".join(streams[channel]) for channel in (_STDOUT, _STDERR, _OUTCOME))
    return Ended(output, errors.decode(errors="replace"), _exit_code(object_in(outcome) or {}))


def _exit_code(outcome: Object) -> int | None:
    if outcome.get("status") == "Success":
        return 0
    causes = (outcome.get("details") or {}).get("causes") or ()
    codes = [str(cause.get("message")) for cause in causes if cause.get("reason") == "ExitCode"]
    return int(codes[0]) if codes and codes[0].isdecimal() else None
