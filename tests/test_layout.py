"""Tests that the path of a test follows from the path of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster.files import REPOSITORY

MIRRORED = {
    "tests/cli": "operator/clustertrigger/cli",
    "tests/core": "operator/clustertrigger/core",
    "tests/net": "operator/clustertrigger/net",
    "tests/results": "operator/clustertrigger/results",
    "tests/shell": "operator/clustertrigger/shell",
    "tests/harness": "harness",
}
"""Folders of tests, and those that they mirror; tests of several modules are in tests/scenarios."""
WEIGHTY = 150
"""Number of lines from which a file with decisions or writes needs its own test."""
HEAVY = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for room in ("core", "shell")
    for path in (REPOSITORY / "operator/clustertrigger" / room).rglob("*.py")
    if len(path.read_text().splitlines()) >= WEIGHTY
)


def below(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("test_*.py"))


@pytest.mark.parametrize(("tests", "code"), MIRRORED.items(), ids=MIRRORED)
def test_every_test_is_at_the_path_of_what_it_judges(tests: str, code: str) -> None:
    """Test files are test_x.py, or test_x_y.py if there are several, beside x.py or the package x."""
    lost = []
    for test in below(tests):
        place = REPOSITORY / code / test.parent.relative_to(REPOSITORY / tests)
        words = test.stem.removeprefix("test_").split("_")
        names = ["_".join(words[:length]) for length in range(1, len(words) + 1)]
        if not any((place / f"{name}.py").exists() or (place / name).is_dir() for name in names):
            lost.append(test.relative_to(REPOSITORY).as_posix())
    assert lost == []


@pytest.mark.parametrize("path", HEAVY)
def test_every_file_of_weight_has_a_test_at_its_path(path: str) -> None:
    mirrored = Path(path.replace("operator/clustertrigger", "tests"))
    assert list((REPOSITORY / mirrored.parent).glob(f"test_{mirrored.stem}*.py")) != []
