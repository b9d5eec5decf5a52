"""Tests of signatures, verified as the libraries of Standard Webhooks do."""

from __future__ import annotations

import base64

import pytest

from clustertrigger.core.notifications.signature import KeyFormatError, read_keys, sign

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_of_the_specification_s_libraries() -> None:
    """From the tests of github.com/standard-webhooks/standard-webhooks."""
    signed = sign(read_keys(KEY), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_keys_make_two_signatures() -> None:
    other = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    first, second = (sign(read_keys(key), "id", 1, b"{}") for key in (KEY, other))
    assert sign(read_keys(f"{KEY}\n{other}\n"), "id", 1, b"{}") == f"{first} {second}"
    assert sign([], "id", 1, b"{}") == ""


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("secret", "the key must begin with whsec_"),
        ("whsec_%%%%%%", "is not base64"),
        ("whsec_***", "is not base64"),
        ("whsec_" + base64.b64encode(b"k" * 23).decode(), "the key has 23 bytes, but must have 24 to 64"),
        ("whsec_" + base64.b64encode(b"k" * 65).decode(), "the key has 65 bytes"),
        ("whsec_", "the key has 0 bytes"),
    ],
)
def test_keys_of_another_form_are_refused_without_being_shown(written: str, says: str) -> None:
    with pytest.raises(KeyFormatError) as error:
        read_keys(written)
    assert says in str(error.value)
    assert "create a key with" in str(error.value)
    assert written.removeprefix("whsec_")[:10] not in str(error.value) or len(written) < 10
