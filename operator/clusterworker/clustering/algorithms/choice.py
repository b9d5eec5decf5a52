"""Chooses and runs the algorithm of the configuration."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from clustercontract.algorithms import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    EVoC,
    GaussianMixture,
    Hierarchical,
    KMeans,
    MeanShift,
    Parameters,
    Spectral,
)
from clustercontract.clustering import ClusteringConfig
from clusterworker.clustering.algorithms.clustering import Clustering
from clusterworker.clustering.algorithms.start import Start
from clusterworker.clustering.algorithms.task import SampleTask, Task
from clusterworker.data.dataset import Sampled, SpooledDataset, StreamedDataset
from clusterworker.data.sources.collection import Collection
from clusterworker.process.progress import Progress

STREAMED_ROWS = 500_000
"""Number of documents above which algorithms that can do so read the sources twice instead of copying them; the pages
of a copy would count as memory in use.
"""


def load(
    collections: Sequence[Collection], config: ClusteringConfig, scratch: Path, progress: Progress
) -> SpooledDataset | StreamedDataset:
    """Returns the documents in the form that the algorithm needs.

    Args:
        collections: Collections of equal dimensions.
        config: The algorithm and its metric.
        scratch: Directory for a copy of the vectors.
        progress: Receives the progress of reading.
    """
    source = StreamedDataset(collections, config.metric, progress)
    if source.rows > STREAMED_ROWS and _streams(config.parameters(), source.dimensions):
        return source
    return SpooledDataset(source, scratch)


def _streams(parameters: Parameters, dimensions: int) -> bool:
    """Returns whether many documents are assigned while they are read, to clusters of a sample.

    The other algorithms can also do so, but their clusters of all documents are better.
    """
    if isinstance(parameters, MeanShift):
        from clusterworker.clustering.algorithms.reduction import reduced_by

        return reduced_by(parameters, dimensions) is None
    return isinstance(parameters, KMeans | GaussianMixture | Hierarchical | Spectral)


def cluster(
    dataset: SpooledDataset | Sampled,
    config: ClusteringConfig,
    seed: int,
    memory: int,
    progress: Progress,
    start: Start | None = None,
) -> Clustering:
    """Runs the algorithm of the configuration.

    Args:
        dataset: Documents from `load`.
        config: The algorithm and its parameters.
        seed: Seed of all random choices.
        memory: Bytes that the container may use.
        progress: Receives the current step.
        start: The clusters of the previous run, if this run continues from them.

    Raises:
        MisconfiguredError: the parameters do not fit the documents.
    """
    parameters = config.parameters()
    if isinstance(parameters, KMeans):
        from clusterworker.clustering.algorithms.kmeans import kmeans

        return kmeans(dataset, parameters, config.metric, seed, memory, start)
    if isinstance(dataset, SpooledDataset):
        found = _cluster_spooled(Task(dataset, config.metric, seed, memory, progress, start), parameters)
        if found.layout is not None:
            found.layout = replace(found.layout, hashes=dataset.hashes)
        return found
    return _cluster_sample(SampleTask(dataset, config.metric, seed, memory, progress, start), parameters)


def _cluster_sample(task: SampleTask, parameters: "Spooled") -> Clustering:
    match parameters:
        case GaussianMixture():
            from clusterworker.clustering.algorithms.mixture import mixture_of_sample

            return mixture_of_sample(task, parameters)
        case Hierarchical():
            from clusterworker.clustering.algorithms.hierarchical import hierarchical_of_sample

            return hierarchical_of_sample(task, parameters)
        case Spectral():
            from clusterworker.clustering.algorithms.spectral import spectral_of_sample

            return spectral_of_sample(task, parameters)
        case MeanShift():
            from clusterworker.clustering.algorithms.mean_shift import mean_shift_of_sample

            return mean_shift_of_sample(task, parameters)
        case HDBSCAN():
            from clusterworker.clustering.algorithms.density import hdbscan_of_sample

            return hdbscan_of_sample(task, parameters)
        case DBSCAN():
            from clusterworker.clustering.algorithms.dbscan import dbscan_of_sample

            return dbscan_of_sample(task, parameters)
        case OPTICS():
            from clusterworker.clustering.algorithms.optics import optics_of_sample

            return optics_of_sample(task, parameters)
        case _:
            raise TypeError(f"{type(parameters).__name__} needs all documents")


Spooled = HDBSCAN | EVoC | DBSCAN | OPTICS | MeanShift | Spectral | GaussianMixture | Hierarchical


def _cluster_spooled(task: Task, parameters: Spooled) -> Clustering:
    """Imports only what the algorithm needs, so that a container loads no other algorithm."""
    match parameters:
        case HDBSCAN():
            from clusterworker.clustering.algorithms.density import hdbscan

            return hdbscan(task, parameters)
        case EVoC():
            from clusterworker.clustering.algorithms.evoc import evoc

            return evoc(task, parameters)
        case DBSCAN():
            from clusterworker.clustering.algorithms.dbscan import dbscan

            return dbscan(task, parameters)
        case OPTICS():
            from clusterworker.clustering.algorithms.optics import optics

            return optics(task, parameters)
        case MeanShift():
            from clusterworker.clustering.algorithms.mean_shift import mean_shift

            return mean_shift(task, parameters)
        case Spectral():
            from clusterworker.clustering.algorithms.spectral import spectral

            return spectral(task, parameters)
        case GaussianMixture():
            from clusterworker.clustering.algorithms.mixture import gaussian_mixture

            return gaussian_mixture(task, parameters)
        case Hierarchical():
            from clusterworker.clustering.algorithms.hierarchical import hierarchical

            return hierarchical(task, parameters)
        case _ as unknown:
            assert_never(unknown)
