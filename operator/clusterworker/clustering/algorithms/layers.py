"""Computes EVōC's layers: clusterings of several granularities from one tree of dense regions.

As the minimum size of a cluster grows, small clusters become parts of larger ones or noise. Each region of the tree is
a cluster in a range of minimum sizes. At some sizes, many distant regions are clusters over a wide range, so that the
number of clusters hardly depends on the size. These sizes determine the layers. The method is that of the `evoc`
library, on a separate tree in which a vector is weighted by its number of occurrences.
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
        labels: Label per distinct vector, 0 is the largest cluster; or NOISE.
        regions: Region of the tree of each cluster.
        persistence: Persistence compared with neighbouring granularities; 0 for the finest.
    """

    labels: Labels
    regions: Rows
    persistence: float

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return len(self.regions)


@dataclass(frozen=True)
class Layers:
    """Layers of one tree, the finest first; none if nothing splits the documents.

    Attributes:
        layers: At least two clusters each. They are nested, except for noise.
        parents: For each layer and cluster, the layer and number of the cluster of a coarser layer that contains it, or
            None.
    """

    layers: Sequence[Layer]
    parents: Sequence[Sequence[tuple[int, int] | None]]

    @property
    def most_persistent(self) -> int:
        """Number of the most persistent layer."""
        return int(np.argmax([layer.persistence for layer in self.layers]))


@dataclass(frozen=True)
class _Ranges:
    """The range of minimum sizes in which each region is a cluster.

    It is above `births` and up to `deaths`, both of shape (regions,).
    """

    births: Rows
    deaths: Rows

    def alive(self, size: float) -> npt.NDArray[np.bool_]:
        """Returns which regions are clusters with this minimum size, shape (regions,)."""
        return (self.births <= size) & (self.deaths > size)


def layers_of(tree: SpanningTree, min_cluster_size: int, *, most: int, alike: float) -> Layers:
    """Returns the layers.

    Args:
        tree: Tree of all documents.
        min_cluster_size: Minimum number of documents in a cluster of the finest layer, at least 2.
        most: Maximum number of layers.
        alike: If two layers share more than this proportion of their clusters, the less persistent one is left out.
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
    """Returns the minimum size of a cluster with which the finest layer has about this number of clusters."""
    condensed = condense(tree, 2)
    ranges = _ranges(condensed, _documents(condensed, tree.counts), 1)
    lasting = np.flatnonzero(ranges.deaths[1:] > ranges.births[1:]) + 1
    births, deaths = np.sort(ranges.births[lasting]), np.sort(ranges.deaths[lasting])
    sizes = np.unique(np.r_[2, deaths, births + 1])
    sizes = sizes[sizes >= 2]
    alive = np.searchsorted(births, sizes, "left") - np.searchsorted(deaths, sizes, "left")
    return int(sizes[np.argmin(np.abs(alive - clusters))])


def _documents(condensed: Condensed, counts: Rows) -> Rows:
    """Returns the number of documents of each region, shape (regions,)."""
    documents = np.bincount(condensed.owners, weights=counts, minlength=len(condensed.parents)).astype(np.int64)
    for region in range(len(condensed.parents) - 1, 0, -1):
        documents[condensed.parents[region]] += documents[region]
    return documents


def _ranges(condensed: Condensed, documents: Rows, least: int) -> _Ranges:
    """Returns up to which size each split lasts: the size of its second largest part."""
    children: dict[int, list[int]] = {}
    for region, parent in enumerate(condensed.parents[1:], start=1):
        children.setdefault(parent, []).append(region)
    births = np.full(len(documents), least, np.int64)
    deaths = documents.copy()
    for parent in sorted(children, reverse=True):  # Regions come after the ones that contain them.
        parts = children[parent]
        second = int(np.sort(documents[parts])[-2])
        deaths[parts] = np.minimum(documents[parts], second)
        births[parent] = max(int(births[parts].max()), second)
    return _Ranges(births, deaths)


def _peaks(condensed: Condensed, ranges: _Ranges, most: int, alike: float) -> list[tuple[float, float]]:
    """Returns the sizes at which the layers are more persistent than at neighbouring sizes, and their persistence."""
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
    """Returns, for each minimum size, how long and how far apart its clusters last, both of shape (sizes,)."""
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
    return sizes, np.round(total / most, 9) * most  # Rounding of equal values must not look like a peak.


def _leaves(condensed: Condensed) -> npt.NDArray[np.bool_]:
    leaves = np.ones(len(condensed.parents), bool)
    leaves[condensed.parents[1:]] = False
    return leaves


def _layer(condensed: Condensed, alive: npt.NDArray[np.bool_], counts: Rows, persistence: float) -> Layer:
    """Assigns every vector the active region that contains it, the largest first."""
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
    """Returns for each cluster the nearest coarser one that it equals or belongs to."""
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
