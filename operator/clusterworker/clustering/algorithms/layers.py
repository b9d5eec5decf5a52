"""EVōC's layers: clusterings of several granularities from one tree of dense regions.

As the least size of a cluster grows, small clusters become parts of larger ones or noise, one after the other. Each
region of the tree is a cluster over a range of least sizes. At some sizes many regions that lie far apart are clusters
over a wide range, so that the number of clusters hardly depends on the size: these sizes give the layers. The method is
that of the `evoc` library, on a tree of our own, in which a document counts as often as its vector occurs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clusterworker.clustering.algorithms.density_tree import Condensed, SpanningTree, condense
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows


@dataclass(frozen=True)
class Layer:
    """One granularity.

    Attributes:
        labels: per distinct vector, 0 the largest cluster, or NOISE.
        regions: of the tree, which each cluster is.
        persistence: how much more this granularity stands out than its neighbours; 0 of the finest.
    """

    labels: Labels
    regions: Rows
    persistence: float

    @property
    def clusters(self) -> int:
        """How many there are."""
        return len(self.regions)


@dataclass(frozen=True)
class Layers:
    """Layers of one tree, the finest first; none where nothing splits the documents.

    Attributes:
        layers: at least two clusters each, nested in one another, except for noise.
        parents: per layer and cluster, the layer and number of the cluster of a coarser layer that holds it, or None.
    """

    layers: Sequence[Layer]
    parents: Sequence[Sequence[tuple[int, int] | None]]

    @property
    def most_persistent(self) -> int:
        """Number of the layer that stands out most."""
        return int(np.argmax([layer.persistence for layer in self.layers]))


@dataclass(frozen=True)
class _Ranges:
    """Over which least sizes each region is a cluster: above `births`, up to `deaths`; both of shape (regions,)."""

    births: Rows
    deaths: Rows

    def alive(self, size: float) -> npt.NDArray[np.bool_]:
        """Which regions are clusters where that is the least size, shape (regions,)."""
        return (self.births <= size) & (self.deaths > size)


def layers_of(tree: SpanningTree, min_cluster_size: int, *, most: int, alike: float) -> Layers:
    """Return the layers.

    Args:
        tree: of all documents.
        min_cluster_size: the fewest documents that make a cluster in the finest layer, at least 2.
        most: layers.
        alike: share of clusters in common, of all of two layers, above which the less persistent one is left out.
    """
    condensed = condense(tree, min_cluster_size)
    if len(condensed.parents) == 1:
        return Layers([], [])
    documents = _documents(condensed, tree.counts)
    ranges = _ranges(condensed, documents, min_cluster_size)
    found = [(float(min_cluster_size), 0.0)]
    found += _peaks(condensed, ranges, most - 1, alike)
    layers = []
    for number, (size, persistence) in enumerate(sorted(found)):
        alive = _leaves(condensed) if number == 0 else ranges.alive(size)
        layers.append(_layer(condensed, alive, tree.counts, persistence))
    return Layers(layers, _parents(condensed, layers))


def size_for(tree: SpanningTree, clusters: int) -> int:
    """Return the least size of a cluster with which the finest layer has about so many clusters."""
    condensed = condense(tree, 2)
    ranges = _ranges(condensed, _documents(condensed, tree.counts), 1)
    lasting = np.flatnonzero(ranges.deaths[1:] > ranges.births[1:]) + 1
    births, deaths = np.sort(ranges.births[lasting]), np.sort(ranges.deaths[lasting])
    sizes = np.unique(np.r_[2, deaths, births + 1])
    sizes = sizes[sizes >= 2]
    alive = np.searchsorted(births, sizes, "left") - np.searchsorted(deaths, sizes, "left")
    return int(sizes[np.argmin(np.abs(alive - clusters))])


def _documents(condensed: Condensed, counts: Rows) -> Rows:
    """Documents of each region, shape (regions,)."""
    documents = np.bincount(condensed.owners, weights=counts, minlength=len(condensed.parents)).astype(np.int64)
    for region in range(len(condensed.parents) - 1, 0, -1):
        documents[condensed.parents[region]] += documents[region]
    return documents


def _ranges(condensed: Condensed, documents: Rows, least: int) -> _Ranges:
    """A split holds as long as two of the parts are large enough: up to the size of the second largest."""
    children: dict[int, list[int]] = {}
    for region, parent in enumerate(condensed.parents[1:], start=1):
        children.setdefault(parent, []).append(region)
    births = np.full(len(documents), least, np.int64)
    deaths = documents.copy()
    for parent in sorted(children, reverse=True):  # regions come after the ones that they are in
        parts = children[parent]
        second = int(np.sort(documents[parts])[-2])
        deaths[parts] = np.minimum(documents[parts], second)
        births[parent] = max(int(births[parts].max()), second)
    return _Ranges(births, deaths)


def _peaks(condensed: Condensed, ranges: _Ranges, most: int, alike: float) -> list[tuple[float, float]]:
    """Sizes at which the layers are more persistent than at the sizes beside, and how persistent they are."""
    sizes, persistence = _persistence(condensed, ranges)
    rising = np.flatnonzero(np.diff(persistence, prepend=np.inf) > 0)
    peaks = [place for place in rising.tolist() if _falls_after(persistence, place)]
    peaks.sort(key=lambda place: (-persistence[place], place))
    chosen: list[int] = []
    for place in peaks:
        alive = ranges.alive(sizes[place])
        others = [ranges.alive(sizes[other]) for other in chosen]
        if alive.sum() >= 2 and all((alive & other).sum() <= alike * (alive | other).sum() for other in others):
            chosen.append(place)
        if len(chosen) >= most:
            break
    return [(float(sizes[place]), float(persistence[place])) for place in chosen[: max(most, 0)]]


def _falls_after(values: Doubles, place: int) -> bool:
    later = values[place + 1 :]
    different = np.flatnonzero(later != values[place])
    return bool(different.size) and bool(later[different[0]] < values[place])


def _persistence(condensed: Condensed, ranges: _Ranges) -> tuple[Rows, Doubles]:
    """Of each least size, how long and how far apart its clusters last, both of shape (sizes,)."""
    sizes = np.unique(ranges.births)
    lasting = np.flatnonzero(ranges.deaths[1:] > ranges.births[1:]) + 1
    births, deaths = ranges.births[lasting], ranges.deaths[lasting]
    with np.errstate(divide="ignore"):  # what nothing joins is infinitely far away
        apart = np.exp(-1 / np.asarray(condensed.births)[lasting])  # of the distance at which each splits off
    weights = (deaths - births) * apart
    change = np.zeros(len(sizes) + 1)
    np.add.at(change, np.searchsorted(sizes, births), weights)
    np.subtract.at(change, np.searchsorted(sizes, deaths), weights)
    total = change.cumsum()[:-1]
    most = total.max(initial=0) or 1.0
    return sizes, np.round(total / most, 9) * most  # rounding of equal values is not a peak


def _leaves(condensed: Condensed) -> npt.NDArray[np.bool_]:
    leaves = np.ones(len(condensed.parents), bool)
    leaves[condensed.parents[1:]] = False
    return leaves


def _layer(condensed: Condensed, alive: npt.NDArray[np.bool_], counts: Rows, persistence: float) -> Layer:
    """Give every vector the region that is alive and holds it, the largest first."""
    holding = np.full(len(alive), NOISE, np.int64)
    for region, parent in enumerate(condensed.parents):
        above = holding[parent] if region else NOISE
        holding[region] = above if above != NOISE else region if alive[region] else NOISE
    regions = np.unique(holding[holding != NOISE])
    numbers = np.full(len(alive) + 1, NOISE, np.int32)
    owned = holding[condensed.owners]
    sizes = np.bincount(owned[owned != NOISE], weights=counts[owned != NOISE], minlength=len(alive))[regions]
    regions = regions[np.argsort(-sizes, kind="stable")]
    numbers[regions] = np.arange(len(regions), dtype=np.int32)
    return Layer(numbers[owned], regions, persistence)


def _parents(condensed: Condensed, layers: Sequence[Layer]) -> list[list[tuple[int, int] | None]]:
    """Of each cluster, the nearest coarser one that it is or that it lies in."""
    places = [{int(region): number for number, region in enumerate(layer.regions)} for layer in layers]
    parents: list[list[tuple[int, int] | None]] = []
    for level, layer in enumerate(layers):
        above: list[tuple[int, int] | None] = []
        for region in layer.regions.tolist():
            line = [region]
            while line[-1]:
                line.append(condensed.parents[line[-1]])
            coarser = (
                (other, places[other][holder])
                for other in range(level + 1, len(layers))
                for holder in line
                if holder in places[other]
            )
            above.append(next(coarser, None))
        parents.append(above)
    return parents
