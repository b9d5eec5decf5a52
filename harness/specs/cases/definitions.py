"""Cases of ClusterDefinitions."""

from __future__ import annotations

from codegen.crd import CLUSTER_DEFINITION
from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, ACTIONS, definition

REFUSED = [
    Refused("definition without work", definition({"config": ABSENT}), "spec.config", "required", CLUSTER_DEFINITION,
            rule=False),
    Refused("definition's config", definition({"config.n_clusters": ABSENT}), "spec.config.n_clusters",
            "n_clusters is required with kmeans: set it", CLUSTER_DEFINITION),
]  # fmt: skip

ACCEPTED = [
    Accepted("definition with filters", definition({"filters": ACTIONS["cluster"]["filters"]}), CLUSTER_DEFINITION),
    Accepted("definition", definition({"description": "x"}), CLUSTER_DEFINITION),
    Accepted("definition with outputs", definition({"outputs": ["col_labels"]}), CLUSTER_DEFINITION),
]
