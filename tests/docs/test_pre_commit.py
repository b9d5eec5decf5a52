"""Tests that pre-commit and `make lint` run the same commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
MAKEFILE = (REPOSITORY / "Makefile").read_text()
HOOKS: list[dict[str, Any]] = [
    hook
    for repository in yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
]


def variable(name: str) -> str:
    (value,) = re.findall(rf"^{name} = (.*)$", MAKEFILE, re.MULTILINE)
    return str(value)


def lint() -> dict[str, str]:
    """Returns the commands of `make lint` by the text that it prints before each."""
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    lines = [line.lstrip("\t@") for line in recipe.splitlines()]
    named = [re.fullmatch(r'echo "lint: (.*)"', line) for line in lines]
    existing = " ".join(folder for folder in variable("SOURCES").split() if (REPOSITORY / folder).is_dir())
    return {
        name[1]: re.sub(r"\$\$\(for dir in \$\(SOURCES\); do .*?; done\)", existing, command).replace(
            "$(PY)", variable("PY")
        )
        for name, command in zip(named[::2], lines[1::2], strict=True)
        if name
    }


def test_both_name_the_same_commands() -> None:
    assert {hook["name"]: hook["entry"] for hook in HOOKS} == lint()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_runs_the_tool_of_the_environment_over_everything(hook: dict[str, Any]) -> None:
    assert hook["language"] == "system"
    assert hook["entry"].startswith(".venv/bin/")
    assert hook["pass_filenames"] is False
