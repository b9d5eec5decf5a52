"""Authorizes senders of events: Kubernetes authenticates the token, and checks its permissions.

Design record: docs/design/senders.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

from clustertrigger.api import GROUP, VERSION
from clustertrigger.core.kube.answers import ApiError
from clustertrigger.core.kube.paths import ACCESS_REVIEWS, TOKEN_REVIEWS
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.serving.fair_turns import FairTurns

_REMEMBERED_FOR = 60.0
"""Seconds for which an approval is cached, and therefore how long a revoked token works."""
_DENIAL_REMEMBERED_FOR = 5.0
_MOST_REMEMBERED = 10_000
_MOST_DENIALS_REMEMBERED = 2_000
"""Denials are cached separately, so that invented tokens do not displace approvals."""
_REVIEWS_AT_ONCE = 16
"""Maximum number of concurrent requests. Any client can invent tokens, but must not occupy all connections to the API
server.
"""
_REVIEWS_OF_A_SOURCE = 8
_MOST_WAITING = 1_024
"""Maximum number of requests of one source; more would wait longer than a second or two."""
_PATIENCE = 10.0
"""Seconds for which a sender waits for the response."""
_JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", re.ASCII)

_Question = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Denial:
    """The reason why a sender is rejected."""

    status: Literal[401, 403]
    message: str


@dataclass(slots=True)
class _Review:
    """A pending request to the API server.

    Attributes:
        task: The task that sends it.
        waiting: Number of requests that wait for the answer. If no request waits, the API server is not asked.
    """

    task: asyncio.Task[Denial | None]
    waiting: int = 0


class Senders:
    """Caches decisions of the API server. Identical concurrent requests are sent once."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._granted = _Answers(_MOST_REMEMBERED, _REMEMBERED_FOR)
        self._denied = _Answers(_MOST_DENIALS_REMEMBERED, _DENIAL_REMEMBERED_FOR)
        self._reviews: dict[_Question, _Review] = {}
        self._turns = FairTurns(_REVIEWS_AT_ONCE, _REVIEWS_OF_A_SOURCE, _MOST_WAITING)

    async def denial(self, authorization: str | None, namespace: str, source: str = "") -> Denial | None:
        """Returns why the sender may not send events to a namespace; None if it may.

        Args:
            authorization: The Authorization header.
            namespace: Namespace of the triggers.
            source: Source of the request. Sources take turns in requests to the API server.

        Raises:
            ApiError: the API server could not be asked, or not in time.
            CrowdedError: too many senders of this source wait already; this one should try again.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return Denial(401, "no token: send the header Authorization: Bearer <a Kubernetes token>")
        question = (hashlib.sha256(token.encode(errors="replace")).digest(), namespace)
        if question in self._granted:
            return None
        if (denial := self._denied.get(question)) is not None:
            return denial
        return await self._answer(question, token, source)

    async def _answer(self, question: _Question, token: str, source: str) -> Denial | None:
        review = self._reviews.get(question)
        if review is None:
            review = _Review(asyncio.create_task(self._ask(token, question[1], source)))
            self._reviews[question] = review
            review.task.add_done_callback(lambda task: self._remember(question, task))
        review.waiting += 1
        try:
            # All waiting requests share the response. It must not be lost if the first request is cancelled.
            return await asyncio.shield(review.task)
        finally:
            review.waiting -= 1
            if not review.waiting and not review.task.done():
                self._reviews.pop(question, None)
                review.task.cancel()

    async def _ask(self, token: str, namespace: str, source: str) -> Denial | None:
        # Most valid tokens are JWTs and most invented ones are not. The two groups of one source take turns.
        group = _JWT.fullmatch(token) is not None
        try:
            async with asyncio.timeout(_PATIENCE), self._turns.turn(source, group):
                return await self._review_both(token, namespace)
        except TimeoutError:
            raise ApiError(
                0, "Timeout", f"the API server did not authenticate the sender within {_PATIENCE:.0f} s"
            ) from None

    async def _review_both(self, token: str, namespace: str) -> Denial | None:
        review = await self._review(TOKEN_REVIEWS, "authentication", "TokenReview", {"token": token})
        if review.get("authenticated") is not True:
            return Denial(401, "the token is not valid in this cluster: send a current one")
        user = _user_in(review)
        access = await self._review(
            ACCESS_REVIEWS,
            "authorization",
            "SubjectAccessReview",
            {
                **{field: user[field] for field in ("uid", "groups", "extra") if user.get(field)},
                "user": user["username"],
                "resourceAttributes": {
                    "group": GROUP,
                    "version": VERSION,
                    "resource": "clustertriggers",
                    "subresource": "events",
                    "verb": "create",
                    "namespace": namespace,
                },
            },
        )
        if access.get("allowed") is True:
            return None
        return Denial(
            403,
            f"{user['username']!r} is not allowed to create clustertriggers/events in the namespace "
            f"{namespace!r}: bind the ClusterRole for event senders there",
        )

    async def _review(self, path: str, group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": f"{group}.k8s.io/v1", "kind": kind, "spec": spec}
        status: object = (await self._api.create(path, body)).get("status")
        if not isinstance(status, dict):
            raise _not_understood(kind)
        return status

    def _remember(self, question: _Question, task: asyncio.Task[Denial | None]) -> None:
        review = self._reviews.get(question)
        if review is not None and review.task is task:
            del self._reviews[question]
        if task.cancelled() or task.exception() is not None:
            return
        denial = task.result()
        (self._denied if denial else self._granted).put(question, denial)


_KINDS_OF_A_USER = {"username": str, "uid": str, "groups": list, "extra": dict}


def _user_in(review: dict[str, Any]) -> dict[str, Any]:
    """Returns the user of a TokenReview.

    Raises:
        ApiError: there is none.
    """
    user = review.get("user")
    if not isinstance(user, dict) or not user.get("username"):
        raise _not_understood("TokenReview")
    if not all(isinstance(user[field], kind) for field, kind in _KINDS_OF_A_USER.items() if user.get(field)):
        raise _not_understood("TokenReview")
    return user


def _not_understood(kind: str) -> ApiError:
    return ApiError(0, "NotUnderstood", f"the API server answered with a malformed {kind}")


class _Answers:
    """Decisions, of which the oldest are dropped first."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._known: OrderedDict[_Question, tuple[float, Denial | None]] = OrderedDict()

    def __contains__(self, question: _Question) -> bool:
        until, _ = self._known.get(question, (0.0, None))
        return time.monotonic() < until

    def get(self, question: _Question) -> Denial | None:
        """Returns the denial, if there is one that has not expired."""
        return self._known[question][1] if question in self else None

    def put(self, question: _Question, denial: Denial | None) -> None:
        """Stores a decision."""
        self._known.pop(question, None)
        self._known[question] = (time.monotonic() + self._seconds, denial)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
