"""Who asks, and in which namespace: what every path of the API takes from a request's headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPBearer

from clustertrigger.core.kube.paths import is_namespace
from clustertrigger.core.resources.problem import Problem
from clustertrigger.rest.api_server import ApiServer
from clustertrigger.rest.errors import FieldError, RefusedError, invalid
from clustertrigger.rest.settings import Settings
from clustertrigger.rest.triggers import KnownIds, Triggers

LONGEST_NAMESPACE = 63
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_documented = HTTPBearer(
    auto_error=False, description="A token of Kubernetes: it decides what is answered and what is refused."
)


@dataclass(frozen=True)
class Backend:
    """What all requests share."""

    settings: Settings
    server: ApiServer
    ids: KnownIds


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The bearer token of a request; None where it carries none, or two."""
    values = [value for name, value in headers if name == b"authorization"]
    found = _BEARER.fullmatch(values[0].decode("latin-1").strip()) if len(values) == 1 else None
    return found[1] if found else None


def no_token() -> RefusedError:
    """401."""
    return RefusedError(
        401,
        "the header Authorization: Bearer is required, with a token of Kubernetes, as kubectl create token makes one",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _triggers(
    request: Request,
    _: Annotated[object, Depends(_documented)],
    x_namespace: Annotated[
        str | None, Header(alias="X-Namespace", description="The Kubernetes namespace.", max_length=LONGEST_NAMESPACE)
    ] = None,
    namespace: Annotated[
        str | None, Query(description="The same, where the header is not there.", max_length=LONGEST_NAMESPACE)
    ] = None,
) -> Triggers:
    backend: Backend = request.app.state.backend
    token = token_in(request.scope["headers"])
    if token is None:
        raise no_token()
    field, chosen = ("X-Namespace", x_namespace) if x_namespace else ("namespace", namespace)
    if not chosen:
        message = "is required: set the header X-Namespace, or the parameter namespace"
        raise invalid([FieldError(Problem("X-Namespace", None, message), "missing")])
    if not is_namespace(chosen):
        message = "must consist of lower-case letters, digits and '-': write the namespace's metadata.name"
        raise invalid([FieldError(Problem(field, chosen, message), "string_pattern_mismatch")])
    override = backend.settings.override_gitops
    return Triggers(backend.server, backend.ids, token, chosen, override_gitops=override)


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


CallersTriggers = Annotated[Triggers, Depends(_triggers)]
SharedBackend = Annotated[Backend, Depends(_backend)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key is the same request, however often it is sent.",
    ),
]
