"""Tests of numba's cache as the image uses it: it is read from a read-only directory, and written elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = """
import numba

@numba.njit(cache=True)
def twice(x):
    return 2 * x

@numba.njit
def thrice(x):
    return 3 * x
"""
CALL = """
import umap  # stands for a library that asks for no cache
from clusterworker.process import jit_cache
print("newly cached:", jit_cache.enable())
print("result:", umap.twice({argument}) + umap.thrice({argument}))
print("compiled:", sum(sum(f.stats.cache_misses.values()) for f in (umap.twice, umap.thrice)))
"""
SOURCES = Path(__file__).resolve().parents[3] / "operator"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    directory = tmp_path / "library"
    directory.mkdir()
    (directory / "umap.py").write_text(LIBRARY)
    return directory


def call(library: Path, image: Path, scratch: Path, argument: str, *, in_a_job: bool) -> str:
    """Calls the library's functions in a new process, and returns its output."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{library}:{SOURCES}",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(image),
        "TMPDIR": str(scratch),
    }
    if in_a_job:
        environment["NUMBA_CACHE_LOCATOR_CLASSES"] = "clusterworker.process.jit_cache.ImageCacheLocator"
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(argument=argument)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(directory: Path) -> dict[Path, bytes]:
    """Returns every regular file below a directory, without links."""
    return {
        path.relative_to(directory): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_a_job_compiles_only_what_the_image_lacks_and_leaves_the_image_alone(library: Path, tmp_path: Path) -> None:
    image, scratch = tmp_path / "image", tmp_path / "scratch"
    scratch.mkdir()
    built = call(library, image, scratch, "1", in_a_job=False)
    assert "newly cached: 1\n" in built
    assert "result: 5\n" in built
    assert "compiled: 2\n" in built
    image_files = contents(image)
    assert len(image_files) == 4  # an index and a data file for each function
    assert contents(scratch) == {}

    assert "compiled: 0\n" in call(library, image, scratch, "2", in_a_job=True)
    assert contents(scratch) == {}

    floats = call(library, image, scratch, "1.5", in_a_job=True)
    assert "result: 7.5\n" in floats
    assert "compiled: 2\n" in floats
    assert contents(image) == image_files
    assert len(contents(scratch)) == 4

    assert "compiled: 0\n" in call(library, image, scratch, "2.5", in_a_job=True)
    assert "compiled: 0\n" in call(library, image, scratch, "3", in_a_job=True)


def test_without_the_image_scratch_alone_serves(library: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert "compiled: 2\n" in call(library, tmp_path / "absent", scratch, "1", in_a_job=True)
    assert "compiled: 0\n" in call(library, tmp_path / "absent", scratch, "1", in_a_job=True)
    assert not (tmp_path / "absent").exists()
