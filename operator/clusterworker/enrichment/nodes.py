"""Reads a taxonomy from its collection: the tree of its nodes, and their vectors."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clustercontract.actions.taxonomy_enrichment import TaxonomyInput
from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.data.dataset import in_range
from clusterworker.data.sources.batch import Place
from clusterworker.data.sources.collection import Collection, blaming_changes, whole_pass
from clusterworker.data.sources.collections import open_collections
from clusterworker.data.sources.messages import MissingColumnError, changed
from clusterworker.enrichment.tree import Tree, tree_of
from clusterworker.process.errors import MisconfiguredError

_FLOAT_OF_INTEGER = re.compile(r"(-?[0-9]+)\.0")
_NO_NUMBER = ("nan", "NaN")
_SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class Taxonomy:
    """The nodes that documents are compared with.

    Attributes:
        given: The taxonomy in the spec.
        tree: Tree of the nodes.
        vectors: Vectors of unit length, shape (nodes, dimensions).
        sha256: Hash of the nodes (ids, labels, parents and vectors), which does not depend on their order.
        embedding_model: Name, or "".
        notes: What is unusual about it.
    """

    given: TaxonomyInput
    tree: Tree
    vectors: Vectors
    sha256: str
    embedding_model: str
    notes: tuple[str, ...] = ()

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self.vectors.shape[1])


def read_taxonomy(taxonomy: TaxonomyInput, secrets: Path, memory: int) -> Taxonomy:
    """Reads the nodes.

    Args:
        taxonomy: The taxonomy in the spec.
        secrets: where Secrets are mounted.
        memory: Bytes that the container may use. A quarter of it is for the nodes.

    Raises:
        MisconfiguredError: a column is missing, a vector is invalid, or the nodes form no tree or are too many.
        UnavailableError: the source does not answer, or changes meanwhile.
    """
    where = f"taxonomy {taxonomy.taxonomy_id} (collection {taxonomy.nodes.collection_id})"
    collection = _opened(taxonomy, taxonomy.label_column, "label_column", secrets)
    needed = 2 * 4 * collection.rows * collection.dimensions  # The index contains a copy.
    if needed > memory * _SHARE_OF_MEMORY:
        raise MisconfiguredError(
            f"{where}: {collection.rows} nodes of {collection.dimensions} dimensions need {needed / 2**30:.1f} GiB, "
            f"and a quarter of the memory is {memory * _SHARE_OF_MEMORY / 2**30:.1f} GiB: raise "
            "run.resources.limits.memory"
        )
    ids, vectors = _documents(collection)
    labels = _texts(collection)
    parents = [""] * len(ids)
    notes = []
    if not any(labels):
        raise MisconfiguredError(
            f"{where}: no node has a {taxonomy.label_column}: set spec.label_column of the Taxonomy to the "
            "labels' column"
        )
    if taxonomy.parent_column is not None:
        other = _opened(taxonomy, taxonomy.parent_column, "parent_column", secrets)
        if _documents(other)[0] != ids:
            raise changed(where, "its nodes differ from those that were read first")
        parents = [_parent(text, integers=collection.has_integer_ids) for text in _texts(other)]
        if not any(parents):
            notes.append(f"no node of {taxonomy.taxonomy_id} has a parent in {taxonomy.parent_column}: all are roots")
    with blaming_changes([collection]):  # Parents come from another pass.
        tree = tree_of(where, ids, labels, parents)
    digest = _digest(ids, labels, parents, vectors)
    return Taxonomy(taxonomy, tree, vectors, digest, collection.embedding_model, tuple(notes))


def unit_length(vectors: Vectors, place: Place | None, what: str, first: int = 0) -> Vectors:
    """Returns the vectors, scaled to unit length.

    Args:
        vectors: Vectors, shape (rows, dimensions).
        place: The batch that they belong to, for messages.
        what: What has a vector, for messages.
        first: Row of that batch at which they begin.

    Raises:
        MisconfiguredError: one is all zeros; names the row.
    """
    norms: Doubles = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if not norms.all():
        row = first + int(np.argmin(norms))
        why = f"a vector of zeros has no direction: leave that {what} out"
        raise place.refused(row, why) if place else MisconfiguredError(f"row {row}: {why}")
    unit: Vectors = (vectors / norms[:, None]).astype(np.float32)
    return unit


def _opened(taxonomy: TaxonomyInput, column: str, field: str, secrets: Path) -> Collection:
    """Returns the nodes' collection, with the column as its texts."""
    source = taxonomy.nodes.source.model_copy(update={"text_column": column})
    try:
        (collection,) = open_collections([taxonomy.nodes.model_copy(update={"source": source})], secrets)
    except MissingColumnError as error:
        if error.field != "text_column":
            raise
        remedy = f"spec.{field} of Taxonomy {taxonomy.taxonomy_id}"
        raise MissingColumnError(error.found, error.field, remedy) from error
    return collection


def _documents(collection: Collection) -> tuple[list[str], Vectors]:
    """Returns the nodes' ids and unit vectors."""
    ids: list[str] = []
    vectors = np.empty((collection.rows, collection.dimensions), np.float32)
    for read in whole_pass(collection, 0):
        batch = in_range(read, unit=True)
        vectors[len(ids) : len(ids) + len(batch.vectors)] = unit_length(batch.vectors, batch.place, "node")
        ids.extend(map(str, batch.ids.to_pylist()))
    return ids, vectors


def _texts(collection: Collection) -> list[str]:
    found = collection.texts(np.arange(collection.rows))
    return [found.get(row, "") for row in range(collection.rows)]


def _parent(text: str, *, integers: bool) -> str:
    """Returns a parent's id. Some writers, such as pandas, write a column of integers with missing values as floats."""
    text = text.strip()
    if integers and text in _NO_NUMBER:
        return ""
    whole = _FLOAT_OF_INTEGER.fullmatch(text) if integers else None
    return whole[1] if whole else text


def _digest(ids: list[str], labels: list[str], parents: list[str], vectors: Vectors) -> str:
    order = sorted(range(len(ids)), key=ids.__getitem__)
    digest = hashlib.sha256()
    for node in order:
        digest.update(json.dumps([ids[node], labels[node], parents[node]]).encode())
        digest.update(vectors[node].tobytes())
    return digest.hexdigest()
