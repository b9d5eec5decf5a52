"""What a problem shows of the value that it is about."""

from __future__ import annotations

from clustertrigger.core.resources.validation import parse_collection


def test_a_password_in_an_address_is_not_repeated() -> None:
    source = {"type": "postgresql", "uri": "postgresql://ada:l0velace@db/shop", "table": "t", "secret_name": "db"}
    _, [problem] = parse_collection({"source": source})
    assert str(problem) == (
        "spec.source.uri: 'postgresql://…@db/shop': uri is postgresql://host:port/database, with ?sslmode=... where "
        "used, with type postgresql: rewrite it; user and password go into the Secret"
    )
