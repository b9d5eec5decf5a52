"""Tests of the base image's mirror."""

import pytest

from harness.image.debian_base import mirror


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", None),
        ("http://m/debian/ bookworm-updates main\n", None),
        ("http://m/debian/ bookworm contrib\nhttp://m/debian/ bookworm main\n", "http://m/debian/"),
    ],
)
def test_the_mirror_is_the_one_of_the_release(listing: str, expected: str | None) -> None:
    assert mirror(listing) == expected
