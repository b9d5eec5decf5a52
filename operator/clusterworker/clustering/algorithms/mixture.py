"""A mixture of normal distributions with scikit-learn's expectation maximization, trained on a sample above a limit."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Mixture

from clustercontract.algorithms import GaussianMixture
from clustercontract.counted import counted
from clusterworker.clustering.algorithms.clustering import Clustering, labelled, of_sample
from clusterworker.clustering.algorithms.core_distance import as_digits, rounded_up
from clusterworker.clustering.algorithms.distinct import distinct
from clusterworker.clustering.algorithms.double_lloyd import drowns
from clusterworker.clustering.algorithms.frame import Frame
from clusterworker.clustering.algorithms.lloyd import with_count
from clusterworker.clustering.algorithms.nearest import NearestCentroid
from clusterworker.clustering.algorithms.rule import ByLikelihood, ByNearest
from clusterworker.clustering.algorithms.start import MARGIN, Begun, Start
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.arrays import Doubles, Labels, Vectors
from clusterworker.data.sources.batch import BATCH_ROWS
from clusterworker.process.errors import MisconfiguredError

MOST_ROWS = 50_000
"""Number of documents above which the mixture is trained on a sample of this size, because every iteration reads the
training rows in double precision.
"""
TRIED_ROWS = 5_000
"""Maximum number of documents for which advice is tried; it takes as long as the fit did."""
LEAST_COVARIANCE = 1e-6
"""reg_covar in advice, as a share of the mean variance: the default for vectors of variance 1."""


def gaussian_mixture(task: Task, parameters: GaussianMixture) -> Clustering:
    """Fits the mixture. Every document belongs to the distribution that it most likely comes from.

    Raises:
        MisconfiguredError: more components than documents, covariances that do not fit into the memory, or a
            distribution that shrinks to a point.
    """
    n_components, rows = parameters.n_components, task.dataset.rows
    task.refuse_above_documents("n_components", n_components)
    notes: list[str] = []
    training_rows = min(rows, training_limit(parameters, task.dataset.dimensions, task.memory))
    training = task.dataset.vectors
    if training_rows < rows:
        training = training[np.sort(np.random.default_rng(task.seed).choice(rows, training_rows, replace=False))]
        notes.append(f"trained on a sample of {training_rows} of {rows} documents, then all were assigned")
    if rows == 1:
        return labelled(task.dataset.vectors, np.zeros(1, np.int32), task.metric, notes=notes)
    points = distinct(task.dataset.vectors)
    centre = Frame.of(
        points.vectors
    ).centre  # Variances are differences of squares, which lose precision far from the origin.
    model, begun = fit_on(training, centre, parameters, task.seed, task.start)
    labels = points.spread(predict(model, points.vectors, centre))
    notes += _differences(model, labels, parameters, training, centre, task.seed)
    found = labelled(task.dataset.vectors, labels, task.metric, notes=notes)
    found.begun = begun
    return found


def mixture_of_sample(task: SampleTask, parameters: GaussianMixture) -> Clustering:
    """Fits the mixture to a sample; the rule finds the likeliest distribution of every document.

    Distributions from which no sampled document comes are left out.

    Raises:
        MisconfiguredError: see `gaussian_mixture`.
    """
    task.refuse_above_documents("n_components", parameters.n_components)
    rows = task.documents.rows
    training = task.draw(training_limit(parameters, task.documents.dimensions, task.memory))
    notes = [f"trained on a sample of {len(training)} of {rows} documents, then all were assigned"]
    if len(training) == 1:
        return of_sample(
            training,
            np.zeros(1, np.int32),
            task.metric,
            lambda _: ByNearest.of(training, np.zeros(1, np.int32)),
            notes=notes,
        )
    points = distinct(training)
    centre = Frame.of(points.vectors).centre
    model, begun = fit_on(training, centre, parameters, task.seed, task.start)
    labels = points.spread(predict(model, points.vectors, centre))
    notes += _differences(model, labels, parameters, training, centre, task.seed)
    found = of_sample(training, labels, task.metric, lambda former: ByLikelihood.of(model, centre, former), notes=notes)
    found.begun = begun
    return found


def fit_on(
    training: Vectors, centre: Doubles, parameters: GaussianMixture, seed: int, start: Start | None
) -> tuple[Mixture, Begun | None]:
    """Returns the model of vectors from which the centre was subtracted, and what it began from.

    Args:
        training: shape (rows, dimensions).
        centre: shape (dimensions,).
        parameters: n_components and how to fit.
        seed: Seed of all random choices.
        start: The clusters of the previous run, if training continues from them.
    """
    model = fit(training - centre, parameters, seed)
    if start is None or not len(start.centroids):
        return model, None
    moved = np.ascontiguousarray(training - centre, np.float32)
    last = np.ascontiguousarray(start.centroids - centre, np.float32)
    generator, double = np.random.default_rng(seed), drowns(moved, last)
    first = with_count(moved, last, parameters.n_components, "euclidean", generator, double=double)
    kept = fit(training - centre, parameters, seed, NearestCentroid(first)(moved))
    better = (model.lower_bound_ - kept.lower_bound_) / abs(kept.lower_bound_ or 1.0)
    begun = start.begun(better if better > MARGIN else 0.0, "log-likelihood")
    return (model if better > MARGIN else kept), begun


def _differences(
    model: Mixture, labels: Labels, parameters: GaussianMixture, training: Vectors, centre: Doubles, seed: int
) -> list[str]:
    """Returns notes about what differs from the parameters.

    Args:
        model: The trained mixture.
        labels: Labels of all documents, shape (rows,).
        parameters: n_components and how to fit.
        training: Vectors that it was trained on, shape (rows, dimensions).
        centre: shape (dimensions,).
        seed: Seed of the training.
    """
    notes = []
    if not model.converged_:
        notes.append(f"not converged after {parameters.max_iter} iterations: raise max_iter or tol")
    clusters, n_components = len(np.unique(labels)), parameters.n_components
    if clusters < n_components:
        fewer = f"{counted(clusters, 'cluster')} instead of {n_components:,}"
        variance = float(training.var(axis=0, dtype=np.float64).mean())
        if 0 < variance < parameters.reg_covar:
            notes.append(f"{fewer}: {_covariance_advice(clusters, variance, parameters, training, centre, seed)}")
        else:
            notes.append(f"{fewer}: no document is most likely to belong to the others")
    return notes


def _covariance_advice(
    clusters: int, variance: float, parameters: GaussianMixture, training: Vectors, centre: Doubles, seed: int
) -> str:
    """Returns advice if reg_covar exceeds the variance, which has been tried if there are few enough documents.

    Args:
        clusters: Number of clusters with this reg_covar.
        variance: Mean variance of the vectors.
        parameters: As for `_differences`, and so are the others.
        training: shape (rows, dimensions).
        centre: shape (dimensions,).
        seed: Seed of the training.
    """
    lower = rounded_up(variance * LEAST_COVARIANCE)
    finding = f"reg_covar {parameters.reg_covar:g} is more than the mean variance of the vectors, {variance:.3g}"
    if len(training) > TRIED_ROWS:
        return f"{finding}: set reg_covar: {as_digits(lower)}"
    try:
        model = fit(training - centre, parameters.model_copy(update={"reg_covar": lower}), seed)
        found = len(np.unique(predict(model, training, centre)))
    except MisconfiguredError:
        found = 0
    if found > clusters:
        return f"{finding}: set reg_covar: {as_digits(lower)}, which finds {found}"
    return f"no more groups are separate, also with a lower reg_covar: lower n_components to {clusters}"


def training_limit(parameters: GaussianMixture, dimensions: int, memory: int) -> int:
    """Returns the number of documents to train on; half of the memory is for them and the covariances.

    Raises:
        MisconfiguredError: the covariances alone take more than that.
    """
    numbers = {"full": parameters.n_components * dimensions**2, "tied": dimensions**2}
    covariances = 3 * 8 * numbers.get(parameters.covariance_type, parameters.n_components * dimensions)
    per_row = 3 * 8 * (dimensions + parameters.n_components)
    limit = min(MOST_ROWS, (memory // 2 - covariances) // per_row)
    if limit < min(MOST_ROWS, 2 * parameters.n_components):
        raise MisconfiguredError(
            f"gaussian_mixture with n_components {parameters.n_components}, covariance_type "
            f"{parameters.covariance_type} and {dimensions} dimensions does not fit into {memory >> 20} MiB: "
            "set covariance_type: diag, lower n_components, or raise run.resources.limits.memory"
        )
    return limit


def fit(vectors: Doubles, parameters: GaussianMixture, seed: int, labels: Labels | None = None) -> Mixture:
    """Returns scikit-learn's model, fitted in double precision.

    Args:
        vectors: shape (rows, dimensions).
        parameters: n_components and how to fit.
        seed: Seed of scikit-learn's own start.
        labels: Labels to start from instead, shape (rows,); n_init is ignored then.

    Raises:
        MisconfiguredError: a distribution shrinks to a point.
    """
    model = Mixture(
        parameters.n_components,
        covariance_type=parameters.covariance_type,
        tol=parameters.tol,
        reg_covar=parameters.reg_covar,
        max_iter=parameters.max_iter,
        n_init=parameters.n_init if labels is None else 1,
        random_state=seed % 2**32,
        **({} if labels is None else _first(vectors, labels, parameters)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # A note reports it.
        try:
            return model.fit(vectors)
        except ValueError as error:
            raise MisconfiguredError(
                f"gaussian_mixture: a distribution shrinks to a point, because reg_covar "
                f"{parameters.reg_covar:g} is too small: raise reg_covar, or lower n_components"
            ) from error


def _first(vectors: Doubles, labels: Labels, parameters: GaussianMixture) -> dict[str, Doubles]:
    """Returns weights, means and precisions of the distributions of labels, as scikit-learn requires them."""
    dimensions, floor = vectors.shape[1], parameters.reg_covar * np.eye(vectors.shape[1])
    parts = [vectors[labels == number] for number in range(parameters.n_components)]
    # A distribution that is nearest to no document starts as wide as all of them.
    parts = [part if len(part) else vectors for part in parts]
    counts = np.bincount(labels, minlength=parameters.n_components).clip(min=1)
    found = {"weights_init": counts / counts.sum(), "means_init": np.stack([part.mean(axis=0) for part in parts])}
    match parameters.covariance_type:
        case "full":
            precisions = np.stack(
                [np.linalg.inv(np.cov(part.T, bias=True).reshape(dimensions, -1) + floor) for part in parts]
            )
        case "tied":
            apart = vectors - found["means_init"][labels]
            precisions = np.linalg.inv(apart.T @ apart / len(vectors) + floor)
        case _:
            precisions = 1 / (np.stack([part.var(axis=0) for part in parts]) + parameters.reg_covar)
            if parameters.covariance_type == "spherical":
                precisions = 1 / (1 / precisions).mean(axis=1)
    return found | {"precisions_init": precisions}


def predict(model: Mixture, vectors: Vectors, centre: Doubles) -> Labels:
    """Returns the likeliest distribution of each vector, shape (rows,).

    Args:
        model: Model of vectors from which the centre was subtracted.
        vectors: shape (rows, dimensions).
        centre: shape (dimensions,).
    """
    parts = (vectors[first : first + BATCH_ROWS] for first in range(0, len(vectors), BATCH_ROWS))
    return np.concatenate([model.predict(part - centre) for part in parts]).astype(np.int32)
