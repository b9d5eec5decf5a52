"""Tests of modes assign and composite: the runs whose clusters they use, and which triggers a run affects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustercontract.baseline import Baseline, read_baseline
from clustercontract.run import RunResult, RunSpec
from clustertrigger.api.conditions import Reason
from clustertrigger.api.status import Execution, LastResult
from clustertrigger.core.actions.cluster import ClusterWork
from clustertrigger.core.actions.registry import action_of, resolve
from clustertrigger.core.actions.work import Ask, Reads, Work, collections_digest
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CreateJob
from clustertrigger.core.jobs.job_view import read_job
from clustertrigger.core.jobs.workload import observe_run
from clustertrigger.core.resources.catalog import COLLECTION, DEFINITION, Catalog, Unresolved
from clustertrigger.core.resources.trigger import Key, Trigger
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import DEFAULTS, at, observed, trigger

Json = dict[str, Any]
KMEANS: Json = {"algorithm": "kmeans", "n_clusters": 2}
EVERY: Json = {"trigger_type": "interval", "schedule_config": {"interval_seconds": 3600}}
SHARED: Json = {**EVERY, "cluster_id": "cluster_a"}
OWN: Json = {**EVERY, "execution_config": {"collection_ids": ["col_a", "col_b"], "config": KMEANS}}
ASSIGN: Json = {**EVERY, "action_config": {"cluster_id": "cluster_a", "mode": "assign"}}
ASSIGN_OWN: Json = {
    **EVERY,
    "execution_config": {"collection_ids": ["col_b", "col_a"], "config": KMEANS, "mode": "assign"},
}


def catalog(*triggers: Trigger) -> Catalog:
    found = Catalog()
    for one in ("col_a", "col_b"):
        found.put(COLLECTION, "search", one.replace("_", "-"),
                  {"collection_id": one, "source": {"uri": f"{one}.parquet"}, "volume": "data"})  # fmt: skip
    definition = {"cluster_id": "cluster_a", "collection_ids": ["col_a", "col_b"], "config": KMEANS}
    found.put(DEFINITION, "search", "by-topic", definition)
    for each in triggers:
        found.batches.put(each)
    return found


def clustered(
    name: str, spec: Json = SHARED, run: str = "", minute: int = 0, collections: str | None = None, uri: str = ""
) -> Trigger:
    """A trigger that has completed a run with mode full."""
    made = trigger(spec)
    job = run or f"{name}-3f9a2c-20260302120000"
    baseline = Baseline(
        uri=f"{uri or '/results'}/search/{name}/{job}/baseline.npz",
        sha256="0" * 64,
        run=job,
        documents=90,
        dimensions=4,
        captured_at=at(minutes=minute),
    )
    status = made.status.copy()
    status.baseline_snapshot = {
        **baseline.model_dump(mode="json"), **({"collections": collections} if collections else {})
    }  # fmt: skip
    return replace(made, key=Key("search", name), status=status)


def recorded(found: Trigger, minute: int) -> Trigger:
    """The trigger with the run in its history, which began at this minute and took one."""
    assert found.status.baseline_snapshot is not None
    status = found.status.copy()
    status.history = [
        Execution(
            job_id=found.status.baseline_snapshot["run"],
            slot="manual/a",
            triggered_at=at(minutes=minute),
            status="completed",
            execution_time_ms=60_000,
        )
    ]
    return replace(found, status=status)


def resolved(spec: Json, *triggers: Trigger) -> Work | Unresolved:
    parsed, problems = parse_trigger(spec)
    assert parsed is not None, problems
    return resolve(catalog(*triggers), "search", parsed)


def told(work: Work | Unresolved, spec: Json = ASSIGN, **fields: Any) -> RunSpec:
    assert isinstance(work, ClusterWork)
    parsed, _ = parse_trigger(spec)
    assert parsed is not None
    ask = Ask("search", "hourly", "hourly-1", "2026-11-21T02:00:00Z", 7, parsed.run, DEFAULTS, **fields)
    return RunSpec.model_validate_json(work.order(ask).value)


DIGEST = collections_digest(resolved(SHARED))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "triggers", "run"),
    [
        pytest.param(ASSIGN, [clustered("nightly", run="n-1")], "n-1", id="of the definition"),
        pytest.param(
            ASSIGN, [clustered("nightly", {**EVERY, "cluster_id": "by-topic"}, "n-1")], "n-1", id="by its name"
        ),
        pytest.param(
            ASSIGN,
            [clustered("nightly", {**EVERY, "action_config": {"cluster_id": "cluster_a", "mode": "full"}}, "n-1")],
            "n-1",
            id="in the long form",
        ),
        pytest.param(
            ASSIGN,
            [clustered("nightly", run="n-1", minute=9), clustered("weekly", run="w-1", minute=5)],
            "n-1",
            id="the newest of two triggers",
        ),
        pytest.param(
            ASSIGN,
            [
                recorded(clustered("nightly", run="n-1", minute=600), 1),
                recorded(clustered("weekly", run="w-1", minute=5), 4),
            ],
            "w-1",
            id="the newest, although the clock of the other one's node was ahead",
        ),
        pytest.param(ASSIGN, [clustered("hourly", ASSIGN, "h-1")], "h-1", id="its own, from when its mode was full"),
        pytest.param(ASSIGN, [clustered("nightly", run="n-1", collections=DIGEST)], "n-1", id="of these collections"),
        pytest.param(ASSIGN_OWN, [clustered("nightly", OWN, "n-1")], "n-1", id="of the same execution_config"),
    ],
)
def test_which_clusters_are_used(spec: Json, triggers: list[Trigger], run: str) -> None:
    found = told(resolved(spec, *triggers), spec)
    assert (found.mode, found.assignment_threshold) == ("assign", 0.5)
    assert found.base is not None
    assert found.base.run == run
    assert {collection.collection_id for collection in found.collections} == {"col_a", "col_b"}


@pytest.mark.parametrize(
    ("spec", "triggers"),
    [
        pytest.param(ASSIGN, [], id="no trigger"),
        pytest.param(ASSIGN, [replace(trigger(SHARED), key=Key("search", "nightly"))], id="no run yet"),
        pytest.param(ASSIGN, [clustered("nightly", {**EVERY, "cluster_id": "cluster_b"})], id="another definition"),
        pytest.param(ASSIGN, [clustered("nightly", OWN)], id="an execution_config is no definition"),
        pytest.param(ASSIGN, [clustered("nightly", collections="others")], id="a run of other collections"),
        pytest.param(
            ASSIGN_OWN,
            [clustered("nightly", {**OWN, "execution_config": {**OWN["execution_config"],
                                                               "config": {**KMEANS, "n_clusters": 3}}})],
            id="another configuration",
        ),
    ],
)  # fmt: skip
def test_without_clusters_the_run_waits(spec: Json, triggers: list[Trigger]) -> None:
    found = resolved(spec, *triggers)
    assert isinstance(found, Unresolved)
    same = "cluster_id 'cluster_a'" if spec is ASSIGN else "the same execution_config (of 'col_b', 'col_a')"
    assert (found.reason, found.message) == (
        Reason.CLUSTERS_NOT_FOUND,
        f"mode assign: no ClusterTrigger of this namespace with {same} has completed a run with mode full on "
        "these collections: request a run of such a trigger, or set mode: full",
    )


def test_triggers_of_other_namespaces_do_not_count() -> None:
    elsewhere = clustered("nightly")
    elsewhere = replace(elsewhere, key=Key("shop", "nightly"))
    assert isinstance(resolved(ASSIGN, elsewhere), Unresolved)


def test_a_folder_on_a_claim_is_mounted_read_only() -> None:
    elsewhere = {**SHARED, "run": {"results": {"volume": "archive", "uri": "clusters"}}}
    work = resolved(ASSIGN, clustered("nightly", elsewhere, "n-1", uri="/results/clusters"))
    assert isinstance(work, ClusterWork)
    base = told(work).base
    assert base is not None
    assert (base.uri, base.results) == ("/collections/archive/clusters/search/nightly/n-1", None)
    assert work.reads(DEFAULTS) == Reads(("data", "archive"), ())


def test_a_folder_in_a_bucket_is_read_as_its_trigger_reads_it() -> None:
    results = {"uri": "s3://bucket/results", "secret_name": "minio", "endpoint": "http://minio:9000"}
    work = resolved(
        ASSIGN, clustered("nightly", {**SHARED, "run": {"results": results}}, "n-1", uri="s3://bucket/results")
    )
    assert isinstance(work, ClusterWork)
    base = told(work).base
    assert base is not None
    assert base.uri == "s3://bucket/results/search/nightly/n-1"
    assert base.results is not None
    assert base.results.model_dump(exclude_none=True) == results
    assert work.reads(DEFAULTS) == Reads(("data",), ("minio",))


def test_the_threshold_reaches_the_worker() -> None:
    spec = {**ASSIGN, "action_config": {**ASSIGN["action_config"], "assignment_threshold": -1}}
    work = resolved(spec, clustered("nightly"))
    assert told(work, spec, last_result=LastResult(job_id="hourly-0")).assignment_threshold == -1
    assert told(resolved(SHARED), SHARED).base is None


def test_the_history_names_the_mode() -> None:
    hourly, work = replace(trigger(ASSIGN), key=Key("search", "hourly")), resolved(ASSIGN, clustered("nightly"))
    hourly = replace(hourly, status=decide(hourly, observed(work=work), at()).status)
    (created,) = decide(hourly, observed(work=work), at(hours=1)).actions
    assert isinstance(created, CreateJob)
    made = {"uid": "j", "resourceVersion": "1", "creationTimestamp": "2026-03-02T13:00:00Z"}
    job = read_job({**created.manifest, "metadata": {**created.manifest["metadata"], **made}})
    assert job is not None
    (entry,) = decide(hourly, observed([observe_run(job, [])], work=work), at(hours=1)).status.history
    assert (entry.mode, entry.volumes) == ("assign", [DEFAULTS.results_volume, "data"])


def test_an_assignment_leaves_the_baseline_of_the_clustering() -> None:
    status = clustered("hourly", ASSIGN).status
    before = status.baseline_snapshot
    found = RunResult(status="completed", num_clusters=2, num_documents=9, num_noise=1, next_cluster_id=5)
    action_of("cluster").remember(status, "hourly-1", DIGEST, found)
    assert status.baseline_snapshot == before
    assert status.last_result is not None
    assert (status.last_result.num_noise, status.last_result.next_cluster_id) == (1, 5)


COMPOSITE: Json = {
    **EVERY,
    "action_config": {
        "cluster_id": "cluster_a",
        "mode": "composite",
        "source_execution_ids": ["nightly-1-1", "weekly-1-1"],
    },
}


def with_run(name: str, job: str, spec: Json = SHARED, status: Any = "completed", **fields: Any) -> Trigger:
    """A trigger with a run in its history."""
    made = trigger(spec)
    told: Json = {"num_clusters": 4, "results_uri": f"/results/search/{name}/{job}", **fields}
    history = made.status.copy()
    history.history = [Execution(job_id=job, slot="manual/1", triggered_at=at(), status=status, **told)]
    return replace(made, key=Key("search", name), status=history)


def test_the_runs_whose_centroids_are_clustered() -> None:
    elsewhere = {**OWN, "run": {"results": {"uri": "s3://bucket/results", "secret_name": "minio"}}}
    work = resolved(
        COMPOSITE,
        with_run("nightly", "nightly-1-1"),
        with_run("weekly", "weekly-1-1", elsewhere, results_uri="s3://bucket/results/search/weekly/weekly-1-1"),
    )
    assert isinstance(work, ClusterWork)
    found = told(work, COMPOSITE)
    assert (found.mode, found.base) == ("composite", None)
    assert [(run.run, run.uri) for run in found.sources] == [
        ("nightly-1-1", f"/collections/{DEFAULTS.results_volume}/search/nightly/nightly-1-1"),
        ("weekly-1-1", "s3://bucket/results/search/weekly/weekly-1-1"),
    ]
    assert found.sources[1].results is not None
    assert found.sources[1].results.secret_name == "minio"
    assert work.reads(DEFAULTS) == Reads((DEFAULTS.results_volume,), ("minio",)), "no document is read"
    assert work.annotations == {"clustertrigger.dev/mode": "composite"}


def test_a_composite_run_continues_the_previous_one() -> None:
    """No other run of its trigger is used: the run of the baseline has clustered documents."""
    work = resolved(COMPOSITE, with_run("nightly", "nightly-1-1"), with_run("weekly", "weekly-1-1"))
    assert isinstance(work, ClusterWork)

    def run(number: int, mode: str | None = "composite", status: Any = "completed") -> Execution:
        folder = f"/results/search/all/all-1-{number}" if status == "completed" else None
        return Execution(
            job_id=f"all-1-{number}", slot="manual/1", triggered_at=at(), status=status, mode=mode, results_uri=folder
        )

    history = [run(5, status="running"), run(4, mode=None), run(3, status="failed"), run(2), run(1)]
    baseline = read_baseline(clustered("all").status.baseline_snapshot or {})
    assert work.follows(baseline, history) == ("all-1-2", "/results/search/all/all-1-2")
    assert work.follows(baseline, history[:3]) is None
    full = resolved(SHARED)
    assert isinstance(full, ClusterWork)
    assert full.follows(baseline, history) == (
        "all-3f9a2c-20260302120000", "/results/search/all/all-3f9a2c-20260302120000"
    )  # fmt: skip
    assert full.follows(None, history) is None


NEW_CLAIM: Json = {**SHARED, "run": {"results": {"volume": "new"}}}
BUCKET: Json = {**SHARED, "run": {"results": {"uri": "s3://bucket/results", "secret_name": "minio"}}}


def test_results_are_read_where_they_were_written() -> None:
    """The first claim that a run's Pod mounts holds its results, whatever run.results of the trigger is now.

    For a run that an earlier version recorded, the trigger's setting is used, or else the operator's.
    """
    work = resolved(
        COMPOSITE,
        with_run("nightly", "nightly-1-1", NEW_CLAIM, volumes=["old", "data"]),
        with_run("weekly", "weekly-1-1", BUCKET, volumes=["then"]),
    )
    assert isinstance(work, ClusterWork)
    assert [(run.uri, run.results) for run in told(work, COMPOSITE).sources] == [
        ("/collections/old/search/nightly/nightly-1-1", None),
        ("/collections/then/search/weekly/weekly-1-1", None),
    ]
    assert work.reads(DEFAULTS).claims == ("old", "then")
    work = resolved(
        COMPOSITE, with_run("nightly", "nightly-1-1", NEW_CLAIM), with_run("weekly", "weekly-1-1", BUCKET, volumes=[])
    )
    assert isinstance(work, ClusterWork)
    assert work.reads(DEFAULTS).claims == ("new", DEFAULTS.results_volume)


def test_base_clusters_are_read_where_they_were_written() -> None:
    made = clustered("nightly", NEW_CLAIM)
    status = made.status.copy()
    job, folder = "nightly-3f9a2c-20260302120000", "/results/search/nightly/nightly-3f9a2c-20260302120000"
    status.history = [
        Execution(job_id=job, slot="manual/1", triggered_at=at(), status="completed", results_uri=folder,
                  volumes=["old", "data"])
    ]  # fmt: skip
    work = resolved(ASSIGN, replace(made, status=status))
    assert isinstance(work, ClusterWork)
    base = told(work, ASSIGN).base
    assert base is not None
    assert base.uri == folder.replace("/results", "/collections/old", 1)


def test_an_earlier_bucket_is_not_accessible() -> None:
    """The history does not contain the Secret and the endpoint of the bucket."""
    folder = "s3://bucket/results/search/weekly/weekly-1-1"
    now = {**SHARED, "run": {"results": {"uri": "results/"}}}
    says = (
        f"the results of run 'weekly-1-1' are in {folder}, but run.results of its trigger no longer specifies how to "
        "access a bucket, because its uri is 'results/' now: restore run.results, or read the folder there"
    )
    found = resolved(
        COMPOSITE, with_run("nightly", "nightly-1-1"), with_run("weekly", "weekly-1-1", now, results_uri=folder)
    )
    assert found == Unresolved(Reason.INVALID_REFERENCE, f"source_execution_ids: {says}")
    base = resolved(ASSIGN, clustered("weekly", now, run="weekly-1-1", uri="s3://bucket/results"))
    assert base == Unresolved(Reason.INVALID_REFERENCE, f"mode assign: {says}")


@pytest.mark.parametrize(
    ("weekly", "reason", "says"),
    [
        pytest.param([], Reason.BATCH_NOT_FOUND, "no run 'weekly-1-1' in status.history", id="unknown"),
        pytest.param(
            [with_run("weekly", "weekly-1-1", status="running")],
            Reason.BATCH_NOT_FOUND,
            "run 'weekly-1-1' of ClusterTrigger 'weekly' is running, and only a completed run has clusters: wait",
            id="active",
        ),
        pytest.param(
            [with_run("weekly", "weekly-1-1", status="failed")], Reason.BATCH_NOT_FOUND, "is failed", id="failed"
        ),
        pytest.param(
            [with_run("weekly", "weekly-1-1", num_clusters=None)],
            Reason.INVALID_REFERENCE,
            "did not cluster documents: name a run of action cluster",
            id="an enrichment",
        ),
        pytest.param(
            [with_run("weekly", "weekly-1-1", {**EVERY})], Reason.INVALID_REFERENCE, "which is invalid", id="invalid"
        ),
    ],
)
def test_runs_that_have_no_clusters(weekly: list[Trigger], reason: Reason, says: str) -> None:
    found = resolved(COMPOSITE, with_run("nightly", "nightly-1-1"), *weekly)
    assert isinstance(found, Unresolved)
    assert found.reason == reason
    assert found.message.startswith("source_execution_ids: ")
    assert says in found.message
    assert ": " in found.message.removeprefix("source_execution_ids: ")
