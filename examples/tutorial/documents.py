"""Prints documents to try things on as CSV: ``python documents.py [--without SECTION,SECTION…] > documents.csv``.

They are descriptions of Debian packages, from examples/data. A file of your own does as well: columns id and text.
"""

import argparse
import csv
import sys
from pathlib import Path

import pyarrow.parquet as pq

DATA = Path(__file__).parents[1] / "data" / "debian-packages.parquet"


def main() -> None:
    """Print the documents of all sections but some."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", default="", help="sections to leave out, separated by commas")
    left_out = set(parser.parse_args().without.split(","))
    rows = pq.read_table(DATA, columns=["document_id", "section", "description"]).to_pylist()
    writer = csv.writer(sys.stdout)
    writer.writerow(["id", "text"])
    writer.writerows([row["document_id"], row["description"]] for row in rows if row["section"] not in left_out)


if __name__ == "__main__":
    main()
