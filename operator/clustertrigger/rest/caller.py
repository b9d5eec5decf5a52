"""Reads the caller and the namespace from a request's headers, for every path of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Header, Request

from clustertrigger.core.kube.paths import is_namespace
from clustertrigger.core.resources.problem import Problem
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.triggers import Backend, Triggers

_LONGEST_NAMESPACE = 63
_OF_TOKENS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+/-="
PARAMETERS: tuple[dict[str, Any], ...] = (
    {
        "name": "X-Namespace",
        "in": "header",
        "description": "The Kubernetes namespace. It is required, either here or in the query.",
        "schema": {"type": "string", "maxLength": _LONGEST_NAMESPACE, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"},
    },
    {
        "name": "namespace",
        "in": "query",
        "description": "Alternative to the header.",
        "schema": {"type": "string", "maxLength": _LONGEST_NAMESPACE, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"},
    },
    {
        "name": "Cache-Control",
        "in": "header",
        "description": "no-cache reads from the Kubernetes API server instead of from the cache.",
        "schema": {"type": "string"},
    },
)
"""The headers of every path, for the OpenAPI document. This module parses them itself, because FastAPI takes longer for
that than for everything else.
"""


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Returns the bearer token of a request; None if there is none, or if there are two."""
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].strip().partition(b" ")
    token = token.lstrip(b" ")
    if scheme.lower() != b"bearer" or not is_token(token):
        return None
    return token.decode()


def is_token(text: bytes) -> bool:
    """Returns whether a text can be a bearer token."""
    return bool(text) and not text.translate(None, _OF_TOKENS)


def no_token() -> RefusedError:
    """Returns the error 401."""
    return RefusedError(
        401,
        "the header Authorization: Bearer is required: set it to a Kubernetes token, such as kubectl create token "
        "prints",
        headers={"WWW-Authenticate": "Bearer"},
    )


def triggers_of(request: Request, action: str | None = None) -> Triggers:
    """Returns the triggers of a request's namespace.

    Args:
        request: A request with a token and a namespace.
        action: Only triggers of this action; None for all.

    Raises:
        RefusedError: there is no token, or no namespace.
    """
    backend: Backend = request.app.state.backend
    headers = request.scope["headers"]
    token = token_in(headers)
    if token is None:
        raise no_token()
    chosen, uncached = "", False
    for name, value in headers:
        if name == b"x-namespace":
            chosen = value.decode("latin-1").strip()
        elif name == b"cache-control":
            uncached = b"no-cache" in value.lower()
    named = {"X-Namespace": chosen} if chosen else {}
    if request.scope["query_string"] and (namespace := request.query_params.get("namespace")) is not None:
        named["namespace"] = namespace
    if not named:
        message = "is required: set the header X-Namespace, or the parameter namespace"
        raise invalid([FieldError(Problem("X-Namespace", None, message), "missing")])
    for field, name in named.items():
        if not is_namespace(name):
            message = "must consist of lower-case letters, digits and '-': write the namespace's metadata.name"
            raise invalid([FieldError(Problem(field, name, message), "string_pattern_mismatch")])
    chosen = chosen or named["namespace"]
    return Triggers(backend, token, chosen, action=action, uncached=uncached)


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Requests with the same key count as one request, however often they are sent.",
    ),
]
