"""Fixtures for tests of the door for events."""

from __future__ import annotations

from tests.shell.strangers import sending

__all__ = ["sending"]
