"""Cases of spec.run.engine, and of checks by its executors."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import (
    ABSENT,
    DBSCAN,
    EVOC,
    GAUSSIAN_MIXTURE,
    HDBSCAN,
    HIERARCHICAL,
    MEAN_SHIFT,
    OPTICS,
    RUNS,
    SPECTRAL,
    acting,
    changed,
    clustering,
    trigger,
)

REFUSED = [
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
]

ACCEPTED = [
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
]  # fmt: skip
