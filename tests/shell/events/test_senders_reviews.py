"""Tests of the reviews that the endpoint requests from the API server: how many at once, and what their answers are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.shell.in_process import FakeApi, ask, message, serving_events, whole


async def test_one_address_gets_half_of_the_reviews_whatever_its_tokens_look_like() -> None:
    api = FakeApi()
    api.delay = 0.5
    async with serving_events(api) as port:
        tokens = [token for number in range(30) for token in (f"made-up-{number}", f"eyJ{number}.eyJi.c")]
        sending = [
            asyncio.create_task(ask(port, whole(message(), token=token), source="127.0.0.9")) for token in tokens
        ]
        await asyncio.sleep(0.3)
        assert api.open == 8
        async with asyncio.timeout(2):
            assert (await ask(port, whole(message())))[0] == 202
        answers = await asyncio.gather(*sending)
    assert {status for status, _ in answers} == {401}
    assert api.most_open == 9, "eight of one address, and one of the other"


@pytest.mark.parametrize(
    "status",
    [
        [],
        "x",
        ["a"],
        {"authenticated": True},
        {"authenticated": True, "user": "me"},
        {"authenticated": True, "user": ["x"]},
        {"authenticated": True, "user": {}},
        {"authenticated": True, "user": {"username": ["me"]}},
        {"authenticated": True, "user": {"username": "me", "groups": "system:masters"}},
        {"authenticated": True, "user": {"username": "me", "extra": ["x"]}},
    ],
)
async def test_malformed_answers_of_the_api_server_are_no_internal_errors(
    status: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api = FakeApi()
    api.status = status
    async with serving_events(api) as port:
        code, answer = await ask(port, whole(message()))
    assert (code, b"malformed" in answer) == (503, True)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("status", [{}, {"authenticated": "true"}, {"authenticated": False, "user": "x"}])
async def test_only_true_authenticates(status: Any) -> None:
    api = FakeApi()
    api.status = status
    async with serving_events(api) as port:
        assert (await ask(port, whole(message())))[0] == 401
