"""Tests of the validation of specs: each problem names its field, its value and the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustertrigger.core.resources.validation import parse_collection, parse_definition, parse_trigger, warnings_of

CRON = {"trigger_type": "cron", "schedule_config": {"cron_expression": "0 2 * * *"}, "cluster_id": "cluster_a"}
KMEANS = {"algorithm": "kmeans", "n_clusters": 5}
DEFINITION = {"collection_ids": ["col_a"], "config": KMEANS}


def problems_of(spec: Any, parse: Callable[[Any], tuple[Any, list[Any]]] = parse_trigger) -> list[str]:
    parsed, problems = parse(spec)
    assert (parsed is None) == bool(problems)
    return [str(problem) for problem in problems]


def with_schedule(trigger_type: str, **config: Any) -> dict[str, Any]:
    return {**CRON, "trigger_type": trigger_type, "schedule_config": config}


def with_run(**run: Any) -> dict[str, Any]:
    return {**CRON, "run": run}


def with_config(**config: Any) -> dict[str, Any]:
    return {**CRON, "execution_config": {"collection_ids": ["col_a"], "config": config}}


SCHEDULE = "spec.schedule_config"
CONFIG = "spec.execution_config.config"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # schedules
        (with_schedule("cron", cron_expression="61 * * * *"),
         f"{SCHEDULE}.cron_expression: '61 * * * *': minute 61 is out of range 0-59: write a number from 0 to 59"),
        (with_schedule("cron", cron_expression="0 0 31 2 *"),
         f"{SCHEDULE}.cron_expression: '0 0 31 2 *': never fires, because no such day exists: "
         "change day of month or month"),
        (with_schedule("cron", cron_expression="0 2 * * *", timezone="Berlin"),
         f"{SCHEDULE}.timezone: 'Berlin': no such time zone: did you mean Europe/Berlin?"),
        (with_schedule("cron"), f"{SCHEDULE}.cron_expression: cron_expression is required with cron: set it"),
        (with_schedule("cron", cron_expression="* * * * *", interval_seconds=60),
         f"{SCHEDULE}.interval_seconds: 60: interval_seconds is valid only with interval: remove it"),
        (with_schedule("interval"), f"{SCHEDULE}.interval_seconds: interval_seconds is required with interval: set it"),
        (with_schedule("interval", interval_seconds=0),
         f"{SCHEDULE}.interval_seconds: 0: must be at least 1: write a larger number"),
        (with_schedule("interval", interval_seconds="60"),
         f"{SCHEDULE}.interval_seconds: '60': must be a whole number: write it without quotes and fraction"),
        (with_schedule("interval", interval_seconds=1.5),
         f"{SCHEDULE}.interval_seconds: 1.5: must be a whole number: write it without quotes and fraction"),
        (with_schedule("interval", interval_seconds=True),
         f"{SCHEDULE}.interval_seconds: true: must be a whole number: write a number"),
        (with_schedule("interval", interval_seconds="010"),
         f"{SCHEDULE}.interval_seconds: '010': must be a whole number: write 10 without quotes"),
        (with_schedule("interval", interval_seconds="\uff11\uff12"),
         f"{SCHEDULE}.interval_seconds: '\uff11\uff12': must be a whole number: write 12 without quotes"),
        (with_schedule("interval", interval_seconds="1e3"),
         f"{SCHEDULE}.interval_seconds: '1e3': must be a whole number: write it without quotes and fraction"),
        (with_schedule("interval", interval_seconds="86,400"),
         f"{SCHEDULE}.interval_seconds: '86,400': must be a whole number of seconds: write 86400"),
        (with_schedule("interval", interval_seconds=60, start_immediately="yes"),
         f"{SCHEDULE}.start_immediately: 'yes': must be true or false: write it without quotes"),
        (with_schedule("interval", interval_seconds=60, start_immediately=1),
         f"{SCHEDULE}.start_immediately: 1: must be true or false: write one of these"),
        (with_schedule("interval", interval_seconds=1e20),
         f"{SCHEDULE}.interval_seconds: 1e+20: is too large: write a smaller number"),
        (with_schedule("cron", cron_expression=["0 2 * * *", "0 3 * * *"]),
         f"{SCHEDULE}.cron_expression: must be a string, and not a list: write one value"),
        (with_schedule("cron", cron_expression={"minute": 0}),
         f"{SCHEDULE}.cron_expression: must be a string, and not an object: write one value"),
        (with_schedule("event", event_type="a", event_threshold="1,000", collection_id="c"),
         f"{SCHEDULE}.event_threshold: '1,000': must be a whole number: write 1000"),
        (with_schedule("event", event_type="a", event_threshold="1k", collection_id="c"),
         f"{SCHEDULE}.event_threshold: '1k': must be a whole number: write its digits"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold="30%",
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: '30%': must be a number: write 0.3"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold="12.345678 %",
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: '12.345678 %': must be a number: write 0.12345678"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold="0.3",
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: '0.3': must be a number: write it without quotes"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold="1e-3",
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: '1e-3': must be a number: write it without quotes"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold="1e400",
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: '1e400': must be a number: write its digits"),
        (with_schedule("conditional", condition_type="drift", metric="cosine_drift", threshold=[0.3],
                       check_interval_seconds=60),
         f"{SCHEDULE}.threshold: must be a number: write a number"),
        (with_schedule("interval", intervall_seconds=60),
         f"{SCHEDULE}.intervall_seconds: unknown field: did you mean interval_seconds?"),
        (with_schedule("cron", cron="* * * * *"),
         f"{SCHEDULE}.cron: unknown field: did you mean cron_expression?"),
        (with_schedule("conditional", condition_type="drift", metric="cosine", threshold=1, check_interval_seconds=60),
         f"{SCHEDULE}.metric: 'cosine': must be 'cosine_drift', 'centroid_euclidean', 'assignment_js', "
         "'assignment_psi', 'mmd_rbf', 'domain_auc' or 'document_count': did you mean cosine_drift?"),
        # the spec itself
        ({**CRON, "trigger_type": "crom"}, "spec.trigger_type: 'crom': must be 'cron', 'interval', 'event' or "
         "'conditional': did you mean cron?"),
        ({**CRON, "status": "on"}, "spec.status: 'on': must be 'active', 'paused', 'disabled' or 'failed': "
         "write one of these"),
        ({**CRON, "schedule_config": None}, "spec.schedule_config: is required: set it"),
        ({**CRON, "clusterId": "a"}, "spec.clusterId: unknown field: did you mean cluster_id?"),
        ({**CRON, "cluster_id": "-a"}, "spec.cluster_id: '-a': must consist of letters, digits, '.', '_' and '-', "
         "and begin and end with a letter or digit: rename it"),
        ({**CRON, "description": "x" * 2049}, f"spec.description: '{'x' * 79}…: must have at most 2048 characters: "
         "shorten it"),
        ({**CRON, "description": "\ud800"}, r"spec.description: '\ud800': is not valid Unicode: rewrite it"),
        ({**CRON, "schedule_config": []},
         "spec.schedule_config: must be an object: write its fields below it"),
        ({**CRON, "run": []}, "spec.run: must be an object: write its fields below it, or remove it"),
        ([], "spec: must be an object: write its fields below it"),
        (None, "spec: must be an object: write its fields below it"),
        ("x", "spec: 'x': must be an object: write its fields below it"),
        ({**CRON, "timezone": "UTC"}, "spec.timezone: unknown field: did you mean spec.schedule_config.timezone?"),
        # what is to be clustered
        (with_config(algorithm="kmean"),
         f"{CONFIG}.algorithm: 'kmean': must be 'kmeans', 'hdbscan', 'evoc', 'hierarchical', 'agglomerative', "
         "'dbscan', 'spectral', 'gaussian_mixture', 'mean_shift' or 'optics': did you mean kmeans?"),
        (with_config(algorithm="kmeans"), f"{CONFIG}.n_clusters: n_clusters is required with kmeans: set it"),
        (with_config(algorithm="hdbscan"), f"{CONFIG}.min_cluster_size: min_cluster_size is required with hdbscan: "
         "set it"),
        (with_config(**KMEANS, min_samples=3),
         f"{CONFIG}.min_samples: 3: min_samples is valid only with hdbscan, evoc, dbscan, optics: remove it"),
        (with_config(**KMEANS, distance_threshold=0),
         f"{CONFIG}.distance_threshold: 0: must be greater than 0: write a larger number"),
        ({**CRON, "execution_config": {"collection_ids": [], "config": KMEANS}},
         "spec.execution_config.collection_ids: must not be empty: write at least one"),
        ({**CRON, "action_config": {"cluster_id": "c", "mode": "composite", "source_execution_ids": ["nightly-1"]}},
         "spec.action_config.source_execution_ids: must have at least 2 items: add some"),
        ({**CRON, "execution_config": {"collection_ids": "col_a", "config": KMEANS}},
         "spec.execution_config.collection_ids: 'col_a': must be a list: write [...] or lines that begin with '- '"),
        ({**CRON, "execution_config": {"collection_ids": ["col a"], "config": KMEANS}},
         "spec.execution_config.collection_ids[0]: 'col a': must consist of letters, digits, '.', '_' and '-', "
         "and begin and end with a letter or digit: rename it"),
        # how it runs
        (with_run(timeout_seconds=10**9),
         "spec.run.timeout_seconds: 1000000000: must be at most 2592000: write a smaller number"),
        (with_run(concurrencyPolicy="Forbid"),
         "spec.run.concurrencyPolicy: unknown field: did you mean concurrency_policy?"),
        (with_run(concurrency_policy="forbid"), "spec.run.concurrency_policy: 'forbid': must be 'Forbid', 'Allow' or "
         "'Replace': did you mean Forbid?"),
        (with_run(results={"uri": "gs://bucket/x"}),
         "spec.run.results.uri: 'gs://bucket/x': uri 'gs://bucket/x' must be a path on the volume or "
         "s3://bucket/prefix: other schemes are not supported for results"),
        (with_run(node_selector={"zone": 1}), "spec.run.node_selector.zone: 1: must be a string: write it in quotes"),
    ],
)  # fmt: skip
def test_one_problem(spec: Any, expected: str) -> None:
    assert problems_of(spec) == [expected]


def test_all_problems_are_reported_at_once() -> None:
    spec = {
        "schedule_config": {"cron_expression": "", "threshold": -1},
        "execution_config": {"config": {"algorithm": "kmeans"}},
        "run": {"retries": 11, "tolerations": [{"effect": "NoRun"}]},
    }
    assert [line.split(":")[0] for line in problems_of(spec)] == [
        "spec.trigger_type",
        "spec.schedule_config.cron_expression",
        "spec.schedule_config.threshold",
        "spec.execution_config.collection_ids",
        "spec.execution_config.config.n_clusters",
        "spec.run.retries",
        "spec.run.tolerations[0].effect",
    ]


def test_null_is_absent_as_on_the_api_server() -> None:
    assert problems_of({**CRON, "status": None, "run": None, "execution_config": None}) == []


@pytest.mark.parametrize(
    "run",
    [
        {"pod_labels": {"a": None, "b": "c"}},
        {"pod_labels": {"not a key": None}},
        {"pod_annotations": {"a": None}},
        {"node_selector": {"a": None}},
        {"resources": {"requests": {"cpu": None}, "limits": {"memory": None}}},
        {"engine": {"type": "spark", "executor": {"node_selector": {"a": None}}}},
        {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": None}}}]}}},
    ],
)  # fmt: skip
def test_null_in_a_map_is_absent_as_on_the_api_server(run: dict[str, Any]) -> None:
    """It stores `{}` for `{a: null}`, while a null in a list is invalid."""
    assert problems_of({**CRON, "run": run}) == []
    assert problems_of({**CRON, "run": {**run, "tolerations": [None]}}) == [
        "spec.run.tolerations[0]: must be an object: write its fields below it, or remove it"
    ]


def test_the_webhooks_read_only_view_of_a_spec_is_read_like_any_other() -> None:
    schedule = MappingProxyType(with_schedule("interval", interval_seconds=60)["schedule_config"])
    view = MappingProxyType({**CRON, "trigger_type": "interval", "schedule_config": schedule})
    assert problems_of(view) == []


def test_a_cluster_or_a_configuration_is_required() -> None:
    spec = {name: CRON[name] for name in ("trigger_type", "schedule_config")}
    assert problems_of(spec) == ["spec.execution_config: execution_config or cluster_id is required: set one of them"]


def test_definitions_and_collections() -> None:
    assert problems_of(DEFINITION, parse_definition) == []
    assert problems_of({**DEFINITION, "config": {"algorithm": "kmeans"}}, parse_definition) == [
        "spec.config.n_clusters: n_clusters is required with kmeans: set it"
    ]
    assert problems_of({"source": {"uri": "s3://bucket/a.parquet"}}, parse_collection) == []
    assert problems_of({}, parse_collection) == ["spec.source: is required: set it"]
    (line,) = problems_of({"source": {"uri": "/a.parquet"}, "volume": "claim"}, parse_collection)
    assert line.startswith("spec.source.uri: '/a.parquet': ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WORDS = """
    trigger_type schedule_config execution_config cluster_id run status cron_expression timezone interval_seconds config
    collection_ids algorithm resources requests cpu tolerations source uri results node_selector int str
"""
FIELDS = st.sampled_from(WORDS.split())
LIKELY = st.recursive(
    JSON | st.sampled_from(["cron", "interval", "0 2 * * *", "UTC", "kmeans", "500m", "active", 5]),
    lambda inner: st.dictionaries(FIELDS, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@given(JSON | LIKELY)
@pytest.mark.parametrize("parse", [parse_trigger, parse_definition, parse_collection])
def test_any_json_yields_a_spec_or_lines_with_field_and_remedy(parse: Any, content: Any) -> None:
    for content in (content, {**CRON, "run": content}, {**CRON, "schedule_config": content}):  # noqa: B020
        lines = problems_of(content, parse)
        for line in lines:
            assert line.startswith("spec")
            assert "\n" not in line
            assert ": " in line
            assert "Value error" not in line
            assert "Input should" not in line


def test_a_valid_spec_survives_json() -> None:
    spec, problems = parse_trigger(json.loads(json.dumps(CRON)))
    assert problems == []
    assert spec is not None
    assert spec.run.starting_deadline_seconds == 3600


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("1:30", "5400 for an hour and a half, for example"),
        ("1h30m", "5400"),
        ("90s", "90"),
        ("6 hours", "21600"),
        ("PT1H", "3600"),
        ("1d", "86400"),
        ("soon", "5400 for an hour and a half, for example"),
    ],
)
def test_durations_in_place_of_seconds(written: str, remedy: str) -> None:
    spec = {"trigger_type": "interval", "schedule_config": {"interval_seconds": written}, "cluster_id": "a"}
    assert problems_of(spec) == [
        f"spec.schedule_config.interval_seconds: '{written}': must be a whole number of seconds: write {remedy}"
    ]


def conditional(metric: str, threshold: float) -> dict[str, Any]:
    condition = "volume" if metric == "document_count" else "drift"
    return with_schedule(
        "conditional", condition_type=condition, metric=metric, threshold=threshold, check_interval_seconds=3600
    )


def event(event_type: str) -> dict[str, Any]:
    return with_schedule("event", event_type=event_type, event_threshold=100, collection_id="col_a")


def resources(**parts: Any) -> dict[str, Any]:
    return with_run(resources=parts)


NEVER = SCHEDULE + ".threshold: {}: is never exceeded, because {} is at most {}: write a lower number"
EXACTLY = SCHEDULE + ".event_type: '{}': counts only events of exactly this type: did you mean {}?"
LIMITS = "spec.run.resources.limits"
WITH_UNIT = "write it with Mi or Gi, such as 2Gi"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (conditional("cosine_drift", 30), NEVER.format(30, "cosine_drift", 2) + ", such as 0.3 for 30 %"),
        (conditional("cosine_drift", 2.0), NEVER.format(2, "cosine_drift", 2)),
        (conditional("assignment_js", 1.5), NEVER.format(1.5, "assignment_js", 1) + ", such as 0.015 for 1.5 %"),
        (conditional("domain_auc", 70), NEVER.format(70, "domain_auc", 1) + ", such as 0.7 for 70 %"),
        (conditional("mmd_rbf", 300), NEVER.format(300, "mmd_rbf", 2)),
        (event("document_added"), EXACTLY.format("document_added", "documents_added")),
        (event("documentsDeleted"), EXACTLY.format("documentsDeleted", "documents_deleted")),
        (event("run-completed"), EXACTLY.format("run-completed", "run_completed")),
        (resources(limits={"memory": "400m"}), f"{LIMITS}.memory: '400m': is less than a byte: did you mean 400Mi?"),
        (resources(limits={"memory": 512}), f"{LIMITS}.memory: 512: is 512 bytes: did you mean 512Mi?"),
        (resources(limits={"memory": "64k"}),
         f"{LIMITS}.memory: '64k': is 64,000 bytes: {WITH_UNIT}"),
        (resources(limits={"cpu": "1e9"}),
         f"{LIMITS}.cpu: '1e9': is 1,000,000,000 cores: write it in cores, such as 2 or 500m"),
        (resources(limits={"cpu": "1.5k"}), f"{LIMITS}.cpu: '1.5k': is 1,500 cores: write it in cores, such as 2 or "
         "500m"),
        (resources(limits={"cpu": 500}), f"{LIMITS}.cpu: 500: is 500 cores: did you mean 500m?"),
        (resources(limits={"cpu": "1000000"}),
         f"{LIMITS}.cpu: '1000000': is 1,000,000 cores: write it in cores, such as 2 or 500m"),
        (resources(limits={"cpu": "0" * 5_000 + "500"}),
         f"{LIMITS}.cpu: '{'0' * 79}…: is 500 cores: did you mean 500m?"),
        (resources(limits={"memory": "65536"}), f"{LIMITS}.memory: '65536': is 65,536 bytes: did you mean 65536Mi?"),
        *(
            (resources(limits={"memory": size}), f"{LIMITS}.memory: '{size}': is {shown}: {WITH_UNIT}")
            for size, shown in (
                ("65537", "65,537 bytes"), ("524288", "524,288 bytes"), ("1000000", "1,000,000 bytes"),
                ("1.5", "about 1.5 bytes"), ("2.0", "2 bytes"), ("0.5", "less than a byte"),
            )
        ),
        (with_run(check={"resources": {"requests": {"memory": "1"}}}),
         "spec.run.check.resources.requests.memory: '1': is 1 byte: did you mean 1Mi?"),
        (with_run(engine={"type": "spark", "executor": {"resources": {"requests": {"cpu": "1000"}}}}),
         "spec.run.engine.executor.resources.requests.cpu: '1000': is 1,000 cores: did you mean 1000m?"),
    ],
)  # fmt: skip
def test_what_is_accepted_and_most_likely_meant_otherwise(spec: Any, expected: str) -> None:
    parsed, problems = parse_trigger(spec)
    assert parsed is not None, problems
    assert [str(warning) for warning in warnings_of(parsed)] == [expected]


@pytest.mark.parametrize(
    "spec",
    [
        *(conditional("cosine_drift", threshold) for threshold in (0, 0.3, 1.99)),
        *(conditional(metric, 30) for metric in ("centroid_euclidean", "assignment_psi", "document_count")),
        *map(event, ("documents_added", "run_completed", "orders_added", "com.example.documents.added", "documents")),
        resources(requests={"cpu": "500m", "memory": "2Gi"}, limits={"cpu": 192, "memory": "4e9"}),
        resources(requests={"cpu": 0, "memory": "0"}, limits={"nvidia.com/gpu": 1}),
    ],
)
def test_what_needs_no_warning(spec: Any) -> None:
    parsed, problems = parse_trigger(spec)
    assert parsed is not None, problems
    assert warnings_of(parsed) == []


@pytest.mark.parametrize(
    "written",
    ["9" * 5000, "\u0663" * 5000, "9" * 400, "9" * 400 + "h", f"P{'9' * 5000}D", "9" * 400 + ".5"],
    ids=["digits", "digits of another script", "infinity", "hours", "ISO 8601", "a fraction"],
)
@pytest.mark.parametrize("field", ["interval_seconds", "timeout_seconds", "threshold", "retries"])
def test_thousands_of_digits_are_one_problem(field: str, written: str) -> None:
    drift = {"condition_type": "drift", "threshold": 0.3, "metric": "cosine_drift", "check_interval_seconds": 3600}
    if field == "interval_seconds":
        raw = with_schedule("interval", interval_seconds=written)
    elif field == "threshold":
        raw = with_schedule("conditional", **{**drift, field: written})
    else:
        raw = with_run(**{field: written})
    parsed, problems = parse_trigger(raw)
    assert parsed is None
    (problem,) = problems
    assert problem.field.endswith(f".{field}")
    assert "write" in problem.message
    assert len(problem.message) < 200
