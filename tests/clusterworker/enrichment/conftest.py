"""Enrichments in a Pod's directories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustercontract.actions.taxonomy_enrichment import EnrichmentSpec
from clustercontract.run import RunResult
from clusterworker.enrichment.job import enrich
from clusterworker.process.progress import Progress
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import fixed_size_list


@dataclass
class Enriching:
    """A Pod whose volume contains nodes.parquet and data.parquet."""

    pod: Pod

    def nodes(self, vectors: Any, parents: Sequence[Any] | None = None, ids: Sequence[Any] | None = None) -> None:
        """Writes the nodes n0, n1, … with labels N0, N1, …"""
        ids = ids if ids is not None else [f"n{number}" for number in range(len(vectors))]
        columns = {
            "document_id": ids,
            "label": [f"N{number}" for number in range(len(vectors))],
            "embedding": fixed_size_list(np.asarray(vectors, np.float32)),
        }
        if parents is not None:
            columns["parent"] = parents
        pq.write_table(pa.table(columns), self.pod.volume / "nodes.parquet")

    def spec(self, *, taxonomy: Mapping[str, Any] = MappingProxyType({}), **fields: Any) -> EnrichmentSpec:
        mounted = {"mount_path": str(self.pod.volume)}
        document = {
            "namespace": "search",
            "trigger": "labels",
            "run": "labels-1a2b-1",
            "slot": "2026-11-21T02:00:00Z",
            "taxonomy": {
                "taxonomy_id": "tax_topics",
                "nodes": {"collection_id": "col_nodes", "source": {"uri": "nodes.parquet"}, **mounted},
                "label_column": "label",
                **taxonomy,
            },
            "collection": {"collection_id": "col_docs", "source": {"uri": "data.parquet"}, **mounted},
            "seed": 7,
            "results": {"uri": str(self.pod.results)},
        }
        return EnrichmentSpec.model_validate_json(json.dumps(document | fields))

    def run(self, spec: EnrichmentSpec, memory: int = 4 << 30) -> RunResult:
        return enrich(spec, Progress(self.pod.log), self.pod.mounts, memory)

    def table(self, spec: EnrichmentSpec) -> pa.Table:
        return pq.read_table(self.folder(spec) / "enrichment.parquet")

    def metrics(self, spec: EnrichmentSpec) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder(spec) / "metrics.json").read_text())
        return found

    def folder(self, spec: EnrichmentSpec) -> Any:
        return self.pod.results / spec.namespace / spec.trigger / spec.run


@pytest.fixture
def enriching(pod: Pod) -> Enriching:
    return Enriching(pod)
