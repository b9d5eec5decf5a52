"""Which documents are drawn alike on the map: each of the largest clusters, all smaller ones, and noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clusterworker.data.arrays import NOISE, Labels, Rows, Vectors

COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#332288",
    "#999933",
    "#882255",
    "#F0E442",
)
"""Told apart with any colour vision: seven of Okabe and Ito 2008, three of Tol's muted scheme."""
OTHER, NOISE_COLOUR = "#9A9A9A", "#D3D3D3"
_HIDDEN = 0.02
"""A cluster less wide than this share of the map would be hidden by its number."""
_CLEARANCE = 0.04
"""Share of the map that numbers keep between them."""


@dataclass(frozen=True)
class Group:
    """Documents drawn alike.

    Attributes:
        cluster: its cluster_id; None where it is not one cluster.
        name: for the legend.
        documents: of all documents, not of the sample.
        colour: as #RRGGBB.
        rows: of the sample that is drawn, ascending.
        scale: area of a dot, compared with a large cluster's.
    """

    cluster: int | None
    name: str
    documents: int
    colour: str
    rows: Rows
    scale: float = 1.0

    @property
    def title(self) -> str:
        """Number and name."""
        return self.name if self.cluster is None else f"{self.cluster}  {self.name}"


def groups_of(labels: Labels, names: Sequence[str], sizes: Rows, noise: int, ids: Rows | None = None) -> list[Group]:
    """Return the groups, largest clusters first, then the smaller ones together, then noise.

    Args:
        labels: of the sample, shape (rows,).
        names: per cluster.
        sizes: documents per cluster, of all documents.
        noise: documents in no cluster.
        ids: cluster_id per cluster; default: they are numbered by size.
    """
    numbers = range(len(names)) if ids is None else ids.tolist()
    shown = min(len(COLOURS), len(names))
    groups = [
        Group(numbers[place], names[place], int(sizes[place]), colour_of(place), np.flatnonzero(labels == place))
        for place in range(shown)
    ]
    if more := len(names) - shown:
        name = "1 smaller cluster" if more == 1 else f"{more:,} smaller clusters"
        groups.append(Group(None, name, int(sizes[shown:].sum()), OTHER, np.flatnonzero(labels >= shown), 0.7))
    if noise:
        groups.append(Group(None, "noise", noise, NOISE_COLOUR, np.flatnonzero(labels == NOISE), 0.6))
    return groups


def colour_of(place: int) -> str:
    """Colour of a cluster by its place among all, the largest first."""
    return COLOURS[place] if place < len(COLOURS) else OTHER


@dataclass(frozen=True)
class Number:
    """A cluster's number on the map: colour is not the only key.

    Attributes:
        text: the number.
        x: of the document nearest to the cluster's median, in the units of the points.
        y: likewise, moved if another number is there already.
        beside: whether to write it beside that point, so as not to hide a narrow cluster.
    """

    text: str
    x: float
    y: float
    beside: bool


def numbers_of(points: Vectors, groups: Sequence[Group]) -> list[Number]:
    """Return where to write the numbers of clusters that have a colour of their own and a document in the sample."""
    width, height = (float(side) or 1.0 for side in np.ptp(points, axis=0))
    numbers: list[Number] = []
    for group in groups:
        own = points[group.rows]
        if group.cluster is None or not len(own):
            continue
        middle = np.median(own, axis=0)
        x, y = (float(value) for value in own[np.argmin(np.linalg.norm(own - middle, axis=1))])
        while any(abs(x - n.x) < _CLEARANCE * width and abs(y - n.y) < _CLEARANCE * height for n in numbers):
            y += _CLEARANCE * height
        spread = float(np.median(np.abs(own - middle), axis=0).max())
        numbers.append(Number(str(group.cluster), x, y, beside=spread < _HIDDEN * max(width, height)))
    return numbers
