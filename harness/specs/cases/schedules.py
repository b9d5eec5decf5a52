"""Cases of spec.schedule_config, and of event triggers that follow other runs."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, CHAIN, SCHEDULES, acting, trigger

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

REFUSED = [
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
    Refused("zero seconds", trigger({"schedule_config.interval_seconds": 0}, of_type="interval"),
            "spec.schedule_config.interval_seconds", "1", rule=False),
    Refused("one as true", trigger({"schedule_config.start_immediately": 1}, of_type="interval"),
            "spec.schedule_config.start_immediately", "must be", rule=False),
    Refused("threshold below zero", trigger({"schedule_config.threshold": -0.1}, of_type="conditional"),
            "spec.schedule_config.threshold", "0", rule=False),
]  # fmt: skip

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
    Accepted("trigger after another", trigger(CHAIN)),
    Accepted("trigger after another, with outputs", trigger({**CHAIN, "execution_config.outputs": ["col_other"]})),
]  # fmt: skip
