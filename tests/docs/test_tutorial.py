"""Tests the tutorial's commands that need no cluster: they create vectors, upload them to a bucket, and read them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from clustertrigger.core.resources.validation import parse_collection, parse_trigger
from harness.cluster.files import REPOSITORY
from harness.servers.bucket import empty_bucket

PAGE = REPOSITORY / "docs/tutorial/index.md"
AWS = "awscli==1.46.3"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
NEEDS_A_CLUSTER = re.compile(
    r"^(kubectl (?!clustertrigger (init|validate -f)).*|cat .*|aws s3 rm .*|rm .*)$", re.MULTILINE
)


def typed() -> str:
    """Returns the page's command lines that need no cluster; a heredoc belongs to its command."""
    text = "".join(BLOCKS[1:])
    text = re.sub(r"^kubectl apply -f - <<EOF\n.*?^EOF\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\\\n\s*", "", text)
    return NEEDS_A_CLUSTER.sub("", text)


@pytest.mark.slow
def test_documents_become_a_collection_in_a_bucket(tmp_path: Path) -> None:
    with empty_bucket() as named:
        assert set(re.findall(r"^export (\w+)=", BLOCKS[0], re.MULTILINE)) == set(named)
        said = run(typed(), tmp_path, named)
    assert "monday.parquet: 1951 vectors of 100 dimensions" in said
    assert "tuesday.parquet: 2247 vectors of 100 dimensions" in said
    collection, trigger = yaml.safe_load_all((tmp_path / "articles.yaml").read_text())
    assert parse_collection(collection["spec"])[1] == parse_trigger(trigger["spec"])[1] == []
    assert collection["spec"]["source"]["secret_name"] == "bucket"
    assert f"kubectl create secret generic {collection['spec']['source']['secret_name']} " in "".join(BLOCKS)
    assert collection["spec"]["collection_id"] in "".join(BLOCKS), "the second trigger names it"
    assert pq.read_schema(tmp_path / "monday.parquet") == pq.read_schema(tmp_path / "tuesday.parquet")


def run(script: str, place: Path, variables: dict[str, str]) -> str:
    """Runs lines in a folder that has the repository's examples, and returns their output."""
    programs = place / "bin"
    programs.mkdir()
    environment = Path(sys.executable).parent
    (place / "examples").symlink_to(REPOSITORY / "examples")
    (programs / "aws").write_text(f'#!/bin/sh\nexec {environment}/uv tool run --quiet --from {AWS} aws "$@"\n')
    (programs / "aws").chmod(0o755)
    path = f"{programs}:{environment}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euxc", script], stdin=subprocess.DEVNULL, cwd=place, env={**os.environ, **variables, "PATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
