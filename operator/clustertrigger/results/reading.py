"""Waits for the Pod that reads results, and interprets its program's output.

It does not depend on how the Pod is reached.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from clustertrigger.core.jobs.pod_view import read_pod
from clustertrigger.core.text import one_line
from clustertrigger.results.pod import MISSING, STARTUP, Place

_POLL = 0.5
"""Seconds."""
_STARTING = ("ContainerCreating", "PodInitializing")
"""Reasons that every Pod has for a short time."""
_GZIP = 16 + zlib.MAX_WBITS


class NotReadError(Exception):
    """A file of a run's results cannot be read; the message has the reason."""


class NotStartedError(NotReadError):
    """The Pod has already ended, or does not start in time."""


class MissingFileError(NotReadError):
    """The run's folder does not contain the file, or no longer exists."""


class TooLargeError(NotReadError):
    """The file exceeds the caller's limit."""


async def until_started(
    look: Callable[[], Awaitable[Mapping[str, Any]]], tell: Callable[[str], None] | None = None
) -> None:
    """Waits until the Pod runs.

    Args:
        look: Returns the current Pod.
        tell: Called with the reason for waiting, whenever it changes.

    Raises:
        NotStartedError: it does not run.
    """
    why, end = "", time.monotonic() + STARTUP
    while time.monotonic() < end:
        pod = read_pod(await look())
        if pod.running:
            return
        found = "" if pod.reason in _STARTING else one_line(f"{pod.reason} {pod.message}")
        if pod.terminated:
            raise NotStartedError(f"has ended: {found or why or 'no reason is known'}")
        if found and found != why:
            why = found
            if tell is not None:
                tell(why)
        await asyncio.sleep(_POLL)
    raise NotStartedError(f"did not start within {STARTUP} s: {why or 'no reason is known'}")


def content_of(place: Place, exit_code: int | None, output: bytes, errors: str, largest: int = 0) -> bytes:
    """Returns the content of the file that the Pod's program has read.

    Args:
        place: The file.
        exit_code: Exit code of the program; None if the connection to the Pod broke off.
        output: Standard output of the program.
        errors: Standard error of the program.
        largest: Maximum size of the file in bytes; 0 for no limit.

    Raises:
        MissingFileError: there is no such file.
        TooLargeError: it has more bytes than `largest`.
        NotReadError: it could not be read, or arrived damaged.
    """
    if exit_code == MISSING:
        raise MissingFileError(f"{place.uri} does not exist: the folders of older runs are deleted (run.history_limit)")
    if exit_code != 0:
        reason = next((line for line in errors.splitlines() if line.strip()), "")
        fallback = "the connection to the Pod broke off: try again" if exit_code is None else "no reason is known"
        raise NotReadError(f"{place.uri} cannot be read: {one_line(reason).removeprefix('error: ') or fallback}")
    unpacking = zlib.decompressobj(_GZIP)
    try:
        content = unpacking.decompress(output, largest)
    except zlib.error as error:
        raise NotReadError(f"{place.uri} arrived damaged ({error}): try again") from error
    if unpacking.unconsumed_tail:
        raise TooLargeError(f"{place.uri} is larger than {largest >> 20} MiB")
    if not unpacking.eof:
        raise NotReadError(f"{place.uri} arrived incomplete: try again")
    return content
