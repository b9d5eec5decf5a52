"""Tests of the example in the chart, and of the messages if there is no image."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from harness.cluster.files import REPOSITORY
from harness.helm import CHART, HelmError, HelmLibrary, find_helm
from tests.charts.objects import NAMESPACE, RELEASE, Object, render

REGISTRY: Object = {"image": {"registry": "registry.example.com/team"}}
DEMO: Object = {**REGISTRY, "demo": {"enabled": True}}
NO_IMAGE = "make image push REGISTRY=registry.example.com/team"


def test_the_chart_contains_the_example_of_the_repository() -> None:
    files = {path.name for path in (REPOSITORY / "examples/demo").glob("*.yaml")} - {"volumes.yaml"}
    held = render(DEMO).one("ConfigMap", "clustertrigger-demo")["data"]
    assert set(held) == files
    for name, text in held.items():
        manifests = list(yaml.safe_load_all((REPOSITORY / "examples/demo" / name).read_text()))
        assert list(yaml.safe_load_all(text)) == manifests


def test_the_claims_are_those_of_the_example_and_its_runs() -> None:
    rendered = render({**DEMO, "results": {"volume": "shared"}})
    (collection,) = yaml.safe_load_all(rendered.one("ConfigMap")["data"]["packages.yaml"])
    claims = {claim["metadata"]["name"]: claim["spec"] for claim in rendered.all("PersistentVolumeClaim")}
    assert claims.keys() == {collection["spec"]["volume"], "shared"}
    assert all("storageClassName" not in spec for spec in claims.values())
    in_bucket = render({**DEMO, "results": {"uri": "s3://results/demo"}, "demo": {"enabled": True, "storage": "5Gi"}})
    (claim,) = in_bucket.all("PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"


def test_the_job_copies_the_documents_to_the_path_of_the_collection() -> None:
    rendered = render(DEMO)
    pod = rendered.one("Job")["spec"]["template"]["spec"]
    looked_at = {
        manifest["spec"]["source"]["uri"]
        for name in ("packages.yaml", "packages-by-section.yaml")
        for manifest in yaml.safe_load_all(rendered.one("ConfigMap")["data"][name])
        if manifest["kind"] == "Collection"
    }
    (documents,), (triggers,) = pod["initContainers"], pod["containers"]
    assert documents["image"] == "registry.example.com/team/clustertrigger/worker:0.1.0"
    assert triggers["image"] == "registry.example.com/team/clustertrigger/operator:0.1.0"
    program, *sources, target = documents["command"]
    copied = re.search(r"^COPY (examples/data/.+) (examples/)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert copied is not None
    held = [f"/opt/clustertrigger/{copied[2]}{path.rpartition('/')[2]}" for path in copied[1].split()]
    assert (program, sources) == ("cp", held)
    assert {path.rpartition("/")[2] for path in sources} == looked_at
    mounts = {mount["name"]: mount["mountPath"] for mount in documents["volumeMounts"]}
    assert target == f"{mounts['embeddings']}/"
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_another_image_gives_another_job() -> None:
    """A Job's Pod template is immutable, so an upgrade would fail."""
    names = {
        render(values).one("Job")["metadata"]["name"]
        for values in (DEMO, {**DEMO, "image": {"registry": "registry.example.com/other"}})
    }
    assert len(names) == 2


def test_the_example_is_in_a_served_namespace() -> None:
    with pytest.raises(HelmError, match=r'demo.namespace is "ops", which watchNamespaces \(search\) lacks'):
        render({**DEMO, "watchNamespaces": ["search"]})


def test_without_the_example_nothing_of_it_is_rendered() -> None:
    assert render(REGISTRY).all("Job") == render(REGISTRY).all("PersistentVolumeClaim") == []


@pytest.mark.parametrize(
    ("values", "starts"),
    [
        ({}, False),
        (REGISTRY, True),
        ({"image": {"operator": {"tag": "1"}, "worker": {"tag": "1"}}}, True),
        ({"image": {"operator": {"tag": "1"}}}, False),
        ({"image": {"operator": {"repository": "x/o"}, "worker": {"digest": f"sha256:{'0' * 64}"}}}, True),
    ],
)
def test_without_an_image_no_pod_starts_and_the_deployment_has_the_reason(values: Object, *, starts: bool) -> None:
    rendered = render({**values, "api": {"enabled": True}, "demo": {"enabled": True}})
    for deployment in rendered.all("Deployment"):
        said = deployment["metadata"].get("annotations", {}).get("clustertrigger.dev/not-running", "")
        assert (deployment["spec"]["replicas"] > 0, NO_IMAGE in said) == (starts, not starts)
    assert len(rendered.all("Job")) == int(starts)
    notes = HelmLibrary(namespace=NAMESPACE).notes(RELEASE, values)
    assert ("NOT RUNNING: No Pod is started, because there is no image of the " in notes) != starts
    assert (NO_IMAGE in notes) != starts


def test_the_notes_explain_the_example() -> None:
    notes = HelmLibrary(namespace=NAMESPACE).notes(RELEASE, DEMO)
    triggers = {
        manifest["metadata"]["name"]
        for text in render(DEMO).one("ConfigMap")["data"].values()
        for manifest in yaml.safe_load_all(text)
        if manifest["kind"] == "ClusterTrigger"
    }
    named = set(re.findall(r"^kubectl clustertrigger (?:describe|run|report) (\S+)", notes, re.MULTILINE))
    assert named
    assert named <= triggers
    assert "Apply a Collection" not in notes


@pytest.mark.parametrize("values", [DEMO, {**DEMO, "events": {"enabled": False}, "results": {"uri": "s3://b/c"}}])
def test_lint_reports_nothing(values: Object) -> None:
    assert find_helm().lint(values) == []


def test_objects_are_in_the_example_s_namespace_and_roles_have_no_wildcard() -> None:
    rendered = render({**DEMO, "watchNamespaces": ["search"], "demo": {"enabled": True, "namespace": "search"}})
    own = [one for one in rendered if "demo" in one["metadata"]["name"] or one["kind"] == "PersistentVolumeClaim"]
    assert {one["metadata"]["namespace"] for one in own} == {"search"}
    for rule in rendered.one("Role", "clustertrigger-demo")["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_the_schema_knows_the_example() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["demo"]["additionalProperties"] is False
    with pytest.raises(HelmError, match="/demo/storage"):
        render({**DEMO, "demo": {"enabled": True, "storage": "a lot"}})
