"""`python3 -m release --registry R [--tag v0.1.0] [--url U]`: makes all files of a release in dist/release.

With --dry-run, as `make release-dry-run` does, the changelog needs no date, and the images are built for all
architectures where Docker is. Uploads and signatures are the workflow's: they need its identity.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.image.push import require_registry
from release import artefacts
from release.versions import ReleaseError, notes_of, version_of

EXAMPLE = "registry.example.com/team"


def main(arguments: list[str] | None = None) -> int:
    """Make the files; 1 with one line that says what to do if this checkout is not a release."""
    options = _parser().parse_args(arguments)
    into: Path = options.output
    try:
        require_registry(options.registry)
        _make(into, options)
    except (ReleaseError, ClusterError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def _make(into: Path, options: argparse.Namespace) -> None:
    version = version_of(artefacts.ROOT, options.tag)
    notes = notes_of((artefacts.ROOT / "CHANGELOG.md").read_text(), version, final=not options.dry_run)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    (into / "notes.md").write_text(notes)
    _say("notes", [into / "notes.md"])
    _say("distributions", artefacts.distributions(into))
    _say("chart", [artefacts.chart(into, options.registry)])
    _say("install.yaml", [artefacts.install_manifest(into, options.registry)])
    _say("command", artefacts.command(into, options.url))
    _say("bills of materials", artefacts.bills_of_materials(into))
    _say("checksums", [artefacts.checksums(into)])
    if options.dry_run:
        _images(options.registry, version)
        print("release: signatures: not made, because cosign signs with the identity of the workflow")
        print(f"release: uploads: left out; {into} holds what the workflow of the tag v{version} would upload")


def _images(registry: str, version: str) -> None:
    if not _has_buildx():
        print("release: images: not built, because several architectures need Docker's buildx; `make image` builds one")
        return
    for name in artefacts.images(registry, version):
        print(f"release: images: {name} for {artefacts.PLATFORMS}")


def _has_buildx() -> bool:
    if shutil.which("docker") is None:
        return False
    done = subprocess.run(["docker", "buildx", "ls"], capture_output=True, check=False)
    return done.returncode == 0


def _say(what: str, files: Iterable[Path]) -> None:
    for file in files:
        print(f"release: {what}: {file.name} ({file.stat().st_size / 1e6:.2f} MB)", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m release", description=__doc__)
    parser.add_argument("--tag", default="", help="the tag, such as v0.1.0, that all versions must agree with")
    parser.add_argument("--registry", default=EXAMPLE, help="where the images will be (%(default)s)")
    parser.add_argument("--url", default="", help="where the files will be, for krew's manifest")
    parser.add_argument("--output", type=Path, default=artefacts.ROOT / "dist/release", help="folder (dist/release)")
    parser.add_argument("--dry-run", action="store_true", help="try it on a version that has no date yet")
    return parser


if __name__ == "__main__":
    sys.exit(main())
