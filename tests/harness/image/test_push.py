"""Tests of where images are pushed, and of the errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cluster.errors import ClusterError
from harness.helm import CHART
from harness.image import Image, push


@pytest.mark.parametrize("registry", ["registry.example.com", "localhost:5000", "ghcr.io/team/sub", "10.0.0.7:32000/x"])
def test_registries(registry: str) -> None:
    push.require_registry(registry)


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ("", "REGISTRY is empty"),
        ("https://registry.example.com", "REGISTRY is 'https://registry.example.com', which is not a registry"),
        ("registry.example.com/", "without a slash at the end"),
        ("registry.example.com/Team", "in lower case"),
        ("registry:port", "HOST[:PORT]"),
    ],
)
def test_invalid_registries_are_rejected(registry: str, said: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(said)):
        push.require_registry(registry)


def test_the_chart_takes_the_same_registries() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    pattern = schema["properties"]["image"]["properties"]["registry"]["pattern"]
    assert pattern == f"^({push._REGISTRY.pattern})?$"


def test_the_printed_command_installs_the_pushed_images() -> None:
    images = {
        target: Image(f"clustertrigger/{target}:0{target[0]}", Path("x.tar")) for target in ("operator", "worker")
    }
    assert push.installation(images, "r.example.com/t") == (
        "helm upgrade --install clustertrigger charts/clustertrigger --namespace clustertrigger --create-namespace "
        "--set image.registry=r.example.com/t --set image.operator.tag=0o --set image.worker.tag=0w"
    )
    spark = {"spark": Image("clustertrigger/spark:0s", Path("x.tar"))}
    assert push.installation({**images, **spark}, "r.example.com/t").endswith(
        " --set image.worker.tag=0w --set spark.enabled=true --set spark.image.tag=0s"
    )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("unauthorized: authentication required", "log in with `skopeo login r.example.com`"),
        ("http: server gave HTTP response to HTTPS client", "INSECURE_REGISTRY=1"),
        ("no such host", "is r.example.com the registry's address?"),
    ],
)
def test_a_failure_names_the_remedy(said: str, remedy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_image: Image, _name: str) -> None:
        raise ClusterError(said)

    monkeypatch.setenv("CLUSTER", "debian")
    monkeypatch.setattr(push, "_by_skopeo", refuse)
    with pytest.raises(ClusterError, match=re.escape(remedy)):
        push.push(Image("clustertrigger/operator:abc", tmp_path / "operator.tar"), "r.example.com/team")
