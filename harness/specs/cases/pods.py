"""Cases of spec.run about a run's Pods: placement, labels and annotations, queues, identities."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import Spec, trigger

_NEIGHBOURS: Spec = {
    "labelSelector": {
        "matchLabels": {"app": "search"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}],
    },
    "topologyKey": "topology.kubernetes.io/zone",
}
_PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
OPEN_KEYS = (
    *("my-iam.amazonaws.com/role", "sub.iam.amazonaws.com/role", "mycrio.io/a", "example.com/crio.io", "run.oci"),
    *("example.com/run.oci.a", "crio.io.example.com/a", "kubernetes.io.example.com/a", "notkubernetes.io/a"),
    *("sidecar.istio.io/inject", "proxy.istio.io/config", "vault.hashicorp.com/agent-inject", "cri-o.example.com/a"),
    *("vault.hashicorp.com/agent-run-as-same-user", "vault.hashicorp.com/agent-inject-secret-db"),
    *("config.linkerd.io/proxy-cpu-request", "azure.workload.identity/use", "app.kubernetes.io/name"),
)
"""Keys of labels and annotations that only look like reserved ones."""
_AFFINITY = "spec.run.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"

REFUSED = [
    Refused(
        "toleration of nothing",
        trigger({"run.tolerations": [{"effect": "NoSchedule"}]}),
        "spec.run.tolerations[0].operator",
        "must be Exists without a key: set key or operator",
    ),
    Refused(
        "toleration that exists with a value",
        trigger({"run.tolerations": [{"key": "gpu", "operator": "Exists", "value": "a100"}]}),
        "spec.run.tolerations[0].value",
        "must be empty with operator Exists: remove it",
    ),
    Refused(
        "tolerationSeconds with another effect",
        trigger({"run.tolerations": [{"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 60}]}),
        "spec.run.tolerations[0].tolerationSeconds",
        "is valid only with effect NoExecute: set that effect or remove tolerationSeconds",
    ),
    *(
        Refused(f"cloud identity {identity}", trigger({"run.cloud_identity": identity}), f"spec.run.{field}", says)
        for identity, field, says in [
            ({}, "cloud_identity.aws", "aws or gcp is required: set one of them, or both"),
            (
                {"aws": {"role_arn": "embeddings"}},
                "cloud_identity.aws.role_arn",
                "is not the ARN of an IAM role: write it as arn:aws:iam::123456789012:role/NAME",
            ),
            (
                {"gcp": {"audience": "pool"}},
                "cloud_identity.gcp.audience",
                "is not a provider of a workload identity pool: write it as //iam.googleapis.com/projects/NUMBER/",
            ),
            (
                {"gcp": {"audience": _PROVIDER, "service_account": "reader"}},
                "cloud_identity.gcp.service_account",
                "is not a Google service account: write its e-mail address, NAME@PROJECT.iam.gserviceaccount.com",
            ),
        ]
    ),
    *(
        Refused(
            f"node affinity {operator} with {len(values)} values",
            trigger({"run.affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": operator, "values": values}]}],
            }}}}),
            f"{_AFFINITY}.matchExpressions[0].values",
            says,
        )
        for operator, values, says in [
            ("In", [], "values must have at least one entry with operator In or NotIn: set values"),
            ("NotIn", [], "values must have at least one entry with operator In or NotIn: set values"),
            ("Exists", ["ssd"], "values must be absent with operator Exists or DoesNotExist: remove it"),
            ("Gt", ["1", "2"], "values must be exactly one integer with operator Gt or Lt: write one, in quotes"),
        ]
    ),
    Refused(
        "spreading by a selector without values",
        trigger({"run.topology_spread_constraints": [{
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In"}]},
        }]}),
        "spec.run.topology_spread_constraints[0].labelSelector.matchExpressions[0].values",
        "values must have at least one entry with operator In or NotIn: set values",
    ),
    *(
        Refused(f"pod {what} {key}", trigger({f"run.pod_{what}s": {key: "x"}}), f"spec.run.pod_{what}s", says,
                python_field=f"spec.run.pod_{what}s.{key}")
        for what in ("label", "annotation")
        for key, says in [
            ("clustertrigger.dev/trigger-uid", "the operator"),
            ("sub.clustertrigger.dev/slot", "the operator"),
            ("app.kubernetes.io/managed-by", "the operator"),
            ("job-name", ": remove "),
            ("batch.kubernetes.io/job-name", "Kubernetes"),
            ("cdi.k8s.io/gpu", "Kubernetes"),
            ("kueue.x-k8s.io/queue-name", "of Kueue"),
            ("io.kubernetes.cri-o.Devices", "container runtime"),
            ("io.katacontainers.config.hypervisor.path", "container runtime"),
            ("org.systemd.property.DeviceAllow", "container runtime"),
            ("run.oci.keep_original_groups", "container runtime"),
            ("cpu-load-balancing.crio.io", "container runtime"),
            ("irq-load-balancing.crio.io/worker", "container runtime"),
            ("crio.io/worker", "container runtime"),
            ("example.com/a.crio.io", "container runtime"),
            ("seccomp-profile.kubernetes.cri-o.io", "container runtime"),
            ("seccomp-profile.kubernetes.cri-o.io/worker", "container runtime"),
            ("devices.nri.io/container.worker", "container runtime"),
            ("ulimits.nri.containerd.io/container.worker", "container runtime"),
            ("dev.gvisor.spec.mount.root.source", "container runtime"),
            ("iam.amazonaws.com/role", "identity of the cloud"),
            ("iam.cloud.google.com/service-account", "identity of the cloud"),
            ("aadpodidbinding", "identity of the cloud"),
            ("k8s.v1.cni.cncf.io/networks", "network"),
            ("v1.multus-cni.io/default-network", "network"),
            ("k8s.ovn.org/pod-networks", "network"),
            ("cni.projectcalico.org/ipAddrs", "network"),
            ("inject.istio.io/templates", "rights"),
            ("config.linkerd.io/proxy-image", "rights"),
            ("vault.hashicorp.com/agent-image", "rights"),
            ("vault.hashicorp.com/agent-run-as-user", "rights"),
            ("vault.hashicorp.com/agent-init-json-patch", "rights"),
            ("vault.hashicorp.com/agent-inject-command-token", "rights"),
        ]
    ),
    Refused("label of the operator's Pods", trigger({"run.pod_labels": {"app.kubernetes.io/name": "clustertrigger"}}),
            "spec.run.pod_labels", "find the operator: write another value",
            python_field="spec.run.pod_labels.app.kubernetes.io/name"),
    Refused("name of a WorkloadPriorityClass that no label can have",
            trigger({"run.priority_class": "a" * 64, "run.queue_name": "a"}), "spec.run.priority_class",
            "at most 63 characters", rule=False),
    *(
        Refused(f"annotation {key} in capitals", trigger({"run.pod_annotations": {key: "x"}}),
                "spec.run.pod_annotations", says, python_field=f"spec.run.pod_annotations.{key}")
        for key, says in [
            ("Container.AppArmor.Security.Beta.Kubernetes.io/worker", "Kubernetes"),
            ("Run.OCI.keep_original_groups", "container runtime"),
            ("IAM.amazonaws.com/role", "identity of the cloud"),
            ("sidecar.istio.io/userVolumeMount", "rights"),
            ("sidecar.istio.io/proxyImage", "rights"),
            ("sidecar.istio.io/bootstrapOverride", "rights"),
        ]
    ),
    Refused(
        "priority in a queue without a queue",
        trigger({"run.priority_class": "urgent"}),
        "spec.run.priority_class",
        "priority_class requires a Kueue queue: set queue_name, or use priority_class_name",
    ),
    *(
        Refused(f"key {key!r} in {place}", trigger({f"run.{place}": {key: "x"}}), f"spec.run.{place}", "63 letters",
                python_field=f"spec.run.{place}.{key}")
        for place in ("node_selector", "pod_labels", "pod_annotations")
        for key in ("-a", "a b", "a" * 64, "example.com/")
    ),
    *(
        Refused(f"domain {domain!r} in {place}", trigger({f"run.{place}": {f"{domain}/a": "x"}}), f"spec.run.{place}",
                "domain", python_field=f"spec.run.{place}.{domain}/a")
        for place in ("node_selector", "pod_labels", "pod_annotations")
        for domain in ("", "a..b", "-a.example.com", "a_b")
    ),
    Refused("key of an executor's node that is none",
            trigger({"run.engine": {"type": "spark", "executor": {"node_selector": {"a b": "x"}}}}),
            "spec.run.engine.executor.node_selector", "63 letters",
            python_field="spec.run.engine.executor.node_selector.a b"),
    Refused("key of a selector that is none",
            trigger({"run.topology_spread_constraints": [{
                "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"a b": "x"}},
            }]}),
            "spec.run.topology_spread_constraints[0].labelSelector.matchLabels", "63 letters",
            python_field="spec.run.topology_spread_constraints[0].labelSelector.matchLabels.a b"),
    Refused("wrong key of a taint", trigger({"run.tolerations": [{"key": "a b"}]}), "spec.run.tolerations[0].key",
            "a b", rule=False),
    Refused("wrong node label", trigger({"run.node_selector": {"disk": "fast!"}}), "spec.run.node_selector.disk",
            "fast!", rule=False),
    Refused("wrong account", trigger({"run.service_account_name": "Default"}), "spec.run.service_account_name",
            "Default", rule=False),
    Refused("wrong queue", trigger({"run.queue_name": "a.b"}), "spec.run.queue_name", "a.b", rule=False),
    *(
        Refused(name, trigger({f"run.{field}": value}), f"spec.run.{blamed or field}", says, rule=False)
        for name, field, value, blamed, says in [
            ("affinity to Pods of other namespaces", "affinity",
             {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                 {"labelSelector": {}, "topologyKey": "zone", "namespaceSelector": {}}]}},
             "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector",
             "unknown field"),
            ("affinity without a place", "affinity",
             {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]}},
             "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey", "required"),
            ("weight of zero", "affinity",
             {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                 {"weight": 0, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}},
             "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight", "1"),
            ("skew of zero", "topology_spread_constraints",
             [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
             "topology_spread_constraints[0].maxSkew", "1"),
            ("spreading of another kind", "topology_spread_constraints",
             [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "Never"}],
             "topology_spread_constraints[0].whenUnsatisfiable", "Never"),
            ("pull secret as text", "image_pull_secrets", ["registry"], "image_pull_secrets[0]", "must be"),
            ("wrong pull secret", "image_pull_secrets", [{"name": "A"}], "image_pull_secrets[0].name", "A"),
            ("wrong PriorityClass", "priority_class_name", "High", "", "High"),
            ("wrong RuntimeClass", "runtime_class_name", "gVisor", "", "gVisor"),
            ("wrong Pod label", "pod_labels", {"team": "a b"}, "pod_labels.team", "a b"),
            ("number as annotation", "pod_annotations", {"team": 7}, "pod_annotations.team", "must be"),
            ("wrong queue of checks", "check", {"queue_name": "A"}, "check.queue_name", "A"),
        ]
    ),
]  # fmt: skip

ACCEPTED = [
    Accepted("every field of a Pod's placement", trigger({"run": {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "disk", "operator": "In", "values": ["ssd"]},
                    {"key": "cpus", "operator": "Gt", "values": ["8"]},
                    {"key": "spare", "operator": "DoesNotExist"}]}]},
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 50, "preference": {"matchExpressions": [
                    {"key": "disk", "operator": "Exists"}]}}],
            },
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [_NEIGHBOURS],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": _NEIGHBOURS}],
            },
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [_NEIGHBOURS],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": _NEIGHBOURS}],
            },
        },
        "topology_spread_constraints": [
            {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", **_NEIGHBOURS},
            {"maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", "topologyKey": "kubernetes.io/hostname"},
        ],
        "priority_class_name": "batch-low", "runtime_class_name": "gvisor",
        "image_pull_secrets": [{"name": "registry"}],
        "pod_labels": {"example.com/cost-centre": "search", "app.kubernetes.io/part-of": "search"},
        "pod_annotations": {
            "sidecar.istio.io/inject": "false", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        "queue_name": "team-a", "priority_class": "urgent", "check": {"queue_name": ""},
        "service_account_name": "reader", "cloud_identity": {
            "aws": {
                "role_arn": "arn:aws-cn:iam::123456789012:role/team/embeddings", "audience": "sts.amazonaws.com.cn"},
            "gcp": {"audience": _PROVIDER, "service_account": "reader@project.iam.gserviceaccount.com"}},
    }})),
    *(
        Accepted(f"open keys of {field}", trigger({f"run.{field}": dict.fromkeys(OPEN_KEYS, "x")}))
        for field in ("pod_labels", "pod_annotations")
    ),
    *(
        Accepted(f"{field} with long keys", trigger({f"run.{field}": {
            f"{'a.' * 126}b/{'c' * 61}{number:02}": "x" for number in range(32)}}))
        for field in ("pod_labels", "pod_annotations")
    ),
]  # fmt: skip
