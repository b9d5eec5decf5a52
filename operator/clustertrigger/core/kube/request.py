"""Describes a request to the API server, for the operator, the command and the HTTP API alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clustertrigger.core.json_text import write_json

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request without what only its sender knows: the server, the credentials and the timeout.

    Attributes:
        method: Method of HTTP.
        path: Path below the server's address.
        body: Object to send; None for none.
        parameters: Parameters of the query.
        content_type: Media type of the body.
        accept: Media types of the response.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, str] | None = None
    content_type: str = JSON
    accept: str = JSON

    @property
    def content(self) -> bytes | None:
        """The body as JSON."""
        return None if self.body is None else write_json(self.body)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe both contents."""
        return {"Content-Type": self.content_type, "Accept": self.accept}


def merge_patch(path: str, body: Mapping[str, Any]) -> Request:
    """Returns a request that changes an object with a JSON merge patch (RFC 7386)."""
    return Request("PATCH", path, body, content_type="application/merge-patch+json")


def deletion(path: str, **options: Any) -> Request:
    """Returns a request that deletes an object and, in the background, the objects that it owns."""
    return Request("DELETE", path, {"propagationPolicy": "Background", **options})


def metadata_only(kind: str) -> str:
    """Returns the media types of a response with the metadata of objects, which old servers answer with whole objects.

    Args:
        kind: PartialObjectMetadata, or its list.
    """
    return f"application/json;as={kind};v=v1;g=meta.k8s.io,{JSON}"
