"""Defines the errors of the API, which all have the same envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from clustertrigger.core.resources.fields import known_fields
from clustertrigger.core.resources.problem import Problem, all_of, problem_of

TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}
"""Maps a status to error.type."""
_MOST_ERRORS = 100
"""Maximum number of errors in a response. Each takes time, and adds hundreds of bytes for a few bytes of the request.
"""


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str = Field(description="The error and its remedy, for people.")
    type: str = Field(description="The kind of the error, for programs. Each HTTP status has one kind.")
    code: str | None = Field(None, description="The specific error of that kind, for programs.")
    details: dict[str, Any] | None = Field(
        None,
        description="With status 422, `errors` has an entry for each invalid field: field, type, message and, for an "
        "unknown field, accepted. It has at most 100 entries; `left_out` is the number of further errors.",
    )


class ErrorResponse(BaseModel):
    """Every error."""

    success: Literal[False]
    status: int = Field(description="The HTTP status.")
    error: ErrorDetail


class RefusedError(Exception):
    """A request is answered with an error.

    Args:
        status: The HTTP status.
        message: What is wrong, and the remedy.
        code: The specific error of this status.
        details: Further data, for programs.
        headers: Headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.details = details
        self.headers = dict(headers or {})

    def envelope(self) -> dict[str, Any]:
        """Returns the body of the response."""
        kind = TYPES.get(self.status) or ("internal_error" if self.status >= 500 else "bad_request")
        error: dict[str, Any] = {"message": self.message, "type": kind}
        if self.code:
            error["code"] = self.code
        if self.details:
            error["details"] = dict(self.details)
        return {"success": False, "status": self.status, "error": error}


@dataclass(frozen=True)
class FieldError:
    """The problem with one field of a request.

    Attributes:
        problem: What is wrong, and the remedy.
        type: pydantic's name of the error.
        accepted: The known keys, if this key is unknown.
    """

    problem: Problem
    type: str = "value_error"
    accepted: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns the item of `details.errors`."""
        item: dict[str, Any] = {"field": self.problem.field, "type": self.type, "message": self.problem.message}
        return {**item, "accepted": list(self.accepted)} if self.accepted else item


def field_error(detail: ErrorDetails, root: str, model: type[BaseModel] | None) -> FieldError:
    """Returns one of pydantic's errors about a request.

    Args:
        detail: The error.
        root: Path of the model's object in the request.
        model: The model of the object.
    """
    unknown = detail["type"] == "extra_forbidden"
    accepted = known_fields(detail["loc"][:-1], model) if unknown else ()
    return FieldError(problem_of(detail, root, model), detail["type"], accepted)


def invalid(errors: Iterable[FieldError], code: str | None = None, *, left_out: int = 0) -> RefusedError:
    """Returns the error 422 with the problem of each field, and the number of further problems."""
    found = list({error.problem.field: error for error in errors}.values())
    message = all_of([error.problem for error in found])
    details: dict[str, Any] = {"errors": [error.as_json() for error in found]}
    if left_out:
        message = f"{message}; and {left_out} more"
        details["left_out"] = left_out
    return RefusedError(422, message, code=code, details=details)


def unlike(error: ValidationError, root: str, model: type[BaseModel]) -> RefusedError:
    """Returns the error 422 for a request that does not match a model.

    Args:
        error: pydantic's error.
        root: Path of the model's object in the request.
        model: The model of the object.
    """
    details = error.errors(include_url=False)
    found = (field_error(detail, root, model) for detail in details[:_MOST_ERRORS])
    return invalid(found, left_out=max(0, len(details) - _MOST_ERRORS))
