"""Translates errors of the Kubernetes API server into the API's own errors."""

from __future__ import annotations

from collections.abc import Sequence

from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.text import beginning
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.objects import Object

_PASSED_ON = (400, 401, 403, 404, 405, 409, 410, 413, 422, 429)
_INVALID, _TOO_MANY = 422, 429
UNAVAILABLE = 503
_SPEC = "spec."
_RETRY_AFTER = {"Retry-After": "1"}


def refusal(status: int, status_object: Object, text: bytes, retry_after: str | None) -> RefusedError:
    """Returns the error of the server's Status object, or of a proxy's text."""
    message = str(status_object.get("message") or beginning(text) or "no message")
    reason = str(status_object.get("reason") or "") or None
    if status == _INVALID and (causes := (status_object.get("details") or {}).get("causes")):
        return invalid(_errors(causes), code=reason)
    if status not in _PASSED_ON:
        return unavailable(f"answered {status}: {message}", "")
    headers = {"Retry-After": retry_after or "1"} if status == _TOO_MANY else {}
    if status == 401:
        message = "the Kubernetes API server does not know this token: it may have expired"
        headers = {"WWW-Authenticate": "Bearer"}
    return RefusedError(status, message, code=reason, headers=headers)


def unavailable(what: str | None, remedy: str = ": try again") -> RefusedError:
    """Returns the error of a request that got no answer, or one that no caller can do anything about.

    Args:
        what: What the API server did; None if it cannot be reached.
        remedy: What to do, after a colon.
    """
    message = f"the Kubernetes API server {what or 'cannot be reached'}{remedy}"
    return RefusedError(UNAVAILABLE, message, code="api_server_unavailable", headers=_RETRY_AFTER)


def _errors(causes: Sequence[Object]) -> list[FieldError]:
    return [
        FieldError(
            Problem(str(cause.get("field", "")).removeprefix(_SPEC), None, str(cause.get("message", ""))),
            str(cause.get("reason", "value_error")),
        )
        for cause in causes
    ]
