"""Cases of Taxonomies."""

from __future__ import annotations

from codegen.crd import TAXONOMY
from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, taxonomy

REFUSED = [
    Refused(
        "taxonomy whose labels are its parents",
        taxonomy({"parent_column": "label"}),
        "spec.parent_column",
        "parent_column and label_column must be different columns: change one of them",
        kind=TAXONOMY,
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
]  # fmt: skip

ACCEPTED = [
    Accepted("taxonomy, every field", taxonomy({"description": "Topics"}), TAXONOMY),
    Accepted("flat taxonomy", {"collection_id": "col_topics", "label_column": "name"}, TAXONOMY),
    Accepted("taxonomy with scores below 0", taxonomy({"min_score": -1}), TAXONOMY),
]
