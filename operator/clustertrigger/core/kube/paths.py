"""Builds paths of the API server.

Names come from requests, from status fields and from the command line. The API server decodes a path before it splits
it, so escaping does not protect a path. Therefore a name that no object can have is replaced by one that no object has,
and the response is 404.
"""

from __future__ import annotations

import re

from clustertrigger.api import GROUP, VERSION
from clustertrigger.core.resources.trigger import Key

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

_KUEUE = "/apis/kueue.x-k8s.io/v1beta2"

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NAME = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_PATH = re.compile(r"(/[A-Za-z0-9-][A-Za-z0-9.-]*)+")
_LONGEST_LABEL, _LONGEST_NAME = 63, 253
_NO_NAME = "-"
"""A DNS name begins and ends with a letter or a digit."""
_KINDS = {
    "clusterdefinitions": "ClusterDefinition",
    "clustertriggers": "ClusterTrigger",
    "collections": "Collection",
    "events": "Event",
    "jobs": "Job",
    "leases": "Lease",
    "namespaces": "Namespace",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "pods": "Pod",
    "podtemplates": "PodTemplate",
    "priorityclasses": "PriorityClass",
    "resourceflavors": "ResourceFlavor",
    "services": "Service",
    "subjectaccessreviews": "SubjectAccessReview",
    "taxonomies": "Taxonomy",
    "tokenreviews": "TokenReview",
    "workloadpriorityclasses": "WorkloadPriorityClass",
    "workloads": "Workload",
}


def is_namespace(name: str) -> bool:
    """Whether a namespace can have this name: a DNS label (RFC 1123)."""
    return len(name) <= _LONGEST_LABEL and _LABEL.fullmatch(name) is not None


def is_name(name: str) -> bool:
    """Whether an object can have this name: a DNS subdomain (RFC 1123)."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def is_path(path: str) -> bool:
    """Returns whether this is a path without a query, escapes, and dots that lead elsewhere."""
    return _PATH.fullmatch(path) is not None


def kind_at(path: str) -> str | None:
    """Returns the kind of the object or the collection at a path; None if it is unknown."""
    group_and_version = 3 if path.startswith("/apis/") else 2
    _, *segments = path.split("/")
    plural, *rest = segments[group_and_version:] or [""]
    if plural == "namespaces" and len(rest) > 1:
        _, plural, *rest = rest
    subresource = rest[1:]
    return _KINDS.get(plural) if subresource in ([], ["status"]) else None


def custom(plural: str, namespace: str | None = None) -> str:
    """Returns the path of a kind of this API, in a namespace or in all."""
    return f"/apis/{GROUP}/{VERSION}{_within(namespace)}/{plural}"


def triggers(namespace: str | None) -> str:
    """The ClusterTriggers of a namespace, or of all (None)."""
    return custom("clustertriggers", namespace)


def definitions(namespace: str) -> str:
    """The ClusterDefinitions of a namespace."""
    return custom("clusterdefinitions", namespace)


def trigger(key: Key) -> str:
    """One ClusterTrigger."""
    return f"{triggers(key.namespace)}/{_name(key.name)}"


def jobs(namespace: str | None = None) -> str:
    """The Jobs of a namespace, or of all."""
    return f"/apis/batch/v1{_within(namespace)}/jobs"


def job(namespace: str, name: str) -> str:
    """One Job."""
    return f"{jobs(namespace)}/{_name(name)}"


def pods(namespace: str | None = None) -> str:
    """The Pods of a namespace, or of all."""
    return f"/api/v1{_within(namespace)}/pods"


def pod_templates(namespace: str | None = None) -> str:
    """The PodTemplates of a namespace, or of all."""
    return f"/api/v1{_within(namespace)}/podtemplates"


def pod(namespace: str, name: str) -> str:
    """One Pod."""
    return f"{pods(namespace)}/{_name(name)}"


def claim(namespace: str, name: str) -> str:
    """One PersistentVolumeClaim."""
    return f"/api/v1{_within(namespace)}/persistentvolumeclaims/{_name(name)}"


def job_selector(job: str) -> str:
    """The label selector of a Job's Pods."""
    return f"job-name={_name(job)}"


def namespace(name: str) -> str:
    """One Namespace."""
    return f"/api/v1{_within(name)}"


def events(namespace: str) -> str:
    """The events of a namespace."""
    return f"/api/v1{_within(namespace)}/events"


def event(namespace: str, name: str) -> str:
    """One event."""
    return f"{events(namespace)}/{_name(name)}"


def leases(namespace: str) -> str:
    """The Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1{_within(namespace)}/leases"


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{_name(name)}"


def services() -> str:
    """The Services of all namespaces."""
    return "/api/v1/services"


def service(namespace: str, name: str) -> str:
    """One Service."""
    return f"/api/v1{_within(namespace)}/services/{_name(name)}"


def service_account_token(namespace: str, name: str) -> str:
    """Returns the path that issues a token of a service account."""
    return f"/api/v1{_within(namespace)}/serviceaccounts/{_name(name)}/token"


def workloads(namespace: str) -> str:
    """Kueue's Workloads of a namespace."""
    return f"{_KUEUE}{_within(namespace)}/workloads"


def workload(namespace: str, name: str) -> str:
    """One of Kueue's Workloads."""
    return f"{workloads(namespace)}/{_name(name)}"


def resource_flavor(name: str) -> str:
    """One of Kueue's ResourceFlavors."""
    return f"{_KUEUE}/resourceflavors/{_name(name)}"


def workload_priority_class(name: str) -> str:
    """One of Kueue's WorkloadPriorityClasses."""
    return f"{_KUEUE}/workloadpriorityclasses/{_name(name)}"


def priority_classes() -> str:
    """All PriorityClasses of Pods."""
    return "/apis/scheduling.k8s.io/v1/priorityclasses"


def priority_class(name: str) -> str:
    """One PriorityClass of Pods."""
    return f"{priority_classes()}/{_name(name)}"


def pending_workloads(version: str, namespace: str, queue: str) -> str:
    """Returns the path of the workloads that wait in a LocalQueue, in a version of Kueue's visibility API."""
    return f"/apis/visibility.kueue.x-k8s.io/{version}{_within(namespace)}/localqueues/{_name(queue)}/pendingworkloads"


def _within(namespace: str | None) -> str:
    if namespace is None:
        return ""
    return f"/namespaces/{namespace if is_namespace(namespace) else _NO_NAME}"


def _name(name: str) -> str:
    return name if is_name(name) else _NO_NAME
