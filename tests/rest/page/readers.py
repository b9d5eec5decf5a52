"""What a browser does without its script: it gets pages, keeps cookies, and sends forms."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
"""What a browser says of a form that a page of the same site has sent."""
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Reader:
    """A browser.

    Args:
        http: its connections and cookies.
        token: what is typed in to sign in.
    """

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.token = token

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A page; redirects are shown and not followed."""
        return self.http.get(path, headers=_named(headers))

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form; where no header is given, as one of the page's own."""
        return self.http.post(path, data=form or {}, headers=_named(headers) or OWN)

    def sign_in(self, target: str = "/") -> httpx.Response:
        """Type the token in."""
        return self.post("/sign-in", {"token": self.token, "next": target})

    def press(self, path: str, verb: str) -> httpx.Response:
        """Press a button of a trigger's page."""
        return self.post(f"{path}/{verb}", {"csrf": self.csrf(path)})

    def csrf(self, path: str) -> str:
        """What the forms of a page carry."""
        found = _CSRF.search(self.get(path).text)
        assert found is not None
        return found[1]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
