"""Tests that the command's reference contains the help of all commands."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from clustertrigger.cli.command import Command
from clustertrigger.cli.main import program
from codegen.cli import cli_reference

PAGE = cli_reference()


@pytest.mark.parametrize("name", program.commands)
def test_each_command_s_help_is_there_once(name: str) -> None:
    said = CliRunner().invoke(program, [name, "--help"], prog_name="kubectl clustertrigger", terminal_width=80).output
    shown = "\n".join(line.rstrip() for line in said.strip().splitlines())
    assert PAGE.count(f"### `{name}`\n\n```text\n{shown}\n```\n") == 1


def test_no_line_is_wider_than_a_terminal() -> None:
    blocks = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == len(program.commands) + 1
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 80


@pytest.mark.parametrize("command", program.commands.values(), ids=lambda command: str(command.name))
def test_a_shell_reads_the_examples_of_a_help_as_they_were_written(command: Command) -> None:
    """A long line is folded; the shell joins its parts again."""
    shown = PAGE.partition(f"### `{command.name}`\n")[2].partition("\nExamples:\n")[2].partition("```")[0]
    lines = re.sub(r" \\\n +", " ", shown).splitlines()
    assert [line.strip() for line in lines if line.strip()] == list(command.examples)
