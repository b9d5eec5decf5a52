"""Tests of lists of names in all formats: an incomplete or malformed list is never taken for an empty list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from clustertrigger.core.kube import paths
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.shell.kube.api_server import ApiServer, Named
from clustertrigger.shell.metrics.process import Metrics

NAMED = [Named("search", f"t{n}", f"uid-{n}", str(n)) for n in range(1, 1201)]
PATH = paths.custom("clustertriggers")
ODD: list[Any] = [None, 4, ["x"], {}]


def listed(named: list[Named] | None) -> dict[str, Any]:
    items = None if named is None else [_object(one) for one in named]
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "4711"},
        "items": items,
    }


def _object(one: Named) -> dict[str, Any]:
    metadata = {
        "name": one.name,
        "namespace": one.namespace,
        "uid": one.uid,
        "resourceVersion": one.version,
        "annotations": {"quoted": 'with "items":[ and ]} in it'},
    }
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}


class Asked:
    """An API server that answers lists of names in its own way."""

    body = b""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.queries: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.queries.append(dict(request.query))
        return web.Response(body=self.body, content_type="application/json")


@pytest.fixture
async def asked() -> AsyncIterator[tuple[Asked, ApiServer]]:
    server = Asked()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    async with TestServer(app) as running:
        configuration = Configuration(host=str(running.make_url("/")).rstrip("/"))
        async with ApiServer(configuration, Metrics(), connections=1) as api:
            yield server, api


@pytest.mark.parametrize("form", [{"separators": (",", ":")}, {}, {"indent": 2}], ids=["compact", "spaced", "indented"])
@pytest.mark.parametrize("named", [NAMED, NAMED[:1], [], None], ids=["many", "one", "none", "null"])
async def test_forms(asked: tuple[Asked, ApiServer], named: list[Named] | None, form: dict[str, Any]) -> None:
    server, api = asked
    server.body = json.dumps(listed(named), **form).encode()
    assert await api.names(PATH, remembered=True) == (named or [], "4711")


async def test_requests_ask_for_metadata_and_allow_the_cache(asked: tuple[Asked, ApiServer]) -> None:
    server, api = asked
    server.body = json.dumps(listed([])).encode()
    await api.names(PATH, "a=b", remembered=True)
    await api.names(PATH, remembered=False)
    assert server.queries == [{"labelSelector": "a=b", "resourceVersion": "0"}, {}]
    assert all(
        headers["Accept"].startswith("application/json;as=PartialObjectMetadataList") for headers in server.headers
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
async def test_a_truncated_list_is_rejected(asked: tuple[Asked, ApiServer], share: float) -> None:
    server, api = asked
    whole = json.dumps(listed(NAMED), separators=(",", ":")).encode()
    server.body = whole[: int(share * len(whole))]
    with pytest.raises(ApiError):
        await api.names(PATH, remembered=True)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>no</html>",
        b"[1, 2]",
        b'"text"',
        b"{}",
        b'{"kind":"Status","items":[]}',
        b'{"kind":"ClusterTriggerList","items":[]}',
        b'{"kind":"CollectionList","metadata":{"resourceVersion":"1"},"items":[]}',
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{}}]}',
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"1"},"items":[1]}',
        b'{"kind":"PartialObjectMetadataList","metadata":null,"items":[]}',
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":null},"items":[]}',
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":12},"items":[]}',
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"1"},"items":7}',
        b'{"kind":["PartialObjectMetadataList"],"metadata":{"resourceVersion":"1"},"items":[]}',
        *(
            json.dumps({**listed([]), "items": [{"metadata": {**_object(NAMED[0])["metadata"], part: odd}}]}).encode()
            for part in ("namespace", "name", "uid", "resourceVersion")
            for odd in ODD
        ),
        b'{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"1"},"items":[' + b"[" * 100_000,
        b"[" * 100_000,
    ],
    ids=lambda body: body.decode()[-60:],
)
async def test_an_answer_that_is_not_a_list_of_names_is_rejected(asked: tuple[Asked, ApiServer], body: bytes) -> None:
    server, api = asked
    server.body = body
    with pytest.raises(ApiError):
        await api.names(PATH, remembered=True)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>ok</html>", b"null", b"[]", b"1", b'{"kind":', b'{"kind":' + b"[" * 100_000],
    ids=lambda x: x[:9],
)
async def test_an_answer_that_is_not_an_object_is_an_api_server_error(
    asked: tuple[Asked, ApiServer], body: bytes
) -> None:
    server, api = asked
    server.body = body
    with pytest.raises(ApiError, match="is not an object"):
        await api.get(PATH + "/nightly")
