"""Tests of the mark in a cluster's directory, without which nothing is removed."""

from pathlib import Path

import pytest

from harness.cluster.errors import ClusterError
from harness.cluster.state import check_directory, provider_of, remove_directory


def test_a_marked_directory_is_known_and_removed(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    check_directory(directory, "debian")
    (directory / "etcd").mkdir()
    (directory / "etcd/data").write_text("x")
    assert provider_of(directory) == "debian"
    remove_directory(directory)
    assert not directory.exists()


def test_a_directory_with_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(ClusterError, match="not empty and does not belong to a cluster"):
        check_directory(tmp_path, "debian")
    remove_directory(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_directory_of_another_kind_of_cluster_is_refused(tmp_path: Path) -> None:
    check_directory(tmp_path, "kind")
    with pytest.raises(ClusterError, match="kind 'kind'"):
        check_directory(tmp_path, "debian")
