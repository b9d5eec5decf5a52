"""Story of rights: the operator has the chart's rights, which are no more than it needs."""

from datetime import datetime

import pytest

from e2e.stories.operator_log import Line, operator_log, operator_pods
from e2e.stories.scene import Scene
from e2e.stories.triggers import by_interval
from harness.cluster.errors import ClusterError
from harness.installation import RELEASE, SYSTEM_NAMESPACE

OPERATOR = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{RELEASE}"


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("update", "clustertriggers"),
        ("delete", "clustertriggers"),
        ("patch", "collections"),
        ("create", "rolebindings"),
    ],
)
def test_operator_may_not(scene: Scene, verb: str, resource: str) -> None:
    with pytest.raises(ClusterError, match=r"exit code 1: no\b"):
        scene.kubectl("auth", "can-i", verb, resource, f"--as={OPERATOR}")


def test_two_replicas_and_one_leader(scene: Scene) -> None:
    """Only the holder of the Lease creates Jobs. The holder may change between the Pods, also while this test looks."""

    def look() -> list[Line] | None:
        lease = scene.system.json("get", "lease", RELEASE)["spec"]
        pods = operator_pods(scene.system)
        created = [line for line in operator_log(scene.system) if line.get("message") == "Created the Job"]
        again = scene.system.json("get", "lease", RELEASE)["spec"]
        if any(lease[field] != again[field] for field in ("holderIdentity", "acquireTime")):
            return None
        assert len(pods) == 2
        if lease["holderIdentity"] not in pods:  # Released, or held by a Pod that is gone.
            return None
        acquired = datetime.fromisoformat(lease["acquireTime"])
        # Log lines have whole seconds.
        since = [line for line in created if datetime.fromisoformat(line["time"]) > acquired]
        assert {line["pod"] for line in since} <= {lease["holderIdentity"]}
        assert {line["pod"] for line in created} <= set(pods)
        return created

    assert scene.eventually(look, "a leader that stays while the logs are read, and has created a Job")


def test_workers_hold_no_token_and_no_privilege(scene: Scene) -> None:
    scene.kubectl.apply(by_interval("unprivileged", at_once=True))
    pod = scene.eventually(lambda: scene.pods("unprivileged"), "unprivileged: a Pod", "unprivileged")[0]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    container = pod["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert not any("serviceaccount" in mount["mountPath"] for mount in container["volumeMounts"])
    scene.kubectl("delete", "clustertrigger", "unprivileged")
