"""Tests that a failed delivery explains how to continue."""

from __future__ import annotations

import asyncio

import pytest

from clustertrigger.cli.delivery import deliver, direct
from clustertrigger.cli.scope import CommandError
from harness.control_plane.event_sender import event, free_port


def test_the_deadline_has_passed() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match=r"not delivered within 0 s: .*: send again with --id a$"):
        asyncio.run(deliver(direct(nobody, None), "search", "token", event("a"), 0.3, pause=0.1))
