"""Collects the content of the report, and writes report.png and report.html."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clustercontract.counted import counted
from clustercontract.run import RunSpec
from clusterworker.data.arrays import NOISE, Rows, Vectors
from clusterworker.drift.record import RecordedMeasurement
from clusterworker.run.findings import Findings
from clusterworker.run.report.curve import curve
from clusterworker.run.report.flow import flow
from clusterworker.run.report.groups import Group, groups_of
from clusterworker.run.report.map import MAP_ROWS, coordinates, layout_of, placed
from clusterworker.run.report.page import Level, Page
from clusterworker.run.report.picture import Picture
from clusterworker.run.report.plot import plot
from clusterworker.run.results.map import write_map
from clusterworker.run.results.members_table import read_document_ids

_LAYOUTS = {
    "pca": "the two directions in which documents differ most (PCA)",
    "umap": "neighbourhoods (UMAP): distances between groups mean little",
    "evoc": "neighbourhoods (EVōC): distances between groups mean little",
}


def write_report(staged: Path, findings: Findings, measured: Sequence[RecordedMeasurement] = ()) -> None:
    """Writes report.png, report.html and, for a clustering, map.parquet into the directory of members.parquet.

    Args:
        staged: The directory.
        findings: Findings of the run.
        measured: Measurements of checks before this run, oldest first.
    """
    spec, survey, config = findings.spec, findings.survey, findings.spec.config
    sample = survey.reservoir
    vectors, labels, rows = sample.vectors[:MAP_ROWS], sample.labels[:MAP_ROWS], sample.rows[:MAP_ROWS]
    numbers, known = np.append(findings.succession.ids, NOISE)[labels], findings.earlier_map
    if known is None:
        own = layout_of(spec.report.map, vectors, findings.num_clusters)
        points = coordinates(vectors, labels, findings.clustering.centroids, config.metric, findings.seed, own)
        layout, where = str(own), ""
    else:
        points = placed(known, vectors, numbers)
        layout, where = known.layout, f"as on the map of {known.run}, "
    groups = groups_of(labels, findings.names, survey.sizes, survey.noise, findings.succession.ids)

    title = f"{counted(findings.num_clusters, 'cluster')} of {counted(survey.documents, 'document')}"
    each = f"one of a sample of {len(labels):,} documents" if len(labels) < survey.documents else "a document"
    if findings.shown is not None:
        each = "a cluster of one of the runs"
    reading = (
        f"Each point is {each}, moved slightly towards its cluster. The points are laid out {where}by "
        f"{_LAYOUTS.get(layout, layout)}."
    )
    picture_title = f"{spec.namespace}/{spec.trigger}: {title} ({config.algorithm})"
    Picture(picture_title, reading, points, groups).save(staged / "report.png")
    ids = findings.shown or read_document_ids(staged / "members.parquet", rows)
    if spec.mode == "full":
        write_map(staged, layout, [ids[row] for row in rows.tolist()], numbers, points)
    documents = [(str(ids[row]), findings.texts.get(row, "")) for row in rows.tolist()]
    Page(
        trigger=f"{spec.namespace}/{spec.trigger}",
        title=title,
        facts={
            "Run": spec.run,
            "Slot": spec.slot,
            **_inputs(spec),
            "Documents": f"{survey.documents:,} of {counted(survey.dimensions, 'dimension')}",
            "Finished": f"{findings.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        },
        parameters={"algorithm": config.algorithm, "metric": config.metric, **findings.parameters},
        metrics=findings.metrics,
        notes=findings.notes,
        clusters=findings.clusters,
        more=findings.num_clusters - len(findings.clusters),
        documents=survey.documents,
        noise=survey.noise,
        levels=_levels(findings, points, groups, rows),
        chosen=findings.clustering.layered.chosen if findings.clustering.layered else 0,
        spoken=documents,
        reading=reading,
        drift=curve(measured),
        changes=findings.changes,
        flow=flow(findings.crossing, findings.succession.ids, findings.names, survey.sizes, survey.noise),
    ).save(staged / "report.html")


def _inputs(spec: RunSpec) -> dict[str, str]:
    """Returns what was clustered or assigned."""
    if spec.sources:
        return {"Centroids of": ", ".join(source.run for source in spec.sources)}
    collections = {"Collections": ", ".join(collection.collection_id for collection in spec.collections)}
    return collections | ({"Assigned to the clusters of": spec.base.run} if spec.base else {})


def _levels(findings: Findings, points: Vectors, groups: Sequence[Group], rows: Rows) -> list[Level]:
    """Returns the map at every granularity."""
    layered, layers = findings.clustering.layered, findings.layers
    if layered is None or layers is None:
        return [Level("", plot(points, groups), groups)]
    levels = []
    for labels, layer in zip(layered.labels, layers.layers, strict=True):
        own = groups
        if layer.layer != layers.chosen:
            sizes = np.array([cluster.num_documents for cluster in layer.clusters], np.int64)
            ids = np.array([cluster.cluster_id for cluster in layer.clusters], np.int64)
            own = groups_of(labels[rows], [cluster.name for cluster in layer.clusters], sizes, layer.num_noise, ids)
        noise = counted(layer.num_noise, "document")
        label = f"layer {layer.layer}: {counted(layer.num_clusters, 'cluster')}, {noise} in no cluster"
        label += " (the run's clustering)" if layer.layer == layers.chosen else ""
        levels.append(Level(label, plot(points, own), own))
    return levels
