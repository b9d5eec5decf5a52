"""Tests of names and tags: what changes them, and what does not."""

from pathlib import Path

import pytest

from harness.image import fingerprint
from harness.image.plan import make_plan, snapshot

DOCKERFILE = """
ARG BASE=registry/base:1
ARG OPERATOR_LIBRARIES=operator-libraries
FROM ${BASE} AS operator-libraries
COPY pins.txt /
FROM ${OPERATOR_LIBRARIES} AS operator
COPY source /source
"""
MORE = """
FROM ${OPERATOR_LIBRARIES} AS more-libraries
COPY more.txt /
FROM ${MORE_LIBRARIES} AS more
COPY source /source
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "pins.txt").write_text("kopf==1\n")
    (tmp_path / "more.txt").write_text("pyspark==4\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "main.py").write_text("print()\n")
    return tmp_path


def test_the_last_step_builds_on_the_image_of_libraries(checkout: Path) -> None:
    plan = make_plan(checkout, "operator")
    (libraries,) = plan.libraries
    assert libraries.stage == "operator-libraries"
    assert libraries.name.startswith("localhost/clustertrigger/operator-libraries:")
    assert plan.name == f"clustertrigger/operator:{plan.tag}"
    assert f"FROM {libraries.name} AS operator\n" in plan.dockerfile
    assert "pins.txt" not in plan.dockerfile
    assert "FROM registry/base:1 AS operator-libraries\n" in libraries.dockerfile
    assert "/source" not in libraries.dockerfile


def test_libraries_are_built_on_other_libraries_and_share_their_image(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text(
        DOCKERFILE.replace("ARG OPERATOR", "ARG MORE_LIBRARIES=more-libraries\nARG OPERATOR") + MORE
    )
    plan, other = make_plan(checkout, "more"), make_plan(checkout, "operator")
    below, above = plan.libraries
    assert (below,) == other.libraries
    assert f"FROM {below.name} AS more-libraries\n" in above.dockerfile
    assert "pins.txt" not in above.dockerfile
    assert f"FROM {above.name} AS more\n" in plan.dockerfile
    assert "FROM registry/base:1" not in plan.dockerfile
    (checkout / "pins.txt").write_text("kopf==2\n")
    assert make_plan(checkout, "more").libraries[1].name != above.name


def test_a_changed_source_changes_the_image_and_not_its_libraries(checkout: Path) -> None:
    before = make_plan(checkout, "operator")
    (checkout / "source" / "main.py").write_text("print(1)\n")
    after = make_plan(checkout, "operator")
    assert after.libraries == before.libraries
    assert after.name != before.name


@pytest.mark.parametrize(("file", "base"), [("pins.txt", None), (None, "localhost/base:2")])
def test_changed_pins_or_base_change_both(checkout: Path, file: str | None, base: str | None) -> None:
    before = make_plan(checkout, "operator")
    if file:
        (checkout / file).write_text("kopf==2\n")
    after = make_plan(checkout, "operator", base=base)
    assert after.libraries != before.libraries
    assert after.name != before.name


def test_byte_code_and_touched_files_change_nothing(checkout: Path) -> None:
    before = make_plan(checkout, "operator")
    (checkout / "source" / "__pycache__").mkdir()
    (checkout / "source" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"\0")
    (checkout / "source" / "main.py").touch()
    (checkout / "README.md").write_text("not copied\n")
    assert make_plan(checkout, "operator") == before


def test_a_renamed_file_changes_the_fingerprint(checkout: Path) -> None:
    before = fingerprint.of_paths(checkout, ["source"])
    (checkout / "source" / "main.py").rename(checkout / "source" / "other.py")
    assert fingerprint.of_paths(checkout, ["source"]) != before


def test_a_file_that_is_copied_and_missing_is_named(checkout: Path) -> None:
    (checkout / "pins.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"copies pins\.txt, which is not in the checkout"):
        make_plan(checkout, "operator")


def test_a_snapshot_has_the_plan_of_the_checkout_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".dockerignore").write_text("*\n")
    (checkout / "unrelated").write_text("")
    (checkout / "source" / "__pycache__").mkdir()
    (checkout / "source" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"\0")
    copy = snapshot(checkout, tmp_path / "copy")
    assert make_plan(copy, "operator") == make_plan(checkout, "operator")
    files = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())
    assert files == [".dockerignore", "Dockerfile", "pins.txt", "source/main.py"]
