"""Renders templates, and provides assets and the headers of every page."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from clustertrigger import __version__

_ROOM = "clustertrigger.rest.page"
_ASSETS = ("page.css", "page.js", "icon.svg", "htmx/htmx.min.js", "htmx/hx-sse.min.js", "htmx/LICENSE")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # no-referrer would also remove the Origin from forms, which identifies forms of this page.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Authorization, Cookie",
}
"""Headers of every page. A page loads nothing from other servers, and runs nothing in its text."""
FRAMING = {"Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"}
"""Headers of a page with a frame, in addition to HEADERS."""
FRAMED = {
    **HEADERS,
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}
"""Headers of a report in the frame. To the browser, it is a page of another origin without access to anything. It
contains its own scripts, and declares which one may run.
"""


@dataclass(frozen=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str


def _load() -> dict[str, Asset]:
    folder = resources.files(_ROOM) / "assets"
    found = {}
    for name in _ASSETS:
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        found[name] = Asset((folder / name).read_bytes(), kind)
    return found


ASSETS = _load()
"""Assets by name."""
EDITION = hashlib.sha256(b"".join(asset.content for asset in ASSETS.values())).hexdigest()[:12]
"""Digest in the URLs of assets, so that a browser can cache them indefinitely."""

_environment = Environment(
    loader=PackageLoader(_ROOM),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(asset=lambda name: f"/assets/{EDITION}/{name}", version=__version__)


def render(template: str, context: Mapping[str, Any]) -> str:
    """Returns the rendered text of a template."""
    return _environment.get_template(template).render(context)


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any) -> HTMLResponse:
    """Returns a complete page."""
    return HTMLResponse(render(template, context), status, headers={**HEADERS, **(headers or {})})
