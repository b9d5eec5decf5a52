"""Tests that the extra `cli` contains all packages that the command needs, and none of the operator or the worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clustertrigger.cli.main import program

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
OF_OTHERS = {"kubernetes", "kopf", "aiohttp", "prometheus-client", "pyarrow", "numpy", "psycopg"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a new environment that contains this checkout's `clustertrigger[cli]`."""
    folder = tmp_path_factory.mktemp("alone")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    wheel = subprocess.run(built, cwd=ROOT, capture_output=True, text=True, check=False)
    assert wheel.returncode == 0, wheel.stderr
    (file,) = folder.glob("*.whl")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True, env=environment)
    # The versions that the single file is built of.
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--constraint", ROOT / "requirements/cli.txt"]
    done = subprocess.run(
        [*install, "--python", folder / "venv/bin/python", f"clustertrigger[cli] @ {file.as_uri()}"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "venv/bin"


@pytest.mark.slow
@pytest.mark.xdist_group("installing")
def test_every_command_starts(installed: Path) -> None:
    for words in ([], *([name] for name in program.commands)):
        done = subprocess.run(
            [installed / "kubectl-clustertrigger", *words, "--help"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), words
        assert done.stdout.startswith(" ".join(["Usage: kubectl clustertrigger", *words]))


@pytest.mark.slow
@pytest.mark.xdist_group("installing")
def test_files_and_clusters_can_be_read(installed: Path, tmp_path: Path) -> None:
    """Commands that need more libraries than the help: YAML, schedules, time zones, requests."""
    plugin = installed / "kubectl-clustertrigger"
    examples = str(ROOT / "examples/cron.yaml")
    for words, code in (
        (["next", "-f", examples], 0),
        (["next", "-f", examples, "-o", "yaml"], 0),
        (["validate", "-f", str(ROOT / "examples")], 0),
        (["watch", "nightly", "--kubeconfig", str(tmp_path / "none")], 1),
    ):
        done = subprocess.run([plugin, *words], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.xdist_group("installing")
def test_no_packages_of_the_operator_or_the_worker(installed: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [UV, "pip", "list", "--python", installed / "python", "--format", "json"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    names = {package["name"] for package in json.loads(done.stdout)}
    assert names & OF_OTHERS == set()
    assert len(names) <= 25, sorted(names)
