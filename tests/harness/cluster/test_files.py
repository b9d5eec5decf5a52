"""Tests of what is made once, and kept in the cache."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, made_once

LEFT = "program-build-killed"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a separate cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_directory() / "program"


def content() -> set[str]:
    return {path.name for path in cache_directory().iterdir()}


def test_several_at_once_make_one(cached: Path) -> None:
    drafts: list[Path] = []

    def make(draft: Path) -> None:
        drafts.append(draft)
        time.sleep(0.2)
        draft.write_text(f"made {len(drafts)}")

    def made(_: int) -> str:
        return made_once(cached, "program", "another build to finish", make).read_text()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(made, range(4))) == {"made 1"}
    assert made(0) == "made 1"
    assert drafts[0] != cached, "a partial file never has the final name"
    assert content() == {"program", "program.lock"}


def test_a_folder_is_made_next_to_what_its_making_needs(cached: Path) -> None:
    def make(draft: Path) -> None:
        (draft.parent / "source").mkdir()
        draft.mkdir()
        (draft / "file").touch()

    made_once(cached, "program", "another build to finish", make)
    assert [path.name for path in cached.iterdir()] == ["file"]
    assert content() == {"program", "program.lock"}


def test_a_failure_leaves_nothing_and_the_next_one_makes_it(cached: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("partial")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        made_once(cached, "program", "another build to finish", fail)
    assert content() == {"program.lock"}
    made_once(cached, "program", "another build to finish", Path.touch)
    assert cached.exists()


def test_the_work_of_a_process_that_was_killed_is_removed(cached: Path) -> None:
    (cache_directory() / LEFT).mkdir()
    (cache_directory() / LEFT / "partial").touch()
    made_once(cached, "program", "another build to finish", Path.touch)
    assert content() == {"program", "program.lock"}


def test_work_of_a_killed_process_that_cannot_be_removed(cached: Path) -> None:
    """A mounted proc made every later start end with a traceback."""
    (cached.parent / LEFT).touch()  # No folder: removing it as one fails, as below a mount.
    with pytest.raises(ClusterError, match=rf"{LEFT}: what a killed process left cannot be removed: .* unmount"):
        made_once(cached, "program", "another build to finish", Path.touch)
