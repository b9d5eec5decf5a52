"""Callers of the API: a token, a namespace, and requests with both."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from harness.control_plane.kube import Object, eventually
from tests.rest import published

CLUSTER = "/v1/clusters/triggers"
UNIFIED = "/v1/triggers"


class Caller:
    """Requests with one token to one namespace. Each answer must match the API's published pages.

    Args:
        url: URL of the API.
        namespace: The namespace.
        token: Token of the caller.
    """

    def __init__(self, url: str, namespace: str, token: str) -> None:
        self.namespace = namespace
        headers = {"Authorization": f"Bearer {token}", "X-Namespace": namespace}
        hooks = {"response": [published.check]}
        self.http = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60, event_hooks=hooks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """POST of JSON; headers by their names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.http.post(path, headers=named)
        return self.http.post(path, json=body, headers=named)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """GET."""
        return self.http.get(path, params=query)

    def patch(self, path: str, body: object) -> httpx.Response:
        """PATCH of JSON."""
        return self.http.patch(path, json=body)

    def delete(self, path: str) -> httpx.Response:
        """DELETE."""
        return self.http.delete(path)

    def create(self, body: Object, path: str = CLUSTER) -> Object:
        """Returns the created trigger."""
        return ok(self.post(path, body))

    def wait_until(self, path: str, **fields: object) -> Object:
        """Returns the trigger at a path as soon as it has these fields."""
        return eventually(
            lambda: ok(self.get(path)), until=lambda shown: fields.items() <= shown.items(), what=repr(fields)
        )


def ok(answer: httpx.Response) -> Object:
    """Returns the body of a successful answer."""
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()
    return found


def refused(answer: httpx.Response, status: int, code: str | None = None) -> Object:
    """Returns the `error` of a failed answer, after checking its envelope."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    envelope: Object = answer.json()
    assert envelope.keys() == {"success", "status", "error"}
    assert (envelope["success"], envelope["status"]) == (False, status)
    error: Object = envelope["error"]
    assert {"message", "type"} <= error.keys() <= {"message", "type", "code", "details"}, error
    assert error["message"]
    assert code is None or error.get("code") == code, error
    return error


def fields_of(error: Object) -> dict[str, Object]:
    """Returns the fields that a 422 names."""
    return {item["field"]: item for item in error["details"]["errors"]}


def every(seconds: int = 86_400, **others: Any) -> Object:
    """The body of a cluster trigger that fires on request only, as long as a test runs."""
    return {
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": seconds},
        "execution_config": {
            "collection_ids": ["col_products"],
            "config": {"algorithm": "kmeans", "n_clusters": 5},
        },
        **others,
    }


def unified(body: Object) -> Object:
    """The same as the body of a unified trigger."""
    config = {name: body[name] for name in ("cluster_id", "execution_config") if name in body}
    rest = {name: value for name, value in body.items() if name not in config}
    return {"action_type": "cluster", "action_config": config, **rest}


def asked_for(raw: Object) -> Object:
    """Returns the spec of an object without the schema's defaults, where it has exactly these."""
    defaults = {("status", "active"), ("action_type", "cluster")}
    spec = raw["spec"].items()
    return {
        name: value
        for name, value in spec
        if name != "run" and (isinstance(value, dict) or (name, value) not in defaults)
    }
