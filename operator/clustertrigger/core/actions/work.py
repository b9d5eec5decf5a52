"""Defines what an action derives from a trigger's spec: its work, with all references resolved."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from clustercontract.baseline import Baseline
from clustercontract.container import COLLECTIONS_MOUNT, RESULTS_MOUNT, CollectionInput, ResultsTarget
from clustercontract.counted import counted
from clustercontract.engine import Engine
from clustercontract.run import PreviousRun, RunResult
from clustertrigger.api.collection import CollectionSpec
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.api.status import ClusterTriggerStatus, Execution, LastResult
from clustertrigger.api.trigger import ClusterTriggerSpec
from clustertrigger.core.resources.catalog import COLLECTION, Catalog, Unresolved
from clustertrigger.core.resources.pod_templates import PodTemplate


class Image(NamedTuple):
    """An image, and how it is pulled."""

    name: str
    pull_policy: str
    pull_secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """Settings of the operator that apply to every run and check."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    spark: Image | None = None
    """Image of runs with engine spark or auto, which replaces the image above."""
    results_uri: str = ""
    results_volume: str = "clustertrigger-results"


@dataclass(frozen=True, slots=True)
class Ask:
    """Name of the Job whose worker gets the input."""

    namespace: str
    trigger: str
    job: str
    slot: str
    seed: int
    policy: RunPolicy
    defaults: RunDefaults
    previous: PreviousRun | None = None
    """The trigger's last completed clustering."""
    last_result: LastResult | None = None
    """What the trigger's last completed run found."""
    engine: Engine | None = None
    """The executors of the run; None if its Pod does all of the work."""

    @property
    def results(self) -> ResultsTarget:
        """Where the run's results are written."""
        return results_target(self.policy, self.defaults)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run, whose folder the worker reads."""

    run: str
    uri: str
    """Its folder, as its own Pod mounted it."""
    policy: RunPolicy
    """How its trigger's Jobs are run."""
    volume: str | None = None
    """The claim that contains the folder, if it is known. The trigger's current results may be elsewhere."""

    def claim(self, defaults: RunDefaults) -> str | None:
        """The claim that contains the folder; None if it is in a bucket."""
        if self.uri.startswith("s3://"):
            return None
        return self.volume or results_claim(self.policy, defaults) or defaults.results_volume

    def seen(self, defaults: RunDefaults) -> PreviousRun:
        """Returns the run, as seen by a Pod that mounts its claim read-only."""
        claim = self.claim(defaults)
        if claim is None:
            return PreviousRun(run=self.run, uri=self.uri, results=results_target(self.policy, defaults))
        return PreviousRun(run=self.run, uri=f"{COLLECTIONS_MOUNT}/{claim}{self.uri.removeprefix(RESULTS_MOUNT)}")


class Order(NamedTuple):
    """The input of a worker."""

    command: str
    variable: str
    """Name of the environment variable."""
    value: str
    """Value of the variable, which is JSON."""


class FromTemplate(NamedTuple):
    """The PodTemplate of a user, and the input of its container."""

    template: PodTemplate
    environment: Mapping[str, str]


class Reads(NamedTuple):
    """What a Pod mounts read-only."""

    claims: tuple[str, ...]
    """Volumes, each mounted below COLLECTIONS_MOUNT."""
    secrets: tuple[str, ...]


class Writes(NamedTuple):
    """What a Pod mounts to write, in addition to the results."""

    claims: tuple[str, ...] = ()
    """Volumes, each mounted below OUTPUTS_MOUNT."""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ABC):
    """What a run does."""

    collections: tuple[tuple[str, CollectionSpec], ...] = ()
    """The collections that it reads, each with its id."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Annotations of the Job, where the history does not describe what the Job was created for."""
    announces: tuple[str, ...] = ()
    """The ids of the collections whose event run_completed the run is: those that it writes, or else those that it
    reads.
    """

    @abstractmethod
    def order(self, ask: Ask) -> Order | FromTemplate:
        """Returns the input of a run's worker."""

    def why_needless(self, history: Iterable[Execution]) -> str | None:
        """Returns why there is nothing to do now; None if there is.

        Args:
            history: The trigger's history.
        """
        return None

    def follows(self, baseline: Baseline | None, history: Iterable[Execution]) -> tuple[str, str] | None:
        """Returns the run that the next run takes its cluster IDs from, with its folder.

        It is the run of the baseline: retention never deletes its folder.

        Args:
            baseline: The trigger's baseline.
            history: The trigger's history, newest first.
        """
        return (baseline.run, baseline.folder) if baseline else None

    def writes(self) -> Writes:
        """What the Pod of a run mounts to write. A check mounts none of it."""
        return Writes()

    def reads(self, defaults: RunDefaults) -> Reads:
        """What a Pod mounts for it."""
        specs = [collection for _, collection in self.collections]
        return Reads(
            distinct(collection.volume for collection in specs),
            distinct(collection.source.secret_name for collection in specs),
        )

    def inputs(self) -> list[CollectionInput]:
        """Returns the collections, as the worker sees them."""
        return [
            CollectionInput(
                collection_id=collection_id,
                source=collection.source,
                mount_path=f"{COLLECTIONS_MOUNT}/{collection.volume}" if collection.volume else None,
            )
            for collection_id, collection in self.collections
        ]


@dataclass(frozen=True, slots=True)
class Action:
    """One action, as the operator uses it."""

    resolve: Callable[[Catalog, str, ClusterTriggerSpec], Work | Unresolved]
    """Returns what a run of a trigger in a namespace would do now."""
    remember: Callable[[ClusterTriggerStatus, str, str, RunResult], None]
    """Adds what a completed run found to the status: its Job, the digest of its collections, its result."""


def announced(catalog: Catalog, namespace: str, references: Iterable[str]) -> tuple[str, ...]:
    """Returns all ids by which triggers can refer to the collections."""
    return distinct(one for name in references for one in catalog.ids(COLLECTION, namespace, name))


def in_words(found: RunResult) -> str:
    """Returns what a completed run found, for the end of its event's message; an empty string if nothing is known."""
    if found.num_clusters is not None:
        return f"{counted(found.num_clusters, 'cluster')} of {counted(found.num_documents or 0, 'document')}"
    if (documents := found.documents) is not None:
        return (
            f"{counted(documents.documents_added, 'document')} added, {documents.documents_updated:,} updated, "
            f"{documents.documents_deleted:,} deleted"
        )
    if (brief := found.enrichment) is None:
        return ""
    taken = f", {brief.num_taken_over:,} of them taken over" if brief.num_taken_over else ""
    assigned = f"{brief.num_assigned:,} of {counted(found.num_documents or 0, 'document')}"
    return f"{assigned} {'has' if found.num_documents == 1 else 'have'} a node of {brief.taxonomy_id}{taken}"


def results_target(run: RunPolicy, defaults: RunDefaults) -> ResultsTarget:
    """Returns where results are written."""
    uri = run.results.uri if run.results.uri is not None else defaults.results_uri
    if not uri.startswith("s3://"):
        uri = f"{RESULTS_MOUNT}/{uri}".rstrip("/")
    return ResultsTarget(
        uri=uri, secret_name=run.results.secret_name, endpoint=run.results.endpoint, region=run.results.region
    )


def results_claim(run: RunPolicy, defaults: RunDefaults) -> str | None:
    """Returns the claim that contains the results; None if they are in a bucket."""
    is_mounted = results_target(run, defaults).uri.startswith(RESULTS_MOUNT)
    return run.results.volume or defaults.results_volume if is_mounted else None


def claim_of(run: Execution) -> str | None:
    """Returns the claim that contains the folder of a run in the history: the first one that its Pod mounts.

    None if the folder is in a bucket, or if an earlier version recorded the run. `core.jobs.pods` determines the order.
    """
    is_mounted = bool(run.results_uri) and "://" not in str(run.results_uri)
    return run.volumes[0] if is_mounted and run.volumes else None


def why_out_of_reach(run: str, folder: str, uri: str | None) -> str | None:
    """Returns why the folder of a run cannot be read: the history does not specify how to access a bucket.

    None if it can.

    Args:
        run: the run.
        folder: The folder of the run.
        uri: run.results.uri of its trigger now; None: the operator's default, whatever that is.
    """
    if not folder.startswith("s3://") or uri is None or uri.startswith("s3://"):
        return None
    return (
        f"the results of run {run!r} are in {folder}, but run.results of its trigger no longer specifies how to access "
        f"a bucket, because its uri is {uri!r} now: restore run.results, or read the folder there"
    )


def distinct(names: Iterable[str | None]) -> tuple[str, ...]:
    """Returns each name once, in the same order."""
    return tuple(dict.fromkeys(name for name in names if name))


def collections_digest(work: Work) -> str:
    """Returns a digest of the collections, which does not depend on their order."""
    ids = sorted(collection_id for collection_id, _ in work.collections)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
