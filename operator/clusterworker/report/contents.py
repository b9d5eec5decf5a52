"""Gathers what the report says, and writes report.png and report.html."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clusterworker.arrays import Rows
from clusterworker.findings import Findings
from clusterworker.report.map import MAP_ROWS, coordinates
from clusterworker.report.naming import name_clusters
from clusterworker.report.page import Page
from clusterworker.report.picture import Picture
from clusterworker.report.summary import ClusterSummary, Document
from clusterworker.sources.parquet import ParquetCollection
from clusterworker.survey import Survey

TEXT_LENGTH = 200
"""Characters of a document's text that are shown."""


def summarise(
    collections: Sequence[ParquetCollection], found: Survey, listed: int
) -> tuple[list[str], list[ClusterSummary]]:
    """Return a name for every cluster, and a summary of the largest ones.

    Args:
        collections: asked for texts.
        found: by the pass over the documents.
        listed: clusters to summarise.
    """
    count = len(found.sizes)
    central = {cluster: found.central.of(cluster) for cluster in range(count)}
    rows = [document.row for cluster in range(min(listed, count)) for document in central[cluster]]
    texts = _texts(collections, np.concatenate([found.reservoir.rows, np.array(rows, np.int64)]))
    names = name_clusters(
        count,
        [texts.get(int(row), "") for row in found.reservoir.rows] if texts else [],
        found.reservoir.labels,
        {cluster: str(documents[0].document_id) for cluster, documents in central.items() if documents},
    )
    summaries = [
        ClusterSummary(
            cluster,
            names[cluster],
            int(found.sizes[cluster]),
            tuple(
                Document(item.document_id, item.distance, _shorten(texts.get(item.row, "")))
                for item in central[cluster]
            ),
        )
        for cluster in range(min(listed, count))
    ]
    return names, summaries


def write_report(staged: Path, findings: Findings) -> None:
    """Write report.png and report.html into a directory."""
    spec, survey, config = findings.spec, findings.survey, findings.spec.config
    count = "1 cluster" if findings.num_clusters == 1 else f"{findings.num_clusters:,} clusters"
    title = f"{spec.namespace}/{spec.trigger}: {count} of {survey.documents:,} documents"
    picture = staged / "report.png"
    _picture(findings, f"{title} ({config.algorithm})").save(picture)
    Page(
        title=title,
        facts={
            "Run": spec.run,
            "Slot": spec.slot,
            "Collections": ", ".join(collection.collection_id for collection in spec.collections),
            "Documents": f"{survey.documents:,} of {len(survey.total)} dimensions",
        },
        parameters={"algorithm": config.algorithm, "metric": config.metric, **findings.parameters},
        metrics=findings.metrics,
        notes=findings.notes,
        clusters=findings.clusters,
        more=findings.num_clusters - len(findings.clusters),
        documents=survey.documents,
        noise=survey.noise,
        picture=picture,
        finished_at=findings.finished_at,
    ).save(staged / "report.html")


def _picture(findings: Findings, title: str) -> Picture:
    """Lay a sample out."""
    survey, metric = findings.survey, findings.spec.config.metric
    vectors, labels = survey.reservoir.vectors[:MAP_ROWS], survey.reservoir.labels[:MAP_ROWS]
    points = coordinates(vectors, labels, findings.clustering.centroids, metric, findings.seed)
    shown = f"one of a sample of {len(labels):,} documents" if len(labels) < survey.documents else "a document"
    return Picture(
        title=title,
        subtitle=f"Each point is {shown}, drawn a little towards its cluster. "
        "Near points are alike; the axes have no meaning.",
        points=points,
        labels=labels,
        names=findings.names,
        sizes=survey.sizes,
        noise=survey.noise,
    )


def _texts(collections: Sequence[ParquetCollection], rows: Rows) -> dict[int, str]:
    """Texts of documents by row number of the whole data set."""
    texts: dict[int, str] = {}
    first = 0
    for collection in collections:
        inside = rows[(rows >= first) & (rows < first + collection.rows)] - first
        texts |= {first + row: text for row, text in collection.texts(inside).items()}
        first += collection.rows
    return texts


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 1] + "…"
