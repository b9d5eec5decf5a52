"""Who may send events: Kubernetes says whose token it is, and what they may do."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

from clustertrigger.api import GROUP, VERSION
from clustertrigger.shell.kube.api_server import ApiServer
from clustertrigger.shell.kube.paths import ACCESS_REVIEWS, TOKEN_REVIEWS

_REMEMBERED_FOR = 60.0
"""Seconds for which a yes holds, and so how long a revoked token may still send."""
_DENIAL_REMEMBERED_FOR = 5.0
_MOST_REMEMBERED = 10_000
_REVIEWS_AT_ONCE = 8
"""Anybody who reaches the port can make up tokens: the connections to the API server are not theirs to fill."""

_Question = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Denial:
    """Why somebody may not send."""

    status: Literal[401, 403]
    message: str


class Senders:
    """Answers from the API server, remembered for a while; many who ask the same at once ask it once."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._answers: OrderedDict[_Question, tuple[float, Denial | None]] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[Denial | None]] = {}
        self._turn = asyncio.Semaphore(_REVIEWS_AT_ONCE)

    async def denial(self, authorization: str | None, namespace: str) -> Denial | None:
        """Why the sender may not send events to a namespace, or None.

        Args:
            authorization: the header of that name.
            namespace: whose triggers the events may concern.

        Raises:
            ApiError: the API server could not be asked.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return Denial(401, "no token: send the header Authorization: Bearer <a Kubernetes token>")
        question = (hashlib.sha256(token.encode(errors="replace")).digest(), namespace)
        until, answer = self._answers.get(question, (0.0, None))
        if time.monotonic() < until:
            return answer
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = asyncio.create_task(self._ask(token, namespace))
            asking.add_done_callback(lambda task: self._remember(question, task))
        # The answer is everybody's: it must not be lost with the one who asked first.
        return await asyncio.shield(asking)

    async def _ask(self, token: str, namespace: str) -> Denial | None:
        review = await self._review(TOKEN_REVIEWS, "authentication", "TokenReview", {"token": token})
        if not review.get("authenticated"):
            return Denial(401, "the token is not valid in this cluster: send a current one")
        user = review.get("user") or {}
        access = await self._review(
            ACCESS_REVIEWS,
            "authorization",
            "SubjectAccessReview",
            {
                **{field: user[field] for field in ("uid", "groups", "extra") if user.get(field)},
                "user": user.get("username", ""),
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
        if access.get("allowed"):
            return None
        return Denial(
            403,
            f"{user.get('username')!r} may not create clustertriggers/events in the namespace {namespace!r}: bind the "
            "ClusterRole for event senders there",
        )

    async def _review(self, path: str, group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": f"{group}.k8s.io/v1", "kind": kind, "spec": spec}
        async with self._turn:
            status: dict[str, Any] = (await self._api.create(path, body)).get("status") or {}
        return status

    def _remember(self, question: _Question, asked: asyncio.Task[Denial | None]) -> None:
        del self._asking[question]
        if asked.cancelled() or asked.exception() is not None:
            return
        answer = asked.result()
        until = time.monotonic() + (_DENIAL_REMEMBERED_FOR if answer else _REMEMBERED_FOR)
        self._answers.pop(question, None)
        self._answers[question] = (until, answer)
        while len(self._answers) > _MOST_REMEMBERED:
            self._answers.popitem(last=False)
