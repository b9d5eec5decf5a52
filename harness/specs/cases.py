"""A table of wrong specs for the tests of the models and those on a CRD server, whose errors must agree."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from codegen.crd import CLUSTER_DEFINITION, CLUSTER_TRIGGER, COLLECTION, TAXONOMY, Kind

Spec = dict[str, Any]
ABSENT = object()
MALFORMED = "uri contains ** beside other characters: write it between slashes, as in a/**/b, or write *"

KMEANS: Spec = {"algorithm": "kmeans", "n_clusters": 5}
HDBSCAN: Spec = {"algorithm": "hdbscan", "min_cluster_size": 10}
HIERARCHICAL: Spec = {"algorithm": "hierarchical", "n_clusters": 3}
DBSCAN: Spec = {"algorithm": "dbscan", "eps": 0.3}
EVOC: Spec = {"algorithm": "evoc"}
SPECTRAL: Spec = {"algorithm": "spectral", "n_clusters": 3}
GAUSSIAN_MIXTURE: Spec = {"algorithm": "gaussian_mixture", "n_components": 3}
MEAN_SHIFT: Spec = {"algorithm": "mean_shift"}
OPTICS: Spec = {"algorithm": "optics"}
WORK: Spec = {"collection_ids": ["col_products"], "config": KMEANS}

SCHEDULES: dict[str, Spec] = {
    "cron": {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"},
    "interval": {"interval_seconds": 3600, "start_immediately": True},
    "event": {
        "event_type": "documents_added",
        "event_threshold": 100,
        "collection_id": "col_products",
        "cooldown_seconds": 300,
    },
    "conditional": {
        "condition_type": "drift",
        "threshold": 0.3,
        "metric": "cosine_drift",
        "check_interval_seconds": 3600,
        "min_documents": 50,
    },
}
ACTIONS: dict[str, Spec] = {
    "cluster": {
        "cluster_id": "cluster_xyz789",
        "filters": {"field": "language", "operator": "eq", "value": "de"},
        "output_collection_ids": ["col_labels"],
    },
    "batch_rerun": {
        "batch_id": "products-nightly-3f9a2c-20261121020000",
        "filters": {"field": "language", "operator": "eq", "value": "de"},
        "retry_failed_only": True,
    },
    "taxonomy_enrichment": {
        "taxonomy_id": "tax_topics",
        "collection_id": "col_products",
        "target_collection_id": "col_labelled",
        "incremental": True,
        "batch_size": 1000,
        "parallelism": 4,
    },
    "collection_trigger": {
        "collection_id": "col_abc123",
        "include_buckets": ["bkt_photos"],
        "include_collections": ["col_raw"],
        "source_filters": {"AND": [{"field": "language", "operator": "eq", "value": "de"}]},
    },
}


CHAIN: Spec = {
    "trigger_type": "event",
    "schedule_config": {"event_type": "run_completed", "event_threshold": 1, "collection_id": "col_labels"},
}
"""Of a trigger that follows the runs of another one."""


def trigger(changes: Mapping[str, Any] = {}, *, of_type: str = "cron") -> Spec:
    """Returns a valid trigger of the type, with changes by dotted path; ABSENT removes a field."""
    spec = {"trigger_type": of_type, "schedule_config": SCHEDULES[of_type], "execution_config": WORK}
    return changed(spec, changes)


def acting(action: str, config: Mapping[str, Any] = {}, changes: Mapping[str, Any] = {}) -> Spec:
    """Returns a valid trigger of the action, with changes to its config and to itself."""
    spec = {"action_type": action, "action_config": changed(ACTIONS[action], config), "execution_config": ABSENT}
    return changed(trigger(spec), changes)


def clustering(config: Spec, changes: Mapping[str, Any] = {}) -> Spec:
    """Returns a valid trigger with this config."""
    return trigger({"execution_config.config": changed(config, changes)})


def definition(changes: Mapping[str, Any]) -> Spec:
    """Returns a valid definition, with changes by dotted path."""
    return changed({"cluster_id": "cluster_products", **WORK}, changes)


def taxonomy(changes: Mapping[str, Any]) -> Spec:
    """Returns a valid hierarchical taxonomy, with changes by dotted path."""
    spec = {
        "taxonomy_id": "tax_topics",
        "collection_id": "col_topics",
        "label_column": "label",
        "parent_column": "parent_id",
        "top_k": 3,
        "min_score": 0.25,
    }
    return changed(spec, changes)


def collection(changes: Mapping[str, Any]) -> Spec:
    """A valid collection on a volume."""
    spec = {"collection_id": "col_products", "source": {"uri": "products/*.parquet"}, "volume": "documents"}
    return changed(spec, changes)


def database(changes: Mapping[str, Any]) -> Spec:
    """A valid collection in PostgreSQL, with changes to its source."""
    source = {
        "type": "postgresql",
        "uri": "postgresql://db:5432/shop",
        "table": "public.documents",
        "secret_name": "db",
    }
    return {"source": changed(source, changes)}


def qdrant(changes: Mapping[str, Any]) -> Spec:
    """A valid collection in Qdrant, with changes to its source."""
    return {"source": changed({"type": "qdrant", "uri": "http://qdrant:6333", "collection": "documents"}, changes)}


def changed(spec: Spec, changes: Mapping[str, Any]) -> Spec:
    """Returns a copy of the spec with changes by dotted path."""
    spec = deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = spec
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is ABSENT:
            at.pop(last, None)
        else:
            at[last] = value
    return spec


@dataclass(frozen=True)
class Refused:
    """A spec that must be rejected, the field to blame, and a part of the message."""

    name: str
    spec: Spec
    field: str
    says: str
    kind: Kind = CLUSTER_TRIGGER
    python_field: str | None = None
    """Field in the error of the Python models, if it differs from the API server's."""
    rule: bool = True
    """Whether a rule of this project rejects it, so that the API server returns the same message."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Accepted:
    """A spec that must be accepted."""

    name: str
    spec: Spec
    kind: Kind = CLUSTER_TRIGGER

    def __str__(self) -> str:
        return self.name


_NEIGHBOURS: Spec = {
    "labelSelector": {
        "matchLabels": {"app": "search"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}],
    },
    "topologyKey": "topology.kubernetes.io/zone",
}

_REQUIRED = {
    "cron": ["cron_expression"],
    "interval": ["interval_seconds"],
    "event": ["event_type", "event_threshold", "collection_id"],
    "conditional": ["condition_type", "threshold", "metric", "check_interval_seconds"],
}
_FOREIGN = [
    ("interval", "cron", "cron_expression"),
    ("event", "cron", "timezone"),
    ("cron", "interval", "interval_seconds"),
    ("conditional", "interval", "start_immediately"),
    ("cron", "event", "event_type"),
    ("interval", "event", "event_threshold"),
    ("conditional", "event", "collection_id"),
    ("interval", "event", "cooldown_seconds"),
    ("event", "conditional", "condition_type"),
    ("cron", "conditional", "threshold"),
    ("interval", "conditional", "metric"),
    ("event", "conditional", "check_interval_seconds"),
    ("cron", "conditional", "min_documents"),
]
"""(the trigger's type, the type that takes the field, the field)."""

_SCHEDULE_RULES = [
    *(
        Refused(
            f"{kind} without {field}",
            trigger({f"schedule_config.{field}": ABSENT}, of_type=kind),
            f"spec.schedule_config.{field}",
            f"{field} is required with {kind}: set it",
        )
        for kind, fields in _REQUIRED.items()
        for field in fields
    ),
    *(
        Refused(
            f"{kind} with {field}",
            trigger({f"schedule_config.{field}": SCHEDULES[owner][field]}, of_type=kind),
            f"spec.schedule_config.{field}",
            f"{field} is valid only with {owner}: remove it",
        )
        for kind, owner, field in _FOREIGN
    ),
    Refused(
        "volume measured as drift",
        trigger({"schedule_config.condition_type": "volume"}, of_type="conditional"),
        "spec.schedule_config.metric",
        "metric must be document_count with condition_type volume: set it, or condition_type",
    ),
    Refused(
        "drift measured as volume",
        trigger({"schedule_config.metric": "document_count"}, of_type="conditional"),
        "spec.schedule_config.metric",
        "metric must be cosine_drift, centroid_euclidean, assignment_js, assignment_psi, mmd_rbf or domain_auc with "
        "condition_type drift: set it, or condition_type",
    ),
    Refused(
        "neither work nor definition",
        trigger({"execution_config": ABSENT}),
        "spec.execution_config",
        "execution_config or cluster_id is required: set one of them",
    ),
]

RUNS = ["products-nightly-3f9a2c-20261121020000", "reviews-nightly-9c1b22-20261121020000"]
_SOURCES: list[tuple[str, Spec, str]] = [
    (
        "mode composite without runs",
        {"mode": "composite"},
        "source_execution_ids is required with mode composite: name at least two completed runs",
    ),
    *(
        (
            f"runs with mode {mode}",
            {"mode": mode, "source_execution_ids": RUNS},
            "source_execution_ids is valid only with mode composite: remove it or set mode: composite",
        )
        for mode in ("full", "assign")
    ),
]
_THRESHOLD_ALONE = "assignment_threshold is valid only with mode assign: remove it or set mode: assign"

_MODE_RULES = [
    *(
        Refused(
            f"assignment_threshold with mode {mode or 'left out'} in {where}",
            make({f"{where}.assignment_threshold": 0.4, f"{where}.mode": mode or ABSENT}),
            f"spec.{where}.assignment_threshold",
            _THRESHOLD_ALONE,
        )
        for where, make in (
            ("execution_config", trigger),
            ("action_config", lambda changes: acting("cluster", {}, changes)),
        )
        for mode in ("full", None)
    ),
    *(
        Refused(
            f"mode {mode} by drift in {where}",
            changed(
                spec,
                {
                    "trigger_type": "conditional",
                    "schedule_config": SCHEDULES["conditional"],
                    f"{where}.mode": mode,
                    f"{where}.source_execution_ids": RUNS if mode == "composite" else ABSENT,
                },
            ),
            "spec.trigger_type",
            "trigger_type conditional is valid only with mode full: checks measure the change since the last",
        )
        for where, spec in (
            ("execution_config", trigger()),
            ("action_config", acting("cluster", {"filters": ABSENT})),
        )
        for mode in ("assign", "composite")
    ),
    *(
        Refused(
            f"{name} in {where}",
            make({f"{where}.{field}": value for field, value in fields.items()}),
            f"spec.{where}.source_execution_ids",
            says,
        )
        for where, make in (
            ("execution_config", trigger),
            ("action_config", lambda changes: acting("cluster", {"filters": ABSENT}, changes)),
        )
        for name, fields, says in _SOURCES
    ),
    Refused(
        "composite of one run",
        trigger({"execution_config.mode": "composite", "execution_config.source_execution_ids": RUNS[:1]}),
        "spec.execution_config.source_execution_ids",
        "at least",
        rule=False,
    ),
    Refused(
        "composite of a run and of itself",
        trigger({"execution_config.mode": "composite", "execution_config.source_execution_ids": [RUNS[0], RUNS[0]]}),
        "spec.execution_config.source_execution_ids[1]",
        RUNS[0],
        python_field="spec.execution_config.source_execution_ids",
        rule=False,
    ),
    Refused(
        "composite of an invalid run name",
        trigger(
            {"execution_config.mode": "composite", "execution_config.source_execution_ids": ["Nightly_1", RUNS[0]]}
        ),
        "spec.execution_config.source_execution_ids[0]",
        "Nightly_1",
        rule=False,
    ),
    Refused(
        "filters with mode composite",
        acting("cluster", {"mode": "composite", "source_execution_ids": RUNS}),
        "spec.action_config.filters",
        "filters is not valid with mode composite, which reads no documents: remove it",
    ),
    *(
        Refused(
            f"action taxonomy_enrichment with {field}",
            acting("taxonomy_enrichment", {field: value}),
            f"spec.action_config.{field}",
            f"{field} is valid only with cluster: remove it",
        )
        for field, value in [("mode", "full"), ("assignment_threshold", 0.4), ("source_execution_ids", RUNS)]
    ),
    Refused(
        "unknown mode",
        trigger({"execution_config.mode": "incremental"}),
        "spec.execution_config.mode",
        "incremental",
        rule=False,
    ),
    Refused(
        "assignment_threshold beyond a cosine",
        trigger({"execution_config.mode": "assign", "execution_config.assignment_threshold": 1.5}),
        "spec.execution_config.assignment_threshold",
        "1",
        rule=False,
    ),
    Refused(
        "mode of a definition",
        definition({"mode": "assign"}),
        "spec.mode",
        "unknown field",
        CLUSTER_DEFINITION,
        rule=False,
    ),
]

_ACTION_RULES = [
    Refused(
        "action cluster without cluster_id",
        acting("cluster", {"cluster_id": ABSENT}),
        "spec.action_config.cluster_id",
        "cluster_id is required with cluster: set it",
    ),
    *(
        Refused(
            f"action taxonomy_enrichment without {field}",
            acting("taxonomy_enrichment", {field: ABSENT}),
            f"spec.action_config.{field}",
            f"{field} is required with taxonomy_enrichment: set it",
        )
        for field in ("taxonomy_id", "collection_id")
    ),
    Refused(
        "action taxonomy_enrichment without action_config",
        acting("taxonomy_enrichment", {}, {"action_config": ABSENT}),
        "spec.action_config",
        "action_config is required with every action_type except cluster: set it",
    ),
    *(
        Refused(
            f"action {action} with {field}",
            acting(action, {field: ACTIONS[owner][field]}),
            f"spec.action_config.{field}",
            f"{field} is valid only with {owner}: remove it",
        )
        for action, owner, field in [
            ("taxonomy_enrichment", "cluster", "cluster_id"),
            ("taxonomy_enrichment", "cluster", "output_collection_ids"),
            ("cluster", "taxonomy_enrichment", "taxonomy_id"),
            ("cluster", "taxonomy_enrichment", "target_collection_id"),
            ("cluster", "taxonomy_enrichment", "incremental"),
            ("cluster", "taxonomy_enrichment", "batch_size"),
            ("cluster", "taxonomy_enrichment", "parallelism"),
        ]
    ),
    *(
        Refused(
            f"taxonomy_enrichment beside {field}",
            acting("taxonomy_enrichment", {}, {field: value}),
            f"spec.{field}",
            f"{field} is valid only with action_type cluster: remove it",
        )
        for field, value in [("cluster_id", "cluster_xyz789"), ("execution_config", WORK)]
    ),
    *(
        Refused(
            f"a trigger that waits for its own {outputs}",
            spec,
            "spec.schedule_config.collection_id",
            "collection_id is not valid with event_type run_completed: the trigger's own runs write this collection",
        )
        for outputs, spec in {
            "outputs": trigger({**CHAIN, "execution_config.outputs": ["col_other", "col_labels"]}),
            "output_collection_ids": acting("cluster", {}, CHAIN),
            "target_collection_id": acting("taxonomy_enrichment", {"target_collection_id": "col_labels"}, CHAIN),
        }.items()
    ),
    Refused(
        "taxonomy_enrichment by drift",
        acting("taxonomy_enrichment", {}, {"trigger_type": "conditional", "schedule_config": SCHEDULES["conditional"]}),
        "spec.trigger_type",
        "trigger_type conditional is valid only with action_type cluster: only a clustering writes a baseline",
    ),
    Refused(
        "taxonomy_enrichment into a malformed id",
        acting("taxonomy_enrichment", {"target_collection_id": "col labelled"}),
        "spec.action_config.target_collection_id",
        "target_collection_id",
    ),
    Refused(
        "taxonomy whose labels are its parents",
        taxonomy({"parent_column": "label"}),
        "spec.parent_column",
        "parent_column and label_column must be different columns: change one of them",
        kind=TAXONOMY,
    ),
    Refused(
        "action batch_rerun without batch_id",
        acting("batch_rerun", {"batch_id": ABSENT}),
        "spec.action_config.batch_id",
        "batch_id is required with batch_rerun: set it",
    ),
    Refused(
        "action collection_trigger without collection_id",
        acting("collection_trigger", {"collection_id": ABSENT}),
        "spec.action_config.collection_id",
        "collection_id is required with collection_trigger: set it",
    ),
    *(
        Refused(
            f"action {action} without action_config",
            acting(action, {}, {"action_config": ABSENT}),
            "spec.action_config",
            "action_config is required with every action_type except cluster: set it",
        )
        for action in ("batch_rerun", "collection_trigger")
    ),
    *(
        Refused(
            f"action {action} with {field}",
            acting(action, {field: ACTIONS[owner][field]}),
            f"spec.action_config.{field}",
            f"{field} is valid only with {owner}: remove it",
        )
        for action, owner, field in [
            ("batch_rerun", "cluster", "cluster_id"),
            ("cluster", "batch_rerun", "batch_id"),
            ("cluster", "batch_rerun", "retry_failed_only"),
            ("cluster", "collection_trigger", "include_buckets"),
            ("batch_rerun", "collection_trigger", "include_collections"),
            ("batch_rerun", "collection_trigger", "source_filters"),
            ("collection_trigger", "batch_rerun", "batch_id"),
        ]
    ),
    *(
        Refused(
            f"batch_rerun beside {field}",
            acting("batch_rerun", {}, {field: value}),
            f"spec.{field}",
            f"{field} is valid only with action_type cluster: remove it",
        )
        for field, value in [("cluster_id", "cluster_xyz789"), ("execution_config", WORK)]
    ),
    Refused(
        "action cluster with collection_id",
        acting("cluster", {"collection_id": "col_abc123"}),
        "spec.action_config.collection_id",
        "collection_id is valid only with taxonomy_enrichment, collection_trigger: remove it",
    ),
    Refused(
        "collection_trigger with filters",
        acting("collection_trigger", {"filters": ACTIONS["cluster"]["filters"]}),
        "spec.action_config.filters",
        "filters is valid only with cluster, taxonomy_enrichment, batch_rerun: remove it",
    ),
    *(
        Refused(
            f"{action} by drift",
            acting(action, {}, {"trigger_type": "conditional", "schedule_config": SCHEDULES["conditional"]}),
            "spec.trigger_type",
            "trigger_type conditional is valid only with action_type cluster: only a clustering writes a baseline",
        )
        for action in ("batch_rerun", "collection_trigger")
    ),
    *(
        Refused(
            f"action_config beside {field}",
            acting("cluster", {}, {field: value}),
            f"spec.{field}",
            f"{field} is the short form of action_config: set one of them",
        )
        for field, value in [("cluster_id", "cluster_xyz789"), ("execution_config", WORK)]
    ),
]

_CONFIG = "spec.execution_config.config"
_ALGORITHM_RULES = [
    *(
        Refused(
            f"{config['algorithm']} without {field}",
            clustering(config, {field: ABSENT}),
            f"{_CONFIG}.{field}",
            f"{field} is required with {config['algorithm']}: set it",
        )
        for config, field in [
            (KMEANS, "n_clusters"),
            (HDBSCAN, "min_cluster_size"),
            (DBSCAN, "eps"),
            (SPECTRAL, "n_clusters"),
            (GAUSSIAN_MIXTURE, "n_components"),
        ]
    ),
    *(
        Refused(
            f"{config['algorithm']} with {field}",
            clustering(config, {field: value}),
            f"{_CONFIG}.{field}",
            f"{field} is valid only with {owners}: remove it",
        )
        for config, field, value, owners in [
            (HDBSCAN, "n_clusters", 3, "kmeans, hierarchical, agglomerative, spectral"),
            (HDBSCAN, "max_iter", 10, "kmeans, gaussian_mixture, mean_shift"),
            (KMEANS, "min_cluster_size", 10, "hdbscan, optics"),
            (MEAN_SHIFT, "min_samples", 5, "hdbscan, evoc, dbscan, optics"),
            (HIERARCHICAL, "reduce", "umap", "hdbscan, dbscan, mean_shift, optics"),
            (KMEANS, "n_components", 5, "hdbscan, dbscan, gaussian_mixture, mean_shift, optics"),
            (HDBSCAN, "linkage", "average", "hierarchical, agglomerative"),
            (KMEANS, "distance_threshold", 0.5, "hierarchical, agglomerative"),
            (HDBSCAN, "eps", 0.5, "dbscan"),
            (DBSCAN, "max_eps", 0.5, "optics"),
            (HDBSCAN, "xi", 0.1, "optics"),
            (DBSCAN, "bandwidth", 0.5, "mean_shift"),
            (OPTICS, "quantile", 0.1, "mean_shift"),
            (KMEANS, "cluster_all", False, "mean_shift"),
            (KMEANS, "affinity", "rbf", "spectral"),
            (GAUSSIAN_MIXTURE, "gamma", 2.0, "spectral"),
            (HDBSCAN, "n_neighbors", 10, "evoc, spectral"),
            (EVOC, "min_cluster_size", 10, "hdbscan, optics"),
            (EVOC, "n_components", 5, "hdbscan, dbscan, gaussian_mixture, mean_shift, optics"),
            *(
                (HDBSCAN, field, value, "evoc")
                for field, value in [
                    ("base_min_cluster_size", 5),
                    ("base_n_clusters", 20),
                    ("approx_n_clusters", 20),
                    ("noise_level", 0.3),
                    ("n_epochs", 60),
                    ("node_embedding_dim", 6),
                    ("neighbor_scale", 1.5),
                    ("min_similarity_threshold", 0.3),
                    ("max_layers", 4),
                    ("layer", 1),
                ]
            ),
            (KMEANS, "covariance_type", "full", "gaussian_mixture"),
            (KMEANS, "n_init", 3, "gaussian_mixture"),
            (MEAN_SHIFT, "tol", 0.1, "gaussian_mixture"),
            (SPECTRAL, "reg_covar", 0.1, "gaussian_mixture"),
            (KMEANS, "allow_single_cluster", True, "hdbscan"),
        ]
    ),
    *(
        Refused(
            f"{algorithm}: {name}",
            clustering({"algorithm": algorithm, **fields}),
            f"{_CONFIG}.n_clusters",
            "hierarchical requires either n_clusters or distance_threshold: set exactly one of them",
            python_field=_CONFIG,
        )
        for algorithm in ("hierarchical", "agglomerative")
        for name, fields in [("neither", {}), ("both", {"n_clusters": 3, "distance_threshold": 0.5})]
    ),
    *(
        Refused(
            f"ward, metric {metric}",
            clustering(HIERARCHICAL, {"linkage": "ward", **fields}),
            f"{_CONFIG}.linkage",
            "linkage ward requires metric euclidean: set metric: euclidean or another linkage",
        )
        for metric, fields in [("by default", {}), ("cosine", {"metric": "cosine"})]
    ),
    *(
        Refused(
            f"{config['algorithm']} reduced to {dimensions}",
            clustering(config, {"n_components": dimensions}),
            f"{_CONFIG}.n_components",
            "n_components is the number of dimensions after reduction: set 2 to 50, or use gaussian_mixture",
        )
        for config in (HDBSCAN, DBSCAN, MEAN_SHIFT, OPTICS)
        for dimensions in (1, 51)
    ),
    Refused(
        "mean_shift, bandwidth given and estimated",
        clustering(MEAN_SHIFT, {"bandwidth": 0.5, "quantile": 0.1}),
        f"{_CONFIG}.quantile",
        "quantile estimates the bandwidth: remove it, or remove bandwidth",
    ),
    Refused(
        "optics, every document a core point",
        clustering(OPTICS, {"min_samples": 1}),
        f"{_CONFIG}.min_samples",
        "min_samples must be at least 2 with optics: raise it",
    ),
    Refused(
        "evoc, no neighbour but itself",
        clustering(EVOC, {"n_neighbors": 1}),
        f"{_CONFIG}.n_neighbors",
        "n_neighbors must be at least 2 with evoc: raise it",
    ),
    *(
        Refused(
            f"evoc, approx_n_clusters and {field}",
            clustering(EVOC, {"approx_n_clusters": 20, field: value}),
            f"{_CONFIG}.approx_n_clusters",
            "approx_n_clusters produces a single layer: remove it, or remove base_n_clusters and layer",
        )
        for field, value in [("base_n_clusters", 40), ("layer", 0)]
    ),
]

_PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
OPEN_KEYS = (
    *("my-iam.amazonaws.com/role", "sub.iam.amazonaws.com/role", "mycrio.io/a", "example.com/crio.io", "run.oci"),
    *("example.com/run.oci.a", "crio.io.example.com/a", "kubernetes.io.example.com/a", "notkubernetes.io/a"),
)
"""Keys of labels and annotations that only look like reserved ones."""

_RUN_RULES = [
    *(
        Refused(f"results {uri}", trigger({"run.results.uri": uri}), "spec.run.results.uri", says)
        for uri, says in [
            (
                "gs://bucket/results",
                "must be a path on the volume or s3://bucket/prefix: other schemes are not supported",
            ),
            ("/results", "must be relative to the volume's root: remove the leading / and any .."),
            ("results/../../etc", "must be relative to the volume's root: remove the leading / and any .."),
            ("s3://", "uri does not name a bucket: write s3://bucket/key"),
            ("s3:///results", "uri does not name a bucket: write s3://bucket/key"),
        ]
    ),
    Refused(
        "results in S3 and on a volume",
        trigger({"run.results": {"uri": "s3://bucket/results", "volume": "results"}}),
        "spec.run.results.volume",
        "volume is valid only if uri is a path: remove volume, or the s3:// uri",
    ),
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
]

_AFFINITY = "spec.run.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
_RUN_RULES += [
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
            ("clustertrigger.dev/trigger-uid", "the operator uses"),
            ("sub.clustertrigger.dev/slot", "the operator uses"),
            ("app.kubernetes.io/managed-by", "the operator uses"),
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
            ("iam.amazonaws.com/role", "identity of the cloud"),
        ]
    ),
    *(
        Refused(f"annotation {key} in capitals", trigger({"run.pod_annotations": {key: "x"}}),
                "spec.run.pod_annotations", says, python_field=f"spec.run.pod_annotations.{key}")
        for key, says in [
            ("Container.AppArmor.Security.Beta.Kubernetes.io/worker", "Kubernetes"),
            ("Run.OCI.keep_original_groups", "container runtime"),
            ("IAM.amazonaws.com/role", "identity of the cloud"),
        ]
    ),
    *(
        Refused(
            f"{field} with engine {engine_type or 'left out'}",
            trigger({f"run.engine.{field}": value, "run.engine.type": engine_type or ABSENT}),
            f"spec.run.engine.{field}",
            says,
        )
        for field, value, engine_type, says in [
            ("executors", 2, None, "executors is valid only with engine type spark or auto: remove it, or set engine"),
            ("executors", 2, "local", "executors is valid only with engine type spark or auto: remove it, or set"),
            ("executor", {}, "local", "executor is valid only with engine type spark or auto: remove it, or set"),
            ("partition_rows", 5000, None, "partition_rows is valid only with engine type spark or auto: remove it"),
            ("local_below", 5, "local", "local_below is valid only with engine type auto: remove it, or set engine"),
            ("local_below", 5, "spark", "local_below is valid only with engine type auto: remove it, or set engine"),
        ]
    ),
    *(
        Refused(name, changed(spec, {"run.engine.type": "spark"}), "spec.run.engine", says)
        for name, spec, says in [
            (
                "rerun by Spark",
                acting("batch_rerun"),
                "valid only with action_type cluster or taxonomy_enrichment: remove engine",
            ),
            (
                "processing by Spark",
                acting("collection_trigger"),
                "valid only with action_type cluster or taxonomy_enrichment: remove engine",
            ),
            (
                "centroids by Spark",
                trigger({"execution_config.mode": "composite", "execution_config.source_execution_ids": RUNS}),
                "is not valid with mode composite, which reads centroids and no documents: remove engine",
            ),
            (
                "centroids of a definition by Spark",
                acting("cluster", {"filters": ABSENT, "mode": "composite", "source_execution_ids": RUNS}),
                "is not valid with mode composite, which reads centroids and no documents: remove engine",
            ),
            ("EVoC by Spark", clustering(EVOC), "dbscan, optics only, except with mode assign: set one of"),
        ]
    ),
    *(
        Refused(
            f"checks by Spark with engine {engine_type or 'left out'}",
            trigger({"run": {"engine": {"type": engine_type} if engine_type else {}, "check": {"engine": "run"}}}),
            "spec.run.check.engine",
            "engine run is valid only with run.engine.type spark or auto: remove check.engine, or set run.engine.type",
        )
        for engine_type in (None, "local")
    ),
    Refused(
        "priority in a queue without a queue",
        trigger({"run.priority_class": "urgent"}),
        "spec.run.priority_class",
        "priority_class requires a Kueue queue: set queue_name, or use priority_class_name",
    ),
]  # fmt: skip

_COLLECTION_RULES = [
    *(
        Refused(f"source {uri}", collection({"source.uri": uri}), "spec.source.uri", says, COLLECTION)
        for uri, says in [
            ("/etc/passwd", "must be relative to the volume's root: remove the leading / and any .."),
            ("a/../../b", "must be relative to the volume's root: remove the leading / and any .."),
        ]
    ),
    *(
        Refused(
            f"source {uri}",
            collection({"source.uri": uri, "volume": ABSENT}),
            "spec.source.uri",
            "must be a path on the volume, s3://bucket/key or gs://bucket/key with type parquet",
            COLLECTION,
        )
        for uri in ("hdfs://name/key", "postgresql://db/shop")
    ),
    Refused(
        "source without bucket",
        collection({"source.uri": "s3://", "volume": ABSENT}),
        "spec.source.uri",
        "uri does not name a bucket: write s3://bucket/key or gs://bucket/key",
        COLLECTION,
    ),
    *(
        Refused(f"source {uri}", collection({"source.uri": uri}), "spec.source.uri", MALFORMED, COLLECTION)
        for uri in ("a/**.parquet", "a**", "***/a.parquet", "**b/*.parquet")
    ),
    *(
        Refused(
            f"source {uri}",
            collection({"source.uri": uri, "volume": ABSENT}),
            "spec.source.uri",
            "uri does not name a bucket: write s3://bucket/key or gs://bucket/key",
            COLLECTION,
        )
        for uri in ("s3://vec*/a.parquet", "gs://*", "s3://vectors-[0-9]/a.parquet", "s3://?/a.parquet")
    ),
    *(
        Refused(
            f"path with {field}",
            collection({f"source.{field}": value}),
            f"spec.source.{field}",
            f"{field} is valid only with {owner}: remove it",
            COLLECTION,
        )
        for field, value, owner in [
            ("secret_name", "reader", "an address"),
            ("endpoint", "https://minio", "s3:// and gs://"),
            ("region", "eu-central-1", "s3://"),
            ("table", "documents", "type postgresql"),
            ("collection", "documents", "type qdrant"),
        ]
    ),
    *(
        Refused(
            f"PostgreSQL at {uri}",
            database({"uri": uri}),
            "spec.source.uri",
            "uri must be postgresql://host:port/database",
            COLLECTION,
        )
        for uri in (
            "postgresql://",
            "postgresql://db",
            "postgresql://ada:secret@db/shop",
            "postgres://db/shop",
            "postgresql://db:port/shop",
            "postgresql://db/shop?password=secret",
            "postgresql://db/shop?sslmode=maybe",
        )
    ),
    *(
        Refused(
            f"Qdrant at {uri}",
            qdrant({"uri": uri}),
            "spec.source.uri",
            "uri must be the address of Qdrant's HTTP API, http(s)://host:port",
            COLLECTION,
        )
        for uri in ("http://", "http://key@qdrant:6333", "https://qdrant:6333/?api-key=secret")
    ),
    *(
        Refused(
            f"{name} without {field}",
            make({field: ABSENT}),
            f"spec.source.{field}",
            f"{field} is required with type {name}: set it",
            COLLECTION,
        )
        for name, field, make in [
            ("postgresql", "table", database),
            ("postgresql", "secret_name", database),
            ("qdrant", "collection", qdrant),
        ]
    ),
    *(
        Refused(
            f"{name} with {field}",
            make({field: value}),
            f"spec.source.{field}",
            f"{field} is valid only with {owner}: remove it",
            COLLECTION,
        )
        for name, field, value, owner, make in [
            ("postgresql", "endpoint", "https://db", "s3:// and gs://", database),
            ("postgresql", "collection", "documents", "type qdrant", database),
            ("qdrant", "region", "eu-central-1", "s3://", qdrant),
            ("qdrant", "table", "documents", "type postgresql", qdrant),
        ]
    ),
    *(
        Refused(
            name,
            collection(changes),
            "spec.volume",
            "volume is the claim that contains the path source.uri: set volume if uri is a path",
            COLLECTION,
        )
        for name, changes in [
            ("path without volume", dict[str, Any](volume=ABSENT)),
            ("S3 with volume", {"source.uri": "s3://bucket/key"}),
        ]
    ),
    Refused(
        "PostgreSQL, write without a Secret",
        {**database({}), "write": {"table": "labels"}},
        "spec.write.secret_name",
        "write.secret_name is required with type postgresql: set it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a volume with a Secret for writing",
        collection({"source.uri": "labels/", "write": {"secret_name": "writer"}}),
        "spec.write.secret_name",
        "write.secret_name is valid only if uri is an address: remove it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a table of their own in Qdrant",
        {**qdrant({}), "write": {"table": "labels"}},
        "spec.write.table",
        "write.table is valid only with type postgresql: remove it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a glob that is written",
        collection({"write": {}}),
        "spec.source.uri",
        "uri must not contain wildcards if write is set",
        COLLECTION,
        python_field="spec",
    ),
]

_FIELDS = [
    Refused("unknown type", trigger({"trigger_type": "hourly"}), "spec.trigger_type", "'hourly'", rule=False),
    Refused("no type", trigger({"trigger_type": ABSENT}), "spec.trigger_type", "required", rule=False),
    Refused("no schedule", trigger({"schedule_config": ABSENT}), "spec.schedule_config", "required", rule=False),
    Refused("unknown field", trigger({"scheduel": 1}), "spec.scheduel", "unknown field", rule=False),
    Refused(
        "unknown parameter",
        clustering(KMEANS, {"n_cluster": 3}),
        f"{_CONFIG}.n_cluster",
        "unknown field",
        rule=False,
    ),
    Refused(
        "unknown algorithm",
        clustering({"algorithm": "kmedoids"}),
        f"{_CONFIG}.algorithm",
        "kmedoids",
        rule=False,
    ),
    Refused("zero seconds", trigger({"schedule_config.interval_seconds": 0}, of_type="interval"),
            "spec.schedule_config.interval_seconds", "1", rule=False),
    Refused("number as text", clustering(KMEANS, {"n_clusters": "5"}), f"{_CONFIG}.n_clusters", "must be",
            rule=False),
    Refused("one as true", trigger({"schedule_config.start_immediately": 1}, of_type="interval"),
            "spec.schedule_config.start_immediately", "must be", rule=False),
    Refused("threshold below zero", trigger({"schedule_config.threshold": -0.1}, of_type="conditional"),
            "spec.schedule_config.threshold", "0", rule=False),
    Refused("distance of zero", clustering({"algorithm": "hierarchical", "distance_threshold": 0}),
            f"{_CONFIG}.distance_threshold", "greater than 0", rule=False),
    *(
        Refused(f"{field} out of range", clustering(config, {field: value}), f"{_CONFIG}.{field}", says, rule=False)
        for config, field, value, says in [
            (DBSCAN, "eps", 0, "greater than 0"),
            (OPTICS, "max_eps", 0, "greater than 0"),
            (OPTICS, "xi", 1.1, "1"),
            (MEAN_SHIFT, "bandwidth", 0, "greater than 0"),
            (MEAN_SHIFT, "quantile", 1.5, "1"),
            (MEAN_SHIFT, "max_iter", 0, "1"),
            (SPECTRAL, "affinity", "cosine", "cosine"),
            (SPECTRAL, "gamma", 0, "greater than 0"),
            (SPECTRAL, "n_neighbors", 0, "1"),
            (GAUSSIAN_MIXTURE, "n_components", 0, "1"),
            (GAUSSIAN_MIXTURE, "covariance_type", "round", "round"),
            (GAUSSIAN_MIXTURE, "n_init", 101, "100"),
            (GAUSSIAN_MIXTURE, "tol", 0, "greater than 0"),
            (GAUSSIAN_MIXTURE, "reg_covar", -1, "greater than 0"),
        ]
    ),
    Refused("unknown action", trigger({"action_type": "taxonomy"}), "spec.action_type", "taxonomy", rule=False),
    Refused("cluster's model", acting("cluster", {"model": "full"}), "spec.action_config.model", "unknown field",
            rule=False),
    Refused("cluster's id with a slash", acting("cluster", {"cluster_id": "a/b"}), "spec.action_config.cluster_id",
            "must consist of", rule=False),
    *(
        Refused(f"enrichment's {field} {value}", acting("taxonomy_enrichment", {field: value}),
                f"spec.action_config.{field}", says, rule=False)
        for field, value, says in [("batch_size", 99, "100"), ("batch_size", 10_001, "10000"), ("parallelism", 0, "1"),
                                   ("parallelism", 17, "16"), ("taxonomy_id", "a/b", "must consist of"),
                                   ("incremental", "yes", "must be")]
    ),
    Refused("taxonomy without nodes", taxonomy({"collection_id": ABSENT}), "spec.collection_id", "required", TAXONOMY,
            rule=False),
    Refused("taxonomy without labels", taxonomy({"label_column": ABSENT}), "spec.label_column", "required", TAXONOMY,
            rule=False),
    *(
        Refused(f"taxonomy's {field} {value}", taxonomy({field: value}), f"spec.{field}", says, TAXONOMY, rule=False)
        for field, value, says in [("top_k", 0, "1"), ("top_k", 51, "50"), ("min_score", 1.5, "1"),
                                   ("min_score", -2, "-1"), ("taxonomy_id", "a/b", "must consist of")]
    ),
    Refused("batch that is not a Job's name", acting("batch_rerun", {"batch_id": "Nightly_1"}),
            "spec.action_config.batch_id", "must consist of", rule=False),
    Refused("no bucket", acting("collection_trigger", {"include_buckets": []}), "spec.action_config.include_buckets",
            "must", rule=False),
    Refused("bucket with a slash", acting("collection_trigger", {"include_buckets": ["a/b"]}),
            "spec.action_config.include_buckets[0]", "must consist of", rule=False),
    Refused("filters that are text", acting("cluster", {"filters": "language"}), "spec.action_config.filters",
            "must be", rule=False),
    Refused("no collection", trigger({"execution_config.collection_ids": []}),
            "spec.execution_config.collection_ids", "at least", rule=False),
    Refused("id with a slash", trigger({"cluster_id": "a/b"}), "spec.cluster_id", "must consist of", rule=False),
    Refused("long description", trigger({"description": "x" * 2049}), "spec.description", "2048", rule=False),
    Refused("collection twice", trigger({"execution_config.collection_ids": ["a", "b", "a"]}),
            "spec.execution_config.collection_ids[2]", "a", python_field="spec.execution_config.collection_ids",
            rule=False),
    Refused("no quantity", trigger({"run.resources.requests.cpu": "two"}), "spec.run.resources.requests.cpu", "two",
            rule=False),
    Refused("fraction without quotes", trigger({"run.resources.requests.cpu": 0.5}),
            "spec.run.resources.requests.cpu", "or a string such as", rule=False),
    Refused("negative quantity", trigger({"run.resources.limits.memory": -1}), "spec.run.resources.limits.memory", "-1",
            rule=False),
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
    Refused("no retries below zero", trigger({"run.retries": -1}), "spec.run.retries", "0", rule=False),
    Refused("definition without work", definition({"config": ABSENT}), "spec.config", "required", CLUSTER_DEFINITION,
            rule=False),
    Refused("definition's config", definition({"config.n_clusters": ABSENT}), "spec.config.n_clusters",
            "n_clusters is required with kmeans: set it", CLUSTER_DEFINITION),
    Refused("unknown source", collection({"source.type": "csv"}), "spec.source.type", "csv", COLLECTION,
            rule=False),
    Refused("odd endpoint", collection({"volume": ABSENT, "source": {"uri": "s3://b/k", "endpoint": "minio:9000"}}),
            "spec.source.endpoint", "minio:9000", COLLECTION, rule=False),
]  # fmt: skip

REFUSED = [*_SCHEDULE_RULES, *_MODE_RULES, *_ACTION_RULES, *_ALGORITHM_RULES, *_RUN_RULES, *_COLLECTION_RULES, *_FIELDS]

ACCEPTED = [
    *(Accepted(f"{kind}, every field", trigger(of_type=kind)) for kind in SCHEDULES),
    *(
        Accepted(f"{kind}, required fields", trigger({"schedule_config": {f: SCHEDULES[kind][f] for f in fields}},
                                                     of_type=kind))
        for kind, fields in _REQUIRED.items()
    ),
    Accepted("condition on volume",
             trigger({"schedule_config.condition_type": "volume", "schedule_config.metric": "document_count",
                      "schedule_config.threshold": 1.5, "schedule_config.min_documents": ABSENT},
                     of_type="conditional")),
    Accepted("work and definition", trigger({"cluster_id": "cluster_xyz789"})),
    *(Accepted(f"action {action}, every field", acting(action)) for action in ACTIONS),
    *(
        Accepted(f"action {action}, {of_type}",
                 acting(action, {}, {"trigger_type": of_type, "schedule_config": SCHEDULES[of_type]}))
        for action in ACTIONS for of_type in SCHEDULES if action == "cluster" or of_type != "conditional"
    ),
    Accepted("action cluster, short form", trigger({"action_type": "cluster"})),
    Accepted("taxonomy, every field", taxonomy({"description": "Topics"}), TAXONOMY),
    Accepted("flat taxonomy", {"collection_id": "col_topics", "label_column": "name"}, TAXONOMY),
    Accepted("taxonomy with scores below 0", taxonomy({"min_score": -1}), TAXONOMY),
    Accepted("definition with filters", definition({"filters": ACTIONS["cluster"]["filters"]}), CLUSTER_DEFINITION),
    Accepted("definition only", trigger({"cluster_id": "cluster_xyz789", "execution_config": ABSENT})),
    Accepted("nulls as the API's clients write them",
             trigger({"cluster_id": None, "description": None, "status": None, "run": None,
                      "schedule_config.interval_seconds": None})),
    Accepted("kmeans, every parameter", clustering(KMEANS, {"max_iter": 50, "metric": "euclidean", "random_state": 7})),
    Accepted("hdbscan, every parameter",
             clustering(HDBSCAN, {"min_samples": 4, "reduce": "auto", "n_components": 8, "metric": "cosine"})),
    Accepted("hierarchical by distance",
             clustering({"algorithm": "agglomerative", "distance_threshold": 0.4, "linkage": "complete"})),
    Accepted("ward", clustering(HIERARCHICAL, {"linkage": "ward", "metric": "euclidean"})),
    *(
        Accepted(f"{config['algorithm']}, required fields", clustering(config))
        for config in (KMEANS, HDBSCAN, HIERARCHICAL, DBSCAN, SPECTRAL, GAUSSIAN_MIXTURE, MEAN_SHIFT, OPTICS, EVOC)
    ),
    Accepted("evoc, every parameter", clustering(EVOC, {
        "base_min_cluster_size": 10, "base_n_clusters": 50, "noise_level": 0.2, "n_neighbors": 20, "min_samples": 8,
        "n_epochs": 80, "node_embedding_dim": 6, "neighbor_scale": 1.5, "min_similarity_threshold": 0.4,
        "max_layers": 5, "layer": 1, "metric": "euclidean", "random_state": 3})),
    Accepted("evoc, about as many clusters", clustering(EVOC, {"approx_n_clusters": 20})),
    Accepted("dbscan, every parameter",
             clustering(DBSCAN, {"min_samples": 1, "reduce": "umap", "n_components": 2, "random_state": 1})),
    Accepted("spectral, every parameter",
             clustering(SPECTRAL, {"affinity": "nearest_neighbors", "n_neighbors": 12, "gamma": 2.5})),
    Accepted("gaussian_mixture, every parameter", clustering(GAUSSIAN_MIXTURE, {
        "n_components": 500, "covariance_type": "tied", "max_iter": 20, "n_init": 2, "tol": 0.01, "reg_covar": 1e-3})),
    Accepted("mean_shift by share", clustering(MEAN_SHIFT, {"quantile": 0.02})),
    Accepted("mean_shift, every parameter", clustering(MEAN_SHIFT, {
        "bandwidth": 0.8, "max_iter": 100, "cluster_all": False, "reduce": "none", "n_components": 50})),
    Accepted("optics, every parameter", clustering(OPTICS, {
        "min_samples": 2, "max_eps": 1.5, "xi": 1.0, "min_cluster_size": 10, "reduce": "none", "n_components": 8})),
    Accepted("every field of run", trigger({"run": {
        "concurrency_policy": "Replace", "starting_deadline_seconds": 60, "timeout_seconds": 600,
        "pending_timeout_seconds": 30, "max_consecutive_failures": 1, "history_limit": 1, "retries": 0,
        "resources": {"requests": {"cpu": "500m", "memory": "1.5Gi"}, "limits": {"cpu": 2, "memory": "2e9"}},
        "service_account_name": "clustering", "node_selector": {"disk": "ssd", "spare": ""},
        "tolerations": [
            {"key": "gpu", "value": "a100", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        ],
        "queue_name": "team-a", "results": {"uri": "results/here", "volume": "results"},
    }})),
    Accepted("every field of an engine", trigger({"run.engine": {
        "type": "auto", "executors": 200, "partition_rows": 1000, "local_below": 0,
        "executor": {
            "resources": {"requests": {"cpu": "1500m", "memory": "4Gi"}, "limits": {"cpu": 2}},
            "node_selector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        },
    }})),
    Accepted("engine spark", trigger({"run.engine": {"type": "spark"}})),
    Accepted("engine local in a queue", trigger({"run.engine": {"type": "local"}, "run.queue_name": "team-a"})),
    Accepted("checks by Spark", trigger({"run": {"engine": {"type": "auto"}, "check": {"engine": "run"}}})),
    Accepted("local checks by name", trigger({"run.check": {"engine": "local", "queue_name": "team-a"}})),
    Accepted("engine spark, and a queue for checks",
             trigger({"run.engine": {"type": "spark"}, "run.queue_name": "", "run.check": {"queue_name": "team-a"}})),
    *(
        Accepted(f"engine {engine} in a queue", trigger({"run.engine": {"type": engine}, "run.queue_name": "team-a"}))
        for engine in ("spark", "auto")
    ),
    Accepted("checks by Spark in a queue",
             trigger({"run": {"engine": {"type": "spark"}, "check": {"engine": "run", "queue_name": "team-a"}}})),
    *(
        Accepted(f"{config['algorithm']} by Spark", changed(clustering(config), {"run.engine": {"type": "spark"}}))
        for config in (HIERARCHICAL, SPECTRAL, GAUSSIAN_MIXTURE, MEAN_SHIFT, HDBSCAN, DBSCAN, OPTICS)
    ),
    Accepted("assignment by Spark to clusters of any algorithm",
             changed(clustering(EVOC), {"execution_config.mode": "assign", "run.engine": {"type": "auto"}})),
    Accepted("enrichment by Spark",
             acting("taxonomy_enrichment", {"incremental": True}, {"run.engine": {"type": "spark"}})),
    Accepted("assignment by Spark in action_config",
             acting("cluster", {"mode": "assign"}, {"run.engine": {"type": "spark"}})),
    Accepted("engine spark of a definition",
             trigger({"cluster_id": "cluster_xyz789", "execution_config": ABSENT, "run.engine": {"type": "spark"}})),
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
    Accepted("results in S3", trigger({"run.results": {
        "uri": "s3://bucket/results", "secret_name": "writer", "endpoint": "http://minio:9000", "region": "x"}})),
    Accepted("definition", definition({"description": "x"}), CLUSTER_DEFINITION),
    Accepted("collection on a volume", collection({"source.text_column": "title"}), COLLECTION),
    Accepted("collection in S3", collection({"volume": ABSENT, "source": {
        "uri": "s3://bucket/key", "secret_name": "reader", "endpoint": "https://s3.example", "region": "x",
    }}), COLLECTION),
    Accepted("collection in Google Cloud Storage", collection({"volume": ABSENT, "source": {
        "type": "parquet", "uri": "gs://bucket/key", "secret_name": "reader", "endpoint": "https://storage.example",
    }}), COLLECTION),
    Accepted("collection in PostgreSQL", database({"document_id_column": "id", "vector_column": "vector"}), COLLECTION),
    Accepted("PostgreSQL without a port, over TLS",
             database({"uri": "postgresql://db.example/shop?sslmode=verify-full"}), COLLECTION),
    Accepted("PostgreSQL by IPv6", database({"uri": "postgresql://[::1]:5432/shop"}), COLLECTION),
    Accepted("collection in Qdrant", qdrant({"secret_name": "qdrant", "vector_column": "text"}), COLLECTION),
    Accepted("Qdrant behind a path", qdrant({"uri": "https://example.org/qdrant/"}), COLLECTION),
    Accepted("PostgreSQL that is written", {**database({}), "write": {"secret_name": "writer"}}, COLLECTION),
    Accepted("PostgreSQL with a table of their own",
             {**database({}), "write": {"secret_name": "writer", "table": "public.labels"}}, COLLECTION),
    Accepted("Qdrant that is written", {**qdrant({}), "write": {"secret_name": "writer"}}, COLLECTION),
    Accepted("a volume that is written", collection({"source.uri": "labels/", "write": {}}), COLLECTION),
    Accepted("S3 that is written", collection({"volume": ABSENT, "source": {"uri": "s3://bucket/labels/"},
                                               "write": {"secret_name": "writer"}}), COLLECTION),
    Accepted("definition with outputs", definition({"outputs": ["col_labels"]}), CLUSTER_DEFINITION),
    Accepted("trigger after another", trigger(CHAIN)),
    Accepted(
        "trigger with receivers",
        trigger(
            {
                "run.notify": [
                    {"uri": "https://hooks.example.com/clustering?a=b"},
                    {
                        "uri": "http://[fd00::1]:8080",
                        "events": ["completed", "failed", "changed", "drifted"],
                        "credentials": "hooks",
                        "retry_seconds": 3600,
                    },
                ]
            }
        ),
    ),
    Accepted("trigger after another, with outputs", trigger({**CHAIN, "execution_config.outputs": ["col_other"]})),
    Accepted("enrichment into its own collection", acting("taxonomy_enrichment", {
        "target_collection_id": "col_products"})),
    Accepted("mode assign", trigger({"execution_config.mode": "assign"})),
    Accepted("mode full", acting("cluster", {"mode": "full"})),
    Accepted("mode assign without noise", acting("cluster", {"mode": "assign", "assignment_threshold": -1}, {
        "trigger_type": "event", "schedule_config": SCHEDULES["event"],
    })),
    Accepted("mode composite", trigger({"execution_config.mode": "composite",
                                        "execution_config.source_execution_ids": RUNS})),
    Accepted("mode composite of a definition", acting("cluster", {"filters": ABSENT, "mode": "composite",
                                                                  "source_execution_ids": RUNS})),
    Accepted("mode full by drift", trigger({"execution_config.mode": "full"}, of_type="conditional")),
    Accepted("trigger with outputs", trigger({"execution_config.outputs": ["col_labels", "col_products"]})),
    Accepted("filters", collection({"source.filters": {
        "AND": [{"field": "language", "operator": "eq", "value": "en"},
                {"field": "year", "operator": "gte", "value": 2020}],
        "NOT": [{"OR": [{"field": "draft", "operator": "eq", "value": True},
                        {"field": "tag", "operator": "in", "value": ["x", "y"]}]}],
    }}), COLLECTION),
    Accepted("two dots inside a name", collection({"source.uri": "v1..2/a.parquet"}), COLLECTION),
]  # fmt: skip
