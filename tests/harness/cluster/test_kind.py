"""Tests of kind's configuration: a pinned image of the requested version, and the volumes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness.cluster.errors import ClusterError
from harness.cluster.kind import CONFIG, IMAGES, node_image, render_config
from harness.cluster.versions import parse_version


def test_kind_gets_a_pinned_image_and_volumes() -> None:
    text = render_config(CONFIG.read_text(), Path("/home/me/.cluster/volumes"), node_image(""))
    (node,) = yaml.safe_load(text)["nodes"]
    assert re.fullmatch(r"kindest/node:v[0-9.]+@sha256:[0-9a-f]{64}", node["image"])
    assert node["extraMounts"][0]["hostPath"] == "/home/me/.cluster/volumes"


@pytest.mark.parametrize("image", IMAGES)
def test_kinds_images_are_found_by_their_versions(image: str) -> None:
    version = parse_version(image.partition(":")[2].partition("@")[0], "IMAGES")
    assert node_image(str(version)) == image
    assert node_image(f"{version.major}.{version.minor}") == image


def test_kinds_newest_image_is_the_default() -> None:
    assert node_image("") == max(IMAGES, key=lambda image: parse_version(image.split(":")[1].split("@")[0], "IMAGES"))
    with pytest.raises(ClusterError, match=re.escape("KUBERNETES is '1.20', and the images known for kind are")):
        node_image("1.20")
