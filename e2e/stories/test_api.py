"""Story of the HTTP API: a program creates a trigger that a person reads with kubectl, and vice versa."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.stories.conftest import VALUES, Stage
from e2e.stories.scene import Object, Scene
from harness.helm import find_helm
from harness.installation import RELEASE, SYSTEM_NAMESPACE, operator_values

PORTAL = "portal"
"""Name of the program's Pod and service account."""
TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
CLUSTER, UNIFIED = "/v1/clusters/triggers", "/v1/triggers"
_ASK = """
import json, sys, urllib.error, urllib.request
method, url, headers, body = json.loads(sys.argv[1])
sent = None if body is None else json.dumps(body).encode()
headers = {"Content-Type": "application/json", **headers}
if headers.pop("as-myself", None):
    headers["Authorization"] = "Bearer " + open("TOKEN_FILE").read().strip()
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, sent, headers, method=method), timeout=60)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.loads(answer.read() or "null")]))
""".replace("TOKEN_FILE", TOKEN_FILE)


class Portal:
    """A program in the cluster that sends requests with the token of its service account.

    Args:
        scene: Scene of the stories, in whose namespace the Pod runs.
        base: URL of the API.
    """

    def __init__(self, scene: Scene, base: str) -> None:
        self._kubectl = scene.kubectl
        self._base = base

    def asks(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send a request, by default with the program's token and the stories' namespace; return status and body."""
        sent = headers or {"as-myself": "yes", "X-Namespace": self._kubectl.namespace}
        asked = json.dumps([method, self._base + path, sent, body])
        status, answer = json.loads(self._kubectl.pipe(["exec", PORTAL, "--", "python", "-c", _ASK, asked]))
        print(f"\n{method} {path}: {status} {json.dumps(answer)[:500]}")
        return status, answer

    def gets(self, method: str, path: str, body: object = None) -> Object:
        """Send a request that must succeed; return the body of the response."""
        status, answer = self.asks(method, path, body)
        assert status == 200, answer
        found: Object = answer
        return found


@pytest.fixture(scope="module")
def portal(stage_set: Stage) -> Iterator[Portal]:
    """Enables the API, and runs the program."""
    scene = stage_set.scene
    helm = find_helm(scene.kubectl.kubeconfig, SYSTEM_NAMESPACE)
    values = {**VALUES, "api": {"enabled": True}}
    try:
        helm.upgrade(RELEASE, operator_values(stage_set.images, values))
        scene.kubectl.apply(*_program(stage_set.images.operator.name, scene.kubectl.namespace))
        scene.kubectl("wait", f"pod/{PORTAL}", "--for=condition=Ready", "--timeout=120s", timeout=130)
        service = scene.system.json("get", "service", f"{RELEASE}-api")["spec"]
        # By IP address, because the cluster that the harness builds has no DNS.
        yield Portal(scene, f"http://{service['clusterIP']}:{service['ports'][0]['port']}")
    finally:
        scene.kubectl("delete", "pod", PORTAL, "--grace-period=0", "--force", "--wait=false", "--ignore-not-found")
        helm.upgrade(RELEASE, operator_values(stage_set.images, VALUES))


def test_created_over_http_and_watched_with_kubectl(scene: Scene, portal: Portal) -> None:
    body = {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 86400},
        "execution_config": {"collection_ids": ["col_packages"], "config": {"algorithm": "kmeans", "n_clusters": 3}},
        "description": "Packages of the portal",
    }
    created = portal.gets("POST", CLUSTER, body)
    name = "packages-of-the-portal"
    assert created["namespace_id"] == scene.kubectl.namespace
    assert scene.trigger(name)["spec"]["execution_config"] == body["execution_config"]
    scene.eventually(lambda: scene.condition(name, "Ready"), f"{name}: looked at", name)
    scene.kubectl(
        "patch", "clustertrigger", name, "--type=merge",
        '--patch={"spec": {"run": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}}}',
    )  # fmt: skip
    scene.shows(name, "SCHEDULE", "every 1d")

    one = f"{CLUSTER}/{created['trigger_id']}"
    task = portal.gets("POST", f"{one}/execute")
    assert (task["task_type"], task["status"]) == ("engine_cluster_build", "PENDING")
    ended = scene.run_ended(name)
    assert (ended["job_id"], ended["status"], ended["num_clusters"]) == (task["task_id"], "completed", 3)
    shown = portal.gets("GET", one)
    assert (shown["last_execution_job_id"], shown["last_execution_status"]) == (task["task_id"], "completed")
    assert (shown["execution_count"], shown["internal_id"]) == (1, scene.status(name)["internal_id"])
    (run,) = portal.gets("POST", f"{one}/history", {})["executions"]
    assert (run["job_id"], run["num_clusters"], run["num_documents"]) == (
        task["task_id"],
        3,
        ended["num_documents"],
    )

    assert portal.gets("POST", f"{one}/pause")["status"] == "paused"
    scene.eventually(lambda: scene.column(name, "STATUS") == "paused", f"{name}: paused", name)
    status, refusal = portal.asks("POST", f"{one}/execute")
    assert (status, refusal["error"]["code"]) == (409, "not_active")
    assert portal.asks("DELETE", one) == (204, None)
    assert scene.kubectl.find("clustertrigger", name) is None


def test_applied_with_kubectl_and_acted_on_over_http(scene: Scene, portal: Portal) -> None:
    scene.kubectl.apply(
        {
            "apiVersion": "clustertrigger.dev/v1alpha1",
            "kind": "ClusterTrigger",
            "metadata": {"name": "of-a-person"},
            "spec": {
                "trigger_type": "cron",
                "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"},
                "execution_config": {
                    "collection_ids": ["col_packages"],
                    "config": {"algorithm": "kmeans", "n_clusters": 3},
                },
                "run": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}},
            },
        }
    )
    scene.eventually(
        lambda: scene.status("of-a-person").get("next_scheduled_at"), "of-a-person: planned", "of-a-person"
    )
    listed = portal.gets("GET", f"{UNIFIED}?trigger_type=cron&limit=1000")["results"]
    (found,) = [trigger for trigger in listed if trigger["name"] == "of-a-person"]
    assert found["next_scheduled_at"] == scene.status("of-a-person")["next_scheduled_at"]

    one = f"{UNIFIED}/{found['trigger_id']}"
    status, refusal = portal.asks("PATCH", one, {"schedule_config": {"cron_expression": "61 * * * *"}})
    assert (status, refusal["error"]["details"]["errors"][0]["field"]) == (422, "schedule_config.cron_expression")
    changed = portal.gets("PATCH", one, {"schedule_config": {"cron_expression": "30 3 * * *"}, "description": "Later"})
    assert changed["schedule_config"] == {"cron_expression": "30 3 * * *"}
    scene.eventually(
        lambda: scene.column("of-a-person", "SCHEDULE").startswith("30 3 * * *"), "of-a-person: changed", "of-a-person"
    )
    assert scene.trigger("of-a-person")["spec"]["run"]["resources"]["requests"]["cpu"] == "20m"
    scene.kubectl("delete", "clustertrigger", "of-a-person")
    assert portal.asks("GET", one)[0] == 404


def test_callers_without_rights(portal: Portal) -> None:
    namespace = {"X-Namespace": "stories"}
    assert portal.asks("GET", UNIFIED, None, **namespace)[0] == 401
    assert portal.asks("GET", UNIFIED, None, Authorization="Bearer nonsense", **namespace)[0] == 401
    elsewhere = {"as-myself": "yes", "X-Namespace": SYSTEM_NAMESPACE}
    status, refusal = portal.asks("GET", UNIFIED, None, **elsewhere)
    assert (status, refusal["error"]["type"]) == (403, "forbidden")


def _program(image: str, namespace: str) -> list[Object]:
    container = {
        "name": PORTAL,
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sleep", "86400"],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": PORTAL}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": PORTAL},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"{RELEASE}-editor",
            },
            "subjects": [{"kind": "ServiceAccount", "name": PORTAL, "namespace": namespace}],
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": PORTAL},
            "spec": {"serviceAccountName": PORTAL, "containers": [container], "terminationGracePeriodSeconds": 0},
        },
    ]
