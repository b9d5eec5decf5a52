"""Reads what the demo waits for from the status of its triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Status = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    trigger: str
    job: str
    status: Literal["completed", "failed"]
    triggered_at: datetime
    seconds: float
    error: str = ""
    clusters: int | None = None
    documents: int | None = None
    results_uri: str = ""

    def __str__(self) -> str:
        if self.status == "failed":
            return f"failed after {self.seconds:.0f} s: {self.error}"
        found = f"{self.documents:,} documents"
        if self.clusters is not None:
            found = f"{self.clusters} clusters of {found}"
        return f"completed in {self.seconds:.0f} s: {found}"


@dataclass(frozen=True)
class Awaited:
    """A run that the demo waits for.

    Attributes:
        trigger: The trigger's name.
        outcome: How the run is meant to end.
        since: Earlier runs do not count.
        request: The token of the request, for a manual run.
    """

    trigger: str
    outcome: Literal["completed", "failed"] = "completed"
    since: datetime | None = None
    request: str | None = None

    def ended(self, status: Status) -> Run | None:
        """Returns the run if it has ended."""
        entry = next((entry for entry in status.get("history", ()) if self._is_meant(entry)), None)
        if entry is None or entry["status"] not in ("completed", "failed"):
            return None
        return Run(
            trigger=self.trigger,
            job=entry["job_id"],
            status=entry["status"],
            triggered_at=datetime.fromisoformat(entry["triggered_at"]),
            seconds=entry.get("execution_time_ms", 0) / 1000,
            error=entry.get("error", ""),
            clusters=entry.get("num_clusters"),
            documents=entry.get("num_documents"),
            results_uri=entry.get("results_uri", ""),
        )

    def state(self, status: Status) -> str:
        """Describes its progress in a few words."""
        entry = next((entry for entry in status.get("history", ()) if self._is_meant(entry)), None)
        if entry is not None:
            return str(entry["status"])
        if upcoming := status.get("next_scheduled_at"):
            return f"due at {upcoming[11:19]} UTC"
        return "not yet seen by the operator" if not status.get("conditions") else "not fired"

    def obstacle(self, status: Status) -> str:
        """Returns the problem in the conditions, or an empty string."""
        against = (("Ready", "False"), ("Stalled", "True"))
        messages = [c["message"] for c in status.get("conditions", ()) if (c["type"], c["status"]) in against]
        return messages[0] if messages else ""

    def _is_meant(self, entry: Mapping[str, Any]) -> bool:
        if self.request is not None:
            return bool(entry["slot"] == f"manual/{self.request}")
        return self.since is None or datetime.fromisoformat(entry["triggered_at"]) >= self.since
