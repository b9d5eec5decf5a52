"""Keeps drift.json beside a trigger's runs: its last measurements, oldest first. Reports draw them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clustercontract.check import CheckSpec, Measurement
from clustercontract.container import ResultsTarget
from clustercontract.run import RunSpec
from clusterworker.process.errors import RunError
from clusterworker.process.progress import Progress
from clusterworker.storage.file import StoredFile, open_file

FILE = "drift.json"
KEPT = 100
_COLUMNS = (
    *("checked_at", "metric", "value", "threshold", "noise_floor"),
    *("baseline_documents", "current_documents", "min_documents"),
)


class RecordedMeasurement(Measurement):
    """A measurement, and the check that made it."""

    check: str = Field(description="The Job's name.")
    slot: str = Field(description="What the check was made for.")
    min_documents: int = Field(description="As in the CheckSpec.")


class DriftRecord(BaseModel):
    """The file's content."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = 1
    measurements: tuple[RecordedMeasurement, ...] = ()

    def with_measurement(self, added: RecordedMeasurement) -> DriftRecord:
        """Returns the record with another measurement. A check that was retried is recorded once."""
        others = tuple(known for known in self.measurements if known.check != added.check)
        return DriftRecord(measurements=(*others, added)[-KEPT:])

    def table(self) -> dict[str, list[Any]]:
        """Returns the measurements as columns and rows, oldest first."""
        dumped = [measurement.model_dump(mode="json", include=set(_COLUMNS)) for measurement in self.measurements]
        return {"columns": list(_COLUMNS), "rows": [[row[name] for name in _COLUMNS] for row in dumped]}

    def to_bytes(self) -> bytes:
        """The file's content."""
        return self.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


def record_file(namespace: str, trigger: str, results: ResultsTarget, secrets: Path) -> StoredFile:
    """Returns the location of a trigger's record: `<results>/<namespace>/<trigger>/drift.json`."""
    uri = "/".join([results.uri.rstrip("/"), namespace, trigger, FILE])
    return open_file(uri, results, secrets)


def read_record(file: StoredFile) -> DriftRecord:
    """Returns the record; an empty one if the file does not exist or contains something else.

    Raises:
        RunError: the file cannot be read.
    """
    content = file.read()
    try:
        return DriftRecord.model_validate_json(content) if content else DriftRecord()
    except ValidationError:
        return DriftRecord()


def append(file: StoredFile, spec: CheckSpec, measurement: Measurement) -> DriftRecord:
    """Adds a measurement to the record, and returns all of it.

    Raises:
        RunError: the file cannot be read or written.
    """
    added = RecordedMeasurement(
        **measurement.model_dump(), check=spec.check, slot=spec.slot, min_documents=spec.min_documents
    )
    record = read_record(file).with_measurement(added)
    file.write(record.to_bytes())
    return record


def measured_before(spec: RunSpec, secrets: Path, progress: Progress) -> tuple[RecordedMeasurement, ...]:
    """Returns the measurements of the run's trigger, oldest first; none if they cannot be read."""
    try:
        return read_record(record_file(spec.namespace, spec.trigger, spec.results, secrets)).measurements
    except RunError as error:
        progress.info(f"the report does not show drift: {error}")
        return ()
