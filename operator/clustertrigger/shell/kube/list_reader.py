"""Lists of any length as the API server writes them, read object by object: thousands at once need a gigabyte."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

_BLANK = " \t\r\n"


class ListReader:
    """Takes in the bytes of one JSON object and hands out the members of its array `items` as they become complete.

    Attributes:
        metadata: of the list; empty until it has come.
        complete: whether the whole object has been read.
    """

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.complete = False
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._opened = False
        self._in_items = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Takes in the next bytes; yields the objects that end in them.

        Raises:
            ValueError: not such a list.
        """
        self._text = self._text[self._at :] + self._decode.decode(data)
        self._at = 0
        while not self.complete:
            start = self._at
            try:
                if self._in_items:
                    found = self._item()
                    if found is not None:
                        yield found
                else:
                    self._member()
            except (IndexError, ValueError):
                # Cut off in the middle; from here again when more has come.
                self._at = start
                if len(self._text) - start > 1 and self._is_no_list():
                    raise ValueError("the answer is no list") from None
                return

    def _member(self) -> None:
        """The beginning of the object, a member of it, or its end."""
        if not self._opened:
            self._expect("{")
            self._opened = True
            return
        if self._next() == ",":
            self._at += 1
        elif self._next() == "}":
            self._at += 1
            self.complete = True
            return
        name = self._value()
        self._expect(":")
        if name == "items" and self._next() == "[":
            self._at += 1
            self._in_items = True
            return
        value = self._value()
        if name == "metadata":
            self.metadata = value

    def _item(self) -> dict[str, Any] | None:
        """The next object of the array; None at the array's end."""
        if self._next() == "]":
            self._at += 1
            self._in_items = False
            return None
        if self._next() == ",":
            self._at += 1
        found: dict[str, Any] = self._value()
        return found

    def _value(self) -> Any:
        self._next()
        value, end = self._scan(self._text, self._at)
        if end == len(self._text):
            raise IndexError  # a number may go on
        self._at = end
        return value

    def _next(self) -> str:
        """The next character that is no blank, which is not consumed."""
        while self._text[self._at] in _BLANK:
            self._at += 1
        return self._text[self._at]

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise ValueError
        self._at += 1

    def _is_no_list(self) -> bool:
        return not self._opened and self._text.lstrip(_BLANK)[:1] not in ("", "{")
