"""Selects the rows of debian-descriptions.parquet: ``python select_rows.py ALL.parquet [OUT.parquet]``.

Stratified by section, so that small sections are seen beside the large ones: of the sections with at least 60
packages, up to 134 each. Sections that say how something is packaged rather than what it is about are left out.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LEAST_PER_SECTION, MOST_PER_SECTION = 60, 134
PACKAGING_SECTIONS = {"libs", "libdevel", "doc", "metapackages", "misc", "oldlibs", "debug", "tasks"}
COLUMNS = ["document_id", "section", "description", "embedding"]
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SEED = 0


def select(everything: pa.Table) -> pa.Table:
    """Return the chosen rows in the order of their ids."""
    generator = np.random.default_rng(SEED)
    sections = np.array(everything["section"].to_pylist())
    rows = []
    for section in sorted(set(sections) - PACKAGING_SECTIONS):
        members = np.flatnonzero(sections == section)
        if len(members) >= LEAST_PER_SECTION:
            rows.append(generator.choice(members, min(len(members), MOST_PER_SECTION), replace=False))
    table = everything.take(pa.array(np.concatenate(rows))).select(COLUMNS).sort_by("document_id")
    return table.replace_schema_metadata({"embedding_model": MODEL})


def main() -> None:
    """Read the first argument, write the second."""
    source = Path(sys.argv[1])
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("debian-packages.parquet")
    table = select(pq.read_table(source))
    pq.write_table(table, target, compression="zstd", compression_level=19, use_dictionary=["section"])
    print(f"{target.name}: {table.num_rows} rows, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
