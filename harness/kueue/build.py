"""Kueue's program from the Go module in this folder, as an image; its chart lies in the same module."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.debian import go_modules, program_image, runtime
from harness.cluster.files import cache_directory, made_once
from harness.cluster.progress import say, stage

MODULE = Path(__file__).parent
REPOSITORY = "clustertrigger.local/kueue"
RECIPE = "1"  # raise it when the steps below change what comes out

_KUEUE = "sigs.k8s.io/kueue"
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}


@dataclass(frozen=True)
class Kueue:
    """What is installed.

    Attributes:
        version: Of Kueue, without the v.
        archive: The image, in the format of `docker save`.
        chart: Its chart's folder.
    """

    version: str
    archive: Path
    chart: Path

    @property
    def image(self) -> str:
        """The image's name."""
        return f"{REPOSITORY}:{self.version}"


def kueue() -> Kueue:
    """Return Kueue from the cache, after compiling it if it does not exist (four minutes on two cores)."""
    version, folder = go_modules.required(_KUEUE, MODULE), _folder()
    build = partial(_build, version, folder)
    archive = made_once(folder / "kueue.tar", "kueue", "another build of Kueue to finish", build)
    directory = run(["go", "list", "-m", "-f", "{{.Dir}}", _KUEUE], cwd=MODULE, env=_ENVIRONMENT).strip()
    if not directory:  # the module cache has been emptied
        run(["go", "mod", "download", _KUEUE], cwd=MODULE, env=_ENVIRONMENT)
        directory = run(["go", "list", "-m", "-f", "{{.Dir}}", _KUEUE], cwd=MODULE, env=_ENVIRONMENT).strip()
    return Kueue(version, archive, Path(directory) / "charts/kueue")


def _folder() -> Path:
    digest = hashlib.sha256(f"{RECIPE} {runtime.architecture()}".encode())
    digest.update((MODULE / "go.sum").read_bytes())
    folder = cache_directory() / f"kueue-{digest.hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    return folder


def _build(version: str, folder: Path, draft: Path) -> None:
    say(f"building Kueue {version} once, about 4 minutes on 2 cores; it is kept in {folder}")
    log = folder / "build.log"
    program = draft.parent / "manager"  # its chart starts /manager
    with stage("compiling Kueue"):
        flags = ["-v", "-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w"]
        run(["go", "build", *flags, "-o", program, f"{_KUEUE}/cmd/kueue"], cwd=MODULE, env=_ENVIRONMENT, log=log)
    program_image.pack(program, draft, runtime.architecture(), f"{REPOSITORY}:{version}")
    log.unlink()
