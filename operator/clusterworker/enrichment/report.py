"""Writes report.html of an enrichment: the tree of nodes with its counts, and examples, in one file without scripts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clustercontract.counted import counted
from clusterworker.enrichment.figures import Enrichment
from clusterworker.enrichment.tally import QUANTILES, Example
from clusterworker.enrichment.tree import ROOT

MOST_NODES = 1_000
"""Maximum number of nodes that are shown: those with the most documents in and below them."""
_OPEN_LEVELS = 2
_LISTED_BEST = 12


@dataclass(frozen=True)
class Branch:
    """A node of the tree on the page.

    Attributes:
        label: Its label.
        node_id: Its id.
        own: Number of documents whose nearest node it is.
        total: Number of documents of it and of all nodes below it.
        share: Share of the largest node's documents, 0 to 1.
        example: The document that is nearest to it, if there is one.
        is_open: Whether its children are initially shown.
        children: Its children, largest first.
        hidden: Number of children that are not listed.
    """

    label: str
    node_id: str
    own: int
    total: int
    share: float
    example: "Line | None"
    is_open: bool
    children: "Sequence[Branch]"
    hidden: int


@dataclass(frozen=True)
class Line:
    """A document, and its nearest nodes.

    Attributes:
        document_id: Its id.
        text: Its text, if its collection has texts.
        nodes: Path and score of each node.
    """

    document_id: str
    text: str
    nodes: Sequence[tuple[str, float]]


def write_report(
    file: Path, found: Enrichment, best: Mapping[int, Example], doubtful: Sequence[Example], texts: Mapping[int, str]
) -> None:
    """Writes the page.

    Args:
        file: The file to write.
        found: Result of the run.
        best: The nearest document of each node, by the node's number.
        doubtful: Documents that are almost as near to a second node.
        texts: Texts of these documents, by row number.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    spec, tally, taxonomy = found.spec, found.tally, found.taxonomy.given
    tree = found.taxonomy.tree
    lines = {node: _line(found, example, texts) for node, example in best.items()}
    roots, hidden = _branches(found, lines)
    scores = tally.scores()
    taken = f", {tally.taken_over:,} of them taken over" if tally.taken_over else ""
    environment = Environment(
        loader=PackageLoader("clusterworker.enrichment", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("enrichment.html.j2").render(
        trigger=f"{spec.namespace}/{spec.trigger}",
        title=f"{tally.assigned:,} of {counted(tally.documents, 'document')} "
        f"{'has' if tally.documents == 1 else 'have'} a node of {taxonomy.taxonomy_id}",
        facts={
            "Run": spec.run,
            "Slot": spec.slot,
            "Documents": f"{tally.documents:,} of collection {spec.collection.collection_id}{taken}",
            "Nodes": f"{len(tree.ids):,} of collection {taxonomy.nodes.collection_id}, {counted(tree.levels, 'level')}",
            "Without documents": counted(int((tally.per_node == 0).sum()), "node"),
            "Requested": f"at most {counted(taxonomy.top_k, 'node')} per document, with a score of "
            f"{taxonomy.min_score:g} or more",
        },
        notes=found.notes,
        roots=roots,
        hidden=hidden,
        scores=[(name, scores[name]) for name in ("min", *QUANTILES, "max", "mean") if name in scores],
        best=sorted(lines.values(), key=lambda line: -line.nodes[0][1])[:_LISTED_BEST],
        doubtful=[_line(found, example, texts) for example in doubtful],
        min_score=taxonomy.min_score,
    )
    file.write_text(page, encoding="utf-8")


def _line(found: Enrichment, example: Example, texts: Mapping[int, str]) -> Line:
    paths = found.taxonomy.tree.paths
    nodes = [(paths[node], score) for node, score in zip(example.nodes, example.scores, strict=True)]
    return Line(example.document_id, texts.get(example.row, ""), nodes)


def _branches(found: Enrichment, lines: Mapping[int, Line]) -> tuple[list[Branch], int]:
    """Returns the roots with the nodes below them, and the number of roots that are not listed."""
    tree, tally = found.taxonomy.tree, found.tally
    totals = tree.with_descendants(tally.per_node)
    children, largest = tree.children, max(int(totals.max()), 1)
    # A node has no more documents than its parent with all nodes below it, so the parents of listed nodes are listed.
    shallow = np.array([_level(tree.parents, node) for node in range(len(tree.ids))])
    shown = set(np.lexsort((shallow, -totals))[:MOST_NODES].tolist())

    def listed(parent: int) -> list[int]:
        return sorted((node for node in children[parent] if node in shown), key=lambda node: -totals[node])

    # The tree is built from the leaves up, without recursion, because it can be deeper than Python's stack.
    branches: dict[int, Branch] = {}
    for node in sorted(shown, key=lambda node: -shallow[node]):
        below = listed(node)
        branches[node] = Branch(
            label=tree.labels[node],
            node_id=tree.ids[node],
            own=int(tally.per_node[node]),
            total=int(totals[node]),
            share=float(totals[node]) / largest,
            example=lines.get(node),
            is_open=shallow[node] < _OPEN_LEVELS,
            children=[branches[child] for child in below],
            hidden=len(children[node]) - len(below),
        )
    roots = listed(ROOT)
    return [branches[root] for root in roots], len(children[ROOT]) - len(roots)


def _level(parents: "np.ndarray[tuple[int], np.dtype[np.int64]]", node: int) -> int:
    return sum(1 for _ in _ancestors(parents, node))


def _ancestors(parents: "np.ndarray[tuple[int], np.dtype[np.int64]]", node: int) -> Iterator[int]:
    while (node := int(parents[node])) != ROOT:
        yield node
