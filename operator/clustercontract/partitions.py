"""Reads columns from directories' names, `lang=en/part-0.parquet`, as Hive, Spark and DuckDB write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

NULL = "__HIVE_DEFAULT_PARTITION__"
"""Name that stands for a missing value."""
Partitions = Mapping[str, str | None]
"""Values by column; None for a missing value."""
_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""Bytes that are not UTF-8, as Python has them in names of files."""


def partitions_of(file: str) -> Partitions:
    """Returns the columns in a file's path. Bytes that are not UTF-8 are `%FF`, written as such or not."""
    found: dict[str, str | None] = {}
    for directory in file.split("/")[:-1]:
        column, separator, value = directory.partition("=")
        if separator and column:
            found[_text(column)] = None if value == NULL else _text(value)
    return found


def _text(name: str) -> str:
    decoded = unquote(name, errors="surrogateescape")
    return _UNDECODABLE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", decoded)
