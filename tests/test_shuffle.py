"""Tests of --shuffle: the order of tests, which must be the same for all workers of xdist."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from harness.cluster.files import REPOSITORY
from tests.conftest import shuffle


@dataclass(frozen=True)
class Item:
    path: Path
    name: str


USUAL = [Item(Path(f"test_{file}.py"), f"test_{number}") for file in range(8) for number in range(5)]


def shuffled(seed: str) -> list[Item]:
    items = list(USUAL)
    shuffle(cast("Any", items), seed)
    return items


def test_a_seed_decides_on_the_order_of_files_and_of_the_tests_in_each() -> None:
    assert shuffled("one") == shuffled("one")
    assert len({tuple(USUAL), tuple(shuffled("one")), tuple(shuffled("two"))}) == 3
    assert sorted(map(str, shuffled("one"))) == sorted(map(str, USUAL))
    files = [file for file, _ in groupby(shuffled("one"), key=lambda item: item.path)]
    assert len(files) == 8, "a file's tests stay together"


def test_the_option_is_heard() -> None:
    def names(*options: str) -> list[str]:
        words = [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-n",
            "0",
            *options,
            "tests/core/test_decide_lengths.py",
        ]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "::" in line]

    usual, other = names(), names("--shuffle", "one")
    assert usual != other
    assert sorted(usual) == sorted(other)
