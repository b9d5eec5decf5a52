"""The command's reference says what its help says."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from clustertrigger.cli.main import program
from codegen.cli import cli_reference

PAGE = cli_reference()


@pytest.mark.parametrize("name", program.commands)
def test_each_command_s_help_is_there_once(name: str) -> None:
    said = CliRunner().invoke(program, [name, "--help"], prog_name="kubectl clustertrigger", terminal_width=80).output
    shown = "\n".join(line.rstrip() for line in said.strip().splitlines())
    assert PAGE.count(f"### `{name}`\n\n```text\n{shown}\n```\n") == 1


def test_no_line_is_wider_than_a_terminal() -> None:
    """Apart from examples, which are not wrapped, so that they can be copied."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == len(program.commands) + 1
    lines = [line for block in blocks for line in block.partition("\nExamples:")[0].splitlines()]
    assert max(map(len, lines)) <= 80
