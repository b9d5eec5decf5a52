"""The command line as a whole: usage, exit codes, help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clustertrigger.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["next"], "the following arguments are required: -f/--filename"),
        (["nxt"], "invalid choice: 'nxt'"),
        (["next", "-f", "a", "--from", "tomorrow"], "'tomorrow' is no RFC 3339 time: write it as 2026-03-29T00:00:00Z"),
        (["next", "-f", "a", "--from", "2026-03-29T00:00:00"], "is no RFC 3339 time: write it as 2026-03-29T00:00:00Z"),
        (["next", "-f", "a", "--count", "0"], "'0' is no count: write a number from 1 to 10000"),
        (["next", "-f", "a", "--count", "x"], "'x' is no count: write a number from 1 to 10000"),
        (["next", "-f", "a", "-o", "yaml"], "invalid choice: 'yaml'"),
        (["validate", "-f", "a", "--count", "3"], "unrecognized arguments: --count 3"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == (
        "kubectl clustertrigger: --filename: 'nowhere.yaml': No such file or directory: name a readable file, or -\n"
    )


def test_a_file_that_is_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: \xff")
    assert main(["validate", "-f", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: not UTF-8 at byte 3: save it as UTF-8\n"


@pytest.mark.parametrize("command", ["next", "validate", "send", "drift", "watch", "results"])
def test_help_ends_with_an_example_that_parses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    example = capsys.readouterr().out.splitlines()[-1]
    assert f"kubectl clustertrigger {command} " in example


def test_the_examples_of_this_repository_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", str(EXAMPLES)]) == 0, capsys.readouterr().out


def test_as_a_program() -> None:
    """As kubectl starts the plugin: its own process, input by a pipe, a reader that leaves early."""
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
