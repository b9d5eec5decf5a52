"""Tests of an image of one program."""

import tarfile
from pathlib import Path

from harness.cluster.debian.program_image import pack


def test_the_pause_image_is_one_layer_with_the_program(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    pack(program, tmp_path / "pause.tar", "amd64")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        layer = archive.extractfile("layer.tar")
        assert layer is not None
        with tarfile.open(fileobj=layer) as files:
            (entry,) = files.getmembers()
            assert (entry.name, entry.mode) == ("pause", 0o755)
