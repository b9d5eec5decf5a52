"""Provides what the routes share: path parameters, specs from bodies, and responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import Path, Response

from clustertrigger.core.json_text import write_json
from clustertrigger.rest.errors import ErrorResponse
from clustertrigger.rest.index import Query
from clustertrigger.rest.models import LONGEST_NAME, ChangeTrigger, CreateTrigger, Page

TriggerId = Annotated[
    str, Path(max_length=LONGEST_NAME, description="The trigger_id, or the metadata.name of the ClusterTrigger.")
]

_ERRORS = {
    400: "The request is not JSON.",
    401: "The token is missing or invalid.",
    403: "The token's owner does not have the Kubernetes permission for this request.",
    404: "There is no such trigger or namespace.",
    405: "The path does not support this method.",
    408: "The body did not arrive in time.",
    409: "The request conflicts with the trigger's state, with its owner, or with another change.",
    413: "The body is too long.",
    415: "The body is compressed.",
    422: "Some fields are invalid: details.errors names each of them.",
    429: "There are too many requests with this token, or in total. Retry-After gives the time to wait.",
    431: "The headers are too long.",
    500: "Internal error.",
    503: "The Kubernetes API server does not answer.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description} for status, description in _ERRORS.items()
}
"""Responses that every path can return."""


def answer(body: Mapping[str, Any] | bytes) -> Response:
    """Returns the response 200. It is not validated again, because views match their models."""
    text = body if isinstance(body, bytes) else write_json(body)
    return Response(text, media_type="application/json")


def page_of(results: Iterable[bytes], total: int, page: Page) -> bytes:
    """Returns the text of a response with a page of triggers."""
    end = b'],"total":%d,"offset":%d,"limit":%d}' % (total, page.offset, page.limit)
    return b'{"results":[' + b",".join(results) + end


def query_of(page: Page, sort_keys: Mapping[str, str]) -> Query:
    """Returns the query of a list in either API.

    Args:
        page: The request.
        sort_keys: Attributes of an Entry, where they differ from the request's sort keys.
    """
    return Query(
        trigger_type=page.trigger_type,
        status=page.status,
        sort_by=sort_keys.get(page.sort_by, page.sort_by),
        descending=page.direction == "desc",
    )


def spec_of(body: CreateTrigger | ChangeTrigger, *without: str) -> dict[str, Any]:
    """Returns the fields that a request sets, as in a trigger's spec."""
    return body.model_dump(mode="json", exclude_unset=True, exclude=set(without))
