"""-o: prints output for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import click
from rich.text import Text

from clustertrigger.cli.terminal import is_terminal, say
from clustertrigger.core.yaml_text import write_yaml

Output = Literal["table", "wide", "json", "yaml", "name"]
FORMATS: tuple[Output, ...] = ("table", "wide", "json", "yaml", "name")
Function = TypeVar("Function", bound=Callable[..., Any])


def output_option(function: Function) -> Function:
    """Adds -o."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        metavar="FORMAT",
        help="table (default), wide, json, yaml, or name.",
    )(function)


def show(
    output: Output,
    *,
    data: Any,
    names: Iterable[str],
    lines: Callable[[bool], Iterable[str | Text]],
) -> None:
    """Prints the output of a command.

    Args:
        output: The requested format.
        data: For json and yaml: data of JSON's types.
        names: For name: one `kind/name` for each object.
        lines: For table and wide: returns the lines; called with True for wide.
    """
    match output:
        case "json":
            print(_visible(json.dumps(data, indent=2, ensure_ascii=False)))
        case "yaml":
            print(write_yaml(data), end="")
        case "name":
            say(*names)
        case _:
            say(*lines(output == "wide"))


def trigger_names(triggers: Sequence[dict[str, Any]]) -> list[str]:
    """Returns triggers' names as kubectl prints them with -o name."""
    return [f"clustertrigger.clustertrigger.dev/{trigger['metadata']['name']}" for trigger in triggers]


def _visible(text: str) -> str:
    """Escapes control characters outside of ASCII, which JSON does not, because they could control the terminal."""
    if not is_terminal():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
