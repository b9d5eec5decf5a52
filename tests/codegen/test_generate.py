"""Tests that the committed files are those that the models generate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clustertrigger.api.conditions import ConditionType, EventReason, Reason
from codegen.__main__ import changes, generated_files, main, write

REPOSITORY = Path(__file__).parents[2]
FILES = generated_files()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_committed_file_is_up_to_date(path: Path) -> None:
    assert (REPOSITORY / path).read_text() == FILES[path], "run `make generate` and commit"


def test_nothing_else_lies_among_them() -> None:
    assert changes(REPOSITORY) == {}


def test_writes_only_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    assert set(capsys.readouterr().out.split()) >= {str(path) for path in FILES}

    (tmp_path / "docs/reference/resources.md").write_text("edited manually")
    assert main(["--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "generate: docs/reference/resources.md\n"


def test_check_writes_nothing_and_prints_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, changes(tmp_path))
    assert main(["--root", str(tmp_path), "--check"]) == 0

    edited = tmp_path / "crds/collections.yaml"
    edited.write_text(edited.read_text().replace("- col\n", "- kol\n"))
    assert main(["--root", str(tmp_path), "--check"]) == 1
    printed = capsys.readouterr()
    assert "-    - kol\n+    - col\n" in printed.out
    assert "1 generated files differ: run `make generate`" in printed.err
    assert "- kol" in edited.read_text()


def test_removes_the_crd_of_a_kind_that_is_no_more(tmp_path: Path) -> None:
    write(tmp_path, changes(tmp_path))
    stale = tmp_path / "crds" / "old.yaml"
    stale.write_text("")

    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert main(["--root", str(tmp_path)]) == 0
    assert not stale.exists()


def test_reference_names_every_kind_and_field() -> None:
    page = FILES[Path("docs/reference/resources.md")]

    for heading in ("ClusterTrigger.spec.run.resources", "ClusterDefinition.spec", "Collection.spec.source"):
        assert f"### `{heading}`" in page
    assert "| **`trigger_type`** | `cron` \\| `interval` \\| `event` \\| `conditional` |" in page
    assert "| `starting_deadline_seconds` | integer, 1 to 604,800 | `3600` |" in page


def test_reference_names_conditions_reasons_and_annotations() -> None:
    page = FILES[Path("docs/reference/resources.md")]

    for enum in (ConditionType, Reason, EventReason):
        for member in enum:
            assert re.search(rf"^\| `{member.value}` \| \w.+ \|$", page, re.MULTILINE), f"{member!r} has no docstring"
    assert "`clustertrigger.dev/run-requested`" in page


def test_reference_describes_shared_objects_once() -> None:
    page = FILES[Path("docs/reference/resources.md")]

    assert page.count("| `n_clusters` |") == 1
    assert (
        "The same as [`ClusterTrigger.spec.execution_config.config`](#clustertriggerspecexecution_configconfig)" in page
    )
