"""Defines the types of options' values. An error names the value and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import click

from clustertrigger.core.events.cloudevents import LARGEST_COUNT
from clustertrigger.core.instants import parse_instant


class Parsed(click.ParamType[Any]):
    """A type whose values a function parses.

    Args:
        name: Name of the type, for help.
        parse: Returns the value; raises ValueError with a message that names the value and the remedy.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value. If it is not a string, it was parsed before."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def number(least: int, most: int) -> Parsed:
    """Returns a type of whole numbers within limits."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not a number from {least} to {most}: write one, such as {least}")

    return Parsed("number", parse)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an RFC 3339 time: write it as 2026-03-29T00:00:00Z") from None


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty: write a value")
    return text


def _url(text: str) -> str:
    """Accepts a URL, also the one that the chart's notes print, which continues with the namespace."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{text!r} is not a URL: write it as https://events.example.com")
    return text.partition("/v1/namespaces")[0].rstrip("/")


def _service(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise ValueError(f"{text!r} is not a Service: write it as NAMESPACE/NAME")
    return namespace, name


INSTANT = Parsed("time", _instant)
TEXT = Parsed("text", _text)
URL = Parsed("url", _url)
SERVICE = Parsed("service", _service)
SLOTS = number(1, 10_000)
EVENTS = number(1, LARGEST_COUNT)
LAYER = number(0, 19)
