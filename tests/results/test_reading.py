"""Tests of waiting for the Pod that reads results, and of its program's answers."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from clustertrigger.results.pod import MISSING, Place
from clustertrigger.results.reading import (
    MissingFileError,
    NotReadError,
    NotStartedError,
    TooLargeError,
    content_of,
    until_started,
)

PLACE = Place("/results/a/report.html", claim="c")
CONTENT = b"<h1>" + bytes(range(256)) * 64
PACKED = gzip.compress(CONTENT)


def pod(state: dict[str, Any] | None, **status: Any) -> dict[str, Any]:
    """The Pod, with its worker in a given state."""
    containers = [{"name": "worker", "state": state}] if state else []
    metadata = {"namespace": "b", "name": "p", "uid": "u", "resourceVersion": "1"}
    metadata["creationTimestamp"] = "2026-03-02T13:00:00Z"
    return {"metadata": metadata, "status": {"containerStatuses": containers, **status}}


CREATING = pod({"waiting": {"reason": "ContainerCreating"}})
NO_IMAGE = pod({"waiting": {"reason": "ErrImagePull", "message": "no\nimage"}})
RUNNING = pod({"running": {"startedAt": "2026-03-02T13:00:02Z"}})
ENDED = pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, phase="Failed")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clustertrigger.results.reading._POLL", 0.0)


async def told(*seen: dict[str, Any]) -> list[str]:
    """Returns what a caller gets who reads a Pod in these states, one after another; the last one stays."""
    said: list[str] = []
    left = list(seen)

    async def look() -> dict[str, Any]:
        return left.pop(0) if len(left) > 1 else left[0]

    await until_started(look, said.append)
    return said


async def test_the_reason_for_waiting_is_reported_once() -> None:
    assert await told(CREATING, RUNNING) == []
    assert await told(CREATING, NO_IMAGE, NO_IMAGE, CREATING, NO_IMAGE, RUNNING) == ["ErrImagePull no image"]


async def test_an_ended_pod() -> None:
    with pytest.raises(NotStartedError, match=r"^has ended: OOMKilled$"):
        await told(CREATING, ENDED)


@pytest.mark.parametrize(
    ("last", "why"), [(CREATING, "no reason is known"), (NO_IMAGE, "ErrImagePull no image")], ids=["vague", "told"]
)
async def test_a_pod_that_does_not_start(monkeypatch: pytest.MonkeyPatch, last: dict[str, Any], why: str) -> None:
    monkeypatch.setattr("clustertrigger.results.reading.STARTUP", 0.05)
    with pytest.raises(NotStartedError, match=rf"^did not start within 0.05 s: {why}$"):
        await told(last)


def test_the_content_of_a_file() -> None:
    assert content_of(PLACE, 0, PACKED, "") == CONTENT
    assert content_of(PLACE, 0, PACKED, "", len(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("exit_code", "output", "errors", "error", "said"),
    [
        (MISSING, b"", "x does not exist\n", MissingFileError, "does not exist: the folders of older runs are deleted"),
        (1, b"", "\nerror: Is a  directory\nand more", NotReadError, "cannot be read: Is a directory"),
        (1, b"", "", NotReadError, "cannot be read: no reason is known"),
        (None, PACKED, "", NotReadError, "cannot be read: the connection to the Pod broke off: try again"),
        (0, PACKED[:-9], "", NotReadError, "arrived incomplete: try again"),
        (0, b"", "", NotReadError, "arrived incomplete: try again"),
        (0, b"<html>", "", NotReadError, "arrived damaged"),
        (0, PACKED[:-8] + b"\0" * 8, "", NotReadError, "arrived damaged"),
    ],
)
def test_reasons_for_missing_content(
    exit_code: int | None, output: bytes, errors: str, error: type[NotReadError], said: str
) -> None:
    with pytest.raises(NotReadError) as found:
        content_of(PLACE, exit_code, output, errors)
    assert type(found.value) is error
    assert str(found.value).startswith(f"/results/a/report.html {said}")


def test_a_file_that_is_too_large() -> None:
    packed = gzip.compress(b"x" * (2 << 20))
    with pytest.raises(TooLargeError, match=r"^/results/a/report.html is larger than 1 MiB$"):
        content_of(PLACE, 0, packed, "", 1 << 20)
