"""Tests that only their owner can read kubeconfigs."""

from pathlib import Path

import yaml

from harness.cluster import kubeconfig


def test_kubeconfig_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = kubeconfig.with_token(tmp_path / "kubeconfig", "op", "https://127.0.0.1:1", "Q0E=", "secret")
    assert path.stat().st_mode & 0o777 == 0o600
    content = yaml.safe_load(path.read_text())
    assert content["current-context"] == "op"
    assert content["users"] == [{"name": "op", "user": {"token": "secret"}}]
    assert content["clusters"][0]["cluster"]["certificate-authority-data"] == "Q0E="
