"""`python3 -m plugin`: builds dist/kubectl-clustertrigger-OS-ARCHITECTURE, krew's archives and its manifest.

One file holds the command and its libraries, for several versions of Python: only pydantic's core (and PyYAML's fast
parser) are compiled, and their files are named for the version, so that they lie beside each other. Libraries come in
the versions and with the hashes of requirements/cli.txt, for each platform as built wheels; nothing is compiled.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from clustertrigger import __version__
from plugin.preamble import NEWEST, OLDEST

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
UV = str(Path(sys.executable).with_name("uv"))
SHIV = "shiv==1.0.8"
NAME = "kubectl-clustertrigger"
PLATFORMS = {
    "linux-amd64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "darwin-amd64": "x86_64-apple-darwin",
    "darwin-arm64": "aarch64-apple-darwin",
}
"""krew's names of the platforms, and uv's."""
ENTRY = "clustertrigger.cli.main:main"
_UNUSED = ("clusterworker",)
"""Parts of the wheel that the command does not need."""


def main() -> int:
    """Builds for the requested platforms."""
    parser = argparse.ArgumentParser(prog="python3 -m plugin", description=__doc__)
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="default: this machine's")
    parser.add_argument("--all", action="store_true", help="all platforms, and krew's archives and manifest")
    parser.add_argument("--url", default="", help="where the archives will be, for the manifest")
    options = parser.parse_args()
    platforms = list(PLATFORMS) if options.all else options.platform or [this_platform()]
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        for name in platforms:
            file = build(name, wheel, Path(folder) / name)
            print(f"plugin: {file.relative_to(ROOT)} ({file.stat().st_size / 1e6:.1f} MB)")
    if options.all:
        archives = {name: archive(name) for name in platforms}
        print(f"plugin: {write_manifest(archives, options.url).relative_to(ROOT)}")
    return 0


def this_platform() -> str:
    """Returns this machine's platform, with krew's name."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{machine}"


def build_wheel(folder: Path) -> Path:
    """Builds this checkout's wheel."""
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    return next(folder.glob("*.whl"))


def build(name: str, wheel: Path, work: Path) -> Path:
    """Builds one platform's file.

    Args:
        name: Name of the platform.
        wheel: Wheel of this checkout.
        work: An empty directory.
    """
    site = work / "site"
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        version = f"3.{minor}"
        target = site if minor == OLDEST[1] else work / version
        libraries = ["--require-hashes", "--requirement", str(ROOT / "requirements/cli.txt")]
        _install(target, name, version, *libraries)
        for compiled in target.rglob("*.so") if target != site else ():
            shutil.copy2(compiled, site / compiled.relative_to(target))
    _install(site, name, f"3.{OLDEST[1]}", str(wheel))
    for unused in _UNUSED:
        shutil.rmtree(site / unused)
    shutil.rmtree(site / "bin", ignore_errors=True)
    DIST.mkdir(exist_ok=True)
    file = DIST / f"{NAME}-{name}"
    _run(
        *(UV, "tool", "run", "--from", SHIV, "shiv", "--site-packages", str(site), "--entry-point", ENTRY),
        *("--python", "/usr/bin/env python3", "--preamble", str(ROOT / "plugin/preamble.py")),
        *("--compressed", "--reproducible", "--output-file", str(file)),
    )
    return file


def archive(name: str) -> Path:
    """Packs a platform's file with the license, as krew requires."""
    file = DIST / f"{NAME}-{name}.tar.gz"
    with tarfile.open(file, "w:gz") as packed:
        packed.add(DIST / f"{NAME}-{name}", NAME)
        packed.add(ROOT / "LICENSE", "LICENSE")
    return file


def write_manifest(archives: dict[str, Path], url: str) -> Path:
    """Fills in the version, the addresses and the checksums of plugin/krew.yaml."""
    text = (ROOT / "plugin/krew.yaml").read_text().replace("version: vVERSION", f"version: v{__version__}")
    for name, file in archives.items():
        text = text.replace(f"sha256: SHA256-{name}", f"sha256: {hashlib.sha256(file.read_bytes()).hexdigest()}")
    target = DIST / "clustertrigger.yaml"
    target.write_text(text.replace("uri: URL", f"uri: {url.rstrip('/')}") if url else text)
    return target


def _install(target: Path, name: str, version: str, *what: str) -> None:
    _run(
        *(UV, "pip", "install", "--quiet", "--target", str(target), "--python-platform", PLATFORMS[name]),
        *("--python-version", version, "--only-binary", ":all:", "--no-deps", *what),
    )


def _run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"plugin: {' '.join(words[:6])} … failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
