"""Writes metrics.json: the figures of a run, for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from clusterworker.run.findings import Findings


def write_metrics(file: Path, findings: Findings) -> None:
    """Writes metrics.json. A measure that does not apply is null, and a note has the reason."""
    config = findings.spec.config
    document = {
        "num_clusters": findings.num_clusters,
        "num_documents": findings.survey.documents,
        "num_noise": findings.survey.noise,
        **findings.metrics,
        "algorithm": config.algorithm,
        "metric": config.metric,
        "mode": findings.spec.mode,
        "parameters": findings.parameters,
        "changes": asdict(findings.changes) if findings.changes else None,
        "notes": list(findings.notes),
        "clusters": [summary.as_json() for summary in findings.clusters],
    }
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
