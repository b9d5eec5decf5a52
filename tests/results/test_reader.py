"""Tests of the program in the Pod that reads results: it prints the compressed report, or an error."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from clustertrigger.results import reader
from harness.control_plane.kube import Object


def read_in_pod(asked: Object) -> subprocess.CompletedProcess[bytes]:
    """Runs the source as text, as in the Pod, without this project on the path."""
    words = [sys.executable, "-I", "-c", Path(reader.__file__).read_text(), json.dumps(asked)]
    return subprocess.run(words, capture_output=True, check=False)


def test_the_reader_in_the_pod(tmp_path: Path) -> None:
    content = b"<html>" + bytes(range(256)) * 4096
    file = tmp_path / "report.html"
    file.write_bytes(content)
    done = read_in_pod({"uri": str(file)})
    assert (done.returncode, done.stderr) == (0, b"")
    assert gzip.decompress(done.stdout) == content
    missing = read_in_pod({"uri": str(tmp_path / "missing")})
    assert (missing.returncode, missing.stderr.decode()) == (3, f"{tmp_path}/missing does not exist\n")
    folder = read_in_pod({"uri": str(tmp_path)})
    assert folder.returncode == 1
    assert b"Is a directory" in folder.stderr
