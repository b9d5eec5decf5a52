"""Tests that the text that Helm prints after an installation is correct, and that its commands work unchanged."""

from __future__ import annotations

import re

import pytest
import yaml

from clustertrigger.core.resources.validation import parse_collection, parse_trigger
from harness.helm import HelmLibrary
from tests.charts.objects import NAMESPACE, RELEASE, VALUES_FILES, Object, values_of


def notes(values: Object) -> str:
    return HelmLibrary(namespace=NAMESPACE).notes(RELEASE, values)


def manifests(text: str) -> dict[str, Object]:
    """Returns the manifests of the shell commands; a document ends at the line EOF."""
    blocks = re.findall(r"<<EOF\n(.*?)\nEOF$", text, re.DOTALL | re.MULTILINE)
    documents = [document for block in blocks for document in yaml.safe_load_all(block)]
    return {document["kind"]: document for document in documents}


@pytest.mark.parametrize("values_file", VALUES_FILES)
def test_the_examples_in_the_notes_are_valid(values_file: str) -> None:
    shown = manifests(notes(values_of(values_file)))
    ids = shown["ClusterTrigger"]["spec"]["execution_config"]["collection_ids"]
    assert parse_trigger(shown["ClusterTrigger"]["spec"])[1] == []
    assert parse_collection(shown["Collection"]["spec"])[1] == []
    assert ids == [shown["Collection"]["spec"]["collection_id"]]


def test_the_notes_name_the_claim_for_results_if_it_is_needed() -> None:
    assert manifests(notes({}))["PersistentVolumeClaim"]["metadata"]["name"] == "clustertrigger-results"
    assert manifests(notes({"results": {"volume": "shared"}}))["PersistentVolumeClaim"]["metadata"]["name"] == "shared"
    bucket = notes({"results": {"uri": "s3://results/clustering"}})
    assert "s3://results/clustering" in bucket
    assert "PersistentVolumeClaim" not in manifests(bucket)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "serves all namespaces."),
        ({}, "With several nodes, use ReadWriteMany, or a bucket (results.uri: s3://bucket/prefix)"),
        ({"watchNamespaces": ["search", "ads"]}, "serves the namespaces search, ads."),
        ({"watchNamespaces": ["search", "ads"]}, "kubectl --namespace search get clustertriggers"),
        ({"crds": {"install": False}}, "crds.install is false"),
        ({"fullnameOverride": "ct"}, "kubectl --namespace ops rollout status deployment/ct"),
        ({}, "\nhttp://clustertrigger.ops.svc:8081/v1/namespaces/default/events\n"),
        ({"watchNamespaces": ["search"]}, "http://clustertrigger.ops.svc:8081/v1/namespaces/search/events\n"),
        ({"events": {"tls": {"secretName": "tls"}}}, "\nhttps://clustertrigger.ops.svc:8081/v1/namespaces/"),
        (values_of("events-values"), "\nhttps://events.example.com/v1/namespaces/default/events\n"),
        ({}, "--clusterrole clustertrigger-event-sender --serviceaccount default:clustertrigger-sender\n"),
        ({"rbac": {"userRoles": False}}, "--verb create --resource clustertriggers.clustertrigger.dev/events\n"),
        (
            {"api": {"enabled": True}},
            "\n6. The HTTP API and its documentation:\n\nhttp://clustertrigger-api.ops.svc:8082/docs\n",
        ),
        ({"api": {"enabled": True}, "events": {"enabled": False}}, "\n5. The HTTP API and its documentation:\n"),
        ({"api": {"enabled": True}}, "\n   http://127.0.0.1:8082/?namespace=default\n"),
        ({"api": {"enabled": True}}, "kubectl --namespace ops port-forward service/clustertrigger-api 8082\n"),
        ({"api": {"enabled": True}}, "--clusterrole clustertrigger-editor --serviceaccount default:default\n"),
        ({"api": {"enabled": True}, "rbac": {"userRoles": False}}, "--resource clustertriggers.clustertrigger.dev\n"),
        (
            {"api": {"enabled": True}, "watchNamespaces": ["search"]},
            "kubectl --namespace search create token default\n",
        ),
        ({"api": {"enabled": True}}, "WARNING: the API has no certificate"),
        (values_of("api-values"), "\nhttps://clustertrigger-api.ops.svc:443/docs\nhttps://triggers.example.com/docs\n"),
        (
            values_of("api-values"),
            "\nhttp://triggers.example.com/docs, or https:// where the Gateway has a certificate\n",
        ),
        ({"events": {"ingress": {"enabled": True}}}, "WARNING: the Ingress for events has no certificate"),
    ],
)
def test_notes_fit_the_values(values: Object, said: str) -> None:
    assert said in notes(values)


def test_notes_omit_disabled_features() -> None:
    assert "events" not in notes(values_of("single-values"))
    assert "HTTP API" not in notes({})
    for values_file in ("events-values", "api-values"):
        assert "WARNING" not in notes(values_of(values_file))
