"""Turns documents into vectors: ``python embed.py DOCUMENTS.csv VECTORS.parquet MODEL``.

MODEL is a file. The first call makes it from the documents; later ones use it, so that their vectors can be compared.

It is latent semantic analysis by scikit-learn, which needs no download. For better vectors, let `embedded` call a
model of yours, such as sentence-transformers; the rest stays.
"""

import csv
import sys
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

DIMENSIONS = 100


def embedded(texts: list[str], model: Path) -> np.ndarray:
    """Return a vector per text, shape (texts, DIMENSIONS)."""
    if model.exists():
        pipeline = joblib.load(model)
    else:
        words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
        pipeline = make_pipeline(words, TruncatedSVD(DIMENSIONS, random_state=0), Normalizer())
        pipeline.fit(texts)
        joblib.dump(pipeline, model)
    return np.asarray(pipeline.transform(texts), dtype=np.float32)


def main() -> None:
    """Read the documents, write their vectors."""
    documents, target, model = map(Path, sys.argv[1:])
    with documents.open(newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row["text"] for row in rows]
    vectors = embedded(texts, model)
    known = vectors.any(axis=1)  # a document of which the model knows no word has no direction
    columns = {"document_id": [row["id"] for row in rows], "text": texts, "embedding": list(vectors)}
    table = pa.table(columns).replace_schema_metadata({"embedding_model": f"lsa-{DIMENSIONS}"})
    pq.write_table(table.filter(pa.array(known)), target)
    left_out = f", without {(~known).sum()} documents of which the model knows no word" if not known.all() else ""
    print(f"{target}: {known.sum()} vectors of {vectors.shape[1]} dimensions{left_out}")


if __name__ == "__main__":
    main()
