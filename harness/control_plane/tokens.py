"""Creates tokens of service accounts, and changes the permissions of service accounts and users.

The API server's authorizer learns of changes by a watch, and checks a request immediately after a change against the
earlier permissions. Therefore these functions wait until the authorizer has observed the change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.control_plane.cluster import SYSTEM, Cluster
from harness.control_plane.kube import Kube, Object, eventually

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_GROUP = "rbac.authorization.k8s.io"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_LISTING: Object = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers"], "verbs": ["list"]}
"""A permission that all of the chart's ClusterRoles for users contain."""


def token_of(kube: Kube, namespace: str, account: str, role: str | None = None) -> str:
    """Returns a token of a service account, which is created if necessary, and bound to the ClusterRole if given."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    if kube.find(f"{accounts}/{account}") is None:
        kube.create(accounts, {"metadata": {"name": account}})
    if role is not None:
        _bind(kube, namespace, account, _subject(namespace, account), ("ClusterRole", role))
        _until(kube, namespace, _user(namespace, account), _LISTING, allowed=True)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86_400}}
    token: str = kube.create(f"{accounts}/{account}/token", request)["status"]["token"]
    return token


def take_role(kube: Kube, namespace: str, account: str) -> None:
    """Removes the ClusterRole that a service account got with its token."""
    kube.delete(f"{_RBAC}/namespaces/{namespace}/rolebindings/{account}")
    _until(kube, namespace, _user(namespace, account), _LISTING, allowed=False)


def grant(
    kube: Kube, namespace: str, name: str, *rules: Object, kind: Literal["ServiceAccount", "User"] = "ServiceAccount"
) -> None:
    """Grants the rules of a new Role in a namespace to a service account of the namespace, or to a user."""
    role = kube.create(
        f"{_RBAC}/namespaces/{namespace}/roles", {"metadata": {"generateName": f"{name}-"}, "rules": list(rules)}
    )["metadata"]["name"]
    is_user = kind == "User"
    subject = {"apiGroup": _GROUP, "kind": "User", "name": name} if is_user else _subject(namespace, name)
    _bind(kube, namespace, role, subject, ("Role", role))
    _until(kube, namespace, name if is_user else _user(namespace, name), rules[0], allowed=True)


def grant_everywhere(kube: Kube, namespace: str, account: str, rule: Object) -> None:
    """Grants a rule in all namespaces to a service account, as long as the control plane exists."""
    name = f"{namespace}-{account}"
    kube.create(f"{_RBAC}/clusterroles", {"metadata": {"name": name}, "rules": [rule]})
    _bind(kube, None, name, _subject(namespace, account), ("ClusterRole", name))
    _until(kube, "default", _user(namespace, account), rule, allowed=True)


def own_token(cluster: Cluster, directory: Path) -> Path:
    """Writes a file with a token of the HTTP API's service account, which has the chart's permissions."""
    file = directory / "own-token"
    file.write_text(token_of(cluster.kube, SYSTEM, "clustertrigger-api"))
    return file


def _bind(kube: Kube, namespace: str | None, name: str, subject: Object, role: tuple[str, str]) -> None:
    """Binds a Role or ClusterRole in a namespace, or in all namespaces if it is None."""
    where = "clusterrolebindings" if namespace is None else f"namespaces/{namespace}/rolebindings"
    reference = {"apiGroup": _GROUP, "kind": role[0], "name": role[1]}
    kube.create(f"{_RBAC}/{where}", {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})


def _until(kube: Kube, namespace: str, user: str, rule: Object, *, allowed: bool) -> None:
    """Waits until the API server allows the first permission of a rule, or denies it."""
    resource, _, subresource = rule["resources"][0].partition("/")
    attributes = {
        "namespace": namespace,
        "group": rule["apiGroups"][0],
        "resource": resource,
        "subresource": subresource,
        "name": rule.get("resourceNames", [""])[0],
        "verb": rule["verbs"][0],
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    eventually(
        lambda: kube.create(_REVIEWS, review)["status"]["allowed"],
        until=lambda found: found is allowed,
        what=f"an API server that {'allows' if allowed else 'refuses'} {user} {attributes}",
    )


def _subject(namespace: str, account: str) -> Object:
    return {"kind": "ServiceAccount", "name": account, "namespace": namespace}


def _user(namespace: str, account: str) -> str:
    return f"system:serviceaccount:{namespace}:{account}"
