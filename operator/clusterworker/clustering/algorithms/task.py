"""Defines the input of every algorithm, besides its own parameters."""

from dataclasses import dataclass, replace
from typing import Protocol

from clustercontract.counted import counted
from clusterworker.clustering.algorithms.start import Start
from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.data.dataset import Sampled
from clusterworker.data.settling import settle
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress


class Documents(Protocol):
    """Vectors that can be read in any order, shape (rows, dimensions)."""

    @property
    def rows(self) -> int:
        """Number of documents."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""

    @property
    def vectors(self) -> Vectors:
        """Vectors, one per document."""

    @property
    def differences(self) -> Vectors:
        """The same vectors less `common`, if that keeps digits of their differences; of no fixed length.

        Unit vectors that all point nearly the same way lose them in float32.
        """

    @property
    def common(self) -> Doubles | None:
        """What the differences are from, shape (dimensions,); None if they are the vectors themselves."""


@dataclass(frozen=True)
class InMemory:
    """Documents whose vectors are in memory; see `Documents`.

    Attributes:
        less_common: What `differences` returns, if these are other vectors.
        common: See `Documents`.
    """

    vectors: Vectors
    less_common: Vectors | None = None
    common: Doubles | None = None

    @property
    def differences(self) -> Vectors:
        """See `Documents`."""
        return self.vectors if self.less_common is None else self.less_common

    @property
    def rows(self) -> int:
        """Number of documents."""
        return len(self.vectors)

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self.vectors.shape[1])


@dataclass(frozen=True)
class Task:
    """One clustering task.

    Attributes:
        dataset: The documents; their vectors have unit length with metric cosine.
        metric: cosine or euclidean.
        seed: Seed of all random choices.
        memory: Bytes that the container may use.
        progress: Receives the current step.
        start: The clusters of the previous run, if this run continues from them.
    """

    dataset: Documents
    metric: str
    seed: int
    memory: int
    progress: Progress
    start: Start | None = None

    def refuse_above_documents(self, parameter: str, value: int | None) -> None:
        """See the function of this name."""
        refuse_above_documents(parameter, value, self.dataset.rows)


@dataclass(frozen=True)
class SampleTask:
    """One clustering task whose documents do not fit into this process: clusters are found on a sample.

    Attributes:
        documents: All documents.
        metric: cosine or euclidean.
        seed: Seed of all random choices.
        memory: Bytes that the container may use.
        progress: Receives the current step.
        start: Clusters of the previous run, without its documents, if this run continues from them.
    """

    documents: Sampled
    metric: str
    seed: int
    memory: int
    progress: Progress
    start: Start | None = None

    @property
    def affordable(self) -> int:
        """Number of documents whose vectors fit into a quarter of the memory."""
        return self.memory // 4 // (4 * self.documents.dimensions)

    def draw(self, most: int) -> Vectors:
        """Draws at most this number of documents, in one pass; with metric cosine, equal directions are equal."""
        _, vectors = self.documents.sample(most, self.seed)
        if self.metric == "cosine":
            settle(vectors)
        return vectors

    def among(self, training: Vectors) -> Task:
        """Returns the task of clustering a sample that was drawn.

        Labels and positions of the previous run are of all documents, so that none of them belongs to a row of it.
        """
        start = self.start and replace(self.start, labels=None, positions=None)
        return Task(InMemory(training), self.metric, self.seed, self.memory, self.progress, start)

    def refuse_above_documents(self, parameter: str, value: int | None) -> None:
        """See the function of this name."""
        refuse_above_documents(parameter, value, self.documents.rows)


def refuse_above_documents(parameter: str, value: int | None, documents: int) -> None:
    """Rejects a parameter that counts documents or clusters and exceeds the number of documents.

    Raises:
        MisconfiguredError: it is.
    """
    if value is not None and value > documents:
        raise MisconfiguredError(
            f"{parameter} {value} is more than the {counted(documents, 'document')}: lower {parameter}, or add "
            "documents"
        )


def lowered_to_documents(parameter: str, value: int | None, documents: int) -> list[str]:
    """Returns a note if a parameter that counts neighbours is limited to the number of documents."""
    if value is None or value <= documents:
        return []
    return [f"{parameter} is {documents} instead of {value}, because there are {documents} documents"]
