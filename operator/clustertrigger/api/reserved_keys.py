"""Lists the keys of labels and annotations that a trigger must not set on its Pods.

The operator, the Job and Kueue find Pods by labels. Some annotations of Kubernetes, of container runtimes, of networks
and of meshes give a Pod more than a trigger offers: a device, a host's directory, an image, a root user, an identity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from clustercontract.base import cel

What = Literal["label", "annotation"]


@dataclass(frozen=True)
class ReservedKeys:
    """Keys that have one meaning.

    Attributes:
        pattern: Matches the keys, in a syntax that is the same in Python and in CEL; in lower case for annotations.
        reason: What they are for, and the remedy, for the end of a message.
    """

    pattern: str
    reason: str


RESERVED = (
    ReservedKeys(
        r"^([^/]*[.])?clustertrigger[.]dev/|^app[.]kubernetes[.]io/managed-by$",
        "that the operator uses to find its Pods: remove it",
    ),
    ReservedKeys(r"^([^/]*[.])?kueue[.]x-k8s[.]io/", "of Kueue: remove it, and set queue_name or priority_class"),
    ReservedKeys(r"^(job-name|controller-uid)$", "that the Job controller uses to find its Pods: remove it"),
    # CRI-O and containerd, Kata Containers, gVisor, runc and crun, and plugins of the Node Resource Interface.
    ReservedKeys(
        r"^(io[.]kubernetes|io[.]katacontainers|dev[.]gvisor|org[.]systemd[.]property|run[.]oci)[.]|"
        r"^([^/]*[.])?(cri-?o[.]io|nri[.]io|nri[.]containerd[.]io)/|(^|[.])cri-?o[.]io$",
        "of the container runtime: remove it",
    ),
    # kube2iam and kiam, AAD Pod Identity, Google Cloud.
    ReservedKeys(
        r"^iam[.]amazonaws[.]com/|^aadpodidbinding$|^iam[.]cloud[.]google[.]com/",
        "that gives the Pod an identity of the cloud: remove it, and set cloud_identity",
    ),
    # Multus, OVN-Kubernetes, Calico and Cilium.
    ReservedKeys(
        r"^(k8s[.]v1[.]cni[.]cncf[.]io|v1[.]multus-cni[.]io|k8s[.]ovn[.]org|cni[.]projectcalico[.]org|"
        r"(cni|ipam)[.]cilium[.]io)/",
        "that attaches the Pod to other networks or addresses: remove it",
    ),
    # Istio, Linkerd and the Vault Agent.
    ReservedKeys(
        r"^sidecar[.]istio[.]io/(uservolume|uservolumemount|proxyimage|bootstrapoverride)$|"
        r"^(inject[.]istio[.]io/templates|proxy[.]istio[.]io/overrides)$|"
        r"^config[.]linkerd[.]io/([a-z-]*-image|proxy-uid|proxy-gid|enable-debug-sidecar)$|"
        r"^vault[.]hashicorp[.]com/agent-(image|run-as-(user|group)|[a-z-]*json-patch|set-security-context|"
        r"share-process|extra-secret|configmap|inject-command)",
        "that changes the image, the commands, the volumes or the rights of an injected container: remove it",
    ),
)
"""Keys by what they are for. Sources are the documentation of each project."""

OF_KUBERNETES = r"^([^/]*[.])?(kubernetes|k8s)[.]io/"
OPEN: dict[What, str] = {
    "label": "^app[.]kubernetes[.]io/",
    "annotation": "^(app|cluster-autoscaler|descheduler[.]alpha|controller|kubectl)[.]kubernetes[.]io/",
}
"""Domains of Kubernetes whose keys only describe a Pod, or request what any Pod may have."""
LABEL_NAME = "app.kubernetes.io/name"
CHART = "clustertrigger"
"""Value of the label by which the chart's Service, NetworkPolicy and PodDisruptionBudget find the operator's Pods."""


OF_THE_OPERATOR = "is the label by which the chart's Service and NetworkPolicy find the operator: write another value"


def reserved(key: str, what: What) -> str | None:
    """Returns what a reserved key is for, and the remedy; None if a trigger may set it."""
    # Kubernetes compares the lower case of an annotation's key.
    folded = key.lower() if what == "annotation" else key
    for keys in RESERVED:
        if re.search(keys.pattern, folded):
            return keys.reason
    if re.search(OF_KUBERNETES, folded) and not re.search(OPEN[what], folded):
        return "that is reserved for Kubernetes: remove it"
    return None


def cel_reserved(field: str, what: What) -> dict[str, Any]:
    """Returns the CEL rule that refuses reserved keys in a map of labels or annotations."""
    fold = "(?i)" if what == "annotation" else ""
    any_of = fold + "|".join(keys.pattern for keys in RESERVED)
    return cel(
        f"!has(self.{field}) || self.{field}.all(key, !key.matches('{any_of}') && "
        f"(!key.matches('{fold}{OF_KUBERNETES}') || key.matches('{fold}{OPEN[what]}')))",
        f"{field} must not contain {what}s of the operator, of Kubernetes, of Kueue or of a container runtime, nor "
        f"{what}s that give the Pod networks, an identity of the cloud or more rights: remove them",
        field=f".{field}",
        reason="FieldValueForbidden",
    )
