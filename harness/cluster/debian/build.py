"""Provides the programs of a node from the cache, or builds them into it once.

Everything is in one folder of the cache, named by version and by a digest of its ingredients. The folder is built
elsewhere and renamed when it is complete, so an existing folder is complete.
"""

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

from harness.cluster.debian import packages
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.choice import Offer, choose
from harness.cluster.debian.debian_source import DebianSource
from harness.cluster.debian.go_modules import GoModules
from harness.cluster.debian.released import Released
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, locked
from harness.cluster.progress import say, stage
from harness.cluster.state import settings_of

WISH, FOLDER = "KUBERNETES", "KUBERNETES_BINARIES"  # variables
_PROGRAMS = "programs"


def binaries() -> Binaries:
    """Returns the programs of KUBERNETES or KUBERNETES_BINARIES, after building them if they do not exist."""
    offer = chosen_offer()
    folder = finished(offer)
    if folder.is_dir():
        return Binaries(folder)
    packages.require_debian()
    with locked(cache_directory() / "kubernetes.lock", "another build of Kubernetes to finish"):
        if not folder.is_dir():
            _build_into(folder, offer)
    return Binaries(folder)


def built() -> Binaries | None:
    """Returns them if they exist, without building anything."""
    folder = finished(chosen_offer())
    return Binaries(folder) if folder.is_dir() else None


def recorded(programs: Binaries) -> dict[str, str]:
    """Returns what a cluster's directory records about its programs."""
    return {_PROGRAMS: str(programs.directory)}


def programs_of(directory: Path) -> Binaries | None:
    """Returns the programs that the cluster in DIRECTORY was started with; None if it or they do not exist."""
    folder = settings_of(directory).get(_PROGRAMS)
    return Binaries(Path(folder)) if folder and Path(folder).is_dir() else None


def programs_for(directory: Path) -> Binaries:
    """Returns the programs to start the cluster in DIRECTORY with: those that it has used before, or the chosen ones.

    Raises:
        ClusterError: it has run on another version than KUBERNETES or KUBERNETES_BINARIES ask for.
    """
    known = programs_of(directory)
    if known is None:
        return binaries()
    requested = any(os.environ.get(name, "").strip() for name in (WISH, FOLDER))
    if requested and finished(chosen_offer()) != known.directory:
        raise ClusterError(
            f"the cluster in {directory} runs Kubernetes {known.kubernetes}, and another is requested by {WISH} or "
            f"{FOLDER}: stop it with `down`, or use --directory"
        )
    return known


def use_kubectl_of(programs: Binaries) -> None:
    """Puts the kubectl of PROGRAMS first on the PATH of this process and its children."""
    path = os.environ.get("PATH", os.defpath)
    if (programs.client / "kubectl").exists() and path.split(os.pathsep)[0] != str(programs.client):
        os.environ["PATH"] = f"{programs.client}{os.pathsep}{path}"


def chosen_offer() -> Offer:
    """Returns the offer of the variables on this machine.

    Raises:
        ClusterError: what they ask for is not available.
    """
    version, folder = (os.environ.get(name, "").strip() for name in (WISH, FOLDER))
    offers: list[Offer] = [Released(Path(folder))] if folder else [GoModules(), DebianSource()]
    return choose(version, offers, lambda offer: None if finished(offer).is_dir() else offer.refusal())


def finished(offer: Offer) -> Path:
    """Returns the folder of the cache for an offer."""
    digest = hashlib.sha256(platform.machine().encode())
    for part in offer.ingredients():
        digest.update(part + b"\0")
    return cache_directory() / f"kubernetes-{offer.version}-{digest.hexdigest()[:12]}"


def _build_into(folder: Path, offer: Offer) -> None:
    packages.require_root("the first start, which unpacks Debian's packages,")
    # This process holds the lock, so no other one builds in these.
    for stale in folder.parent.glob("kubernetes-build-*"):
        if stale.is_dir():
            shutil.rmtree(stale)
    free, needed = (size / 1024**3 for size in (shutil.disk_usage(folder.parent).free, offer.needed_bytes))
    if free < needed:
        raise ClusterError(
            f"{folder.parent} has {free:.1f} GiB free and the build needs {needed:.0f}: "
            "free some, or set XDG_CACHE_HOME to another disk"
        )
    work = Path(tempfile.mkdtemp(prefix="kubernetes-build-", dir=folder.parent))
    log = folder.parent / "kubernetes-build.log"
    log.unlink(missing_ok=True)
    say(f"building Kubernetes {offer.version} once, {offer.effort}; it is kept in {folder}")
    result = work / "result"
    (result / "bin").mkdir(parents=True)
    offer.build(work, result, log)
    result.rename(folder)
    with stage("removing the build tree"):
        shutil.rmtree(work)
    log.unlink(missing_ok=True)
