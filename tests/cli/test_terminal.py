"""Tests that texts of others cannot control the reader's terminal."""

from __future__ import annotations

import io
import json
import re

import pytest

from clustertrigger.cli.progress_bar import Display
from clustertrigger.cli.terminal import printable, table

HOSTILE = "\x1b]0;owned\x07\x1b[2Jabc\r\n\u202edef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße, 世界 ½", "Grüße, 世界 ½"),
        ("", ""),
        (HOSTILE, "\ufffd]0;owned\ufffd\ufffd[2Jabc\ufffd\ufffd\ufffddef"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_tables_and_progress_contain_no_escape_sequences() -> None:
    (_, row) = table(("NAME", "TEXT"), [("a", HOSTILE)])
    assert row.plain.isprintable()
    for terminal in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda terminal=terminal: terminal  # type: ignore[method-assign,misc]
        with Display(stream, lambda: 0.0) as display:
            display.line(json.dumps({"phase": HOSTILE, "message": HOSTILE, "level": "info"}))
            display.line(json.dumps({"phase": "run", "message": HOSTILE, "level": "error"}))
            display.say(HOSTILE)
        # What is left beside colours and the moves of the cursor that redraw the bar.
        shown = re.sub(r"\x1b\[[0-9;?]*[mlhKA]|[\r\n]", "", stream.getvalue())
        assert "]0;owned" in shown
        assert shown.isprintable(), shown
