"""`kubectl clustertrigger results --layer`: shows the clusters of one granularity of a run, from its layers.json."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from rich.text import Text

from clustercontract.counted import counted
from clustercontract.layers import FILE, Layer, LayerCluster, Layers
from clustertrigger.cli.cluster import Cluster, read_trigger
from clustertrigger.cli.output import Output, show
from clustertrigger.cli.report import chosen_run, find_place
from clustertrigger.cli.report_pod import MissingFileError, fetch
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import table
from clustertrigger.core.trigger_state import TriggerState

_COLUMNS = (">#", "NAME", ">DOCUMENTS", ">SHARE", "IN")


async def show_layer(cluster: Cluster, name: str, job: str | None, number: int, output: Output) -> int:
    """Fetches a run's layers, and prints one of them.

    Raises:
        CommandError: the run has no such layer, or it cannot be read.
    """
    trigger = await read_trigger(cluster, name)
    run = chosen_run(TriggerState(trigger), job)
    place = await find_place(cluster, trigger, run, file=FILE)
    try:
        layers = read_layers(await fetch(cluster, trigger, place), place.uri)
    except MissingFileError as error:
        raise CommandError(
            f"{error}; or run {run.job_id} has only one granularity: use algorithm evoc to get several"
        ) from error
    layer = layer_of(layers, number)
    show(
        output,
        data={"job_id": run.job_id, "chosen": layers.chosen, **layer.model_dump(mode="json", exclude_none=True)},
        names=[str(cluster.cluster_id) for cluster in layer.clusters],
        lines=lambda _wide: layer_in_words(run.job_id, layers, layer),
    )
    return 0


def read_layers(content: bytes, uri: str) -> Layers:
    """Returns the content of the file.

    Raises:
        CommandError: something else.
    """
    try:
        return Layers.model_validate_json(content)
    except ValidationError as error:
        raise CommandError(
            f"{uri} is not valid in this version: run the clustering again, or update the command"
        ) from error


def layer_of(layers: Layers, number: int) -> Layer:
    """Returns one layer.

    Raises:
        CommandError: there is none of that number.
    """
    if number >= len(layers.layers):
        counts = ", ".join(f"{layer.num_clusters:,}" for layer in layers.layers)
        raise CommandError(
            f"--layer: there is no layer {number}: choose one from 0 to {len(layers.layers) - 1}, which have {counts} "
            "clusters"
        )
    return layers.layers[number]


def layer_in_words(run: str, layers: Layers, layer: Layer) -> Iterator[str | Text]:
    """Yields a heading, and a row for each cluster."""
    noise = f", {layer.num_noise:,} in no cluster" if layer.num_noise else ""
    remark = "the run's clusters" if layer.layer == layers.chosen else f"the run's clusters are layer {layers.chosen}"
    yield (
        f"{run}, layer {layer.layer} of 0 to {len(layers.layers) - 1}: {counted(layer.num_clusters, 'cluster')} of "
        f"{counted(layers.num_documents, 'document')}{noise} ({remark})"
    )
    yield from table(_COLUMNS, [_row(layers, cluster) for cluster in layer.clusters])


def _row(layers: Layers, cluster: LayerCluster) -> list[str]:
    parent = ""
    if cluster.parent_layer is not None and cluster.parent_cluster_id is not None:
        above = layers.layers[cluster.parent_layer].clusters
        name = next((other.name for other in above if other.cluster_id == cluster.parent_cluster_id), "")
        parent = f"{cluster.parent_layer}/{cluster.parent_cluster_id}  {name}".rstrip()
    share = f"{cluster.num_documents / layers.num_documents:.1%}" if layers.num_documents else ""
    return [str(cluster.cluster_id), cluster.name, f"{cluster.num_documents:,}", share, parent]
