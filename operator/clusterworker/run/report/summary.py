"""What is said of each cluster, in the report and in metrics.json."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Document:
    """A central document."""

    document_id: str | int
    distance: float
    text: str

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        fields: dict[str, Any] = {"document_id": self.document_id, "distance_to_centroid": round(self.distance, 6)}
        return fields | ({"text": self.text} if self.text else {})


@dataclass(frozen=True)
class ClusterSummary:
    """One cluster in a few lines."""

    cluster_id: int
    name: str
    documents: int
    central: tuple[Document, ...]

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "cluster_id": self.cluster_id,
            "name": self.name,
            "num_documents": self.documents,
            "central_documents": [document.as_json() for document in self.central],
        }
