"""Defines the action `collection_trigger`, which processes a collection by a Pod that its owner has specified.

Environment variables tell the container what to do, and its termination message reports what it did.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from clustercontract.base import ApiId, ApiModel
from clustercontract.container import shortened
from clustercontract.filters import Filter
from clustercontract.run import DocumentCounts, RunResult

COLLECTION_ID_VARIABLE = "CLUSTERTRIGGER_COLLECTION_ID"
INCLUDE_BUCKETS_VARIABLE = "CLUSTERTRIGGER_INCLUDE_BUCKETS"
INCLUDE_COLLECTIONS_VARIABLE = "CLUSTERTRIGGER_INCLUDE_COLLECTIONS"
SOURCE_FILTERS_VARIABLE = "CLUSTERTRIGGER_SOURCE_FILTERS"
"""These three hold JSON, and are set only if the trigger sets the field."""
SOURCE_VARIABLE = "CLUSTERTRIGGER_SOURCE"
"""The Collection's spec.source as JSON, which says where the container writes the vectors."""
RUN_VARIABLE = "CLUSTERTRIGGER_RUN"
"""Name of the run's Job."""

Ids = Annotated[list[ApiId], Field(min_length=1, max_length=100)]


class CollectionTrigger(ApiModel):
    """Processes a collection."""

    collection_id: ApiId
    include_buckets: Ids | None = None
    include_collections: Ids | None = None
    source_filters: Filter | None = None


class ProcessingReport(DocumentCounts):
    """The container's termination message."""

    error: str | None = Field(None, description="Why the container failed, in one line.")


def read_report(message: str, succeeded: bool) -> RunResult:
    """Returns the result of a container. An invalid message does not make the run fail.

    Args:
        message: The container's termination message. If a failed container wrote none, it is the end of its log.
        succeeded: Whether the container's exit code is 0.
    """
    if not message or not (succeeded or message.startswith("{")):
        return RunResult(status="completed" if succeeded else "failed")
    try:
        report = ProcessingReport.model_validate_json(message)
    except ValidationError as error:
        if not succeeded:
            return RunResult(status="failed")
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        return RunResult(
            status="completed", notes=[f"no events were counted: the termination message: {field}: {first['msg']}"]
        )
    if not succeeded:
        return RunResult(status="failed", error=shortened(report.error))
    return RunResult(status="completed", documents=DocumentCounts.model_validate(report.model_dump(exclude={"error"})))
