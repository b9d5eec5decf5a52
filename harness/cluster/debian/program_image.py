"""Images of one static program each, packed in Docker's archive format; that of a Pod's sandbox is one."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

PAUSE = "clustertrigger.local/pause:1"
"""Name of the image of a Pod's sandbox."""


def pack(program: Path, archive: Path, architecture: str, name: str = PAUSE) -> None:
    """Write ARCHIVE, an image of PROGRAM alone, in the format of `docker save`.

    Args:
        program: The static executable.
        archive: The tar file to write.
        architecture: Go's name of the machine's architecture, for instance amd64.
        name: The image's name and tag.
    """
    layer = _tar({program.name: (program.read_bytes(), 0o755)})
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created_by": "harness.cluster"}],
    }
    config = json.dumps(configuration).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
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
