"""Cases of action_type and action_config."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, ACTIONS, SCHEDULES, WORK, Spec, acting, trigger

_OTHERS = [action for action in ACTIONS if action != "cluster"]
_SHORT_FORM: list[tuple[str, str | Spec]] = [("cluster_id", "cluster_xyz789"), ("execution_config", WORK)]

REFUSED = [
    *(
        Refused(
            f"action {action} without {field}",
            acting(action, {field: ABSENT}),
            f"spec.action_config.{field}",
            f"{field} is required with {action}: set it",
        )
        for action, field in [
            ("cluster", "cluster_id"),
            ("taxonomy_enrichment", "taxonomy_id"),
            ("taxonomy_enrichment", "collection_id"),
            ("batch_rerun", "batch_id"),
            ("collection_trigger", "collection_id"),
        ]
    ),
    *(
        Refused(
            f"action {action} without action_config",
            acting(action, {}, {"action_config": ABSENT}),
            "spec.action_config",
            "action_config is required with every action_type except cluster: set it",
        )
        for action in _OTHERS
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
            ("batch_rerun", "cluster", "cluster_id"),
            ("cluster", "batch_rerun", "batch_id"),
            ("cluster", "batch_rerun", "retry_failed_only"),
            ("cluster", "collection_trigger", "include_buckets"),
            ("batch_rerun", "collection_trigger", "include_collections"),
            ("batch_rerun", "collection_trigger", "source_filters"),
            ("collection_trigger", "batch_rerun", "batch_id"),
        ]
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
            f"{action} beside {field}",
            acting(action, {}, {field: value}),
            f"spec.{field}",
            f"{field} is valid only with action_type cluster: remove it",
        )
        for action in ("taxonomy_enrichment", "batch_rerun")
        for field, value in _SHORT_FORM
    ),
    *(
        Refused(
            f"action_config beside {field}",
            acting("cluster", {}, {field: value}),
            f"spec.{field}",
            f"{field} is the short form of action_config: set one of them",
        )
        for field, value in _SHORT_FORM
    ),
    *(
        Refused(
            f"{action} by drift",
            acting(action, {}, {"trigger_type": "conditional", "schedule_config": SCHEDULES["conditional"]}),
            "spec.trigger_type",
            "trigger_type conditional is valid only with action_type cluster: only a clustering writes a baseline",
        )
        for action in _OTHERS
    ),
    Refused(
        "taxonomy_enrichment into a malformed id",
        acting("taxonomy_enrichment", {"target_collection_id": "col labelled"}),
        "spec.action_config.target_collection_id",
        "target_collection_id",
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
    Refused("batch that is not a Job's name", acting("batch_rerun", {"batch_id": "Nightly_1"}),
            "spec.action_config.batch_id", "must consist of", rule=False),
    Refused("no bucket", acting("collection_trigger", {"include_buckets": []}), "spec.action_config.include_buckets",
            "must", rule=False),
    Refused("bucket with a slash", acting("collection_trigger", {"include_buckets": ["a/b"]}),
            "spec.action_config.include_buckets[0]", "must consist of", rule=False),
    Refused("filters that are text", acting("cluster", {"filters": "language"}), "spec.action_config.filters",
            "must be", rule=False),
]  # fmt: skip

ACCEPTED = [
    *(Accepted(f"action {action}, every field", acting(action)) for action in ACTIONS),
    *(
        Accepted(f"action {action}, {of_type}",
                 acting(action, {}, {"trigger_type": of_type, "schedule_config": SCHEDULES[of_type]}))
        for action in ACTIONS for of_type in SCHEDULES if action == "cluster" or of_type != "conditional"
    ),
    Accepted("action cluster, short form", trigger({"action_type": "cluster"})),
    Accepted("enrichment into its own collection", acting("taxonomy_enrichment", {
        "target_collection_id": "col_products"})),
]  # fmt: skip
