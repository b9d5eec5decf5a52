"""Story of the tutorial: every command of docs/tutorial/index.md works in order, in an empty namespace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stories.conftest import Stage
from harness.cluster.files import REPOSITORY
from harness.servers.bucket import empty_bucket

PAGE = REPOSITORY / "docs/tutorial/index.md"
NAMESPACE = "tutorial"
AWS = "awscli==1.46.3"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SECONDS = 840


@pytest.fixture
def bucket(stage_set: Stage) -> Iterator[dict[str, str]]:
    """A bucket that Pods can reach, as the variables of the page's first block."""
    with empty_bucket(stage_set.cluster.host_address) as named:
        yield named


def filled_in(block: str, values: dict[str, str]) -> str:
    """Return the page's first block with the values of the bucket."""
    for name, value in values.items():
        block, replaced = re.subn(rf"^export {name}=.*$", f"export {name}={value}", block, flags=re.MULTILINE)
        assert replaced == 1, name
    return block


def test_every_command_of_the_page_works_as_it_stands(stage_set: Stage, bucket: dict[str, str], tmp_path: Path) -> None:
    kubectl = stage_set.scene.kubectl
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    kubeconfig = Path(shutil.copy(kubectl.kubeconfig, tmp_path / "kubeconfig"))  # the commands change its namespace
    programs = tmp_path / "bin"
    programs.mkdir()
    environment = Path(sys.executable).parent
    (programs / "aws").write_text(f'#!/bin/sh\nexec {environment}/uv tool run --quiet --from {AWS} aws "$@"\n')
    (programs / "aws").chmod(0o755)
    script = "\n".join(["set -eu", filled_in(BLOCKS[0], bucket), *BLOCKS[1:-1]])
    path = f"{environment}:{os.environ['PATH']}:{programs}"
    try:
        said = typed(script, tmp_path, KUBECONFIG=str(kubeconfig), PATH=path)
        assert "1951 vectors of 100 dimensions" in said
        assert "2247 vectors of 100 dimensions" in said
        assert re.search(r"since articles-on-drift-\S+: \d+ clusters? kept,.* \d+ new", said)
        assert "articles" in (tmp_path / "report.html").read_text()
        trigger = kubectl.in_namespace(NAMESPACE).json("get", "clustertrigger", "articles-on-drift")
        assert [run["status"] for run in trigger["status"]["history"]] == ["completed", "completed"]
    finally:
        cleared = "\n".join([filled_in(BLOCKS[0], bucket), BLOCKS[-1]])
        typed(cleared, tmp_path, KUBECONFIG=str(kubeconfig), PATH=path, code=None)
    assert kubectl.find("namespace", NAMESPACE) is None
    assert {path.name for path in tmp_path.iterdir()} == {"examples", "kubeconfig", "bin"}


def typed(script: str, place: Path, code: int | None = 0, **variables: str) -> str:
    """Run commands in a shell like a person; return their output."""
    file = place / "bin/typed.sh"
    file.write_text(script)
    done = subprocess.run(
        ["bash", "-x", file], stdin=subprocess.DEVNULL, cwd=place, env={**os.environ, **variables}, timeout=SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert code in (None, done.returncode), done.stdout[-4000:]
    return done.stdout
