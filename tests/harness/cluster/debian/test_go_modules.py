"""Tests of the modules from which Kubernetes is compiled."""

from __future__ import annotations

import re

from harness.cluster.debian.go_modules import MODULE, required
from harness.cluster.versions import parse_version


def test_the_parts_of_kubernetes_have_one_version() -> None:
    """The staging modules are replaced one by one: if an upgrade forgets one, the build mixes versions."""
    text = (MODULE / "go.mod").read_text()
    kubernetes = parse_version(required("k8s.io/kubernetes"), "go.mod")
    replaced = dict(re.findall(r"^\s+(k8s\.io/\S+) => k8s\.io/\S+ (\S+)$", text, re.MULTILINE))
    assert set(replaced.values()) == {f"v0.{kubernetes.minor}.{kubernetes.patch}"}
    assert {"k8s.io/api", "k8s.io/client-go", "k8s.io/kubelet", "k8s.io/kubectl"} <= set(replaced)
