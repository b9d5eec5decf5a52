"""What a browser does without its script: it loads pages, keeps cookies, and sends forms."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
"""Headers that a browser sends with a form of a page of the same site."""
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Reader:
    """A browser.

    Args:
        http: Its connections and cookies.
        token: The token to sign in with.
    """

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.token = token

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Loads a page; redirects are returned and not followed."""
        return self.http.get(path, headers=_named(headers))

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        """Sends a form; without given headers, as one of the page's own."""
        return self.http.post(path, data=form or {}, headers=_named(headers) or OWN)

    def sign_in(self, target: str = "/") -> httpx.Response:
        """Enters the token."""
        return self.post("/sign-in", {"token": self.token, "next": target})

    def press(self, path: str, verb: str) -> httpx.Response:
        """Presses a button of a trigger's page."""
        return self.post(f"{path}/{verb}", {"csrf": self.csrf(path)})

    def csrf(self, path: str) -> str:
        """Returns the fields of the forms of a page."""
        found = _CSRF.search(self.get(path).text)
        assert found is not None
        return found[1]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
