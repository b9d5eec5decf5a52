"""Carries out a run: computes the RunResult of a RunSpec."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from clustercontract.baseline import BASELINE_FILE, Baseline
from clustercontract.counted import counted
from clustercontract.run import RunResult, RunSpec
from clusterworker.process.command import Mounts
from clusterworker.process.progress import Progress
from clusterworker.run.results.record import MARKER, MEMBERS
from clusterworker.run.results.target import Target
from clusterworker.run.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from clusterworker.data.sources.collection import Collection
    from clusterworker.run.findings import Findings
    from clusterworker.run.passes import Passes


def run(spec: RunSpec, progress: Progress, mounts: Mounts | None = None, memory: int | None = None) -> RunResult:
    """Clusters the collections and writes the run's folder.

    Args:
        spec: What to do.
        progress: Receives the progress.
        mounts: Directories of Secrets and scratch space.
        memory: Bytes that may be used. Default: the container's limit.

    Returns:
        The result of a completed run.

    Raises:
        RunError: the run failed, in one line.
    """
    progress.plan(phases_of(spec))
    with workspace_of(spec, progress, mounts, memory) as (target, workspace):
        return _Run(spec, target, workspace).carry_out()


_WITHOUT = {"assign": ("read", "cluster", "measure"), "composite": ("read", "measure")}
"""Phases that a mode leaves out."""
PHASES = ("open", "read", "cluster", "assign", "measure", "report", "write", "publish")


def phases_of(spec: RunSpec) -> list[str]:
    """Returns the phases of a run, in order."""
    left_out = set(_WITHOUT.get(spec.mode, ()))
    if not spec.outputs:
        left_out.add("write")  # The run has no outputs.
    return [phase for phase in PHASES if phase not in left_out]


class _Run:
    """The steps of one run, in order."""

    def __init__(self, spec: RunSpec, target: Target, workspace: Workspace) -> None:
        self._spec = spec
        self._target = target
        self._workspace = workspace
        self._progress, self._staged, self._secrets = workspace.progress, workspace.staged, workspace.secrets
        self._started = datetime.now(UTC)
        self._seed = spec.config.random_state if spec.config.random_state is not None else spec.seed

    def carry_out(self) -> RunResult:
        """Reads, clusters, measures, writes and publishes."""
        from clusterworker.run.brief import in_brief
        from clusterworker.run.results.outputs import Outputs
        from clusterworker.run.results.record import FILE, record_of
        from clusterworker.run.results.retention import publish

        spec = self._spec
        opening = counted(len(spec.collections), "collection")
        if spec.sources:
            opening = f"the results of {len(spec.sources)} runs"
        self._progress.phase("open", f"opening {opening}")
        outputs = Outputs(spec, self._staged / MEMBERS, self._workspace.scratch, self._secrets)
        outputs.check_before_reading()
        collections = self._open()
        outputs.check(collections)
        findings = self._in_mode(collections)
        baseline = self._write(findings, collections)
        record = record_of(spec, findings, self._started)
        (self._staged / FILE).write_bytes(record.to_bytes())
        written = outputs.write(findings.succession.ids, findings.names, self._progress)
        files_beside = self._nodes(findings, collections)
        earlier = (spec.base, spec.previous, *spec.sources) if spec.mode != "full" else ()
        kept_runs = {run.run for run in earlier if run}
        left = publish(self._target, self._staged, record, spec.history_limit, self._progress, files_beside, kept_runs)
        return RunResult(
            status="completed",
            num_clusters=findings.num_clusters,
            num_documents=findings.survey.documents,
            num_noise=findings.survey.noise,
            results_uri=self._target.uri,
            baseline=baseline,
            metrics={name: value for name, value in findings.metrics.items() if value is not None},
            notes=[*findings.notes, *written, *left],
            clusters=in_brief(findings.clusters),
            changes=findings.changes,
            next_cluster_id=findings.succession.next_id,
        )

    def _open(self) -> "list[Collection]":
        if self._spec.sources:
            from clusterworker.run.composite_sources import open_sources

            return [*open_sources(self._spec, self._secrets)]
        from clusterworker.data.sources.collections import open_collections

        return open_collections(self._spec.collections, self._secrets)

    def _in_mode(self, collections: "list[Collection]") -> "Findings":
        spec, seed, workspace = self._spec, self._seed, self._workspace
        if spec.mode == "assign":
            from clusterworker.run.assign import assign_documents

            return assign_documents(spec, seed, collections, workspace)
        if spec.mode == "composite":
            from clusterworker.run.composite import cluster_centroids
            from clusterworker.run.composite_sources import Source

            sources = [source for source in collections if isinstance(source, Source)]
            return cluster_centroids(spec, seed, sources, workspace)
        return self._find(collections)

    def _find(self, collections: "list[Collection]") -> "Findings":
        from clusterworker.run.passes import open_passes

        total = sum(collection.rows for collection in collections)
        reading = f"{counted(total, 'document')} of {counted(collections[0].dimensions, 'dimension')}"
        self._progress.phase("read", f"reading {reading}")
        with open_passes(self._spec, self._seed, collections, self._workspace) as passes:
            return self._find_by(passes, collections)

    def _find_by(self, passes: "Passes", collections: "list[Collection]") -> "Findings":
        from clusterworker.clustering.description import describe
        from clusterworker.run.findings import Findings
        from clusterworker.run.results.members_table import read_document_ids
        from clusterworker.run.results.previous import (
            begun_in_words,
            changes_of,
            crossing_of,
            distance_limit,
            last_names,
            numbered,
            previous_of,
            start_of,
        )

        config, dataset, progress = self._spec.config, passes.dataset, self._progress
        members_file = self._staged / MEMBERS
        ids = [collection.collection_id for collection in collections]
        previous = previous_of(self._spec, collections[0].dimensions, self._secrets, self._workspace.memory)
        start = start_of(previous, config, dataset, ids)

        progress.phase("cluster", f"clustering by {config.algorithm}, metric {config.metric}")
        clustering = passes.cluster(start)
        layers = None
        if clustering.layered:
            from clusterworker.run.results.previous_layers import layers_before

            layers, previous = layers_before(self._spec, previous, clustering.layered, self._secrets)

        progress.phase("assign", f"writing the members of {counted(len(clustering.centroids), 'cluster')}")
        shared = previous.members.counter(len(clustering.centroids), ids) if previous.members else None
        found = passes.survey(clustering, shared)
        succession = numbered(previous, config, clustering, found.sizes, distance_limit(config, found), shared)
        numbered_layers = layers.numbered(config, succession, found, dataset, ids) if layers else None
        if numbered_layers:
            succession = replace(succession, next_id=numbered_layers.next_id)
        passes.write_members(succession.ids)

        progress.phase("measure", "measuring quality")
        sample = found.reservoir
        quality = found.sums.quality(sample.vectors, sample.labels, config.metric, has_inertia=clustering.has_inertia)
        notes = [*previous.notes, *begun_in_words(clustering), *clustering.notes, *passes.notes, *quality.notes]
        for note in notes:
            progress.info(note)
        description = describe(
            collections,
            found,
            succession.ids,
            clustering.layered,
            [layer.ids for layer in numbered_layers.layers] if numbered_layers else [],
            partial(read_document_ids, members_file),
            last_names(previous, succession, members_file, layers.names_by_id if layers else {}),
        )
        metrics = quality.measures(with_inertia=clustering.has_inertia)
        return Findings(
            spec=self._spec,
            seed=self._seed,
            clustering=clustering,
            survey=found,
            metrics=metrics,
            notes=notes,
            names=description.names,
            clusters=description.clusters,
            texts=description.texts,
            finished_at=datetime.now(UTC),
            succession=succession,
            changes=changes_of(previous, succession, clustering, shared, description.names),
            layers=description.layers,
            layer_succession=numbered_layers,
            last_names=(layers.names_by_id if layers else {}) | previous.names_by_id,
            crossing=crossing_of(previous, shared),
        )

    def _nodes(self, findings: "Findings", collections: "list[Collection]") -> dict[str, bytes]:
        """Returns the clusters of all layers as the nodes of a taxonomy."""
        from clusterworker.data.sources.models import embedding_model
        from clusterworker.run.results.layers import NODES, nodes_of

        layered, described = findings.clustering.layered, findings.layers
        if layered is None or described is None:
            return {}
        return {NODES: nodes_of(layered, described, self._spec.run, embedding_model(collections))}

    def _write(self, findings: "Findings", collections: "list[Collection]") -> Baseline | None:
        from clusterworker.clustering.survey import Survey
        from clusterworker.data.sources.models import embedding_model
        from clusterworker.drift.record import measured_before
        from clusterworker.run.report.contents import write_report
        from clusterworker.run.results.baseline import baseline_of, describe_baseline
        from clusterworker.run.results.centroids import CENTROIDS, StoredCentroids
        from clusterworker.run.results.continuation import write_layout, write_modes
        from clusterworker.run.results.layers import write_layers
        from clusterworker.run.results.lineage import LINEAGE, write_lineage
        from clusterworker.run.results.metrics import write_metrics
        from clusterworker.run.results.previous import is_lasting

        self._progress.phase("report", "drawing the map and writing the report")
        staged = self._staged
        config, found, centroids = self._spec.config, findings.survey, findings.clustering.centroids
        numbered = findings.succession
        model = embedding_model(collections)
        StoredCentroids(
            ids=numbered.ids,
            centroids=centroids,
            sizes=found.sizes,
            algorithm=config.algorithm,
            metric=config.metric,
            next_id=numbered.next_id,
            names=findings.names,
            embedding_model=model,
        ).write(staged / CENTROIDS)
        if self._spec.mode != "assign" and is_lasting(config):
            names = dict(zip(numbered.ids.tolist(), findings.names, strict=True))
            write_lineage(staged / LINEAGE, numbered.steps, names, findings.last_names)
            if findings.clustering.layout:
                write_layout(staged, findings.clustering.layout)
            if findings.clustering.modes is not None:
                write_modes(staged, numbered.ids, findings.clustering.modes)
        if findings.layers and findings.clustering.layered:
            lasting = findings.layer_succession if is_lasting(config) else None
            write_layers(staged, findings.clustering.layered, findings.layers, lasting, findings.last_names)
        if isinstance(found, Survey):
            baseline_of(found, centroids, config.metric, model).write(staged / BASELINE_FILE)
        write_report(staged, findings, measured_before(self._spec, self._secrets, self._progress))
        write_metrics(staged / MARKER, findings)
        if not isinstance(found, Survey):
            return None  # Checks measure the change since the clustering.
        uri = f"{self._target.uri}/{BASELINE_FILE}"
        return describe_baseline(staged / BASELINE_FILE, uri, findings)
