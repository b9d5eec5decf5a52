"""report.html: one file that opens from disk, without network."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clustercontract.brief import Changes
from clusterworker.clustering.description import ClusterSummary
from clusterworker.run.report.curve import Curve
from clusterworker.run.report.flow import Flow
from clusterworker.run.report.groups import Group, colour_of
from clusterworker.run.report.plot import Plot

HOW_TO_READ = {
    "silhouette_score": "From -1 to 1, higher is better: how much nearer documents are to their own cluster than to "
    "the next one. Text embeddings rarely exceed 0.2; compare runs with each other rather than with a fixed mark.",
    "davies_bouldin_index": "At least 0, lower is better: the width of clusters relative to the distance between them.",
    "calinski_harabasz_score": "At least 0, higher is better: the spread between clusters divided by the spread "
    "within them. It depends on the numbers of documents and clusters: compare only runs with similar numbers.",
    "inertia": "At least 0, lower means tighter clusters: the sum of squared distances to the cluster's mean. "
    "It always falls as n_clusters grows: look for the value above which it falls more slowly.",
}


@dataclass(frozen=True)
class Level:
    """The map at one granularity.

    Attributes:
        label: Description, if there are several maps.
        plot: The map.
        groups: Its legend.
    """

    label: str
    plot: Plot
    groups: Sequence[Group]


@dataclass(frozen=True)
class Page:
    """The content of the report.

    Attributes:
        trigger: Namespace and name.
        title: Title of the page.
        facts: Names and values at the top.
        parameters: The algorithm's parameters, with defaults filled in.
        metrics: Value of each measure; None if it does not apply.
        notes: Decisions that the worker made by itself.
        clusters: The largest clusters, with their central documents.
        more: Number of clusters that are not listed.
        documents: Number of all documents.
        noise: Number of documents in no cluster.
        levels: The map at every granularity, the finest first; usually there is one.
        chosen: Number of the level that is the run's clustering.
        spoken: Id and text of each point of the map.
        reading: how to read the map.
        drift: Measurements of checks before this run, if there are any.
        changes: Changes since the previous run.
        flow: Picture of the changes, if documents were compared.
    """

    trigger: str
    title: str
    facts: Mapping[str, str]
    parameters: Mapping[str, object]
    metrics: Mapping[str, float | None]
    notes: Sequence[str]
    clusters: Sequence[ClusterSummary]
    more: int
    documents: int
    noise: int
    levels: Sequence[Level]
    chosen: int
    spoken: Sequence[tuple[str, str]]
    reading: str
    drift: Curve | None = None
    changes: Changes | None = None
    flow: Flow | None = None

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """Returns id and text of each dot, in the order in which the chosen level draws them."""
        return [self.spoken[row] for row in self.levels[self.chosen].plot.order]

    @property
    def orders(self) -> list[list[int]]:
        """Returns for each level which of `drawn` each dot is, in the order in which the level draws them."""
        place = {row: number for number, row in enumerate(self.levels[self.chosen].plot.order)}
        return [[place[row] for row in level.plot.order] for level in self.levels]

    def save(self, file: Path) -> None:
        """Writes the page."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("clusterworker.run.report", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # The page's policy allows only this script, whatever a document's text contains.
        script = (Path(__file__).parent / "templates" / "map.js").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        template = environment.get_template("report.html.j2")
        page = template.render(page=self, how_to_read=HOW_TO_READ, colour_of=colour_of, script=script, digest=digest)
        file.write_text(page, encoding="utf-8")
