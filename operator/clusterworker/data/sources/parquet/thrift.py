"""Reads values of Thrift's compact protocol, in which Parquet stores its metadata.

pyarrow 26 lets C++ exceptions escape from metadata that is encrypted or damaged, and they end the process.
"""

from collections.abc import Mapping
from typing import Any

Fields = Mapping[int, "Fields"]
"""The wanted fields of a struct, by number, and the wanted fields of each one's structs; empty for other values."""

_BINARY, _LIST, _SET, _MAP, _STRUCT = 8, 9, 10, 11, 12
_TRUE, _FALSE, _BYTE, _DOUBLE = 1, 2, 3, 7
_INTEGERS = (4, 5, 6)
_INTEGER_BYTES = 10
"""Maximum number of bytes of an integer of 64 bits."""


class Reader:
    """Reads one struct after another.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, wanted: Fields) -> dict[int, Any]:
        """Returns the wanted fields of a struct: integers, booleans, bytes, lists of these, or such dicts.

        Raises:
            ValueError: It is not a struct of this protocol.
            IndexError: It ends too early.
            RecursionError: Structs are in one another too deeply.
        """
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else self._integer()
            if number in wanted:
                found[number] = self._value(head & 15, wanted[number])
            else:
                self._skip(head & 15)
        return found

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _unsigned(self) -> int:
        value = self._byte()
        if value < 128:
            return value
        value &= 127
        for place in range(1, _INTEGER_BYTES):
            byte = self._byte()
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                return value
        raise ValueError("an integer of more than 64 bits")

    def _integer(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _items(self) -> tuple[int, int]:
        """Returns the number of a list's items, and their type."""
        head = self._byte()
        count = head >> 4
        return (self._count() if count == 15 else count), head & 15

    def _count(self) -> int:
        """Returns a number of items, each of which has at least one byte."""
        count = self._unsigned()
        if count > len(self._data):
            raise ValueError(f"{count} items in {len(self._data)} bytes")
        return count

    def _value(self, kind: int, wanted: Fields) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self.struct(wanted)
        if kind == _BINARY:
            length = self._unsigned()
            self._at += length
            return self._data[self._at - length : self._at]
        if kind in (_LIST, _SET):
            count, inner = self._items()
            return [self._value(inner, wanted) for _ in range(count)]
        raise ValueError(f"a value of type {kind}")

    def _skip(self, kind: int) -> None:
        if kind in _INTEGERS:
            self._unsigned()
        elif kind == _BINARY:
            length = self._unsigned()  # This moves _at.
            self._at += length
        elif kind == _STRUCT:
            self._skip_struct()
        elif kind in (_LIST, _SET):
            self._skip_items(*self._items())
        elif kind == _MAP:
            count = self._count()
            kinds = self._byte() if count else 0
            self._skip_items(count, kinds >> 4, kinds & 15)
        elif kind in (_BYTE, _DOUBLE):
            self._at += 1 if kind == _BYTE else 8
        elif kind not in (_TRUE, _FALSE):
            raise ValueError(f"a value of type {kind}")

    def _skip_struct(self) -> None:
        while head := self._byte():
            if not head >> 4:
                self._unsigned()
            self._skip(head & 15)

    def _skip_items(self, count: int, *kinds: int) -> None:
        """A boolean is a byte in a list, and a part of the field's number in a struct."""
        for _ in range(count):
            for kind in kinds:
                self._skip(_BYTE if kind in (_TRUE, _FALSE) else kind)
