"""Cases of fields that every trigger has: its type, description, work and outputs."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, trigger

REFUSED = [
    Refused(
        "neither work nor definition",
        trigger({"execution_config": ABSENT}),
        "spec.execution_config",
        "execution_config or cluster_id is required: set one of them",
    ),
    Refused("unknown type", trigger({"trigger_type": "hourly"}), "spec.trigger_type", "'hourly'", rule=False),
    Refused("no type", trigger({"trigger_type": ABSENT}), "spec.trigger_type", "required", rule=False),
    Refused("no schedule", trigger({"schedule_config": ABSENT}), "spec.schedule_config", "required", rule=False),
    Refused("unknown field", trigger({"scheduel": 1}), "spec.scheduel", "unknown field", rule=False),
    Refused("no collection", trigger({"execution_config.collection_ids": []}),
            "spec.execution_config.collection_ids", "at least", rule=False),
    Refused("id with a slash", trigger({"cluster_id": "a/b"}), "spec.cluster_id", "must consist of", rule=False),
    Refused("long description", trigger({"description": "x" * 2049}), "spec.description", "2048", rule=False),
    Refused("collection twice", trigger({"execution_config.collection_ids": ["a", "b", "a"]}),
            "spec.execution_config.collection_ids[2]", "a", python_field="spec.execution_config.collection_ids",
            rule=False),
]  # fmt: skip

ACCEPTED = [
    Accepted("work and definition", trigger({"cluster_id": "cluster_xyz789"})),
    Accepted("definition only", trigger({"cluster_id": "cluster_xyz789", "execution_config": ABSENT})),
    Accepted("nulls as the API's clients write them",
             trigger({"cluster_id": None, "description": None, "status": None, "run": None,
                      "schedule_config.interval_seconds": None})),
    Accepted("trigger with outputs", trigger({"execution_config.outputs": ["col_labels", "col_products"]})),
]  # fmt: skip
