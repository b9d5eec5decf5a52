"""Draws the changes since the previous run: its clusters on the left, this run's on the right, and bands between them.

The width of a band and the height of a cluster are numbers of documents. Documents that no longer exist end in a
separate block on the right; new documents begin in a block on the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clustercontract.counted import counted
from clusterworker.data.arrays import Rows
from clusterworker.run.findings import Crossing
from clusterworker.run.report.groups import NOISE_COLOUR, OTHER, colour_of

WIDTH, MARGIN, NODE = 1000, 300, 14
_MOST = 14
"""Number of clusters that are drawn on each side, the largest; all others are one block."""
_HEIGHT = 420
"""Height of all documents together."""
_LINE, _GAP = 20, 6
"""Minimum height of a block with its label, and the space between two."""
_NAME = 30
_THINNEST = 0.4
"""Minimum width of a band that is drawn."""


@dataclass(frozen=True)
class Block:
    """The block of a cluster on one side.

    Attributes:
        x: Position in units of the view box, as for the next two.
        y: Position.
        height: Height for its documents.
        colour: Colour as #RRGGBB.
        label: Number and name.
        documents: Number of documents.
    """

    x: float
    y: float
    height: float
    colour: str
    label: str
    documents: int
    width: int = NODE

    @property
    def middle(self) -> float:
        """Position of its label."""
        return round(self.y + self.height / 2, 1)


@dataclass(frozen=True)
class Band:
    """A band: documents that moved from one block to another.

    Attributes:
        path: The band, as an SVG path.
        colour: Colour of the block that they are in now, or were in.
        tooltip: Text that is shown when the pointer is over it.
    """

    path: str
    colour: str
    tooltip: str


@dataclass(frozen=True)
class Flow:
    """The picture.

    Attributes:
        before: Blocks of the previous run.
        now: Blocks of this run.
        bands: Bands between them, the widest first.
        height: Height of the view box.
        thin: Number of documents in bands that are too thin to be drawn.
    """

    before: Sequence[Block]
    now: Sequence[Block]
    bands: Sequence[Band]
    height: float
    thin: int
    width: int = WIDTH


@dataclass(frozen=True)
class _Kind:
    """A block: its label and colour, and its clusters."""

    label: str
    colour: str
    places: Rows


def flow(crossing: Crossing | None, ids: Rows, names: Sequence[str], sizes: Rows, noise: int) -> Flow | None:
    """Lays out the picture; None if documents were not compared.

    Args:
        crossing: Where documents of the previous run are now.
        ids: cluster_id of each of this run's clusters, the largest first.
        names: Names of the clusters.
        sizes: Documents of each cluster.
        noise: Number of documents in no cluster.
    """
    if crossing is None:
        return None
    colours = {int(number): colour_of(place) for place, number in enumerate(ids)}
    sizes_before = np.append(crossing.sizes, crossing.noise)
    sizes_now = np.append(sizes, noise)
    before = _kinds(crossing.ids, crossing.names, crossing.sizes, colours)
    now = _kinds(ids, names, sizes, colours)
    counts = np.array([[crossing.counts[np.ix_(b.places, n.places)].sum() for n in now] for b in before], np.int64)
    sums_before = np.array([sizes_before[kind.places].sum() for kind in before], np.int64)
    sums_now = np.array([sizes_now[kind.places].sum() for kind in now], np.int64)
    # These exist only on one side.
    counts = np.vstack(
        [np.column_stack([counts, sums_before - counts.sum(axis=1)]), np.append(sums_now - counts.sum(axis=0), 0)]
    )
    nowhere = np.empty(0, np.int64)
    before.append(_Kind("new documents", NOISE_COLOUR, nowhere))
    now.append(_Kind("removed documents", NOISE_COLOUR, nowhere))
    return _drawn(before, now, np.maximum(counts, 0))


def _kinds(ids: Rows, names: Sequence[str], sizes: Rows, colours: dict[int, str]) -> list[_Kind]:
    """Returns the largest clusters of one side, all others together, and noise."""
    order = np.argsort(-sizes, kind="stable")
    shown, others = order[:_MOST], order[_MOST:]
    kinds = [
        _Kind(f"{ids[place]}  {_short(names[place])}", colours.get(int(ids[place]), OTHER), np.array([place]))
        for place in shown.tolist()
    ]
    if len(others):
        label = counted(len(others), "smaller cluster")
        kinds.append(_Kind(label, OTHER, others))
    kinds.append(_Kind("noise", NOISE_COLOUR, np.array([len(ids)])))
    return kinds


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1].rstrip(" ,") + "…"


def _drawn(before: list[_Kind], now: list[_Kind], counts: Rows) -> Flow:
    left, right = counts.sum(axis=1), counts.sum(axis=0)
    scale = _HEIGHT / max(int(left.sum()), 1)
    # Blocks are placed where most of their documents come from. This side has the order of the report.
    middles = np.cumsum(right) - right / 2
    weights = counts[:, :-1] @ middles[:-1] / np.maximum(counts[:, :-1].sum(axis=1), 1)
    weights[counts[:, :-1].sum(axis=1) == 0] = middles[-1]
    weights[-1] = np.inf
    order = [place for place in np.argsort(weights, kind="stable").tolist() if left[place]]
    order_now = [place for place in range(len(now)) if right[place]]
    begun, first = _blocks(before, left, order, scale, MARGIN)
    ended, second = _blocks(now, right, order_now, scale, WIDTH - MARGIN - NODE)
    bands, thin = _bands(counts, (before, now), (first, second), (order, order_now), scale)
    height = max(block.y + max(block.height, _LINE) for block in (*begun, *ended)) + _GAP
    return Flow(begun, ended, bands, round(height, 1), thin)


def _blocks(
    kinds: list[_Kind], totals: Rows, order: list[int], scale: float, x: float
) -> tuple[list[Block], dict[int, float]]:
    """Returns blocks from top to bottom, and the beginning of each."""
    blocks, starts, y = [], {}, float(_GAP)
    for place in order:
        height = float(totals[place] * scale)
        room = max(height, _LINE)
        top = y + (room - height) / 2
        starts[place] = top
        documents = int(totals[place])
        blocks.append(
            Block(x, round(top, 1), round(max(height, 1), 1), kinds[place].colour, kinds[place].label, documents)
        )
        y += room + _GAP
    return blocks, starts


def _bands(
    counts: Rows,
    kinds: tuple[list[_Kind], list[_Kind]],
    starts: tuple[dict[int, float], dict[int, float]],
    orders: tuple[list[int], list[int]],
    scale: float,
) -> tuple[list[Band], int]:
    """Returns the bands, the widest first. At both ends, they have the order of the blocks, so that few cross."""
    begin, end = dict(starts[0]), dict(starts[1])
    found: list[tuple[int, Band]] = []
    thin = 0
    outgoing = {(b, n): 0.0 for b in orders[0] for n in orders[1]}
    for b in orders[0]:
        for n in orders[1]:
            outgoing[b, n] = begin[b]
            begin[b] += counts[b, n] * scale
    for n in orders[1]:
        for b in orders[0]:
            count = int(counts[b, n])
            width = count * scale
            if count and width >= _THINNEST:
                source, target = kinds[0][b], kinds[1][n]
                colour = target.colour if n < len(kinds[1]) - 1 else source.colour
                tooltip = f"{source.label} → {target.label}: {counted(count, 'document')}"
                found.append((count, Band(_path(outgoing[b, n], end[n], width), colour, tooltip)))
            elif count:
                thin += count
            end[n] += width
    found.sort(key=lambda one: -one[0])
    return [band for _, band in found], thin


def _path(left: float, right: float, width: float) -> str:
    x0, x1, middle = MARGIN + NODE, WIDTH - MARGIN - NODE, WIDTH / 2
    return (
        f"M{x0} {left:.1f}C{middle:g} {left:.1f} {middle:g} {right:.1f} {x1} {right:.1f}"
        f"V{right + width:.1f}C{middle:g} {right + width:.1f} {middle:g} {left + width:.1f} {x0} {left + width:.1f}Z"
    )
