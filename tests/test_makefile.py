"""Tests of what make does before there is a venv, and before the tests begin."""

from __future__ import annotations

import re
import subprocess
import sys

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
