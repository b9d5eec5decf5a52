"""Reads the layers of the previous run, as far as they determine the numbers of this run's clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from clustercontract.clustering import ClusteringConfig
from clustercontract.run import RunSpec
from clusterworker.clustering.algorithms.clustering import LayeredClusters
from clusterworker.clustering.layer_succession import (
    Counterpart,
    LayerSuccession,
    counterparts,
    gone,
    number_layers,
)
from clusterworker.clustering.succession import Ancestors, Succession
from clusterworker.clustering.survey import Survey
from clusterworker.data.dataset import Dataset
from clusterworker.process.errors import RunError
from clusterworker.process.text import one_line
from clusterworker.run.results.layers import CLUSTERS, TABLE, read_layer_clusters, read_layers
from clusterworker.run.results.previous import (
    Previous,
    distance_limit,
    file_of,
    is_lasting,
    not_compared,
)
from clusterworker.run.results.previous_members import Members


@dataclass(frozen=True)
class _Layer:
    """A layer of the previous run. `members` is None if its documents cannot be compared."""

    clusters: Ancestors
    names: tuple[str, ...]
    members: Members | None


@dataclass(frozen=True)
class PreviousLayers:
    """The layers of the previous run and of this run.

    Attributes:
        layered: This run's layers.
        layers: Layers of the previous run, the finest first; none if they are unknown.
        before: Which of them each layer of this run continues, or None.
    """

    layered: LayeredClusters
    layers: Sequence[_Layer]
    before: Sequence[int | None]

    @property
    def names_by_id(self) -> dict[int, str]:
        """Returns the names of all clusters by cluster_id; ids are unique across layers."""
        every = (zip(layer.clusters.ids.tolist(), layer.names, strict=True) for layer in self.layers)
        return {number: name for layer in every for number, name in layer}

    def of_chosen(self, previous: Previous) -> Previous:
        """Returns the previous run at the granularity of this run's clusters.

        Args:
            previous: What is known about it.
        """
        if not self.layers or previous.ancestors is None:
            return previous
        place = self.before[self.layered.chosen]
        if place is None:
            why = f"{previous.ancestors.run} had no layer of about as many"
            return Previous(previous.next_id, notes=(*previous.notes, f"clusters are renumbered: {why}"))
        own = self.layers[place]
        return replace(previous, ancestors=own.clusters, names=own.names, members=own.members)

    def numbered(
        self, config: ClusteringConfig, clusters: Succession, found: Survey, dataset: Dataset, collection_ids: list[str]
    ) -> LayerSuccession:
        """Numbers the clusters of every layer of this run.

        Args:
            config: Configuration of this run.
            clusters: How the clusters of the run's clustering are numbered.
            found: Result of the pass over the documents.
            dataset: The documents of this run.
            collection_ids: Collections in the order of the RunSpec.
        """
        first = clusters if is_lasting(config) else replace(clusters, next_id=len(clusters.ids))
        layers, next_id = number_layers(
            self.layered.chosen,
            first,
            self._compared(dataset, collection_ids),
            self.layered.centroids,
            self.layered.sizes,
            config.metric,
            distance_limit(config, found),
        )
        left = sorted(set(range(len(self.layers))) - {place for place in self.before if place is not None})
        lost = {place: gone(self.layers[place].clusters) for place in left}
        return LayerSuccession(layers, self.before, lost, max(next_id, clusters.next_id))

    def _compared(self, dataset: Dataset, collection_ids: list[str]) -> list[Counterpart | None]:
        """Yields what the clusters of each layer are compared with. The documents are looked up once for all layers."""
        members = next((layer.members for layer in self.layers if layer.members), None)
        places = members.places(dataset, collection_ids) if members else None
        compared: list[Counterpart | None] = []
        for number, place in enumerate(self.before):
            if place is None:
                compared.append(None)
                continue
            layer, labels = self.layers[place], self.layered.labels[number]
            shared = None
            if layer.members and places is not None:
                shared = layer.members.shared(places, labels, len(self.layered.centroids[number]))
            compared.append(Counterpart(layer.clusters, shared))
        return compared


def layers_before(
    spec: RunSpec, previous: Previous, layered: LayeredClusters, secrets: Path
) -> tuple[PreviousLayers, Previous]:
    """Reads the layers of the previous run. If they cannot be read, they are unknown, and a note has the reason.

    Args:
        spec: Spec of this run.
        previous: What is known about that run.
        layered: The layers of this run.
        secrets: where Secrets are mounted.

    Returns:
        Its layers, and what is known of it at the granularity of this run's clusters.
    """
    read, notes = _read(spec, previous, secrets)
    before = counterparts([len(layer.clusters.ids) for layer in read], [len(own) for own in layered.centroids])
    found = PreviousLayers(layered, read, before)
    return found, found.of_chosen(replace(previous, notes=(*previous.notes, *notes)))


def _read(spec: RunSpec, previous: Previous, secrets: Path) -> tuple[list[_Layer], tuple[str, ...]]:
    last, known = spec.previous, previous.ancestors
    if last is None or known is None or not len(known.ids):
        return [], ()  # Nothing is known about it, or all of its documents are noise.
    try:
        stored = read_layer_clusters(file_of(last, CLUSTERS, spec, secrets))
    except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
        why = f"the layers of {last.run} cannot be read: {one_line(error)}"
        return [], (f"clusters of all layers but the run's own are renumbered: {why}",)
    clusters = [Ancestors(last.run, layer.ids, layer.centroids, layer.sizes) for layer in stored]
    members: list[Members | None] = [None] * len(stored)
    notes: tuple[str, ...] = ()
    if previous.members:
        try:
            labels = read_layers(file_of(last, TABLE, spec, secrets), len(stored))
            members = [
                previous.members.at(own, documents, TABLE, CLUSTERS)
                for own, documents in zip(clusters, labels, strict=True)
            ]
        except (RunError, OSError, ValueError, KeyError, pa.ArrowException) as error:
            notes = (not_compared(last, one_line(error)),)
    return [_Layer(own, layer.names, who) for own, layer, who in zip(clusters, stored, members, strict=True)], notes
