"""What every algorithm is given besides its own parameters."""

from dataclasses import dataclass
from typing import Protocol

from clusterworker.clustering.algorithms.start import Start
from clusterworker.data.arrays import Vectors
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress


class Documents(Protocol):
    """Vectors that can be read in any order, shape (rows, dimensions)."""

    @property
    def rows(self) -> int:
        """How many documents."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""

    @property
    def vectors(self) -> Vectors:
        """One per document."""


@dataclass(frozen=True)
class Task:
    """One clustering to be done.

    Attributes:
        dataset: the documents; their vectors are of unit length with metric cosine.
        metric: cosine or euclidean.
        seed: of all random choices.
        memory: bytes that the container may use.
        progress: receives the current step.
        start: the clusters of the run before, if this one is to go on from them.
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


def refuse_above_documents(parameter: str, value: int | None, documents: int) -> None:
    """Refuse a parameter that counts documents or clusters and is more than there are documents.

    Raises:
        MisconfiguredError: it is.
    """
    if value is not None and value > documents:
        raise MisconfiguredError(
            f"{parameter} {value} is more than the {documents} documents: lower {parameter}, or add documents"
        )
