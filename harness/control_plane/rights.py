"""Determines the permissions that requests need, and those that a user has according to the API server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from itertools import product, starmap
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from harness.control_plane.proxy import Request

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


class Right(NamedTuple):
    """A permission.

    Attributes:
        group: "" for the core API.
        resource: Resource with its subresource, such as clustertriggers/status.
        name: Name of a single object; "" for all.
        verb: Verb of RBAC.
    """

    group: str
    resource: str
    name: str
    verb: str

    def covers(self, used: Right) -> bool:
        """Returns whether this permission allows a request that needs the other one."""
        return (self.group, self.resource, self.verb) == (used.group, used.resource, used.verb) and (
            self.name in ("", used.name)
        )


class Use(NamedTuple):
    """A permission, and the namespace in which it was used; "" for the whole cluster."""

    namespace: str
    right: Right


def use_of(request: Request) -> Use | None:
    """Returns the permission that a request needs; None for discovery, which is allowed for all users."""
    parts = request.path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    resource = "/".join([rest[0], *rest[2:]])
    if request.method != "GET":
        verb = _VERBS[request.method]
    elif name:
        verb = "get"
    else:
        verb = "watch" if parse_qs(request.query).get("watch") == ["true"] else "list"
    return Use(namespace, Right(group, resource, name, verb))


def rights_listed(kubeconfig: Path, namespace: str) -> set[Right]:
    """Returns the permissions of a user in a namespace, as in `kubectl auth can-i --list`."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    words = ["kubectl", "--kubeconfig", str(kubeconfig), "create", "--raw", _REVIEW, "--filename", "-"]
    done = subprocess.run(words, input=json.dumps(review), capture_output=True, text=True, timeout=60, check=True)
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    assert not status.get("incomplete"), status
    return set(_rights(status["resourceRules"]))


def _rights(rules: Iterable[dict[str, Any]]) -> Iterable[Right]:
    for rule in rules:
        names = rule.get("resourceNames") or [""]
        yield from starmap(Right, product(rule["apiGroups"], rule["resources"], names, rule["verbs"]))
