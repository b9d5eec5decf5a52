"""Tells the cluster of any document, if the clusters were found on a sample.

A rule is applied in the pass that writes the results, one batch after the other. It can be pickled, and stored as
arrays, so that other processes apply it, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.data.arrays import NOISE, Doubles, Labels, Rows, Vectors

Find = Callable[[Vectors], Labels]
"""Returns the cluster of each vector, or NOISE, shape (rows,)."""
_KIND = "kind"


@dataclass(frozen=True)
class ByNearest:
    """A document belongs to the cluster of the nearest of some points.

    Attributes:
        points: Points, shape (points, dimensions), at least one.
        labels: Cluster of each point, or NOISE, shape (points,).
        reaches: A document is noise if it is farther from its nearest point than this, shape (points,); infinity if
            every distance is near enough.
    """

    points: Vectors
    labels: Labels
    reaches: Doubles

    @classmethod
    def of(cls, points: Vectors, labels: Labels, reaches: Doubles | None = None) -> Self:
        """Returns the rule; every distance is near enough without reaches."""
        return cls(points, labels, np.full(len(points), np.inf) if reaches is None else reaches)

    def finder(self) -> Find:
        """Returns the function that finds clusters."""
        nearest = NearestCentroid(self.points)
        limited = np.isfinite(self.reaches).any()

        def find(vectors: Vectors) -> Labels:
            places = nearest(vectors)
            labels = self.labels[places]
            if limited:  # In single precision, small distances are lost.
                apart = vectors.astype(np.float64) - self.points[places]
                labels[np.sqrt(np.vecdot(apart, apart)) > self.reaches[places]] = NOISE
            return labels

        return find


@dataclass(frozen=True)
class ByLikelihood:
    """A document belongs to the normal distribution that it most likely comes from.

    Attributes:
        covariance_type: As in scikit-learn.
        weights: Share of each distribution, in the order of the clusters, shape (clusters,).
        means: Means of the distributions after the centre was subtracted, shape (clusters, dimensions).
        cholesky: Cholesky decomposition of the precisions, as in scikit-learn.
        centre: Is subtracted from every vector, shape (dimensions,).
    """

    covariance_type: str
    weights: Doubles
    means: Doubles
    cholesky: Doubles
    centre: Doubles

    @classmethod
    def of(cls, model: Any, centre: Doubles, components: Rows) -> Self:
        """Returns the rule of a trained mixture.

        Args:
            model: scikit-learn's model of vectors from which the centre was subtracted.
            centre: shape (dimensions,).
            components: Number of the distribution of each cluster, shape (clusters,).
        """
        cholesky = model.precisions_cholesky_
        own = cholesky if model.covariance_type == "tied" else cholesky[components]
        return cls(model.covariance_type, model.weights_[components], model.means_[components], own, centre)

    def finder(self) -> Find:
        """See `ByNearest.finder`."""
        from sklearn.mixture import GaussianMixture

        model = GaussianMixture(len(self.weights), covariance_type=self.covariance_type)
        model.weights_, model.means_, model.precisions_cholesky_ = self.weights, self.means, self.cholesky
        model.covariances_ = self.cholesky  # `predict` only wants to see that there are some.

        def find(vectors: Vectors) -> Labels:
            return np.asarray(model.predict(vectors - self.centre), np.int32)

        return find


Rule = ByNearest | ByLikelihood


def renumbered(labels: Labels, former: Rows) -> Labels:
    """Returns labels with the numbers of clusters.

    Args:
        labels: Numbers from 0, or NOISE, shape (rows,).
        former: Which of these numbers each cluster had, shape (clusters,).
    """
    numbers = np.full(int(labels.max(initial=NOISE)) + 2, NOISE, np.int32)
    numbers[former] = np.arange(len(former))
    return np.asarray(numbers[labels])  # NOISE is -1 and therefore selects the last number.


_RULES: dict[str, type[Rule]] = {"nearest": ByNearest, "likelihood": ByLikelihood}


def arrays_of(rule: Rule | None) -> dict[str, Any]:
    """Returns a rule as arrays by name; none if there is no rule."""
    if rule is None:
        return {}
    kind = next(name for name, rules in _RULES.items() if isinstance(rule, rules))
    return {_KIND: np.array(kind)} | {name: np.asarray(value) for name, value in vars(rule).items()}


def rule_of(arrays: Mapping[str, Any]) -> Rule | None:
    """Reverses `arrays_of`."""
    if _KIND not in arrays:
        return None
    fields = {name: value for name, value in arrays.items() if name != _KIND}
    if "covariance_type" in fields:
        fields["covariance_type"] = str(fields["covariance_type"])
    return _RULES[str(arrays[_KIND])](**fields)
