"""Interprets the responses of API servers: an object, or an error.

The operator, the command and the HTTP API have separate clients.
"""

from __future__ import annotations

from typing import Any

from clustertrigger.core.json_text import read_json
from clustertrigger.core.text import beginning
from clustertrigger.core.text import reason as reason_of

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_TOO_MANY, _SERVER_ERROR = 429, 500
_UNKNOWN_KIND = ("could not find the requested resource", "page not found")


class ApiError(Exception):
    """The API server refused a request, or did not respond.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        reason: The server's reason, or the kind of the client's error.
        message: Description for people.
        retry_after: Seconds after which the client can retry.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def is_unanswered(self) -> bool:
        """Whether it is unknown what the API server has done."""
        return self.status == 0

    @property
    def is_unauthenticated(self) -> bool:
        """Whether the server did not authenticate the client."""
        return self.status == _UNAUTHORIZED

    @property
    def is_forbidden(self) -> bool:
        """Whether the client lacks the permission."""
        return self.status == _FORBIDDEN

    @property
    def is_not_found(self) -> bool:
        """Whether the object does not exist."""
        return self.status == _NOT_FOUND

    @property
    def is_unknown_kind(self) -> bool:
        """Whether the server does not know the kind, rather than the object."""
        return self.is_not_found and any(phrase in self.message for phrase in _UNKNOWN_KIND)

    @property
    def is_missing_object(self) -> bool:
        """Whether the server knows the kind, but not the object."""
        return self.is_not_found and not self.is_unknown_kind

    @property
    def is_conflict(self) -> bool:
        """Whether the object already exists, or has changed in the meantime."""
        return self.status == _CONFLICT

    @property
    def is_temporary(self) -> bool:
        """Whether the same request can succeed soon: the server did not respond, is overloaded or has an error."""
        return self.is_unanswered or self.status == _TOO_MANY or self.status >= _SERVER_ERROR


def object_in(answer: bytes) -> dict[str, Any] | None:
    """Returns the object in a response; None if the response contains anything else."""
    try:
        found = read_json(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def refusal(status: int, phrase: str | None, answer: bytes, retry_after: str = "") -> ApiError:
    """Returns the error of a response, from the server's Status object or from a proxy's text.

    Args:
        status: The HTTP status.
        phrase: The HTTP reason phrase.
        answer: The body.
        retry_after: The header Retry-After.
    """
    status_object = object_in(answer) or {}
    message = str(status_object.get("message") or beginning(answer) or phrase or "no message")
    after = float(retry_after) if retry_after.isdecimal() else None
    return ApiError(status, str(status_object.get("reason") or ""), message, after)


def no_answer(cause: Exception) -> ApiError:
    """Returns the error of a request that got no response."""
    return ApiError(0, type(cause).__name__, f"no answer from the API server: {reason_of(cause)}")
