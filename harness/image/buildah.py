"""Builds images without a Docker engine: with buildah, as root on Debian, with its storage in this project's cache.

chroot isolation and the host's network need neither a daemon nor user namespaces. vfs storage needs no kernel module,
but copies a whole file system for each layer. Therefore the storage keeps only the base and the images of libraries. An
image that is built on them is written to a tar file and removed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cluster.commands import run, succeeds
from harness.cluster.debian.packages import install_missing, require_debian, require_root
from harness.cluster.files import cache_directory, write
from harness.cluster.progress import stage
from harness.image import debian_base, pip_settings
from harness.image.plan import Plan, make_plan

PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap"}
# Signatures need no check, because no image is pulled.
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


class Buildah:
    """Builder for machines without Docker."""

    def __init__(self) -> None:
        require_debian()
        require_root("building images without Docker")
        install_missing(PROGRAMS)
        self._directory = cache_directory() / "buildah"
        self._policy = write(self._directory / "policy.json", POLICY)
        self._base = f"localhost/clustertrigger/base:{debian_base.key()}"

    def plan(self, checkout: Path, target: str) -> Plan:
        """Return the plan for the target."""
        return make_plan(checkout, target, base=self._base)

    def build(self, plan: Plan, context: Path, archive: Path) -> None:
        """Build the target from the files in CONTEXT, and write it to ARCHIVE in the format of ``docker save``."""
        for libraries in plan.libraries:
            if not self._exists(libraries.name):
                self._ensure_base()
                with stage(f"building {libraries.stage}"):
                    self._bud(context, libraries.dockerfile, libraries.name, libraries.stage)
                self._remove_others(libraries.name)
        with stage(f"building {plan.name}"):
            # The names include the registry's host, because container runtimes add this one to names without a host.
            names = [f"docker.io/{name}" for name in (plan.name, plan.development_name)]
            try:
                self._bud(context, plan.dockerfile, names[0], plan.target)
                self._run("tag", *names)
                destination = f"docker-archive:{archive}:{names[0]}"
                self._run("push", "--signature-policy", self._policy, names[0], destination)
            finally:
                for name in names:
                    if self._exists(name):
                        self._run("rmi", name)

    def _ensure_base(self) -> None:
        if self._exists(self._base):
            return
        root = debian_base.archive()
        with stage("importing the base image"):
            container = self._run("from", "scratch").strip()
            try:
                self._run("add", "--quiet", container, root, "/")
                self._run("commit", "--quiet", "--signature-policy", self._policy, container, self._base)
            finally:
                self._run("rm", container)

    def _bud(self, context: Path, dockerfile: str, name: str, what: str) -> None:
        log = cache_directory() / "logs" / f"image-{what}.log"
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        with self._scratch() as scratch:
            settings = pip_settings.of_this_machine(Path.home(), os.environ)
            configuration = write(scratch / "pip.conf", pip_settings.render(settings), mode=0o600)
            volumes = [f"--volume={volume}" for volume in pip_settings.mounts(settings, configuration)]
            file = write(scratch / "Dockerfile", dockerfile)
            self._run(
                "build", "--isolation=chroot", "--network=host", "--pull-never", "--format=docker", "--layers=false",
                "--signature-policy", self._policy, *volumes, "--file", file, "--tag", name, context, log=log,
            )  # fmt: skip

    def _exists(self, name: str) -> bool:
        return succeeds(["buildah", *self._storage(), "inspect", "--type=image", name])

    def _remove_others(self, kept: str) -> None:
        """Remove earlier images of the same libraries, and the images that were built on them."""
        repository = kept.rpartition(":")[0]
        names = self._run("images", "--noheading", "--format", "{{.Name}}:{{.Tag}}").split()
        for name in names:
            if name.rpartition(":")[0] == repository and name != kept:
                self._run("rmi", name)

    def _storage(self) -> list[str | Path]:
        root, runroot = self._directory / "storage", self._directory / "run"
        return ["--root", root, "--runroot", runroot, "--storage-driver", "vfs"]

    def _run(self, *words: str | Path, log: Path | None = None) -> str:
        # buildah writes whole layers to TMPDIR, and the default /var/tmp may be too small.
        scratch = self._directory / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        return run(["buildah", *self._storage(), *words], log=log, env={"TMPDIR": str(scratch)})

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        directory = Path(tempfile.mkdtemp(prefix="build-", dir=self._directory))
        try:
            yield directory
        finally:
            shutil.rmtree(directory)
