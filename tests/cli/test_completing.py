"""Tests of completion: in a real bash, for kubectl, and of names in a real cluster."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clustertrigger.cli.completing import FOR_KUBECTL, complete_for_kubectl
from clustertrigger.cli.main import main, program
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_watch import fire


def completions(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Returns the completions that kubectl would get, without help texts and the directive."""
    capsys.readouterr()
    assert complete_for_kubectl(program, words) == 0
    *values, directive = capsys.readouterr().out.splitlines()
    assert directive == ":4"
    return [value.partition("\t")[0] for value in values]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["re"], ["report", "reset", "results", "resume"]),
        (["next", "-f", "a", "--co"], ["--context", "--count"]),
        (["list", "-o", ""], ["table", "wide", "json", "yaml", "name"]),
        (["completion", "f"], ["fish"]),
    ],
)
def test_commands_options_and_values(capsys: pytest.CaptureFixture[str], words: list[str], found: list[str]) -> None:
    assert sorted(completions(capsys, *words)) == sorted(found)


def test_every_command_is_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert completions(capsys, "") == sorted(program.commands)
    assert set(completions(capsys)) == set(program.commands)


def test_names_in_the_cluster(operator: StartOperator, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    sandbox.trigger("noon", rarely())
    job = fire(sandbox, "nightly", "a")
    kubeconfig = ["--kubeconfig", str(sandbox.kube.kubeconfig)]
    scope = [*kubeconfig, "-n", sandbox.namespace]
    assert completions(capsys, "watch", *scope, "ni") == ["nightly"]
    assert completions(capsys, *scope, "pause", "nightly", "n") == ["nightly", "noon"]
    assert completions(capsys, "watch", *scope, "nightly", "--run", "") == [job]
    assert completions(capsys, "watch", *kubeconfig, "-n", sandbox.namespace[:-1]) == [sandbox.namespace]
    contexts = completions(capsys, "watch", *kubeconfig, "--context", "")
    assert len(contexts) == 1


def test_failed_requests_print_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error message would appear in the middle of a command line."""
    nowhere = ["--kubeconfig", str(tmp_path / "none")]
    assert completions(capsys, "watch", *nowhere, "") == []
    assert completions(capsys, "watch", *nowhere, "--context", "") == []
    assert completions(capsys, "watch", *nowhere, "a", "--run", "") == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_suit_their_shell(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_KUBECTL_CLUSTERTRIGGER_COMPLETE={shell}_complete" in script
    if interpreter := shutil.which(shell):
        file = tmp_path / "script"
        file.write_text(script)
        done = subprocess.run([interpreter, "-n", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def program_at(folder: Path, name: str) -> Path:
    """Runs the program as an entry point starts it."""
    file = folder / name
    file.write_text(
        f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'import sys; from clustertrigger.cli.main import main; "
        f'sys.argv[0] = "{name}"; sys.exit(main())\' "$@"\n'
    )
    file.chmod(0o755)
    return file


def test_in_a_real_bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program_at(tmp_path, "kubectl-clustertrigger")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out + (
        "COMP_WORDS=(kubectl-clustertrigger res); COMP_CWORD=1; COMPREPLY=()\n"
        "complete -p kubectl-clustertrigger >/dev/null\n"
        "_kubectl_clustertrigger_completion kubectl-clustertrigger\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc"], input=script, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["reset", "results", "resume"]


def test_completions_for_kubectl(tmp_path: Path) -> None:
    asked = program_at(tmp_path, FOR_KUBECTL)
    done = subprocess.run([asked, "val"], capture_output=True, text=True, check=True)
    assert done.stdout == "validate\tValidate triggers and the objects that...\n:4\n"
