"""Tests of the messages about a machine that lacks something for a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cluster import preconditions
from harness.cluster.choose import Engine
from harness.cluster.debian.packages import is_debian, name_of_system
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY
from harness.cluster.preconditions import GIB, Machine, check, missing_for_kind, missing_for_processes

LAPTOP = Machine(
    system="macOS 15.1", debian=False, root=False, client=True, engine=Engine(answers=True), kind=(0, 33), kubectl=True,
    free_bytes=100 * GIB, cache=Path("/nowhere"),
)  # fmt: skip
SERVER = replace(LAPTOP, system="Debian GNU/Linux 12 (bookworm)", debian=True, root=True, client=False, kind=None)


def said(lines: Iterator[str]) -> str:
    return "\n".join(lines)


def test_a_machine_that_has_everything_lacks_nothing() -> None:
    assert said(missing_for_kind(LAPTOP)) == ""
    assert said(missing_for_processes(SERVER, "")) == ""


@pytest.mark.parametrize(
    ("machine", "lines"),
    [
        (replace(LAPTOP, kind=None), ["kind is missing: install kind v0.33 or newer"]),
        (replace(LAPTOP, kind=(0, 20)), ["kind 0.20 is too old"]),
        (replace(LAPTOP, kubectl=False), ["kubectl is missing: install kubectl"]),
        (replace(LAPTOP, free_bytes=3 * GIB), ["/nowhere has 3.0 GiB free and the first start needs 6"]),
        (replace(LAPTOP, kind=None, kubectl=False, free_bytes=0), ["install kind", "install kubectl", "0.0 GiB free"]),
    ],
)
def test_everything_that_kind_lacks_is_reported_at_once(machine: Machine, lines: list[str]) -> None:
    found = list(missing_for_kind(machine))
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


@pytest.mark.parametrize(
    ("machine", "wish", "line"),
    [
        (LAPTOP, "", "no Docker engine answers `docker version`, and macOS 15.1 needs one for a cluster: start it"),
        (replace(LAPTOP, client=False), "", "macOS 15.1 needs Docker for a cluster: install an engine"),
        (replace(LAPTOP, system="Ubuntu 24.04.1 LTS"), "debian", "CLUSTER=debian needs Debian 12 and this is Ubuntu"),
        (replace(SERVER, free_bytes=GIB), "", "has 1.0 GiB free and the first start needs 6"),
    ],
)
def test_unsupported_features_outside_of_debian_are_reported(machine: Machine, wish: str, line: str) -> None:
    assert line in said(missing_for_processes(machine, wish))


def test_earlier_built_images_need_no_space(tmp_path: Path) -> None:
    (tmp_path / "images/operator-1").mkdir(parents=True)
    (tmp_path / "images/operator-1/operator.tar").touch()
    assert said(missing_for_kind(replace(LAPTOP, free_bytes=GIB, cache=tmp_path))) == ""


def test_the_first_start_without_docker_needs_root_and_space(monkeypatch: pytest.MonkeyPatch) -> None:
    poor = replace(SERVER, root=False, free_bytes=7 * GIB)
    monkeypatch.setattr(Machine, "this", lambda _wish: poor)
    monkeypatch.setattr(preconditions, "built", lambda: None)
    monkeypatch.setenv("CLUSTER", "debian")
    with pytest.raises(ClusterError) as raised:
        check()
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        "the first start, which unpacks Debian's packages, needs root",
        "cluster",
    ]
    assert "has 7.0 GiB free" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "debian", "name"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_CODENAME=bookworm\n', True, "Debian GNU/Linux 12"),
        ('PRETTY_NAME="Ubuntu 24.04.1 LTS"\nVERSION_CODENAME=noble\n', False, "Ubuntu 24.04.1 LTS"),
        ("", False, "Linux"),
    ],
)  # fmt: skip
def test_systems(tmp_path: Path, text: str, debian: bool, name: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert (is_debian(tmp_path / "os-release"), name_of_system(tmp_path / "os-release")) == (debian, name)


def test_an_old_python_is_refused_in_one_line() -> None:
    program = "import sys; sys.version_info = (3, 9, 2); import harness"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Python 3.9.2 is too old, 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...\n"
