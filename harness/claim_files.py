"""Copies files into and out of PersistentVolumeClaims, through a Pod that mounts them.

Any image with `tar` and `sleep` works; the worker's is already on the node. The Pod runs as the worker's user, so that
runs can read and replace what it writes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.cluster.errors import ClusterError
from harness.kubectl import Kubectl

POD = "claim-files"
READY_SECONDS = 120
NON_ROOT = 65532
_MOUNT = "/claims"


class ClaimFiles:
    """The files of claims; created by `claim_files`."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def upload_new(self, claim: str, files: Mapping[str, Path | bytes]) -> None:
        """Writes files into a claim in which their files and folders must not exist yet.

        Raises:
            ClusterError: a file or a folder of that name exists already.
        """
        taken = {path.split("/")[0] for path in self.listing(claim)} & {path.split("/")[0] for path in files}
        if taken:
            raise ClusterError(f"claim {claim} holds {', '.join(sorted(taken))} already: choose other names")
        self.upload(claim, files)

    def upload(self, claim: str, files: Mapping[str, Path | bytes]) -> None:
        """Writes files into a claim.

        Args:
            claim: The claim's name.
            files: Contents, or files of this machine, by path in the claim.
        """
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in files.items():
                data = content if isinstance(content, bytes) else content.read_bytes()
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
        self._exec("tar", "--extract", "--no-same-owner", "--file=-", f"--directory={_MOUNT}/{claim}", sent=buffer)

    def download(self, claim: str, folder: str, into: Path) -> None:
        """Copies the content of a claim's folder to this machine."""
        packed = self._exec("tar", "--create", "--file=-", f"--directory={_MOUNT}/{claim}/{folder}", ".")
        into.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            # As an attribute: Debian 12's Python 3.11.2 does not know the parameter yet.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(into)  # noqa: S202 - packed by our own Pod

    def listing(self, claim: str) -> list[str]:
        """Returns the paths of all files in a claim."""
        found = self._exec("find", f"{_MOUNT}/{claim}", "-type", "f", "-printf", "%P\\n").decode()
        return sorted(found.splitlines())

    def _exec(self, *words: str, sent: io.BytesIO | None = None) -> bytes:
        data = sent.getvalue() if sent else b""
        return self._kubectl.pipe(["exec", *(["--stdin"] if sent else []), POD, "--", *words], data)


@contextmanager
def claim_files(kubectl: Kubectl, image: str, claims: Sequence[str]) -> Iterator[ClaimFiles]:
    """Runs the Pod while the context lasts.

    Raises:
        ClusterError: the Pod did not start; the message says why.
    """
    _remove(kubectl, wait=True)  # It removes what an interrupted one left.
    kubectl.apply(_manifest(image, claims))
    try:
        _wait_until_ready(kubectl)
        yield ClaimFiles(kubectl)
    finally:
        _remove(kubectl, wait=False)


def _remove(kubectl: Kubectl, *, wait: bool) -> None:
    kubectl("delete", "pod", POD, "--ignore-not-found", "--grace-period=1", f"--wait={str(wait).lower()}")


def _wait_until_ready(kubectl: Kubectl) -> None:
    try:
        timeout = f"--timeout={READY_SECONDS}s"
        kubectl("wait", f"pod/{POD}", "--for=condition=Ready", timeout, timeout=READY_SECONDS + 10)
    except ClusterError as error:
        events = kubectl.items("events", f"--field-selector=involvedObject.name={POD},type=Warning")
        why = events[-1]["message"] if events else str(error)
        raise ClusterError(
            f"the Pod {kubectl.namespace}/{POD}, which copies files into claims, did not start: {why}"
        ) from None


def _manifest(image: str, claims: Sequence[str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": NON_ROOT,
                "runAsGroup": NON_ROOT,
                "fsGroup": NON_ROOT,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "files",
                    "image": image,
                    "command": ["sleep", "infinity"],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": claim, "mountPath": f"{_MOUNT}/{claim}"} for claim in claims],
                }
            ],
            "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims],
        },
    }
