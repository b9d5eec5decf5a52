"""Tests of writing on a volume: files are replaced in one step, and errors of a volume are explained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterworker.process.errors import MisconfiguredError, RunError
from clusterworker.storage.volume import errors_at, replace


def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "drift.json"
    replace(file, b"old", "first", 0o664)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(OSError, match="Input/output"):
        replace(file, b"new", "second")
    assert file.read_bytes() == b"old"
    assert file.stat().st_mode & 0o777 == 0o664
    assert list(tmp_path.iterdir()) == [file]


def test_full_results_volume_may_pass_when_tried_again() -> None:
    with pytest.raises(RunError) as raised, errors_at("/results/a/b/c"):
        raise OSError(28, os.strerror(28))
    assert not isinstance(raised.value, MisconfiguredError)
    assert str(raised.value).startswith("/results/a/b/c: no space left for results: enlarge the results volume")


@pytest.mark.parametrize("number", [13, 30])
def test_read_only_results_volume_is_a_wrong_configuration(number: int) -> None:
    with pytest.raises(MisconfiguredError, match=os.strerror(number)), errors_at("/results/a/b/c"):
        raise OSError(number, os.strerror(number))
