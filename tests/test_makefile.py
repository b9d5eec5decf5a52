"""What is slow is done before the tests, none of which would be given the minutes that it takes."""

from __future__ import annotations

import subprocess

import pytest

from harness.cluster.files import REPOSITORY


@pytest.mark.parametrize("target", ["unit", "e2e"])
def test_kubernetes_is_built_before_the_tests_begin(target: str) -> None:
    words = ["make", "--dry-run", "--no-print-directory", target]
    lines = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    (prepared,) = (number for number, line in enumerate(lines) if "harness.cluster prepare" in line)
    (tested,) = (number for number, line in enumerate(lines) if "-m pytest" in line)
    assert prepared < tested
