"""The image of a Pod's sandbox: one static program, packed in Docker's archive format."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

REFERENCE = "clustertrigger.local/pause:1"


def pack(program: Path, archive: Path, architecture: str) -> None:
    """Write ARCHIVE, an image of PROGRAM alone, in the format of `docker save`.

    Args:
        program: The static executable.
        archive: The tar file to write.
        architecture: Go's name of the machine's architecture, for instance amd64.
    """
    layer = _tar({"pause": (program.read_bytes(), 0o755)})
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created_by": "e2e.cluster"}],
    }
    config = json.dumps(configuration).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [REFERENCE], "Layers": ["layer.tar"]}]
    files = {config_name: config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    archive.write_bytes(_tar({name: (content, 0o644) for name, content in files.items()}))


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
