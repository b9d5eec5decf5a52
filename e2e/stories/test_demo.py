"""Story of the chart's demo: a person follows the notes of the chart, and one value removes the example."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.stories.conftest import VALUES, Stage
from e2e.stories.scene import Scene
from harness.helm import HelmLibrary, find_helm
from harness.installation import RELEASE, SYSTEM_NAMESPACE, operator_values

NAMESPACE = "example"
PLACE = {"demo": {"enabled": True, "namespace": NAMESPACE}}
PATIENCE = 120.0


@pytest.fixture
def values(stage_set: Stage) -> dict[str, Any]:
    """Values of the stories' release with the example in a separate namespace."""
    return operator_values(stage_set.images, {**VALUES, **PLACE})


@pytest.fixture
def example(stage_set: Stage, values: dict[str, Any]) -> Iterator[Scene]:
    """The example, which an upgrade of the release installs."""
    kubectl = stage_set.scene.kubectl.in_namespace(NAMESPACE)
    kubectl.ensure_namespace()
    helm = find_helm(kubectl.kubeconfig, SYSTEM_NAMESPACE)
    try:
        helm.upgrade(RELEASE, values)
        yield Scene(kubectl, stage_set.scene.system)
    finally:
        helm.upgrade(RELEASE, operator_values(stage_set.images, VALUES))
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_notes_lead_through_the_example_and_one_value_removes_it(
    stage_set: Stage, example: Scene, values: dict[str, Any]
) -> None:
    kubectl = example.kubectl
    example.eventually(lambda: kubectl.find("clustertrigger", "paused"), "the last manifest is applied", None, PATIENCE)
    example.pause("on-drift")  # its checks would share the two cores
    said = {
        words[0]: typed(example, words)
        for words in commands(HelmLibrary(namespace=SYSTEM_NAMESPACE).notes(RELEASE, values))
        if words[0] in ("describe", "results", "send") or words[:2] == ["run", "packages-by-section"]
    }
    assert re.search(r" completed after \d+ s: 3,003 documents in /results/", said["run"]), said["run"]
    assert re.search(r"3,003 of 3,003 documents .* have a node of tax_sections", said["results"]), said["results"]
    assert "accepted: 100 documents_added for col_packages" in said["send"]
    failed = example.run_ended("missing-file")
    assert "reviews.parquet: no such file" in failed["error"]
    fired = example.eventually(lambda: example.status("on-new-documents").get("history"), "the event fires")
    assert fired[0]["slot"] == "event/100"

    find_helm(kubectl.kubeconfig, SYSTEM_NAMESPACE).upgrade(RELEASE, operator_values(stage_set.images, VALUES))
    kinds = "clustertriggers,clusterdefinitions,collections,taxonomies,persistentvolumeclaims,jobs"
    example.eventually(
        lambda: not kubectl.json("get", kinds)["items"], "nothing of the example is left", None, PATIENCE
    )


def commands(notes: str) -> list[list[str]]:
    """Return the arguments of `kubectl clustertrigger` in the lines of the notes, without the namespace."""
    lines = re.findall(r"^kubectl clustertrigger (.+) --namespace (\S+)$", notes, re.MULTILINE)
    assert {namespace for _, namespace in lines} == {NAMESPACE}
    return [shlex.split(line) for line, _ in lines]


def typed(example: Scene, words: list[str]) -> str:
    """Run a command; return its output."""
    done = example.plugin(*words)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr
