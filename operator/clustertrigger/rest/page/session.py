"""Identifies the reader by the token of a request, and checks that the reader intended a change.

The token is the session. It comes with each request, in a header or in a cookie, and is stored nowhere else, so every
replica can respond. Design record: docs/design/page.md.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request, Response

from clustertrigger.rest.caller import is_token, token_in
from clustertrigger.rest.errors import RefusedError

LONGEST_TOKEN = 3800
"""Maximum number of characters of a token. A browser stores cookies of up to 4,096 bytes, including name and
attributes.
"""
CSRF_FIELD = "csrf"
_COOKIE = "clustertrigger-session"
_SECURE_COOKIE = f"__Host-{_COOKIE}"
"""Name of the cookie. A browser accepts this prefix only from a secure page, so that a man in the middle cannot set it.
"""
_PURPOSE = b"clustertrigger page: a form that this session was shown"


@dataclass(frozen=True)
class Session:
    """The reader.

    Attributes:
        token: Token of Kubernetes.
        signed_in_here: Whether the reader entered it on this page; otherwise, a proxy adds it.
    """

    token: str
    signed_in_here: bool

    @property
    def csrf(self) -> str:
        """Returns the value that forms of this session contain. It cannot be computed without the token."""
        return hmac.new(self.token.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def session_of(request: Request) -> Session | None:
    """Returns the session of a request. A header, which a proxy sets, takes precedence over the cookie."""
    if (token := token_in(request.scope["headers"])) is not None:
        return Session(token, signed_in_here=False)
    kept = request.cookies.get(_cookie(request), "")
    return Session(kept, signed_in_here=True) if is_token(kept.encode("latin-1", "replace")) else None


def read_token(typed: str) -> str:
    """Returns the token that a reader entered, without a terminal's line breaks.

    Raises:
        RefusedError: it cannot be one.
    """
    token = "".join(typed.split())
    if token[:6].lower() == "bearer":
        token = token[6:]
    if not is_token(token.encode("utf-8", "replace")):
        raise RefusedError(422, "This is not a token: paste the output of `kubectl create token`.", code="no_token")
    if len(token) > LONGEST_TOKEN:
        raise RefusedError(
            422,
            f"This token has {len(token):,} characters, but a cookie can contain only {LONGEST_TOKEN:,}: use a token "
            "of a service account, or a proxy that sets the header Authorization.",
            code="token_too_long",
        )
    return token


def keep(token: str, request: Request, response: Response) -> None:
    """Makes the browser store a token until it is closed."""
    response.set_cookie(_cookie(request), token, path="/", httponly=True, samesite="strict", secure=_is_secure(request))


def forget(request: Request, response: Response) -> None:
    """Makes the browser drop the token."""
    response.delete_cookie(_cookie(request), path="/", httponly=True, samesite="strict", secure=_is_secure(request))


def require_own_form(request: Request) -> None:
    """Raises an error unless a form was sent from this page.

    Raises:
        RefusedError: another site sent it, or a program that is not a browser.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:  # Browsers send it only over HTTPS and to localhost.
        origin = urlsplit(request.headers.get("origin", "")).netloc
        hosts = {request.headers.get(name) for name in ("host", "x-forwarded-host")}
        site = "same-origin" if origin and origin in hosts else "cross-site"
    if site != "same-origin":
        raise _foreign("the form came from another site, or its origin is not known")


def require_csrf(session: Session, token: str) -> None:
    """Raises an error unless a form belongs to this session.

    Raises:
        RefusedError: it was not.
    """
    if not hmac.compare_digest(session.csrf.encode(), token.encode(errors="replace")):
        raise _foreign("this form belongs to another session")


def came_from_elsewhere(request: Request) -> bool:
    """Returns whether a link from another site led here. The browser then leaves out a strict cookie once."""
    return request.headers.get("sec-fetch-site") == "cross-site" and request.headers.get("sec-fetch-mode") == "navigate"


def _foreign(why: str) -> RefusedError:
    return RefusedError(403, f"Nothing was changed: {why}. Reload the page and press the button again.", code="csrf")


def _cookie(request: Request) -> str:
    return _SECURE_COOKIE if _is_secure(request) else _COOKIE


def _is_secure(request: Request) -> bool:
    """Returns whether the browser uses TLS, directly or through a proxy.

    A client that claims this wrongly only loses a cookie.
    """
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "").lower() == "https"
