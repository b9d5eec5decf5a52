"""Parses the JSON body and the query of a request into models.

FastAPI is not used, because it takes as long for a body as for everything else, and as long again for dependencies. It
also does not distinguish a body of another Content-Type from one that is not an object, and accepts a key that is set
twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.text import cut
from clustertrigger.rest.errors import FieldError, RefusedError, invalid, unlike

Model = TypeVar("Model", bound=BaseModel)

_EXACT = 2**53
"""Largest number of which a double stores every digit."""
_LONGEST_KEY = 80
_NO_OBJECT = "must be a JSON object: send an object"


async def read_body(request: Request, model: type[Model], *, required: bool = True) -> Model:
    """Parses a model from the body.

    Args:
        request: The request.
        model: Model of the body.
        required: Whether a body is required; without one, the model's defaults apply.

    Raises:
        RefusedError: it is not JSON, or not such a model.
    """
    text = await request.body()
    return _as(model, {} if not text and not required else _object(request, text))


async def read_query(request: Request, model: type[Model], body: type[BaseModel] | None = None) -> Model:
    """Parses a model from the query.

    Args:
        request: The request.
        model: Model of the query.
        body: Model of a body that clients may send instead. If both contain a field, the query takes precedence.

    Raises:
        RefusedError: it is not such a model.
    """
    fields: dict[str, Any] = {}
    for key, value in request.query_params.multi_items():
        if key in fields:  # The last value would take precedence silently, although both can be meant.
            message = "is set more than once in the query: set it once"
            raise invalid([FieldError(Problem(cut(key, _LONGEST_KEY), None, message))])
        fields[key] = value
    if body is not None and _has_body(request) and (text := await request.body()):
        fields = {**_as(body, _object(request, text)).model_dump(exclude_unset=True), **fields}
    return _as(model, fields)


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Returns what OpenAPI documents about a body that `read_body` parses, as `openapi_extra` of a route."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _has_body(request: Request) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in request.scope["headers"])


def _as(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise unlike(error, "", model) from error


def _object(request: Request, text: bytes) -> Mapping[str, Any]:
    """Returns the JSON object of a body. 5.0 is the number 5, as in JSON Schema and kubectl."""
    if not text:
        raise invalid([FieldError(Problem("body", None, _NO_OBJECT), "missing")])
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        message = "must be application/json: set this header of the request"
        raise invalid([FieldError(Problem("Content-Type", content_type or None, message), "content_type")])
    try:
        value = json.loads(text, parse_float=_number, parse_constant=_no_number, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at character {error.pos + 1}") from error
    except UnicodeDecodeError as error:
        raise _no_json(f"byte {error.start + 1} is not valid UTF-8") from error
    except RecursionError as error:
        raise _no_json("it is nested too deeply") from error
    except ValueError as error:  # One of the functions below raised it, or an integer has thousands of digits.
        raise _no_json(str(error)) from error
    if not isinstance(value, dict):
        raise invalid([FieldError(Problem("body", None, _NO_OBJECT), "dict_type")])
    return value


def _no_json(reason: str) -> RefusedError:
    return RefusedError(400, f"the body is not JSON: {reason}", code="no_json")


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {cut(twice, _LONGEST_KEY)!r} is set twice: remove one of the two")
    return found
