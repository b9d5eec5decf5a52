"""Tests of the files of a release: their content, and that the workflow uploads all of them."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger import __version__
from harness.cluster.files import REPOSITORY
from harness.helm import find_helm
from release import artefacts
from release.__main__ import main

REGISTRY = "registry.example.com/team"
WORKFLOW: dict[str, Any] = yaml.safe_load((REPOSITORY / ".github/workflows/release.yaml").read_text())


def test_the_packed_chart_installs_without_any_value(tmp_path: Path) -> None:
    packed = artefacts.chart(tmp_path, REGISTRY)
    assert packed.name == f"clustertrigger-{__version__}.tgz"
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    rendered = find_helm(namespace="ops").render("clustertrigger", chart=tmp_path / "out/clustertrigger")
    (deployment,) = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == 2
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{REGISTRY}/clustertrigger/operator:{__version__}"


def test_install_yaml_holds_the_namespace_and_the_kinds_before_all_else(tmp_path: Path) -> None:
    objects = [one for one in yaml.safe_load_all(artefacts.install_manifest(tmp_path, REGISTRY).read_text()) if one]
    kinds = [one["kind"] for one in objects]
    assert kinds[0] == "Namespace"
    definitions = kinds.count("CustomResourceDefinition")
    assert definitions >= 3
    assert set(kinds[1 : 1 + definitions]) == {"CustomResourceDefinition"}
    assert all(one["metadata"].get("namespace", artefacts.NAMESPACE) == artefacts.NAMESPACE for one in objects)
    assert "Deployment" in kinds


def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    lines = artefacts.checksums(tmp_path).read_text().splitlines()
    assert lines == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("a", "b")]


def test_a_registry_that_is_none_makes_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--registry", "https://x", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("release: REGISTRY is 'https://x', which is not a registry")


def test_a_wrong_tag_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "--tag", "v9.9.9", "--output", str(tmp_path / "out")]) == 1
    assert "the tag is 'v9.9.9'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_workflow_makes_the_release_by_the_same_command_as_people() -> None:
    steps = WORKFLOW["jobs"]["files"]["steps"]
    (made,) = [step["run"] for step in steps if "make release" in step.get("run", "")]
    assert set(re.findall(r"\b([A-Z]+)=", made)) == {"TAG", "REGISTRY", "URL"}
    targets = WORKFLOW["jobs"]["images"]["strategy"]["matrix"]["target"]
    assert targets == WORKFLOW["jobs"]["manifests"]["strategy"]["matrix"]["target"] == list(artefacts.IMAGES)


def test_the_workflow_has_the_rights_that_it_needs_and_no_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions", {}) for name, job in WORKFLOW["jobs"].items()}
    assert {name for name, given in rights.items() if given.get("id-token") == "write"} == {"manifests", "publish"}
    assert {name for name, given in rights.items() if given.get("contents") == "write"} == {"publish"}


def test_images_are_named_as_the_chart_names_them() -> None:
    (image,) = [step["with"]["outputs"] for step in WORKFLOW["jobs"]["images"]["steps"] if step.get("id") == "build"]
    assert "${{ vars.REGISTRY }}/clustertrigger/${{ matrix.target }}," in image
