"""CloudEvents 1.0 over HTTP: what a request says has happened.

Source: CloudEvents 1.0.2, the JSON event format and the HTTP protocol binding (binary, structured and batched mode).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from clustertrigger.core.text import cut

MOST_EVENTS = 1_000
"""Maximum number of events in one request."""
LARGEST_COUNT = 1_000_000_000

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_BINARY = "ce-"
_JSON_TYPE = "application/json"
_LONGEST_SHOWN = 80

_Attribute = Annotated[str, Field(min_length=1)]


_TIME = "must be a time with an offset, such as 2026-11-22T00:13:00Z"
_REASONS = {
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    **dict.fromkeys(("timezone_aware", "datetime_parsing", "datetime_from_date_parsing", "datetime_type"), _TIME),
}
"""The errors of attributes that senders make most often, with the remedy."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The parts of an event that triggers use."""

    source: str
    id: str
    type: str
    collection_id: str
    count: int


class EventError(Exception):
    """The request contains no events that can be counted."""

    def __init__(self, status: Literal[400, 413, 415], message: str) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the response."""


class _CloudEvent(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: _Attribute
    source: _Attribute
    type: _Attribute
    subject: _Attribute | None = None
    collectionid: _Attribute | None = None
    time: AwareDatetime | None = None
    datacontenttype: str | None = None
    data: Any = None
    data_base64: str | None = None


_ONE = TypeAdapter(_CloudEvent)
_MANY = TypeAdapter(list[_CloudEvent])
_COUNT = TypeAdapter(Annotated[int, Field(ge=1, le=LARGEST_COUNT, strict=True)])
_JSON = TypeAdapter(Any)


def read_events(headers: Mapping[str, str], body: bytes) -> list[Occurrence]:
    """Returns the events of a request, in order.

    Args:
        headers: The request's headers, by names in lower case.
        body: The request's body.

    Raises:
        EventError: the request is of no known mode, holds too many events, or one that is wrong: the message names
            the attribute.
    """
    content_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    content_type = content_type.strip()
    if content_type == STRUCTURED:
        _check_charset(parameters)
        return [_occurrence(_parse(_ONE, body), "")]
    if content_type == BATCHED:
        _check_charset(parameters)
        events = _parse(_MANY, body)
        if len(events) > MOST_EVENTS:
            raise EventError(413, f"{len(events)} events in one request: send at most {MOST_EVENTS}")
        return [_occurrence(event, f"[{place}].") for place, event in enumerate(events)]
    if content_type.startswith("application/cloudevents"):
        raise EventError(415, f"content type {content_type!r} is not supported: send {STRUCTURED} or {BATCHED}")
    attributes = {name.removeprefix(_BINARY): value for name, value in headers.items() if name.startswith(_BINARY)}
    if not attributes:
        raise EventError(
            415,
            f"the request is not a CloudEvent: send content type {STRUCTURED} or {BATCHED}, or the attributes as "
            f"{_BINARY}* headers",
        )
    return [_occurrence(_binary(attributes, content_type, body), "")]


def _binary(attributes: Mapping[str, str], content_type: str, body: bytes) -> _CloudEvent:
    event: dict[str, Any] = {name: _header_value(value) for name, value in attributes.items()}
    event["data"], event["data_base64"] = None, None
    if body and _is_json(content_type):
        try:
            event["data"] = _JSON.validate_json(body)
        except ValidationError as error:
            raise EventError(400, f"data: {_reason(error)}: send JSON, as the content type says") from None
    elif body and _has_count(data := _json_or_none(body)):
        if content_type:  # Such as that of a form, which is curl's default: 100 documents would count as one.
            raise EventError(415, f"data.count needs the content type {_JSON_TYPE}, not {content_type!r}: set it")
        event["data"] = data
    try:
        return _ONE.validate_python(event)
    except ValidationError as error:
        raise _refusal(error, prefix=_BINARY) from None


def _header_value(value: str) -> str:
    """Decodes a header's value according to HTTP protocol binding 3.1.3.2."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(value)


def _parse(shape: TypeAdapter[Any], body: bytes) -> Any:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None


def _occurrence(event: _CloudEvent, where: str) -> Occurrence:
    collection = event.collectionid or event.subject
    if collection is None:
        raise EventError(400, f"{where}subject: is missing: set it, or the extension collectionid, to the collection")
    return Occurrence(event.source, event.id, event.type, collection, _count(_data(event, where), where))


def _data(event: _CloudEvent, where: str) -> Any:
    """Returns the data, which SDKs write as base64 if they have it as bytes."""
    if isinstance(event.data, str) and _has_count(_json_or_none(event.data)):
        raise EventError(400, f"{where}data: is a string that contains JSON: send the object itself")
    if event.data_base64 is None:
        return event.data
    try:
        data = _json_or_none(base64.b64decode(event.data_base64, validate=True))
    except ValueError:
        raise EventError(400, f"{where}data_base64: is not base64: encode the data, or send it as data") from None
    content_type = (event.datacontenttype or _JSON_TYPE).partition(";")[0].strip().lower()
    if _has_count(data) and not _is_json(content_type):
        raise EventError(
            415, f"{where}datacontenttype: data.count needs {_JSON_TYPE}, not {_short(content_type)}: set it"
        )
    return data


def _is_json(content_type: str) -> bool:
    return content_type.endswith(("/json", "+json"))


def _json_or_none(text: str | bytes) -> Any:
    try:
        return _JSON.validate_json(text)
    except ValidationError:
        return None


def _has_count(data: Any) -> bool:
    return isinstance(data, Mapping) and "count" in data


def _count(data: Any, where: str) -> int:
    if not _has_count(data):
        return 1
    try:
        return _COUNT.validate_python(data["count"])
    except ValidationError:
        raise EventError(
            400, f"{where}data.count: must be a whole number from 1 to {LARGEST_COUNT}, not {_short(data['count'])}"
        ) from None


def _check_charset(parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "us-ascii"):
            raise EventError(415, f"charset {value.strip()} is not supported: send UTF-8")


def _refusal(error: ValidationError, prefix: str = "") -> EventError:
    first = error.errors(include_url=False)[0]
    place, *_ = (*(part for part in first["loc"] if isinstance(part, str)), "")
    where = "".join(f"[{part}]." for part in first["loc"] if isinstance(part, int))
    if not place:
        return EventError(400, f"{where or 'the body'}: {_reason(error)}: send a JSON object, or an array in a batch")
    if first["type"] == "missing":
        return EventError(400, f"{where}{prefix}{place}: is missing: every CloudEvent requires it")
    if place == "specversion":
        return EventError(400, f"{where}{prefix}{place}: must be 1.0, not {_short(first['input'])}")
    return EventError(400, f"{where}{prefix}{place}: {_reason(error)}, not {_short(first['input'])}")


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if (reason := _REASONS.get(first["type"])) is not None:
        return reason
    message = first["msg"]
    return message[:1].lower() + message[1:]


def _short(value: object) -> str:
    return cut(repr(value), _LONGEST_SHOWN)
