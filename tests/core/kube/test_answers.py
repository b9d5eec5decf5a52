"""Tests of answers of API servers, and of proxies in front of them."""

from __future__ import annotations

import json

import pytest

from clustertrigger.core.kube.answers import ApiError, no_answer, object_in, refusal


@pytest.mark.parametrize(
    ("answer", "found"),
    [(b'{"kind": "Job"}', {"kind": "Job"}), (b"[]", None), (b"null", None), (b"<html>", None), (b"", None)],
)
def test_object_in(answer: bytes, found: object) -> None:
    assert object_in(answer) == found


def test_a_status_says_why() -> None:
    status = {"kind": "Status", "message": 'jobs.batch "a" already exists', "reason": "AlreadyExists"}
    error = refusal(409, "Conflict", json.dumps(status).encode(), "3")
    assert (str(error), error.reason, error.retry_after) == ('jobs.batch "a" already exists', "AlreadyExists", 3.0)
    assert error.is_conflict
    assert not error.is_not_found


@pytest.mark.parametrize(
    ("answer", "phrase", "message"),
    [
        (b" <html>proxy</html>\n", "Bad Gateway", "<html>proxy</html>"),
        (b"x" * 1_000, "Bad Gateway", "x" * 200),
        (b"", "Bad Gateway", "Bad Gateway"),
        (b"", None, "no message"),
        (b'{"message": {"odd": 1}}', None, "{'odd': 1}"),
    ],
)
def test_answers_of_proxies_are_reported(answer: bytes, phrase: str | None, message: str) -> None:
    error = refusal(502, phrase, answer, "soon")
    assert (str(error), error.reason, error.retry_after) == (message, "", None)


@pytest.mark.parametrize(
    ("status", "message", "is_unknown_kind"),
    [
        (404, "the server could not find the requested resource", True),
        (404, "404 page not found", True),
        (404, 'jobs.batch "a" not found', False),
        (503, "page not found", False),
    ],
)
def test_an_unknown_kind_is_not_a_missing_object(status: int, message: str, is_unknown_kind: bool) -> None:
    assert ApiError(status, "", message).is_unknown_kind is is_unknown_kind


def test_a_missing_answer_is_reported_in_one_line() -> None:
    error = no_answer(ConnectionError("refused\nby the peer"))
    assert str(error) == "no answer from the API server: refused by the peer"
    assert (error.reason, error.is_unanswered) == ("ConnectionError", True)
    assert str(no_answer(TimeoutError())) == "no answer from the API server: TimeoutError"


@pytest.mark.parametrize(
    ("status", "is_temporary"),
    [(0, True), (429, True), (500, True), (503, True), (403, False), (404, False), (409, False), (422, False)],
)
def test_the_same_request_can_succeed_later(status: int, is_temporary: bool) -> None:
    assert ApiError(status, "", "m").is_temporary is is_temporary
