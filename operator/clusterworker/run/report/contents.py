"""Gathers what the report says, and writes report.png and report.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clusterworker.clustering.survey import Survey
from clusterworker.data.arrays import Rows
from clusterworker.data.sources.collection import Collection
from clusterworker.drift.record import RecordedMeasurement
from clusterworker.run.findings import Findings
from clusterworker.run.report.curve import curve
from clusterworker.run.report.groups import groups_of
from clusterworker.run.report.map import MAP_ROWS, coordinates, is_too_small_for_umap
from clusterworker.run.report.naming import name_clusters
from clusterworker.run.report.page import Page
from clusterworker.run.report.picture import Picture
from clusterworker.run.report.plot import plot
from clusterworker.run.report.summary import ClusterSummary, Document
from clusterworker.run.results.tables import read_document_ids

TEXT_LENGTH = 200
"""Characters of a central document's text that are shown."""
HOVER_LENGTH = 120
"""Characters of a text that are shown when the pointer is over its document."""
_LAYOUTS = {
    "pca": "the two directions in which documents differ most (PCA)",
    "umap": "neighbourhoods (UMAP): near points are alike, distances between groups mean little",
}


@dataclass(frozen=True)
class Description:
    """Clusters in words.

    Attributes:
        names: of all clusters.
        clusters: the largest ones in a few lines.
        texts: of the sampled documents, by row number of the whole data set; empty without a text column.
    """

    names: Sequence[str]
    clusters: Sequence[ClusterSummary]
    texts: Mapping[int, str]


def describe(collections: Sequence[Collection], found: Survey, listed: int) -> Description:
    """Name every cluster, and summarise the largest ones.

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
                Document(item.document_id, item.distance, _shorten(texts.get(item.row, ""), TEXT_LENGTH))
                for item in central[cluster]
            ),
        )
        for cluster in range(min(listed, count))
    ]
    return Description(names, summaries, {row: _shorten(text, HOVER_LENGTH) for row, text in texts.items()})


def write_report(staged: Path, findings: Findings, measured: Sequence[RecordedMeasurement] = ()) -> None:
    """Write report.png and report.html into the directory that holds members.parquet.

    Args:
        staged: the directory.
        findings: of the run.
        measured: by checks before this run, oldest first.
    """
    spec, survey, config = findings.spec, findings.survey, findings.spec.config
    sample = survey.reservoir
    vectors, labels, rows = sample.vectors[:MAP_ROWS], sample.labels[:MAP_ROWS], sample.rows[:MAP_ROWS]
    layout = "pca" if is_too_small_for_umap(vectors) else spec.report.map
    points = coordinates(vectors, labels, findings.clustering.centroids, config.metric, findings.seed, layout)
    groups = groups_of(labels, findings.names, survey.sizes, survey.noise)

    title = f"{_counted(findings.num_clusters)} of {survey.documents:,} documents"
    each = f"one of a sample of {len(labels):,} documents" if len(labels) < survey.documents else "a document"
    reading = f"Each point is {each}, drawn a little towards its cluster. Laid out by {_LAYOUTS[layout]}."
    picture_title = f"{spec.namespace}/{spec.trigger}: {title} ({config.algorithm})"
    Picture(picture_title, reading, points, groups).save(staged / "report.png")
    ids = read_document_ids(staged / "members.parquet", rows)
    Page(
        trigger=f"{spec.namespace}/{spec.trigger}",
        title=title,
        facts={
            "Run": spec.run,
            "Slot": spec.slot,
            "Collections": ", ".join(collection.collection_id for collection in spec.collections),
            "Documents": f"{survey.documents:,} of {len(survey.total)} dimensions",
            "Finished": f"{findings.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        },
        parameters={"algorithm": config.algorithm, "metric": config.metric, **findings.parameters},
        metrics=findings.metrics,
        notes=findings.notes,
        clusters=findings.clusters,
        more=findings.num_clusters - len(findings.clusters),
        documents=survey.documents,
        noise=survey.noise,
        plot=plot(points, groups, [(str(ids[row]), findings.texts.get(row, "")) for row in rows.tolist()]),
        groups=groups,
        reading=reading,
        drift=curve(measured),
    ).save(staged / "report.html")


def _counted(clusters: int) -> str:
    return "1 cluster" if clusters == 1 else f"{clusters:,} clusters"


def _texts(collections: Sequence[Collection], rows: Rows) -> dict[int, str]:
    """Texts of documents by row number of the whole data set."""
    texts: dict[int, str] = {}
    first = 0
    for collection in collections:
        inside = rows[(rows >= first) & (rows < first + collection.rows)] - first
        texts |= {first + row: text for row, text in collection.texts(inside).items()}
        first += collection.rows
    return texts


def _shorten(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
