"""Tests of how a problem shows the invalid value, and of its remedies."""

from __future__ import annotations

import pytest

from clustertrigger.core.resources.validation import parse_collection, parse_trigger
from harness.specs.valid import trigger


def test_a_password_in_an_address_is_not_repeated() -> None:
    source = {"type": "postgresql", "uri": "postgresql://ada:l0velace@db/shop", "table": "t", "secret_name": "db"}
    _, [problem] = parse_collection({"source": source})
    assert str(problem) == (
        "spec.source.uri: 'postgresql://…@db/shop': uri must be postgresql://host:port/database, optionally with "
        "?sslmode=..., with type postgresql: change it, and put user and password into the Secret"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("retries", True, "must be a whole number: write a number"),
        ("retries", [3], "must be a whole number: write a number"),
        ("retries", "-010", "must be a whole number: write -10 without quotes"),
        ("timeout_seconds", "9" * 300 + "h",
         "must be a whole number of seconds: write 5400 for an hour and a half, for example"),
    ],
)  # fmt: skip
def test_values_that_are_no_whole_numbers(field: str, value: object, message: str) -> None:
    _, problems = parse_trigger({"trigger_type": "manual", "cluster_id": "a", "run": {field: value}})
    assert message in [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("place", "written", "remedy"),
    [
        ("schedule_config.interval_seconds", "400d", ", and at most 31622400: write a smaller number"),
        ("run.timeout_seconds", "60d", ", and at most 2592000: write a smaller number"),
        ("run.pending_timeout_seconds", "2d", ", and at most 86400: write a smaller number"),
        ("run.starting_deadline_seconds", "2w", ", and at most 604800: write a smaller number"),
        ("schedule_config.cooldown_seconds", "0s", ": write 0"),
        ("run.timeout_seconds", "0s", ": write 1"),
        ("run.check.timeout_seconds", "90m", ": write 5400"),
    ],
)
def test_a_duration_becomes_seconds_that_are_valid(place: str, written: str, remedy: str) -> None:
    """400d led to 34560000, which is too large, and a cooldown of 0s to 1."""
    _, problems = parse_trigger(trigger({place: written}, of_type="event"))
    messages = [problem.message for problem in problems if problem.field == f"spec.{place}"]
    assert messages == [f"must be a whole number of seconds{remedy}"]
