"""Tests of the command line as a whole: usage, exit codes, help."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clustertrigger.cli.main import main, program
from clustertrigger.cli.scope import Scope

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: kubectl clustertrigger"),
        (["next"], "missing NAME or -f: give names of triggers in the cluster, or files with -f"),
        (["next", "nightly", "-f", "a"], "NAME and -f cannot be used together"),
        (
            ["validate", "trigger.yaml"],
            "'trigger.yaml' is a file: write -f trigger.yaml, and -f before each other file",
        ),
        (["next", "-f", "a.yaml", "b.json"], "'b.json' is a file: write -f b.json"),
        (["validate"], "missing NAME or -f"),
        (["nxt"], "unknown command 'nxt': did you mean 'next'?"),
        (["qqqqq"], "unknown command 'qqqqq': kubectl clustertrigger --help lists the commands"),
        (
            ["next", "-f", "a", "--from", "tomorrow"],
            "'tomorrow' is not an RFC 3339 time: write it as 2026-03-29T00:00:00Z",
        ),
        (
            ["next", "-f", "a", "--from", "2026-03-29T00:00:00"],
            "not an RFC 3339 time: write it as 2026-03-29T00:00:00Z",
        ),
        (["next", "-f", "a", "--count", "0"], "'0' is not a number from 1 to 10000"),
        (["next", "-f", "a", "--count", "10001"], "'10001' is not a number from 1 to 10000"),
        (["next", "-f", "a", "--count", "x"], "'x' is not a number from 1 to 10000"),
        (["next", "-f", "a", "--count", "²"], "'²' is not a number from 1 to 10000"),
        (["next", "-f", "a", "-o", "xml"], "'xml' is not one of 'table', 'wide', 'json', 'yaml', 'name'"),
        (["validate", "-f", "a", "--count", "3"], "No such option '--count'"),
        (["watch", "--help-me"], "kubectl clustertrigger watch --help describes the usage"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == (
        "kubectl clustertrigger: --filename: 'nowhere.yaml': No such file or directory: name a readable file, or -\n"
    )


def test_a_binary_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: \xff")
    assert main(["validate", "-f", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: not UTF-8 at byte 3: save it as UTF-8\n"


@pytest.mark.parametrize("command", sorted(program.commands))
def test_help_fits_80_columns_and_ends_with_examples_that_parse(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines()), text
    examples = text.partition("\nExamples:\n")[2].replace(" \\\n", "")
    assert examples
    for example in examples.splitlines():
        assert f"kubectl clustertrigger {command} " in example
        words = shlex.split(example.partition("kubectl clustertrigger ")[2].partition(" > ")[0].partition(" | ")[0])
        subject = program.commands[words[0]]
        with subject.make_context(words[0], words[1:], obj=Scope()):
            pass


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    usage = capsys.readouterr().err
    assert main(["-h"]) == 0
    assert usage == capsys.readouterr().out


def test_an_ascii_terminal_gets_replacement_characters(tmp_path: Path) -> None:
    trigger = (
        "{apiVersion: clustertrigger.dev/v1alpha1, kind: ClusterTrigger, metadata: {name: Größe}, "
        "spec: {trigger_type: cron, cluster_id: c, schedule_config: {cron_expression: '* * * * *'}}}"
    )
    file = tmp_path / "a.yaml"
    file.write_text(trigger, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "clustertrigger.cli.main", "validate", "-f", str(file)],
        capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )  # fmt: skip
    assert done.returncode == 1
    assert b"Gr??" in done.stdout, done.stderr
    assert done.stderr == b""


def test_the_list_contains_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in program.commands:
        assert re.search(rf"^  {name} +[A-Z]", listed, re.MULTILINE), name


def test_the_examples_of_this_repository_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", str(EXAMPLES)]) == 0, capsys.readouterr().out


def test_as_a_program() -> None:
    """kubectl starts the plugin as a separate process, with input from a pipe; a reader of its output can end early."""
    program = [sys.executable, "-m", "clustertrigger.cli.main"]
    trigger = (
        "{apiVersion: clustertrigger.dev/v1alpha1, kind: ClusterTrigger, metadata: {name: a}, "
        "spec: {trigger_type: cron, cluster_id: c, schedule_config: {cron_expression: '* * * * *'}}}"
    )
    done = subprocess.run([*program, "validate", "-f", "-"], input=trigger, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stdin:1: ClusterTrigger default/a: OK")
    with subprocess.Popen(
        [*program, "next", "-f", "-", "--count", "10000"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(trigger)
        process.stdin.close()
        assert process.stdout.readline() == "default/a  cron  * * * * * UTC\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0, "not 1, which means that something is invalid"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", [["validate"], ["next", "-o", "json"]])
def test_a_full_disk(command: list[str]) -> None:
    """The command ended in a traceback."""
    program = [sys.executable, "-m", "clustertrigger.cli.main", *command, "-f", str(EXAMPLES)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "kubectl clustertrigger: the output cannot be written: No space left on device: free space, or write it "
        "elsewhere\n"
    )
