"""Writes and reads run.json, which identifies a folder's run and its time.

The file latest.json, beside the folders, is a copy of the newest one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from clustercontract.run import RunSpec

if TYPE_CHECKING:
    from clusterworker.run.findings import Findings

FILE = "run.json"
MEMBERS = "members.parquet"
LATEST = "latest.json"
SPEC = "spec.json"
"""The run's whole input, so that the run can be repeated."""
MARKER = "metrics.json"
"""The last file of a folder. A folder without it is incomplete; in S3, nothing can be renamed."""


class RunRecord(BaseModel):
    """A finished run, as described in its folder. The folder is named `run` and lies beside latest.json."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    namespace: str
    trigger: str
    run: str
    slot: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    num_clusters: int | None = None
    """Number of clusters, for a clustering."""
    num_documents: int

    def to_bytes(self) -> bytes:
        """Returns the file's content."""
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"


def record_of(spec: RunSpec, findings: Findings, started_at: datetime) -> RunRecord:
    """Records a run that finishes now."""
    return RunRecord(
        namespace=spec.namespace,
        trigger=spec.trigger,
        run=spec.run,
        slot=spec.slot,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        num_clusters=findings.num_clusters,
        num_documents=findings.survey.documents,
    )


def read_record(content: bytes) -> RunRecord | None:
    """Returns the record in a file, None if the file contains something else."""
    try:
        return RunRecord.model_validate_json(content)
    except ValidationError:
        return None


def lineage(run: str) -> str:
    """Returns what the names of all runs of one trigger object have in common with no other's: all but the slot.

    A trigger that was deleted and created again with the same name has another lineage.
    """
    return run.rpartition("-")[0]
