"""Measures what documents lose when their numbers are rounded to float32, in which they are clustered.

float32 has 7 significant digits. Doubles with a large common offset, such as 1,000,000.001 and 1,000,000.002, become
equal. Centred, the same vectors lose nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Doubles, Rows
from clusterworker.data.prints import prints
from clusterworker.data.sources.batch import Batch

MOST_GROUPS = 1 << 20
"""Number of different float32 vectors that are compared, 40 bytes each; of more, a uniform sample is."""
SAMPLE_ROWS, FEWEST_SAMPLED, SAMPLE_NUMBERS = 500, 64, 1 << 20
"""Maximum number of documents in the sample whose distances are computed in float64; with long vectors, it is
SAMPLE_NUMBERS by their length, and at least FEWEST_SAMPLED.
"""
OWN_ERROR = 1e-13
"""Relative difference that computations in float64 produce themselves; documents that differ less are copies."""
NOTICEABLE = 0.1
"""Share of the distance to the nearest document by which rounding may move a vector without a note."""
_LEAST_SQUARE = 1e-290
"""Squared lengths below this value have lost digits, or are 0."""
_GREATEST_FACTOR = 300
"""Greatest exponent of a factor in advice, because doubles end at 1e308."""
_SEED = 20_261_129
"""Seed of the direction along which lost parts are compared; any number works."""
_BLOCK_ROWS = 1_024
"""A block of this many rows fits into the processor's cache."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""An odd number that mixes hashes; 2^64 divided by the golden ratio."""

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class _Groups:
    """Documents by their float32 vector, sorted by its hash.

    Attributes:
        hashes: Hash of each float32 vector, shape (groups,).
        counts: Documents with that vector, shape (groups,).
        lowest: Least and `highest` largest extent along one direction of what the rounding took away, shape (groups,).
        lengths: Length of the vector, shape (groups,).
    """

    hashes: Hashes
    counts: Rows
    lowest: Doubles
    highest: Doubles
    lengths: Doubles

    def joined(self, other: "_Groups", most: int) -> "_Groups":
        """Returns the groups of both. Of more than `most`, those with the lowest hashes are a uniform sample."""
        hashes = np.concatenate([self.hashes, other.hashes])
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
        ends = np.r_[starts[1:], len(hashes)][:most]
        starts = starts[:most]
        order = order[: ends[-1]]
        return _Groups(
            hashes[starts],
            np.add.reduceat(np.concatenate([self.counts, other.counts])[order], starts),
            np.minimum.reduceat(np.concatenate([self.lowest, other.lowest])[order], starts),
            np.maximum.reduceat(np.concatenate([self.highest, other.highest])[order], starts),
            np.concatenate([self.lengths, other.lengths])[order][starts],
        )


class Rounding:
    """Measures the rounding of the documents of one pass, in bounded memory.

    Args:
        unit: Whether only the direction of a vector counts, as with metric cosine.
    """

    def __init__(self, *, unit: bool) -> None:
        self._unit = unit
        self._groups: _Groups | None = None
        self._keys: Hashes = np.empty(0, np.uint64)
        self._sample: Doubles = np.empty((0, 0))

    def add(self, batch: Batch) -> None:
        """Adds documents. Those that were not rounded cost nothing, and are not compared."""
        doubles = batch.doubles
        if doubles is None or not len(doubles):
            return
        direction = np.random.default_rng(_SEED).normal(size=doubles.shape[1])
        extents, lengths = np.empty(len(doubles)), np.empty(len(doubles))
        for start in range(0, len(doubles), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            exact, squares = doubles[part], np.vecdot(doubles[part], doubles[part])
            lost = exact - batch.vectors[part]
            extents[part], lengths[part] = lost @ direction, np.sqrt(squares)
            tiny = np.flatnonzero(squares < _LEAST_SQUARE)
            lengths[part][tiny] = _lengths(exact[tiny])
            if self._unit:  # A difference in length is none.
                radial = np.vecdot(exact, lost) / np.maximum(squares, np.finfo(np.float64).tiny)
                extents[part] -= (exact @ direction) * radial
        hashes = prints(batch.vectors)
        self._join(_Groups(hashes, np.ones(len(hashes), np.int64), extents, extents, lengths))
        self._draw((hashes ^ extents.view(np.uint64)) * _MIX, doubles)

    def _join(self, found: _Groups) -> None:
        none = np.empty(0)
        before = self._groups or _Groups(np.empty(0, np.uint64), np.empty(0, np.int64), none, none, none)
        self._groups = before.joined(found, MOST_GROUPS)

    def _draw(self, keys: Hashes, vectors: Doubles) -> None:
        """Keeps the vectors with the lowest keys, which are a uniform sample of different vectors."""
        most = min(SAMPLE_ROWS, max(FEWEST_SAMPLED, SAMPLE_NUMBERS // vectors.shape[1]))
        if len(self._keys) >= most:
            better = np.flatnonzero(keys < self._keys.max())
            keys, vectors = keys[better], vectors[better]
        if not len(keys):
            return
        lowest = np.unique(keys, return_index=True)[1][:most]
        drawn = np.concatenate([self._sample.reshape(-1, vectors.shape[1]), vectors[lowest]])
        kept, chosen = np.unique(np.concatenate([self._keys, keys[lowest]]), return_index=True)
        self._keys, self._sample = kept[:most], drawn[chosen[:most]]

    def state(self) -> dict[str, Any]:
        """Returns the state as arrays, for `merge` in another process; none if no document was rounded."""
        if self._groups is None:
            return {}
        return {**vars(self._groups), "keys": self._keys, "sample": self._sample}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Adds the documents that another process has read.

        Args:
            state: Result of `state` in the other process.
        """
        if not state:
            return
        self._join(_Groups(*(state[name] for name in _Groups.__dataclass_fields__)))
        self._draw(state["keys"], state["sample"])

    def notes(self) -> list[str]:
        """Returns a note if documents became equal, or if rounding blurs the distances between near ones."""
        if self._groups is None:
            return []
        groups = self._groups
        apart = groups.highest - groups.lowest
        became = apart > OWN_ERROR * groups.lengths
        effects, least = [], np.inf
        if became.any():
            equal, documents = int(groups.counts[became].sum()), int(groups.counts.sum())
            least = float(np.median(apart[became]))
            effects.append(
                f"{equal:,} of {documents:,} documents became equal to others that differ by up to {least:.1g}"
            )
        share, nearest = _blur(self._sample, unit=self._unit)
        if share > NOTICEABLE:
            changed = share * nearest
            effects.append(
                f"distances between nearest documents changed by up to {changed:.1g}, and are only {nearest:.1g} "
                f"(medians of {len(self._sample)} sampled documents)"
            )
        if not effects:
            return []
        return [f"when numbers were rounded to float32, {', and '.join(effects)}: {self._remedy(least)}"]

    def _remedy(self, least: float) -> str:
        """Returns what helps, tried on the sample.

        Args:
            least: Difference that must be kept.
        """
        sample = self._sample
        mean, largest = sample.mean(axis=0), np.abs(sample).max(initial=0)
        factor = 10.0 ** min(-math.floor(math.log10(largest)), _GREATEST_FACTOR) if largest else 1.0
        ways = {
            "subtract the mean of all vectors from each, in float64,": (sample - mean, 1.0),
            f"multiply the vectors by {factor:.0e}": (sample * factor, factor),
        }
        for way, (vectors, scale) in ways.items():
            blurred = _blur(vectors, unit=self._unit)[0] > NOTICEABLE
            if not blurred and _moved(vectors) < least * scale:
                return f"{way} before you write them"
        return "the clustering cannot tell them apart; cluster them apart from the others, with their mean subtracted"


def _lengths(vectors: Doubles) -> Doubles:
    """Returns Euclidean lengths whose squares can be too small for doubles, shape (rows,)."""
    exponent = _exponent(vectors)
    lengths: Doubles = np.ldexp(np.linalg.norm(np.ldexp(vectors, -exponent), axis=1), exponent)
    return lengths


def _exponent(vectors: Doubles) -> int:
    """Returns the exponent of the largest number, by which the vectors can be scaled without rounding."""
    return math.frexp(float(np.abs(vectors).max(initial=0)))[1]


def _moved(vectors: Doubles) -> float:
    """Returns the median distance by which rounding moves a vector."""
    return float(np.median(_lengths(vectors - vectors.astype(np.float32))))


def _blur(vectors: Doubles, *, unit: bool) -> tuple[float, float]:
    """Returns by which share rounding changes the difference from the nearest other vector, and that distance.

    The share is the ratio of the medians; 0 if all vectors are copies, and then the distance is infinite.
    """
    from scipy.spatial.distance import cdist

    rounded = vectors.astype(np.float32).astype(np.float64)
    if unit:
        directed = vectors.any(axis=1) & rounded.any(axis=1)
        vectors, rounded = _directions(vectors[directed]), _directions(rounded[directed])
    exponent = _exponent(vectors)
    vectors, rounded = np.ldexp(vectors, -exponent), np.ldexp(rounded, -exponent)
    distances = cdist(vectors, vectors)
    distances[distances <= OWN_ERROR * np.linalg.norm(vectors, axis=1)] = np.inf
    rows = np.flatnonzero(np.isfinite(distances).any(axis=1))
    if not len(rows):
        return 0.0, np.inf
    others = distances[rows].argmin(axis=1)
    lost = vectors - rounded
    changed = float(np.median(np.linalg.norm(lost[rows] - lost[others], axis=1)))
    nearest = float(np.median(distances[rows, others]))
    return changed / nearest, float(np.ldexp(nearest, exponent))


def _directions(vectors: Doubles) -> Doubles:
    directions: Doubles = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions
