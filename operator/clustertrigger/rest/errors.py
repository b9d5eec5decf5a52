"""Errors as clients see them: one envelope for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from clustertrigger.core.resources.problem import Problem, all_of, known_fields, problem_of

TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "request_too_large",
    422: "validation_error",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}
"""error.type, by status."""
_MOST_ERRORS = 100
"""Of one request. Each takes time, and the answer grows by hundreds of bytes for a few of the request."""


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
    """A request that is answered by an error.

    Args:
        status: the HTTP status.
        message: what is wrong, and the remedy.
        code: which of the errors with this status it is.
        details: more, for programs.
        headers: of the answer.
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
        """The body of the answer."""
        kind = TYPES.get(self.status) or ("internal_error" if self.status >= 500 else "bad_request")
        error: dict[str, Any] = {"message": self.message, "type": kind}
        if self.code:
            error["code"] = self.code
        if self.details:
            error["details"] = dict(self.details)
        return {"success": False, "status": self.status, "error": error}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of a request.

    Attributes:
        problem: what is wrong, and the remedy.
        type: pydantic's name for it.
        accepted: the keys that are known, where this one is not.
    """

    problem: Problem
    type: str = "value_error"
    accepted: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """As one item of `details.errors`."""
        said: dict[str, Any] = {"field": self.problem.field, "type": self.type, "message": self.problem.message}
        return {**said, "accepted": list(self.accepted)} if self.accepted else said


def field_error(detail: ErrorDetails, root: str, model: type[BaseModel] | None) -> FieldError:
    """One of pydantic's errors about a request.

    Args:
        detail: the error.
        root: path of the model's object in the request.
        model: what the object was read as.
    """
    unknown = detail["type"] == "extra_forbidden"
    accepted = known_fields(detail["loc"][:-1], model) if unknown else ()
    return FieldError(problem_of(detail, root, model), detail["type"], accepted)


def invalid(errors: Iterable[FieldError], code: str | None = None, *, left_out: int = 0) -> RefusedError:
    """422: what is wrong with each field; beside these, so many more are wrong."""
    found = list({error.problem.field: error for error in errors}.values())
    message = all_of([error.problem for error in found])
    details: dict[str, Any] = {"errors": [error.as_json() for error in found]}
    if left_out:
        message = f"{message}; and {left_out} more"
        details["left_out"] = left_out
    return RefusedError(422, message, code=code, details=details)


def unlike(error: ValidationError, root: str, model: type[BaseModel]) -> RefusedError:
    """422: what a request holds is no such model.

    Args:
        error: pydantic's.
        root: path of the model's object in the request.
        model: what the object was read as.
    """
    details = error.errors(include_url=False)
    found = (field_error(detail, root, model) for detail in details[:_MOST_ERRORS])
    return invalid(found, left_out=max(0, len(details) - _MOST_ERRORS))
