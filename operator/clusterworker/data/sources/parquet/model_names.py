"""Finds the names of the embedding model in the metadata of Parquet files, and contradictions between them."""

from collections.abc import Iterable, Mapping

from clusterworker.data.sources.messages import OTHER_MODEL, model_shown
from clusterworker.data.sources.models import are_different, joined
from clusterworker.data.sources.parquet.file import ParquetFile
from clusterworker.process.errors import MisconfiguredError

MODEL_KEYS = ("embedding_model", "model_name", "model")
"""Keys of the metadata of a file, or of its vectors' field, in which writers store the embedding model."""
_GENERIC = "model"
"""In a file's metadata, this key can name anything, such as a model of data."""


def model_of(files: Iterable[ParquetFile], vector_column: str) -> str:
    """Returns the name of the embedding model of all files; "" if none names it.

    Two files are of the same model if they agree in each key that both have, or, without such a key, in a name.

    Args:
        files: The files of a collection.
        vector_column: Column with the vectors.

    Raises:
        MisconfiguredError: Two files, or two places in one of them, name different models.
    """
    files_by_names: dict[tuple[tuple[str, str], ...], ParquetFile] = {}
    for file in files:
        names = _names_in(file, vector_column)
        if not names or tuple(names.items()) in files_by_names:
            continue
        for known, first in files_by_names.items():
            if _contradict(dict(known), names):
                raise MisconfiguredError(
                    f"{file.shown}: embedded by {model_shown(joined(names.values()))}, but {first.shown} by "
                    f"{model_shown(joined(dict(known).values()))}: {OTHER_MODEL}"
                )
        files_by_names[tuple(names.items())] = file
    found = {key: name for names in files_by_names for key, name in names}
    return joined(found[key] for key in MODEL_KEYS if key in found)


def _contradict(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    shared = one.keys() & other.keys()
    if shared:
        return any(one[key] != other[key] for key in shared)
    return are_different(joined(one.values()), joined(other.values()))


def _names_in(file: ParquetFile, vector_column: str) -> dict[str, str]:
    """Returns the names in a file by their keys, in the order of the keys.

    Raises:
        MisconfiguredError: Two places of the file name different models under one key.
    """
    vectors = f"the metadata of column {vector_column}"
    places = {
        "the metadata of the file": file.metadata,
        # If a file has an Arrow schema, pyarrow yields only its metadata. Polars, for example, adds none to it.
        "the metadata of its Arrow schema": file.schema.metadata or {},
        vectors: file.schema.field(vector_column).metadata or {},
    }
    found = {
        key: {place: name for place, metadata in places.items() if (name := _name(metadata, key))} for key in MODEL_KEYS
    }
    if vectors in found[_GENERIC]:
        found[_GENERIC] = {vectors: found[_GENERIC][vectors]}
    elif any(found[key] for key in MODEL_KEYS if key != _GENERIC):
        found[_GENERIC] = {}
    for key, by_place in found.items():
        (first, name), *others = by_place.items() or [("", "")]
        for place, other in others:
            if other != name:
                raise MisconfiguredError(
                    f"{file.shown}: {key} is {model_shown(name)} in {first}, and {model_shown(other)} in {place}: "
                    f"{OTHER_MODEL}"
                )
    return {key: next(iter(by_place.values())) for key, by_place in found.items() if by_place}


def _name(metadata: Mapping[bytes, bytes], key: str) -> str:
    return metadata.get(key.encode(), b"").decode(errors="replace").strip()
