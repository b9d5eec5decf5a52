"""Computes domain_auc: how well a classifier distinguishes the baseline's documents from the current ones.

This is a classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"; Rabanser et
al. 2019, "Failing Loudly"). The classifier is ridge regression on the labels, which is Fisher's discriminant with a
shrunk covariance. Its predictions are linear in the labels, so a permutation of the labels takes a product of matrices
instead of another fit.
"""

from collections.abc import Iterator

import numpy as np

from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.data.arrays import Doubles, Rows, Vectors
from clusterworker.drift.moments import NORMAL_TAIL
from clusterworker.drift.permutation_test import PermutationTest, tested

FOLDS = 5
PERMUTATIONS = 200
SHRINKAGE = 0.1
"""Ridge penalty, in mean eigenvalues of the training documents' scatter."""
_USUAL, _FARTHEST = 0.9, 5.0
"""Quantile of the documents' distances from their centre, and multiple of it up to which documents keep their distance.
"""


def domain_auc(baseline: Vectors, now: Vectors, seed: int, permutations: int = PERMUTATIONS) -> PermutationTest:
    """Cross-validates with up to five stratified folds.

    Args:
        baseline: shape (rows, dimensions).
        now: shape (other rows, dimensions).
        seed: Seed of folds and permutations.
        permutations: Number of permutations.

    Returns:
        The mean AUC over the folds: 0.5 if nothing changed, less if the documents are identical. Its noise floor is
        about 0.26. Fewer than two documents on a side count as unchanged.
    """
    folds = min(FOLDS, len(baseline), len(now))
    if folds < 2:
        return PermutationTest(0.5, 0.5, 1.0)
    vectors = _drawn_in(np.concatenate([baseline, now]))
    labels = np.repeat(np.array([0.0, 1.0]), [len(baseline), len(now)])
    generator = np.random.default_rng(seed)
    fold = assign_folds(len(baseline), len(now), folds, generator)
    columns = np.tile(labels[:, None], permutations + 1)
    for rows in (np.flatnonzero(fold == number) for number in range(folds)):
        columns[rows, 1:] = generator.permuted(columns[rows, 1:], axis=0)
    found = np.mean([areas(scores, truth) for scores, truth in _predictions(vectors, columns, fold)], axis=0)
    null = found[1:]
    # The mean of five AUCs is distributed almost normally.
    floor = float(null.mean() + NORMAL_TAIL * null.std(ddof=1)) / 2
    return tested(float(found[0]), null, floor)


def _drawn_in(vectors: Vectors) -> Doubles:
    """Returns the vectors less their centre, where few far documents are nearer to it, in the same direction.

    Otherwise, the scatter and the penalty would be those of a single far document, and hide what all others do.
    """
    centred: Doubles = vectors - Frame.of(vectors).centre
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    inside = lengths[lengths > 0]
    if not inside.size:
        return centred
    limit = _FARTHEST * float(np.quantile(inside, _USUAL))
    return np.asarray(centred * np.minimum(limit / np.maximum(lengths, limit), 1))


def assign_folds(baseline: int, now: int, folds: int, generator: np.random.Generator) -> Rows:
    """Returns the fold of each document, the baseline's first.

    Folds are drawn at random, and have equal numbers of each side.
    """
    return np.concatenate([generator.permutation(np.arange(rows) % folds) for rows in (baseline, now)])


def areas(scores: Doubles, labels: Doubles) -> Doubles:
    """Returns the area under the ROC curve of each column: the Mann-Whitney statistic, in which ties count half.

    Args:
        scores: Scores, shape (rows, columns).
        labels: 1 or 0, same shape; each column has as many ones.
    """
    positive = int(labels[:, 0].sum())
    found = np.empty(scores.shape[1])
    for column in range(scores.shape[1]):
        inside = labels[:, column] == 1
        others = np.sort(scores[~inside, column])
        below = np.searchsorted(others, scores[inside, column], "left")
        not_above = np.searchsorted(others, scores[inside, column], "right")
        found[column] = (below + not_above).sum() / 2
    return found / (positive * (len(labels) - positive))


def _predictions(vectors: Doubles, labels: Doubles, fold: Rows) -> Iterator[tuple[Doubles, Doubles]]:
    """Yields scores and labels of each fold from a ridge regression that is fitted to the other folds.

    The sums of products over the other folds are those over all documents minus those over the fold.
    """
    centred = vectors - vectors.mean(axis=0)
    scatter, products, ones = centred.T @ centred, centred.T @ labels, labels.sum(axis=0)
    for number in range(int(fold.max()) + 1):
        held, held_labels = centred[fold == number], labels[fold == number]
        count = len(centred) - len(held)
        mean = -held.sum(axis=0) / count
        train = scatter - held.T @ held - count * np.outer(mean, mean)
        penalty = SHRINKAGE * np.trace(train) / len(train)
        train[np.diag_indices_from(train)] += penalty if penalty > 0 else 1.0
        weights = np.linalg.solve(
            train, products - held.T @ held_labels - np.outer(mean, ones - held_labels.sum(axis=0))
        )
        yield (held - mean) @ weights, held_labels
