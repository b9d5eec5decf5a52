"""Tests of the command as one file, and of its manifest for krew."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger import __version__
from plugin import __main__ as building
from plugin import preamble

ROOT = Path(__file__).parents[2]


def start(file: Path, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Starts the file with this Python, without the packages of this environment."""
    return subprocess.run(
        [sys.executable, "-I", file, *words],
        capture_output=True, text=True, check=False, env={"SHIV_ROOT": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.xdist_group("installing")
def test_the_single_file_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "DIST", tmp_path / "dist")
    wheel = building.build_wheel(tmp_path)
    name = building.this_platform()
    file = building.build(name, wheel, tmp_path / "work")
    assert file == tmp_path / f"dist/kubectl-clustertrigger-{name}"
    assert start(file, "--version", home=tmp_path / "home").stdout == f"clustertrigger {__version__}\n"
    examples = start(file, "validate", "-f", str(ROOT / "examples"), home=tmp_path / "home")
    assert examples.returncode == 0, examples.stdout + examples.stderr
    unknown = start(file, "describe", "a", "--kubeconfig", "/nowhere", home=tmp_path / "home")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "kubectl clustertrigger: --kubeconfig: '/nowhere': no such file: name a kubeconfig\n",
    )
    packed = building.archive(name)
    with tarfile.open(packed) as archive:
        assert sorted(archive.getnames()) == ["LICENSE", "kubectl-clustertrigger"]
        assert archive.getmember("kubectl-clustertrigger").mode & 0o111 == 0o111


def test_krew_s_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in krew's developer guide: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/"""
    monkeypatch.setattr(building, "DIST", tmp_path)
    archives = {}
    for name in building.PLATFORMS:
        archives[name] = tmp_path / f"{building.NAME}-{name}.tar.gz"
        archives[name].write_text(name)
    manifest: dict[str, Any] = yaml.safe_load(building.write_manifest(archives, "https://a/v1/").read_text())
    assert manifest["metadata"]["name"] == "clustertrigger"
    spec = manifest["spec"]
    assert spec["version"] == f"v{__version__}"
    assert len(spec["shortDescription"]) <= 50
    found = {
        f"{item['selector']['matchLabels']['os']}-{item['selector']['matchLabels']['arch']}": item
        for item in spec["platforms"]
    }
    assert found.keys() == building.PLATFORMS.keys()
    for name, item in found.items():
        assert item["uri"] == f"https://a/v1/{building.NAME}-{name}.tar.gz"
        assert item["sha256"] == hashlib.sha256(name.encode()).hexdigest()
        assert item["bin"] == building.NAME


@pytest.mark.parametrize(("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 14), True), ((3, 15), False)])
def test_other_pythons_are_refused_in_words(version: tuple[int, int], fits: bool) -> None:
    """The preamble itself runs under any Python 3."""
    script = f"import sys; sys.version_info = ({version[0]}, {version[1]}, 0); exec(open({preamble.__file__!r}).read())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is fits
    assert fits or f"python3 is {version[0]}.{version[1]}, and this file needs Python 3.11 to 3.14" in done.stderr


def test_the_range_of_pythons_is_the_project_s() -> None:
    assert f'requires-python = ">={preamble.OLDEST[0]}.{preamble.OLDEST[1]}"' in (ROOT / "pyproject.toml").read_text()
