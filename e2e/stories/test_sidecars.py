"""Story of sidecars: a mesh adds a container to each Pod, and a run ends with the worker in spite of it.

A MutatingAdmissionPolicy (Kubernetes 1.36 and later) adds the container, in place of a mesh's webhook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from e2e.stories.conftest import Stage
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import by_interval

POLICIES = "mutatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "mutatingadmissionpolicybindings.admissionregistration.k8s.io"
LABEL = "example.com/mesh"
SIX = {"algorithm": "kmeans", "n_clusters": 6}
NAMES = ("mesh-classic", "mesh-native")
PROXY = "import time; time.sleep(3600)"


@pytest.fixture(scope="module", autouse=True)
def _mesh(stage_set: Stage) -> Iterator[None]:
    """Applies the policies for the stories of this file."""
    kubectl = stage_set.scene.kubectl
    served = kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "--output=name", "--cached=false")
    if POLICIES not in served:
        pytest.skip("this Kubernetes has no MutatingAdmissionPolicy")
    image = stage_set.images.worker.name
    kubectl.apply(*_policy("mesh-classic", "containers", image), *_policy("mesh-native", "initContainers", image))
    yield
    kubectl("delete", "clustertriggers", *NAMES, "--ignore-not-found")
    kubectl("delete", f"{POLICIES},{BINDINGS}", *NAMES)


def test_a_container_that_a_mesh_added_goes_on(scene: Scene) -> None:
    pod, entry = _run_in_the_mesh(scene, "mesh-classic")
    assert [container["name"] for container in pod["spec"]["containers"]] == ["worker", "mesh-proxy"]
    assert entry["status"] == "completed", entry
    assert "container mesh-proxy was still running" in " ".join(entry["notes"])
    scene.wait_for_event("mesh-classic", "WorkerOutlived: ", "mesh-proxy")
    scene.eventually(lambda: not scene.pods("mesh-classic"), "the Pod is ended", "mesh-classic")
    assert scene.status("mesh-classic").get("failure_count", 0) == 0


def test_a_sidecar_of_kubernetes_own_ends_with_the_worker(scene: Scene) -> None:
    pod, entry = _run_in_the_mesh(scene, "mesh-native")
    assert [container["name"] for container in pod["spec"]["initContainers"]] == ["mesh-proxy"]
    assert entry["status"] == "completed", entry
    assert not any("was still running" in note for note in entry.get("notes", []))
    scene.eventually(lambda: scene.jobs("mesh-native")[0]["status"].get("succeeded"), "the Job is complete by itself")


def _run_in_the_mesh(scene: Scene, name: str) -> tuple[Object, Object]:
    """Runs a trigger whose Pods get the mesh's container; returns the running Pod and the run's entry.

    A policy takes effect a moment after it is applied, so a run without the container is repeated.
    """
    for _ in range(5):
        scene.kubectl.apply(by_interval(name, SIX, at_once=True, pod_labels={LABEL: name}))
        pod = scene.running(name)
        containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
        if any(container["name"] == "mesh-proxy" for container in containers):
            return pod, scene.run_ended(name)
        scene.kubectl("delete", "clustertrigger", name)
        scene.eventually(lambda: not scene.pods(name), "the Pod that the policy missed is gone")
    raise AssertionError(f"{name}: no Pod of five runs got the mesh's container")


def _policy(name: str, containers: str, image: str) -> tuple[Object, Object]:
    """Return a policy that adds a container that does not end by itself to Pods with the label, and its binding."""
    sidecar = ', restartPolicy: "Always"' if containers == "initContainers" else ""
    command = ", ".join(json.dumps(word) for word in ("python3", "-c", PROXY))
    added = f'Object.spec.{containers}{{name: "mesh-proxy", image: "{image}", command: [{command}]{sidecar}}}'
    path, value = (
        ("/spec/containers/-", added) if containers == "containers" else ("/spec/initContainers", f"[{added}]")
    )
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ],
                "objectSelector": {"matchLabels": {LABEL: name}},
            },
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {"expression": f'[JSONPatch{{op: "add", path: "{path}", value: {value}}}]'},
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    }
    return policy, binding
