"""Presents all collections of a run as one sequence of documents to the clustering.

Rows are numbered from 0 across collections and files, in the order of the RunSpec and of the files' names. With metric
cosine, the vectors have unit length here, so that all other code can use Euclidean distance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from clusterworker.data.arrays import Doubles, Hashes, Rows, Vectors
from clusterworker.data.prints import prints
from clusterworker.data.rounding import Rounding
from clusterworker.data.settling import equate, settle
from clusterworker.data.sources.batch import Batch
from clusterworker.data.sources.collection import Collection, CollectionPart, Divisible, whole_pass
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress

LARGEST = 1e15
"""The largest number in a vector with metric euclidean; squares of larger numbers exceed the range of float32."""
FAR = 8.0
"""Ratio of the length of the common direction to the median distance from it above which float32 blurs the differences
of vectors of unit length.
"""
SAMPLE_ROWS = 1_001
"""Maximum number of vectors from which the common direction is computed."""
_USUAL = (2.0**-100, 2.0**100)
"""Range of a vector's largest number in which float32 holds the others as precisely."""
_SAFE = (1e-30, 1e30)
"""Squared lengths that float32 represents accurately; others are computed again in float64."""


class Dataset(Protocol):
    """Documents that can be read more than once."""

    @property
    def rows(self) -> int:
        """Number of documents."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""

    def batches(self) -> Iterator[Batch]:
        """Yields all documents in order."""


class Counter(Protocol):
    """Counts something among documents. It can be pickled."""

    @property
    def depends_on(self) -> tuple[object, ...]:
        """What determines the counts, besides the documents."""

    def __call__(self, vectors: Vectors) -> Rows:
        """Returns counts of always the same shape for some of the documents."""


class Sampled(Protocol):
    """Documents of which only a sample is in memory."""

    rows: int
    dimensions: int

    def sample(self, size: int, seed: int) -> tuple[Rows, Vectors]:
        """Draws documents: see `sample`."""

    def count(self, counter: Counter) -> Rows:
        """Returns the sums of what the counter returns for all documents, in one pass."""


class StreamedDataset:
    """Reads the sources again in every pass, so that only a batch is in memory.

    Args:
        collections: Collections of equal dimensions.
        metric: cosine or euclidean.
        progress: Receives the progress of each pass.
    """

    def __init__(self, collections: Sequence[Collection], metric: str, progress: Progress) -> None:
        self.rows = sum(collection.rows for collection in collections)
        self.dimensions = collections[0].dimensions
        self.integer_ids = all(collection.has_integer_ids for collection in collections)
        self._collections = collections
        self.unit = metric == "cosine"
        self._progress = progress
        self._rounding: Rounding | None = None

    def batches(self, *, exact: bool = False) -> Iterator[Batch]:
        """See Dataset.

        Args:
            exact: Whether batches also contain vectors of unit length before they are rounded to float32.
        """
        done = 0
        for batch in self.given():
            yield _prepared(batch, unit=self.unit, exact=exact)
            done += len(batch.vectors)
            self._progress.advance(done / self.rows)

    def given(self) -> Iterator[Batch]:
        """Yields all documents in order, with unchecked and unscaled vectors.

        They can have any length, and be all zeros. The first pass measures what they have lost by rounding. With metric
        cosine, those beyond the range of float32 are scaled; see `in_range`.
        """
        rounding = Rounding(unit=self.unit) if self._rounding is None else None
        for index, collection in enumerate(self._collections):
            yield from _given(collection, index, rounding, unit=self.unit, integer_ids=self.integer_ids)
        self._rounding = self._rounding or rounding

    @property
    def notes(self) -> list[str]:
        """Notes about the documents, after a pass."""
        return self._rounding.notes() if self._rounding else []

    def sample(self, size: int, seed: int) -> tuple[Rows, Vectors]:
        """See Sampled."""
        return sample(self, size, seed)

    def count(self, counter: Counter) -> Rows:
        """See Sampled."""
        return counted_among(self, counter)

    def parts(self, most: int) -> "list[DatasetPart]":
        """Returns the documents in parts, in order, for processes that read them separately.

        Args:
            most: Maximum number of documents of a part, unless the smallest unit of a source has more.

        Raises:
            MisconfiguredError: A collection cannot be read in parts; names it.
        """
        parts: list[DatasetPart] = []
        first = 0
        for index, collection in enumerate(self._collections):
            if not isinstance(collection, Divisible):
                raise MisconfiguredError(
                    f"collection {collection.collection_id}: only Parquet files can be read by several executors: "
                    "set run.engine.type: local"
                )
            for part in collection.parts(most):
                number = len(parts)
                parts.append(DatasetPart(number, first, part, index, self.unit, self.integer_ids))
                first += part.rows
        return parts


@dataclass(frozen=True)
class DatasetPart:
    """Some documents of a data set, in the same batches. It can be pickled.

    Attributes:
        number: Number of the part.
        first: Row number of its first document in the data set.
        collection: Collection with its documents, and no others.
        index: Index of the whole collection in the RunSpec.
        unit: Whether vectors have unit length.
        integer_ids: Whether all ids of the data set are integers.
        rounding: Measures what the documents that are read lose by rounding; None if nothing does.
    """

    number: int
    first: int
    collection: CollectionPart
    index: int
    unit: bool
    integer_ids: bool
    rounding: Rounding | None = None

    @property
    def rows(self) -> int:
        """See Dataset."""
        return self.collection.rows

    @property
    def dimensions(self) -> int:
        """See Dataset."""
        return self.collection.dimensions

    def batches(self) -> Iterator[Batch]:
        """See Dataset."""
        for batch in self.given():
            yield _prepared(batch, unit=self.unit)

    def given(self) -> Iterator[Batch]:
        """See StreamedDataset."""
        return _given(self.collection, self.index, self.rounding, unit=self.unit, integer_ids=self.integer_ids)

    def ids(self) -> Iterator[Any]:
        """Yields the ids of all documents in order, as pyarrow arrays, without reading vectors."""
        for ids in self.collection.ids():
            yield ids if self.integer_ids else ids.cast(pa.string())

    def measured(self) -> "tuple[DatasetPart, Rounding]":
        """Returns the part with a new measurement, which is complete after a pass."""
        rounding = Rounding(unit=self.unit)
        return replace(self, rounding=rounding), rounding


def _given(
    collection: Collection, index: int, rounding: Rounding | None, *, unit: bool, integer_ids: bool
) -> Iterator[Batch]:
    """Yields a collection's documents, with ids of the data set's type."""
    for read in whole_pass(collection, index):
        batch = in_range(read, unit=unit)
        if rounding:
            rounding.add(batch)
        ids = batch.ids if integer_ids else batch.ids.cast(pa.string())
        yield Batch(ids, batch.vectors, index, batch.place)


def _prepared(batch: Batch, *, unit: bool, exact: bool = False) -> Batch:
    """Returns the same documents with vectors of unit length."""
    if not unit:
        return Batch(batch.ids, refuse_too_large(batch), batch.collection, batch.place)
    directions = batch.vectors / lengths(batch)[:, None]
    return Batch(batch.ids, directions.astype(np.float32), batch.collection, batch.place, directions if exact else None)


class SpooledDataset:
    """A copy in a memory-mapped scratch file, for algorithms that read the data more than once.

    With metric cosine, vectors of one direction are equal here, whatever their lengths were. The pages belong to the
    kernel's cache, which frees them when memory is needed.

    If most vectors have nearly one direction, which only all of them show, the source is read again for the differences
    from it.

    Args:
        source: The documents, which are read once or twice.
        directory: Scratch space for 4 bytes per number, or 8 if most vectors have nearly one direction. The files
            disappear with the process.
    """

    def __init__(self, source: StreamedDataset, directory: Path) -> None:
        self.rows = source.rows
        self.dimensions = source.dimensions
        self._parts: list[Batch] = []
        self.vectors = _scratch(directory, self.rows, self.dimensions)
        self.differences = self.vectors
        row = 0
        for batch in source.batches():
            kept = self.vectors[row : row + len(batch.vectors)]
            kept[:] = batch.vectors
            self._parts.append(Batch(batch.ids, kept, batch.collection, batch.place))
            row += len(kept)
        assert row == self.rows  # noqa: S101 - whole_pass has verified it; otherwise the rest of the file would be zeros.
        self.notes = source.notes
        self.common = common_direction(self.vectors) if source.unit else None
        if self.common is not None:
            self.differences = _scratch(directory, self.rows, self.dimensions)
            _subtract(source, self.common, self.differences)
        if source.unit and (first := settle(self.differences)) is not None and self.common is not None:
            equate(self.vectors, first)

    @cached_property
    def hashes(self) -> Hashes:
        """Hash of each vector, shape (rows,); see `prints`."""
        return prints(self.vectors)

    def batches(self) -> Iterator[Batch]:
        """See Dataset."""
        return iter(self._parts)


def _subtract(source: StreamedDataset, common: Doubles, differences: Vectors) -> None:
    """Writes what vectors of unit length differ by from a common one, in a pass over them."""
    row = 0
    for batch in source.batches(exact=True):
        assert batch.doubles is not None  # noqa: S101 - they are exact
        differences[row : row + len(batch.doubles)] = batch.doubles - common
        row += len(batch.doubles)


def _scratch(directory: Path, rows: int, dimensions: int) -> Vectors:
    """Returns an array in a file that disappears with the process."""
    path = directory / "vectors.f32"
    with path.open("w+b") as file:
        file.truncate(rows * dimensions * np.dtype(np.float32).itemsize)
        vectors: Vectors = np.memmap(file, np.float32, "r+", shape=(rows, dimensions))
    path.unlink()
    return vectors


def common_direction(directions: Vectors) -> Doubles | None:
    """Returns the direction that nearly all vectors have in common, shape (dimensions,); None if they have none.

    Args:
        directions: Vectors of unit length, shape (rows, dimensions).
    """
    sampled = directions[:: max(1, -(-len(directions) // SAMPLE_ROWS))].astype(np.float64)
    common: Doubles = np.median(sampled, axis=0)
    radius = float(np.median(np.linalg.norm(sampled - common, axis=1)))
    return common if np.linalg.norm(common) > FAR * radius else None


def sample(dataset: Dataset, size: int, seed: int) -> tuple[Rows, Vectors]:
    """Draws documents uniformly, without replacement, in one pass; the same ones for the same seed.

    Returns:
        Row numbers, ascending, shape (min(size, rows),), and their vectors.
    """
    chosen = drawn(dataset.rows, size, seed)
    return chosen, picked(dataset, chosen)


def drawn(rows: int, size: int, seed: int) -> Rows:
    """Returns the row numbers of a sample, ascending, shape (min(size, rows),)."""
    if size >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size, replace=False, shuffle=False))


def picked(dataset: Dataset, chosen: Rows) -> Vectors:
    """Returns the vectors of some rows, in one pass over all of them.

    Args:
        dataset: A data set, or a part of one.
        chosen: Row numbers in it, ascending.
    """
    vectors = np.empty((len(chosen), dataset.dimensions), np.float32)
    first = filled = 0
    for batch in dataset.batches():
        end = int(np.searchsorted(chosen, first + len(batch.vectors)))
        vectors[filled:end] = batch.vectors[chosen[filled:end] - first]
        first, filled = first + len(batch.vectors), end
    assert filled == len(chosen)  # noqa: S101 - whole_pass has verified it; otherwise the rest of the array would be undefined.
    return vectors


def in_range(batch: Batch, *, unit: bool) -> Batch:
    """Returns a source's batch with vectors that float32 holds.

    Args:
        batch: Vectors with doubles can be infinite in float32, or zeros although the doubles are not.
        unit: Whether only directions count. Vectors beyond the range of float32 are then scaled by powers of two.

    Raises:
        MisconfiguredError: lengths count, and a number is beyond LARGEST; names the row and the number.
    """
    doubles = batch.doubles
    if doubles is None or not len(doubles):
        return batch
    if not unit:
        refuse_too_large(batch)
        return batch
    largest = np.maximum(doubles.max(axis=1), -doubles.min(axis=1))
    outside = (largest > 0) & ((largest < _USUAL[0]) | (largest > _USUAL[1]))
    if not outside.any():
        return batch
    doubles, vectors = doubles.copy(), batch.vectors.copy()
    doubles[outside] = np.ldexp(doubles[outside], -np.frexp(largest[outside])[1][:, None])
    vectors[outside] = doubles[outside]
    return replace(batch, vectors=vectors, doubles=doubles)


def counted_among(dataset: Dataset, counter: Counter) -> Rows:
    """Returns the sums of what the counter returns for a data set, or a part of one."""
    counts = None
    for batch in dataset.batches():
        found = counter(batch.vectors)
        counts = found if counts is None else counts + found
    assert counts is not None  # noqa: S101 - no data set is empty
    return counts


def lengths(batch: Batch) -> Doubles:
    """Returns the Euclidean length of each vector, shape (rows,).

    Raises:
        MisconfiguredError: one is 0; names the row.
    """
    norms: Doubles = np.sqrt(np.einsum("ij,ij->i", batch.vectors, batch.vectors, dtype=np.float64))
    if not norms.all():
        row = int(np.argmin(norms))
        why = "a vector of zeros has no direction: leave that document out, or set metric: euclidean"
        raise batch.place.refused(row, why)
    return norms


def single_lengths(batch: Batch) -> Vectors:
    """Returns the lengths in single precision, which takes a fraction of the time; raises as `lengths` does."""
    with np.errstate(over="ignore"):
        squares = np.vecdot(batch.vectors, batch.vectors)
    if squares.min(initial=1) < _SAFE[0] or squares.max(initial=1) > _SAFE[1]:
        return lengths(batch).astype(np.float32)
    return np.asarray(np.sqrt(squares), np.float32)


def refuse_too_large(batch: Batch) -> Vectors:
    """Returns the batch's vectors, whose squares are within the range of single precision.

    Raises:
        MisconfiguredError: a number is beyond LARGEST; names the row and the number.
    """
    numbers = batch.vectors if batch.doubles is None else batch.doubles
    if len(numbers) and max(float(numbers.max()), -float(numbers.min())) > LARGEST:
        row, column = np.unravel_index(int(np.abs(numbers).argmax()), numbers.shape)
        raise batch.place.refused(
            int(row),
            f"a number of the vector is {_above(float(numbers[row, column]))}: Euclidean distances are supported up to "
            f"{LARGEST:g}: scale the vectors down, or set metric: cosine",
        )
    return batch.vectors


def _above(number: float) -> str:
    """Returns a number beyond LARGEST with as many digits as show that it is."""
    texts = (f"{number:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if abs(float(text)) > LARGEST), repr(number))
