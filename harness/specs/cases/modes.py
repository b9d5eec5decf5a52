"""Cases of mode, assignment_threshold and source_execution_ids."""

from __future__ import annotations

from codegen.crd import CLUSTER_DEFINITION
from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, RUNS, SCHEDULES, Spec, acting, changed, definition, trigger

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

REFUSED = [
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

ACCEPTED = [
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
]  # fmt: skip
