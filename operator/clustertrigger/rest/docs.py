"""Serves the page at /docs: Swagger UI from the image alone, with a policy that allows no other scripts."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

_STATIC = "/static-offline-docs"
"""Path at which fastapi-offline serves the files of Swagger UI."""
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Serves the page."""

    async def docs(request: Request) -> HTMLResponse:
        root = str(request.scope.get("root_path") or "")
        answer = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - Swagger UI",
            swagger_js_url=f"{root}{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_STATIC}/favicon.png",
            swagger_ui_parameters=app.swagger_ui_parameters,
        )
        answer.headers.update(_headers(bytes(answer.body)))
        return answer

    app.add_api_route("/docs", docs, include_in_schema=False)


def _headers(page: bytes) -> dict[str, str]:
    """Returns a policy that allows only the page's own inline script, which starts Swagger UI, by its digest."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page)]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; style-src-attr 'unsafe-inline'; "
            "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
