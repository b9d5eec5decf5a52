"""Receives webhooks over HTTPS, for tests and stories. It records requests, and can be down or refuse them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request, confirmed or not."""

    path: str
    headers: Mapping[str, str]
    """Headers by names in lower case."""
    body: bytes
    status: int
    """HTTP status of the response."""

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in the request."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Serves HTTPS, or HTTP without a certificate, on one port from `up` to `down`, as often as is wanted.

    Attributes:
        address: of this machine, to listen on.
        port: 0 until it is up for the first time; then the same each time.
        certificate: PEM file; None for HTTP.
        key: its key.
        answer: gives the status for a path.
        headers: of every answer.
        requests: all so far, in order.
    """

    address: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    answer: Callable[[str], int] = lambda _: 204
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{'https' if self.certificate else 'http'}://{self.address}:{self.port}"

    @property
    def confirmed(self) -> list[Received]:
        """Requests that were answered with 2xx."""
        return [request for request in list(self.requests) if 200 <= request.status < 300]

    def up(self) -> None:
        """Starts listening."""
        server = ThreadingHTTPServer((self.address, self.port), self._handler())
        if self.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.key)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = receiver.answer(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(self.path, headers, body, status))
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
