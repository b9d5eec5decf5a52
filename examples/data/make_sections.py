"""Makes debian-sections.parquet, the nodes of a taxonomy: ``python make_sections.py``.

Debian's sections in groups. A section's vector is the mean direction of its packages' descriptions, a group's that of
its sections: so nodes and documents are embedded by one model.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

GROUPS = {
    "Languages": ["golang", "haskell", "java", "javascript", "lisp", "ocaml", "perl", "php", "python", "ruby", "rust"],
    "Science": ["gnu-r", "math"],
    "Desktop": ["fonts", "gnome", "graphics", "localization", "sound", "x11"],
    "Writing": ["editors", "text"],
    "Internet": ["mail", "net", "web"],
    "System": ["admin", "devel", "utils"],
}
LABELS = {
    "admin": "Administration", "devel": "Development tools", "editors": "Editors", "fonts": "Fonts", "gnome": "GNOME",
    "gnu-r": "GNU R", "golang": "Go", "graphics": "Graphics", "haskell": "Haskell", "java": "Java",
    "javascript": "JavaScript", "lisp": "Lisp", "localization": "Localization", "mail": "E-mail", "math": "Mathematics",
    "net": "Network", "ocaml": "OCaml", "perl": "Perl", "php": "PHP", "python": "Python", "ruby": "Ruby",
    "rust": "Rust", "sound": "Sound", "text": "Text processing", "utils": "Utilities", "web": "Web", "x11": "X11",
}  # fmt: skip
HERE = Path(__file__).parent


def sections(packages: pa.Table) -> pa.Table:
    """Return a row per group and section: section, label, group, embedding."""
    names = np.array(packages["section"].to_pylist())
    vectors = packages["embedding"].combine_chunks()
    matrix = vectors.flatten().to_numpy().reshape(len(packages), vectors.type.list_size)
    rows = []
    for group, members in GROUPS.items():
        means = [_direction(matrix[names == section]) for section in members]
        rows.append((group.lower(), group, None, _direction(np.stack(means))))
        rows += [(name, LABELS[name], group.lower(), mean) for name, mean in zip(members, means, strict=True)]
    embeddings = np.stack([row[3] for row in rows]).astype(np.float32)
    table = pa.table(
        {
            "section": [row[0] for row in rows],
            "label": [row[1] for row in rows],
            "group": pa.array([row[2] for row in rows], pa.string()),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), embeddings.shape[1]),
        }
    )
    return table.replace_schema_metadata(packages.schema.metadata)


def _direction(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    mean = vectors.mean(axis=0, dtype=np.float64)
    direction: npt.NDArray[np.float64] = mean / np.linalg.norm(mean)
    return direction


def main() -> None:
    """Read debian-packages.parquet, write debian-sections.parquet beside it."""
    table = sections(pq.read_table(HERE / "debian-packages.parquet"))
    target = HERE / "debian-sections.parquet"
    pq.write_table(table, target, compression="zstd", compression_level=19)
    print(f"{target.name}: {table.num_rows} rows, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
