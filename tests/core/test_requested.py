"""Tests of the tokens of requested runs and resets."""

from __future__ import annotations

import pytest

from clustertrigger.core.requested import reset_requested, run_requested


@pytest.mark.parametrize(
    ("written", "token"),
    [
        (None, None),
        ("", None),
        ("1", "1"),
        ("ä" * 200, "ä" * 200),
        ("a" * 201, f"{'a' * 200}…a92efd82109373e5"),
        (f"{'a' * 201}b", f"{'a' * 200}…253dd3206d191269"),
    ],
    ids=["none", "empty", "short", "200 characters", "201 characters", "the same beginning"],
)
def test_a_token_is_stored_in_a_short_form(written: str | None, token: str | None) -> None:
    for name, requested in (("run-requested", run_requested), ("reset-requested", reset_requested)):
        annotations = None if written is None else {f"clustertrigger.dev/{name}": written, "another": "x"}
        assert requested({"metadata": {"annotations": annotations}}) == token
        assert requested({"metadata": {}}) is None
