"""Tests of what is kept in the cache."""

import os
from pathlib import Path

from harness.image.build import KEPT_PER_TARGET, Image, remove_old


def test_only_the_latest_used_archives_stay(tmp_path: Path) -> None:
    for age, name in enumerate(["worker-c", "worker-a", "worker-b", "operator-x"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    remove_old(tmp_path, "worker")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operator-x", "worker-a", "worker-c"]
    assert KEPT_PER_TARGET == 2


def test_an_image_splits_into_repository_and_tag() -> None:
    image = Image("clustertrigger/worker:0123456789ab", Path("worker.tar"))
    assert (image.repository, image.tag) == ("clustertrigger/worker", "0123456789ab")
