"""Tests that a release has one version, and a section of the changelog."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clustertrigger import __version__
from release.versions import NAMED_IN, ReleaseError, notes_of, version_of

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## 1.1.0 - unreleased

### Added
- what comes

## 1.0.0 - 2026-11-28

### Fixed
- what was broken

## 0.9.0 - 2026-10-01
"""


def test_this_checkout_names_one_version() -> None:
    assert version_of(ROOT) == version_of(ROOT, f"v{__version__}") == __version__


def test_another_tag_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"the tag is 'v9\.9\.9' and the version"):
        version_of(ROOT, "v9.9.9")


@pytest.mark.parametrize("file", NAMED_IN)
def test_a_file_that_was_forgotten_is_named(file: str, tmp_path: Path) -> None:
    for name in NAMED_IN:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / file).write_text((tmp_path / file).read_text().replace(__version__, "7.7.7"))
    with pytest.raises(ReleaseError, match=rf"not the same everywhere: .*7\.7\.7 in {file}"):
        version_of(tmp_path)


def test_notes_are_the_section_of_the_version() -> None:
    assert notes_of(CHANGELOG, "1.0.0", final=True) == "### Fixed\n- what was broken\n"
    assert notes_of(CHANGELOG, "1.1.0", final=False) == "### Added\n- what comes\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.1.0", "CHANGELOG.md says '1.1.0 - unreleased': write the day"),
        ("0.9.0", "no section '## 0.9.0 - DATE' with text"),
        ("2.0.0", "no section '## 2.0.0 - DATE' with text"),
    ],
)
def test_a_release_without_notes_is_refused(version: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        notes_of(CHANGELOG, version, final=True)


def test_the_changelog_of_this_checkout_has_notes() -> None:
    assert "### Added" in notes_of((ROOT / "CHANGELOG.md").read_text(), __version__, final=False)
