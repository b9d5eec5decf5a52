"""Groups the documents that are drawn alike on the map: each of the largest clusters, all smaller ones, and noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clustercontract.counted import counted
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
"""Colours that are distinguishable with any colour vision: seven of Okabe and Ito 2008, three of Tol's muted scheme."""
OTHER, NOISE_COLOUR = "#9A9A9A", "#D3D3D3"
_HIDDEN = 0.02
"""Share of the map. The number of a narrower cluster would hide it."""
_CLEARANCE = 0.04
"""Minimum distance between numbers, as a share of the map."""


@dataclass(frozen=True)
class Group:
    """Documents drawn alike.

    Attributes:
        cluster: Its cluster_id; None if it is not a single cluster.
        name: Name in the legend.
        documents: Number of all documents, not of the sample.
        colour: Colour as #RRGGBB.
        rows: Rows of the sample that is drawn, ascending.
        scale: Area of a dot, relative to a large cluster's.
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
    """Returns the groups: the largest clusters first, then the smaller ones together, then noise.

    Args:
        labels: Labels of the sample, shape (rows,).
        names: Name of each cluster.
        sizes: Documents per cluster, of all documents.
        noise: Number of documents in no cluster.
        ids: cluster_id of each cluster. Default: numbered by size.
    """
    numbers = range(len(names)) if ids is None else ids.tolist()
    shown = min(len(COLOURS), len(names))
    groups = [
        Group(numbers[place], names[place], int(sizes[place]), colour_of(place), np.flatnonzero(labels == place))
        for place in range(shown)
    ]
    if more := len(names) - shown:
        name = counted(more, "smaller cluster")
        groups.append(Group(None, name, int(sizes[shown:].sum()), OTHER, np.flatnonzero(labels >= shown), 0.7))
    if noise:
        groups.append(Group(None, "noise", noise, NOISE_COLOUR, np.flatnonzero(labels == NOISE), 0.6))
    return groups


def colour_of(place: int) -> str:
    """Returns the colour of a cluster by its place among all, the largest first."""
    return COLOURS[place] if place < len(COLOURS) else OTHER


@dataclass(frozen=True)
class Number:
    """A cluster's number on the map, so that colour is not the only key.

    Attributes:
        text: The number.
        x: Position of the document nearest to the cluster's median, in the units of the points.
        y: The same, moved if another number is already there.
        beside: Whether to write it beside that point, so that it does not hide a narrow cluster.
    """

    text: str
    x: float
    y: float
    beside: bool


def numbers_of(points: Vectors, groups: Sequence[Group]) -> list[Number]:
    """Returns where to write the numbers of clusters that have a separate colour and a document in the sample."""
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
