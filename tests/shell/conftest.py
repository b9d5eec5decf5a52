"""Fixtures for tests of the endpoint for CloudEvents."""

from __future__ import annotations

from tests.shell.strangers import sending

__all__ = ["sending"]
