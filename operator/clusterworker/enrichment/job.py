"""Carries out an enrichment: computes the RunResult of an EnrichmentSpec."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clustercontract.actions.taxonomy_enrichment import ENRICHMENT_FILE, EnrichmentSpec
from clustercontract.counted import counted
from clustercontract.run import RunResult
from clusterworker.process.cgroup import ControlGroup
from clusterworker.process.command import Mounts
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.progress import Progress
from clusterworker.run.results.record import FILE, MARKER, RunRecord
from clusterworker.run.results.target import Target
from clusterworker.run.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from clusterworker.data.sources.collection import Collection
    from clusterworker.enrichment.figures import Enrichment
    from clusterworker.enrichment.nodes import Taxonomy
    from clusterworker.enrichment.search import NodeSearch
    from clusterworker.enrichment.tally import Example, Sample

PHASES = ("open", "search", "report", "write", "publish")
"""Phases of an enrichment; write is left out if there are no outputs."""
LISTED_DOUBTFUL = 12


def enrich(
    spec: EnrichmentSpec, progress: Progress, mounts: Mounts | None = None, memory: int | None = None
) -> RunResult:
    """Finds the nodes of every document, and writes the run's folder.

    Args:
        spec: Spec of the enrichment.
        progress: Receives the progress.
        mounts: Directories of Secrets and scratch space.
        memory: Bytes that may be used. Default: the container's limit.

    Returns:
        The result of a completed run.

    Raises:
        RunError: the run failed, in one line.
    """
    progress.plan([phase for phase in PHASES if phase != "write" or spec.outputs])
    with workspace_of(spec, progress, mounts, memory) as (target, workspace):
        return _Run(spec, target, workspace).carry_out()


class _Run:
    """The steps of one enrichment, in order."""

    def __init__(self, spec: EnrichmentSpec, target: Target, workspace: Workspace) -> None:
        self._spec = spec
        self._target = target
        self._workspace = workspace
        self._progress = workspace.progress
        self._started = datetime.now(UTC)

    def carry_out(self) -> RunResult:
        """Reads the nodes, searches those of every document, and writes and publishes the results."""
        from clusterworker.data.sources.collection import blaming_changes
        from clusterworker.data.sources.collections import open_collections
        from clusterworker.enrichment.figures import in_brief, write_figures
        from clusterworker.enrichment.nodes import read_taxonomy
        from clusterworker.enrichment.output import output_table
        from clusterworker.enrichment.report import write_report
        from clusterworker.outputs.writing import OutputSet
        from clusterworker.run.results.retention import publish

        spec, staged, secrets = self._spec, self._workspace.staged, self._workspace.secrets
        self._progress.phase("open", f"opening taxonomy {spec.taxonomy.taxonomy_id} and its documents")
        outputs = OutputSet(spec.outputs, self._workspace.scratch, secrets)
        file = staged / ENRICHMENT_FILE
        outputs.check_before_reading(lambda _: output_table(spec, file, integer_ids=False))
        taxonomy = read_taxonomy(spec.taxonomy, secrets, self._workspace.memory)
        (collection,) = open_collections([spec.collection], secrets)
        with blaming_changes([collection]):
            _check_alike(taxonomy, collection)
        integers = collection.has_integer_ids
        outputs.check(lambda _: output_table(spec, file, integer_ids=integers))
        found, doubtful = self._find(taxonomy, collection)

        self._progress.phase("report", "writing the report")
        best = found.tally.best()
        rows = {example.row for example in [*best.values(), *doubtful]}
        write_report(staged / "report.html", found, best, doubtful, _texts(collection, rows))
        write_figures(staged / MARKER, found)
        record = self._record(found)
        (staged / FILE).write_bytes(record.to_bytes())
        documents = found.tally.documents
        written = outputs.write(
            lambda _: output_table(spec, file, integer_ids=integers, rows=documents), self._progress
        )
        left = publish(self._target, staged, record, spec.history_limit, self._progress)
        return RunResult(
            status="completed",
            num_documents=documents,
            results_uri=self._target.uri,
            metrics=found.measures,
            notes=[*found.notes, *written, *left],
            enrichment=in_brief(found, self._target.uri),
        )

    def _find(self, taxonomy: "Taxonomy", collection: "Collection") -> "tuple[Enrichment, Sequence[Example]]":
        from clusterworker.data.dataset import StreamedDataset
        from clusterworker.enrichment.earlier import earlier_of
        from clusterworker.enrichment.figures import Enrichment
        from clusterworker.enrichment.passes import Found, SearchSettings, search_by_parts, search_documents
        from clusterworker.enrichment.search import NodeSearch
        from clusterworker.enrichment.table import EnrichmentTable, Provenance
        from clusterworker.run.parts import open_parts

        spec, taxonomy_input, workspace, progress = self._spec, taxonomy.given, self._workspace, self._progress
        integers = collection.has_integer_ids
        earlier, why_all = earlier_of(spec, taxonomy, workspace.secrets, workspace.memory, integer_ids=integers)
        notes = [*taxonomy.notes, *why_all]
        for note in notes:
            progress.info(note)
        nodes = counted(len(taxonomy.tree.ids), "node")
        progress.phase("search", f"comparing {counted(collection.rows, 'document')} with {nodes}")
        provenance = Provenance(
            spec.run,
            spec.collection.collection_id,
            taxonomy_input.taxonomy_id,
            taxonomy.sha256,
            taxonomy_input.top_k,
            taxonomy_input.min_score,
        )
        search = NodeSearch(taxonomy.vectors, taxonomy_input.top_k)
        settings = SearchSettings.of(spec, taxonomy, collection.rows)
        # Vectors are compared as given, whatever their lengths.
        documents = StreamedDataset([collection], "cosine", progress)
        with (
            open_parts(spec, documents, {}, workspace) as parts,
            EnrichmentTable(workspace.staged / ENRICHMENT_FILE, taxonomy, provenance, integer_ids=integers) as table,
        ):
            if parts:
                found = search_by_parts(parts, taxonomy, settings, table, earlier)
                notes += parts.notes
            else:
                found, threads = Found(settings), min(spec.parallelism, ControlGroup().cpus())
                search_documents(documents, search, threads, found, table.write, progress, earlier=earlier)
            for taken in earlier.taken() if earlier else ():
                table.append(taken.ids, taken.ranks, taken.nodes, taken.scores)
                first = taken.ranks <= 1
                found.tally.add_taken(
                    taken.ids.filter(first), taken.rows[first], taken.nodes[first], taken.scores[first]
                )
        return Enrichment(spec, taxonomy, found.tally, notes), _doubtful(search, found.sample)

    def _record(self, found: "Enrichment") -> RunRecord:
        return RunRecord(
            namespace=self._spec.namespace,
            trigger=self._spec.trigger,
            run=self._spec.run,
            slot=self._spec.slot,
            started_at=self._started,
            finished_at=datetime.now(UTC),
            num_documents=found.tally.documents,
        )


def _check_alike(taxonomy: "Taxonomy", collection: "Collection") -> None:
    """Verifies that the vectors of documents and nodes have the same length and, if both name it, the same model."""
    taxonomy_input = taxonomy.given
    nodes = f"the nodes of taxonomy {taxonomy_input.taxonomy_id} (collection {taxonomy_input.nodes.collection_id})"
    if collection.dimensions != taxonomy.dimensions:
        raise MisconfiguredError(
            f"collection {collection.collection_id} has {collection.dimensions} dimensions, and {nodes} have "
            f"{taxonomy.dimensions}: embed both with one model"
        )
    from clusterworker.data.sources.models import are_different

    models = collection.embedding_model, taxonomy.embedding_model
    if are_different(*models):
        raise MisconfiguredError(
            f"collection {collection.collection_id} is embedded by {models[0]}, and {nodes} by {models[1]}: embed both "
            "with one model, or, if it is one, give it the same name everywhere"
        )


def _doubtful(search: "NodeSearch", sample: "Sample") -> "Sequence[Example]":
    """Returns the sampled documents whose two nearest nodes differ least in score."""
    import numpy as np

    from clusterworker.enrichment.tally import Example

    nodes, scores = search.nearest(sample.vectors, count=2)
    if nodes.shape[1] < 2:
        return []
    closest = np.argsort(scores[:, 0] - scores[:, 1], kind="stable")[:LISTED_DOUBTFUL]
    return [
        Example(sample.ids[one], int(sample.rows[one]), tuple(nodes[one].tolist()), tuple(scores[one].tolist()))
        for one in closest.tolist()
    ]


def _texts(collection: "Collection", rows: set[int]) -> dict[int, str]:
    """Returns the texts of the examples, by row number."""
    import numpy as np

    return collection.texts(np.array(sorted(rows), np.int64))
