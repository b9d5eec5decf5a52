"""Tests of how a problem shows the invalid value."""

from __future__ import annotations

from clustertrigger.core.resources.validation import parse_collection


def test_a_password_in_an_address_is_not_repeated() -> None:
    source = {"type": "postgresql", "uri": "postgresql://ada:l0velace@db/shop", "table": "t", "secret_name": "db"}
    _, [problem] = parse_collection({"source": source})
    assert str(problem) == (
        "spec.source.uri: 'postgresql://…@db/shop': uri must be postgresql://host:port/database, optionally with "
        "?sslmode=..., with type postgresql: change it, and put user and password into the Secret"
    )
