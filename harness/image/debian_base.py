"""Makes a base image of Debian packages with debootstrap, for machines without access to an image registry.

It replaces the Dockerfile's pinned base, has the same minor version of Python, and is intended for development and
tests. Releases are built on the pinned base.
"""

import platform
import shutil
from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.debian.packages import CODENAME
from harness.cluster.files import cache_directory, made_once
from harness.cluster.progress import stage
from harness.image import fingerprint

PACKAGES = ("ca-certificates", "python3", "python3-venv")
# Increment this when the recipe below changes.
RECIPE = "1"
# Containers do not need these. Copyright files are kept.
UNUSED = (
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "var/log",
    "var/cache",
    "var/lib/apt/lists",
)


def key() -> str:
    """Return the key that identifies a base image."""
    return fingerprint.of_text(RECIPE, CODENAME, platform.machine(), *PACKAGES)


def archive() -> Path:
    """Return the tar file of the base's root file system; the first call makes it, in about a minute."""
    path = cache_directory() / f"base-{CODENAME}-{key()}.tar"
    return made_once(path, "base", "another build of the base image to finish", _bootstrap)


def mirror(index_targets: str) -> str | None:
    """Return the mirror that apt uses for component main of the release; None if there is none.

    Args:
        index_targets: Lines of URI, codename and component, as ``apt-get indextargets`` formats them.
    """
    for line in index_targets.splitlines():
        uri, codename, component = line.split()
        if (codename, component) == (CODENAME, "main"):
            return uri
    return None


def _bootstrap(draft: Path) -> None:
    with stage("making a base image of Debian packages (debootstrap)"):
        root = draft.parent / "root"
        _fill(root)
        run(["tar", "--create", "--file", draft, "--directory", root, "--numeric-owner", "--sort=name", "."])


def _fill(root: Path) -> None:
    listing = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"]
    )
    uri = mirror(listing)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", CODENAME, str(root)]
    run([*command, *([uri] if uri else [])], log=_log())
    _trim(root)


def _trim(root: Path) -> None:
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    for file in (root / "usr/share/doc").rglob("*"):
        if file.is_file() and file.name != "copyright":
            file.unlink()


def _log() -> Path:
    directory = cache_directory() / "logs"
    directory.mkdir(exist_ok=True)
    log = directory / "debootstrap.log"
    log.unlink(missing_ok=True)
    return log
