"""Parses the Dockerfile: finds the stages that a target needs, and the files of the checkout that they copy.

Docker's BuildKit skips stages that a target does not need, but buildah 1.28 builds all stages. ``only`` returns a
Dockerfile with the needed stages. If an image of the libraries exists already, their stages are not needed, so that the
last step of a build is fast.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A stage of the Dockerfile: its FROM with resolved variables, and the lines that follow."""

    name: str
    base: str
    lines: tuple[str, ...]
    copied_stages: tuple[str, ...]
    copied_paths: tuple[str, ...]


def parse(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """Split a Dockerfile into stages.

    Args:
        text: A Dockerfile whose ARGs before the first FROM have default values.
        arguments: Build arguments that replace those defaults.

    Raises:
        ValueError: a stage has no name, or a FROM uses a variable that no ARG declares.
    """
    values: dict[str, str] = {}
    stages: list[Stage] = []
    for line in _logical_lines(text):
        words = shlex.split(line)
        instruction = words[0].upper()
        if instruction == "ARG" and not stages:
            name, _, default = words[1].partition("=")
            values[name] = arguments.get(name, default)
        elif instruction == "FROM":
            if len(words) != 4 or words[2].upper() != "AS":
                raise ValueError(f"the Dockerfile's line '{line}' names no stage: write FROM image AS name")
            stages.append(Stage(words[3], _resolve(words[1], values), (), (), ()))
        elif stages:
            stages[-1] = _extended(stages[-1], line, words)
    return stages


def needed(stages: list[Stage], target: str) -> list[Stage]:
    """Return the stage TARGET and all stages that it builds on or copies from, in the order of the Dockerfile.

    Raises:
        ValueError: there is no stage TARGET.
    """
    by_name = {stage.name: stage for stage in stages}
    if target not in by_name:
        raise ValueError(f"the Dockerfile has no stage '{target}': its stages are {', '.join(by_name)}")
    found: set[str] = set()
    waiting = [target]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += [by_name[name].base, *by_name[name].copied_stages]
    return [stage for stage in stages if stage.name in found]


def only(stages: list[Stage]) -> str:
    """Return a Dockerfile with only these stages."""
    blocks = ("\n".join((f"FROM {stage.base} AS {stage.name}", *stage.lines)) for stage in stages)
    return "\n\n".join(blocks) + "\n"


def copied_paths(stages: list[Stage]) -> list[str]:
    """Return the files and directories of the checkout that the stages copy, sorted."""
    return sorted({path for stage in stages for path in stage.copied_paths})


def _extended(stage: Stage, line: str, words: list[str]) -> Stage:
    copied_stages, copied_paths_ = stage.copied_stages, stage.copied_paths
    if words[0].upper() == "COPY":
        origins = tuple(word.removeprefix("--from=") for word in words if word.startswith("--from="))
        if origins:
            copied_stages += origins
        else:
            copied_paths_ += tuple(word for word in words[1:-1] if not word.startswith("--"))
    return Stage(stage.name, stage.base, (*stage.lines, line), copied_stages, copied_paths_)


def _resolve(word: str, values: Mapping[str, str]) -> str:
    variable = re.fullmatch(r"\$\{(\w+)\}", word)
    if variable is None:
        return word
    if variable[1] not in values:
        raise ValueError(f"the Dockerfile's FROM uses {word}, which no ARG before the first FROM declares")
    return values[variable[1]]


def _logical_lines(text: str) -> list[str]:
    """Return the instructions, each with its continuation lines, without comments."""
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(kept))
    return [line.strip() for line in joined.splitlines()]
