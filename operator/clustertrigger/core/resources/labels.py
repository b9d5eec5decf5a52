"""Validates keys and values of labels and annotations: those that Kubernetes accepts, and those that users may set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from clustertrigger.api import GROUP
from clustertrigger.api.names import LABEL_MANAGED_BY
from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.text import cut

_CHARACTERS = "write up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_LONGEST_SHOWN = 80
_OF_JOBS = ("job-name", "controller-uid")
"""Labels by which the Job finds its Pods."""
_KUEUE = "kueue.x-k8s.io"
_OF_RUNTIMES = ("io.kubernetes.", "io.katacontainers.", "org.systemd.property.", "run.oci.")
"""Prefixes of CRI-O and containerd, Kata Containers, runc and crun: for example, devices and a hypervisor's path."""
_CRIO = "crio.io"
_IDENTITIES = ("iam.amazonaws.com",)
"""Domains of kube2iam and kiam, which give a Pod the role that its annotation names."""
_OPEN_DOMAINS = {
    "label": ("app.kubernetes.io",),
    "annotation": (
        *("app.kubernetes.io", "cluster-autoscaler.kubernetes.io", "descheduler.alpha.kubernetes.io"),
        *("controller.kubernetes.io", "kubectl.kubernetes.io"),
    ),
}
"""Domains of Kubernetes whose keys only describe a Pod, or request what any Pod may have."""


def wrong_label_key(key: str) -> str | None:
    """Returns what is wrong with the key of a label or an annotation, and the remedy."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not DOMAIN.fullmatch(prefix)):
        shown = f"prefix {_shown(prefix)} of key {_shown(key)}"
        return f"{shown} is not a domain name: write it in lower case, such as example.com"
    if not _NAME.fullmatch(name):
        return f"key {_shown(key)} is not valid: {_CHARACTERS}"
    return None


def wrong_label_value(value: str) -> str | None:
    """Returns what is wrong with a label's value, and the remedy."""
    if value and not _NAME.fullmatch(value):
        return f"is not a label's value: {_CHARACTERS}"
    return None


def problems_in_labels(labels: Mapping[str, str], field: str) -> Iterator[Problem]:
    """Returns what is wrong with the labels that a trigger sets on its Pods."""
    for key, value in labels.items():
        if (reason := wrong_label_key(key) or _not_yours(key, "label") or wrong_label_value(value)) is not None:
            yield Problem(f"{field}.{key}", value, reason)


def problems_in_annotations(annotations: Mapping[str, str], field: str) -> Iterator[Problem]:
    """Returns what is wrong with the annotations that a trigger sets on its Pods."""
    for key, value in annotations.items():
        # Kubernetes compares the lower case of an annotation's key.
        if (reason := wrong_label_key(key.lower()) or _not_yours(key.lower(), "annotation")) is not None:
            yield Problem(f"{field}.{key}", value, reason)


def _not_yours(key: str, what: str) -> str | None:
    """Returns why a key must not be set.

    The operator and the Job find Pods by labels, and some annotations of Kubernetes and of container runtimes lift
    restrictions, such as AppArmor's and seccomp's.
    """
    domain = key.rpartition("/")[0]
    a = "a label" if what == "label" else "an annotation"
    if _is_below(domain, GROUP) or key == LABEL_MANAGED_BY:
        return f"is {a} that the operator uses to find its Pods: remove it"
    if _is_below(domain, _KUEUE):
        return f"is {a} of Kueue: remove it, and set queue_name or priority_class"
    if key in _OF_JOBS:
        return f"is {a} that the Job controller uses to find its Pods: remove it"
    if key.startswith(_OF_RUNTIMES) or _is_below(key, _CRIO) or _is_below(domain, _CRIO):
        return f"is {a} of the container runtime: remove it"
    if domain in _IDENTITIES:
        return f"is {a} that gives the Pod an identity of the cloud: remove it, and set cloud_identity"
    if domain in _OPEN_DOMAINS[what]:
        return None
    if _is_below(domain, "kubernetes.io") or _is_below(domain, "k8s.io"):
        return f"is {a} that is reserved for Kubernetes: remove it"
    return None


def _is_below(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _shown(text: str) -> str:
    return repr(cut(text, _LONGEST_SHOWN))
