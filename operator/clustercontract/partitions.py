"""Reads columns from directories' names, `lang=en/part-0.parquet`, as Hive, Spark and DuckDB write them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote

NULL = "__HIVE_DEFAULT_PARTITION__"
"""Name that stands for a missing value."""
Partitions = Mapping[str, str | None]
"""Values by column; None for a missing value."""


def partitions_of(file: str) -> Partitions:
    """Returns the columns in a file's path."""
    found: dict[str, str | None] = {}
    readable = os.fsencode(file).decode(errors="replace")  # A name can be any bytes.
    for directory in readable.split("/")[:-1]:
        column, separator, value = directory.partition("=")
        if separator and column:
            found[unquote(column)] = None if value == NULL else unquote(value)
    return found
