"""Tests of what make does before there is a venv, and before the tests begin."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cluster.files import REPOSITORY


@pytest.mark.parametrize("target", ["unit", "e2e"])
def test_kubernetes_is_built_before_the_tests_begin(target: str) -> None:
    """These commands would otherwise get as many minutes as they need."""
    words = ["make", "--dry-run", "--no-print-directory", target]
    lines = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    (prepared,) = (number for number, line in enumerate(lines) if "harness.cluster prepare" in line)
    (tested,) = (number for number, line in enumerate(lines) if line.startswith(".ci/tests "))
    assert prepared < tested


BARE = sorted(set(re.findall(r"\$\(PYTHON\) -m (\S+)", (REPOSITORY / "Makefile").read_text())))
"""The modules that run under the system's python3."""


@pytest.mark.parametrize("package", BARE)
def test_what_needs_no_venv_imports_the_standard_library_alone(package: str) -> None:
    words = [sys.executable, "-S", "-c", f"import {package}.__main__"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert BARE == [
        "harness.browser",
        "harness.cluster",
        "harness.image",
        "harness.java",
        "harness.prometheus",
        "harness.servers",
    ]


def test_a_failed_story_is_repeated_with_its_file(tmp_path: Path) -> None:
    """A story needs those before it in its file; alone, it could only fail again."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (tmp_path / ".venv/bin/python").chmod(0o755)
    (tmp_path / "e2e").mkdir()
    (tmp_path / "e2e/test_other.py").write_text("def test_other():\n    pass\n")
    (tmp_path / "e2e/test_story.py").write_text(
        "from pathlib import Path\n\nbegun = []\n\n"
        "def test_beginning():\n    begun.append(1)\n\n"
        "def test_end():\n    again = Path('here').exists()\n    Path('here').touch()\n    assert begun and again\n"
    )
    (tmp_path / ".pytest_cache/v/cache").mkdir(parents=True)
    (tmp_path / ".pytest_cache/v/cache/lastfailed").write_text('{\n  "e2e/test_removed.py::test_removed": true\n}')
    words = [str(REPOSITORY / ".ci/tests"), "e2e", "-v", "--no-header"]
    environment = {"PATH": "/usr/bin:/bin", "REPEAT": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "running the files of the failed tests again, alone: e2e/test_story.py" in done.stderr
    assert "2 passed" in done.stdout.splitlines()[-1]
    assert "e2e: passed alone, failed beside other tests" in done.stderr
