"""Tests of pages that update: what the service sends, and when it stops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import httpx
import pytest

from clustertrigger.rest.page.live import Source, fragments
from clustertrigger.rest.page.reading import PageContent
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.cluster import Cluster
from harness.control_plane.kube import eventually
from harness.control_plane.manifests import rarely
from harness.control_plane.proxy import Proxy
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant, own_token, take_role
from tests.rest.page.readers import Reader

Start = Callable[..., ApiProcess]


class Stream:
    """The stream of changes that a browser receives."""

    def __init__(self, reader: Reader, path: str) -> None:
        self.events: list[tuple[str, str]] = []
        self.ended = threading.Event()
        self._reader, self._path = reader, path
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def shows(self, text: str) -> object:
        """Waits until the newest fragment contains the text."""
        return eventually(lambda: self.events and text in self.events[-1][1], what=text)

    def _receive(self) -> None:
        event, data = "", []
        with suppress(httpx.TransportError), self._reader.http.stream("GET", self._path, timeout=60) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
                elif not line and (data or event):
                    self.events.append((event, "\n".join(data)))
                    event, data = "", []
        self.ended.set()


@pytest.fixture
def own_service(start_service: Start, editor: Reader) -> Iterator[tuple[ApiProcess, Reader]]:
    """A service that the test can end."""
    service = start_service()
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        reader = Reader(http, editor.token)
        assert reader.sign_in().status_code == 303
        yield service, reader


def test_the_table_updates(editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("first", rarely())
    stream = Stream(editor, f"/live?namespace={sandbox.namespace}&state=not+seen")
    stream.shows(">first</a>")
    sandbox.trigger("second", rarely())
    stream.shows(">second</a>")
    sandbox.delete("first")
    eventually(lambda: ">first</a>" not in stream.events[-1][1])
    assert "<html" not in stream.events[-1][1]
    assert len({data for _, data in stream.events}) == len(stream.events), "nothing is sent twice"


def test_a_page_of_a_trigger_updates_until_its_deletion(editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    stream = Stream(editor, f"/live/{sandbox.namespace}/nightly")
    stream.shows("Run now")
    sandbox.edit("nightly", {"description": "<b>Now</b>"})
    stream.shows("&lt;b&gt;Now&lt;/b&gt;")
    sandbox.edit("nightly", {"status": "paused"})
    stream.shows("Resume")
    sandbox.delete("nightly")
    eventually(lambda: stream.events[-1] == ("ended", "404"))
    assert stream.ended.wait(60)


def test_updates_end_with_the_reader_s_rights(editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    stream = Stream(editor, f"/live/{sandbox.namespace}/nightly")
    stream.shows("Run now")
    take_role(sandbox.kube, sandbox.namespace, "editor")
    sandbox.edit("nightly", {"description": "secret"})
    assert stream.ended.wait(60)
    assert stream.events[-1] == ("ended", "403")
    assert not any("secret" in data for _, data in stream.events)


def test_without_the_right_to_watch_the_page_polls(start_service: Start, sandbox: Sandbox, editor: Reader) -> None:
    rule = {"apiGroups": ["clustertrigger.dev"], "resources": ["clustertriggers"], "verbs": ["get", "list"]}
    take_role(sandbox.kube, sandbox.namespace, "editor")
    grant(sandbox.kube, sandbox.namespace, "editor", rule)
    sandbox.trigger("nightly", rarely())
    path = f"/live/{sandbox.namespace}/nightly"
    eventually(lambda: editor.get(f"/triggers/{sandbox.namespace}/nightly").status_code == 200)
    stream = Stream(editor, path)
    eventually(lambda: stream.events)
    sandbox.edit("nightly", {"description": "seen later"})
    stream.shows("seen later")


def test_the_table_comes_from_memory(
    start_service: Start, sandbox: Sandbox, cluster: Cluster, proxy: Proxy, tmp_path: Path, editor: Reader
) -> None:
    """Callers who can list the namespace get the table from the service's watches; other callers do not."""
    settings = {"token_file": own_token(cluster, tmp_path), "requests_per_second": 0, "rights_seconds": 1}
    service = start_service(server=proxy.url, **settings)
    eventually(lambda: sum("watch=true" in request.query for request in proxy.requests) >= 2)
    sandbox.trigger("first", rarely())
    path = f"namespace={sandbox.namespace}"
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        reader = Reader(http, editor.token)
        assert reader.sign_in().status_code == 303
        eventually(lambda: ">first</a>" in reader.get(f"/?{path}").text)
        began = len(proxy.requests)
        stream = Stream(reader, f"/live?{path}")
        stream.shows(">first</a>")
        sandbox.trigger("second", rarely())
        stream.shows(">second</a>")
        assert ">second</a>" in reader.get(f"/?{path}").text
        asked = [request for request in proxy.requests[began:] if sandbox.namespace in request.path]
        assert all("limit=1" in request.query for request in asked), "only whether the reader may list them"

        take_role(sandbox.kube, sandbox.namespace, "editor")
        time.sleep(2)  # longer than the service's own answer holds
        sandbox.trigger("secret", rarely())
        assert stream.ended.wait(60)
        assert stream.events[-1] == ("ended", "403")
        assert not any("secret" in data for _, data in stream.events)
        assert reader.get(f"/?{path}").status_code == 403


def test_the_number_of_open_pages_is_limited(start_service: Start, sandbox: Sandbox, editor: Reader) -> None:
    service = start_service(streams=2)
    sandbox.trigger("nightly", rarely())
    paths = [f"/live?namespace={sandbox.namespace}", f"/live/{sandbox.namespace}/nightly"]
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        reader = Reader(http, editor.token)
        assert reader.sign_in().status_code == 303
        with http.stream("GET", paths[0]) as first:
            assert first.status_code == 200
            lines = [first.iter_lines()]  # an iterator that goes closes its connection
            next(lines[0])
            with http.stream("GET", paths[1]) as second:
                assert second.status_code == 200
                lines.append(second.iter_lines())
                next(lines[1])
                refused = reader.get(paths[0])
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "too_many_streams"
                assert int(refused.headers["retry-after"]) >= 1
                assert reader.get(f"/triggers/{sandbox.namespace}/nightly").status_code == 200, "pages can be read"

        lines.clear()

        def reopened() -> bool:
            with http.stream("GET", paths[1]) as again:
                return again.status_code == 200

        eventually(reopened, what="a place that is free again")


def test_streams_end_with_the_service(own_service: tuple[ApiProcess, Reader], sandbox: Sandbox) -> None:
    service, reader = own_service
    sandbox.trigger("nightly", rarely())
    stream = Stream(reader, f"/live/{sandbox.namespace}/nightly")
    stream.shows("Run now")
    begin = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - begin < 15, "of the 20 s that requests have to end"
    assert stream.ended.wait(60)
    assert stream.events[-1][0] == "", "the browser asks again, another replica"


async def test_an_internal_error_does_not_end_the_watch_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LEAST", "_POLL"):
        monkeypatch.setattr(f"clustertrigger.rest.page.live.{name}", 0.001)
    monkeypatch.setattr("clustertrigger.rest.page.live._TICK", 60.0)
    reads: list[int] = []

    async def read() -> PageContent:
        reads.append(1)
        return PageContent([], str(len(reads)))

    async def changes(version: str) -> AsyncGenerator[None]:
        if version == "1":
            raise ZeroDivisionError
        yield
        await asyncio.Event().wait()

    source = Source(read, changes, lambda seen, _: f"version {seen.version}")
    async with asyncio.timeout(60), aclosing(fragments(source, asyncio.Event())) as shown:
        assert [(await anext(shown)).raw_data for _ in range(3)] == ["version 1", "version 2", "version 3"]


async def test_a_watch_that_is_cancelled_is_started_again() -> None:
    watches: list[str] = []

    async def read() -> PageContent:
        return PageContent([], str(len(watches)))

    async def changes(version: str) -> AsyncGenerator[None, None]:
        watches.append(version)
        if len(watches) == 1:
            raise asyncio.CancelledError
        await asyncio.get_running_loop().create_future()
        yield

    leaving = asyncio.Event()
    source = Source(read, changes, lambda content, _: content.version)
    async with asyncio.timeout(60), aclosing(fragments(source, leaving)) as sent:
        assert [(await anext(sent)).raw_data for _ in range(2)] == ["0", "1"]
    assert watches == ["0", "1"]
