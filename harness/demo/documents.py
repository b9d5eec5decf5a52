"""The demo's collection at two times: packages for desktops leave, and programming languages come."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LEAVING = ("editors", "fonts", "gnome", "graphics", "mail", "sound", "web", "x11")
COMING = ("golang", "haskell", "java", "javascript", "perl", "php", "ruby", "rust")
"""Sections of the example data. Together they change the mean by 0.065 (cosine_drift); random variation changes it by
0.007.
"""
GROUP_ROWS = 1_000
"""Documents of a row group. An executor of Spark reads whole ones, so that two share this file (make demo-spark)."""


def before(everything: Path) -> bytes:
    """Returns the first state of the collection, as a Parquet file."""
    return _without(everything, COMING)


def after(everything: Path) -> bytes:
    """Returns the collection after the data were replaced."""
    return _without(everything, LEAVING)


def _without(everything: Path, sections: tuple[str, ...]) -> bytes:
    table = pq.read_table(everything)
    kept = table.filter(pc.invert(pc.is_in(table["section"], value_set=pa.array(sections))))
    sink = pa.BufferOutputStream()
    pq.write_table(kept, sink, row_group_size=GROUP_ROWS)
    return bytes(sink.getvalue())
