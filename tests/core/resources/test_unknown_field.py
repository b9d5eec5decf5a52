"""Tests of which field a message names instead of one that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from clustertrigger.core.resources.validation import parse_collection, parse_trigger


def with_field(place: str, name: str) -> dict[str, Any]:
    """Returns a valid spec of a trigger with one more field, of value 1; place "" is the spec itself."""
    config: dict[str, Any] = {"algorithm": "kmeans", "n_clusters": 5}
    spec: dict[str, Any] = {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *"},
        "execution_config": {"collection_ids": ["col_a"], "config": config},
        "run": {},
    }
    holder = spec
    for part in filter(None, place.split(".")):
        holder = holder.setdefault(part, {})
    holder[name] = 1
    return spec


def message_of(spec: dict[str, Any], field: str) -> str:
    [message] = [problem.message for problem in parse_trigger(spec)[1] if problem.field == field]
    return message


@pytest.mark.parametrize(
    ("place", "written", "meant"),
    [
        ("run", "activeDeadlineSeconds", "timeout_seconds"),
        ("run", "backoffLimit", "retries"),
        ("run", "successfulJobsHistoryLimit", "history_limit"),
        ("run", "startingDeadlineSeconds", "starting_deadline_seconds"),
        ("schedule_config", "schedule", "cron_expression"),
        ("schedule_config", "timeZone", "timezone"),
        ("schedule_config", "tz", "timezone"),
        ("execution_config.config", "k", "n_clusters"),
        ("execution_config.config", "min_pts", "min_samples"),
        ("execution_config.config", "epsilon", "eps"),
        ("", "suspend", "status"),
        ("", "schedule", "schedule_config"),
    ],
)
def test_names_of_cronjobs_and_of_libraries(place: str, written: str, meant: str) -> None:
    """activeDeadlineSeconds led to starting_deadline_seconds."""
    _, [problem] = parse_trigger(with_field(place, written))
    assert problem.field == ".".join(filter(None, ("spec", place, written)))
    assert problem.message == f"unknown field: did you mean {meant}?"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "a"}, "path: unknown field: did you mean uri?"),
        ({"id_column": "a"}, "id_column: unknown field: did you mean document_id_column?"),
        ({"vector_name": "a"}, "vector_name: unknown field: did you mean vector_column?"),
        ({"filters": {"field": "a", "op": "eq", "value": 1}}, "filters.op: unknown field: did you mean operator?"),
        ({"filters": {"must": []}}, "filters.must: unknown field: did you mean AND?"),
        *(
            (
                {"filters": {"field": "a", "operator": sign, "value": 1}},
                f"filters.operator: {sign!r}: did you mean {name}?",
            )
            for sign, name in (("==", "eq"), ("<>", "ne"), (">=", "gte"), ("<", "lt"), ("not in", "nin"), ("LE", "lte"))
        ),
    ],
)
def test_names_of_other_databases(source: dict[str, Any], message: str) -> None:
    """vector_name led to secret_name, and signs to the list of all operators."""
    _, problems = parse_collection({"source": {"uri": "a"} | source, "volume": "docs"})
    listed = "must be 'eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin' or 'exists': "
    assert [str(problem).replace(listed, "") for problem in problems] == [f"spec.source.{message}"]


@pytest.mark.parametrize(
    ("place", "written", "meant"),
    [
        ("", "timeoutSeconds", "spec.run.timeout_seconds or spec.run.check.timeout_seconds"),
        ("", "cron", "spec.schedule_config.cron_expression"),
        ("", "algorithm", "spec.execution_config.config.algorithm"),
        ("", "collections", "spec.execution_config.collection_ids"),
        ("", "backoffLimit", "spec.run.retries"),
        ("", "resources", "spec.run.resources"),
        ("", "notify", "spec.run.notify"),
        ("", "threshold", "spec.schedule_config.threshold"),
        ("run", "schedule_config", "spec.schedule_config"),
        ("run", "collections", "spec.execution_config.collection_ids"),
        ("run", "labels", "pod_labels"),
        ("run", "n_clusters", "spec.execution_config.config.n_clusters"),
        ("schedule_config", "status", "spec.status"),
        ("execution_config.config", "cluster_id", "spec.cluster_id"),
        ("", "outputs", "spec.execution_config.outputs"),
        ("", "output_collection_ids", "spec.execution_config.outputs"),
        ("", "webhook", "spec.run.notify"),
        ("", "trigger_name", "metadata.name"),
        ("", "name", "metadata.name"),
        ("", "labels", "metadata.labels"),
        ("run", "suspend", "spec.status"),
        ("run", "retry_limit", "retries"),
        ("run", "retry", "retries"),
        ("run", "check_timeout_seconds", "spec.run.check.timeout_seconds"),
        ("run.check", "interval_seconds", "spec.schedule_config.check_interval_seconds"),
        ("run.results", "claim", "volume"),
        ("execution_config", "output_collection_ids", "outputs"),
        ("schedule_config", "collections", "spec.execution_config.collection_ids"),
        ("schedule_config", "collection_ids", "spec.execution_config.collection_ids"),
    ],
)
def test_fields_of_another_place(place: str, written: str, meant: str) -> None:
    """They were to be removed; collections in run led to tolerations."""
    field = ".".join(filter(None, ("spec", place, written)))
    assert message_of(with_field(place, written), field) == f"unknown field: did you mean {meant}?"


@pytest.mark.parametrize(
    ("written", "value", "meant"),
    [
        ("suspend", True, "status: paused"),
        ("suspend", False, "status: active"),
        ("suspended", False, "status: active"),
        ("paused", True, "status: paused"),
        ("paused", False, "status: active"),
        ("enabled", True, "status: active"),
        ("enabled", False, "status: disabled"),
        ("disabled", True, "status: disabled"),
        ("enabled", "false", "status"),
    ],
)
def test_switches_of_other_programs(written: str, value: object, meant: str) -> None:
    """enabled: false led to status: active."""
    spec = {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *"},
        "execution_config": {"collection_ids": ["col_a"], "config": {"algorithm": "kmeans", "n_clusters": 5}},
        written: value,
    }
    _, [problem] = parse_trigger(spec)
    assert str(problem) == f"spec.{written}: unknown field: did you mean {meant}?"


@pytest.mark.parametrize(("action", "meant"), [("outputs", "output_collection_ids"), ("collections", "collection_id")])
def test_advice_can_be_followed_beside_action_config(action: str, meant: str) -> None:
    """outputs led to execution_config, which is not valid beside action_config."""
    spec = {"trigger_type": "cron", "schedule_config": {"cron_expression": "@daily"}, "action_type":
            "taxonomy_enrichment", "action_config": {action: ["a"]}}  # fmt: skip
    assert message_of(spec, f"spec.action_config.{action}") == f"unknown field: did you mean {meant}?"


@pytest.mark.parametrize("written", ["collections", "collection_ids"])
def test_an_event_has_one_collection(written: str) -> None:
    spec = {"trigger_type": "event", "schedule_config": {written: ["a"]}, "cluster_id": "a"}
    assert message_of(spec, f"spec.schedule_config.{written}") == "unknown field: did you mean collection_id?"


@pytest.mark.parametrize("place", ["", "execution_config"])
def test_filters_of_a_trigger_are_those_of_its_collection(place: str) -> None:
    """They led to action_config.filters, which is not valid beside execution_config."""
    field = ".".join(filter(None, ("spec", place, "filters")))
    assert message_of(with_field(place, "filters"), field) == (
        "unknown field: set filters in the Collection's source, or in a ClusterDefinition"
    )


@pytest.mark.parametrize("written", ["execution_count", "last_triggered_at", "created_at", "trigger_id"])
def test_fields_of_the_status(written: str) -> None:
    """execution_count led to execution_config."""
    message = message_of(with_field("", written), f"spec.{written}")
    assert message == "belongs to the status, which the operator writes: remove it"


def test_an_image_of_a_run_leads_to_no_secrets() -> None:
    """image led to image_pull_secrets."""
    message = message_of(with_field("run", "image"), "spec.run.image")
    assert message.startswith("unknown field: remove it, or use one of ")


@pytest.mark.parametrize("written", ["image", "uri", "url", "path", "file", "volume", "endpoint", "region", "secret"])
def test_generic_names_lead_nowhere_else(written: str) -> None:
    """uri of a trigger led to spec.run.results.uri, and image to image_pull_secrets."""
    _, problems = parse_trigger({"trigger_type": "manual", "cluster_id": "a", written: "x"})
    [message] = [problem.message for problem in problems if problem.field == f"spec.{written}"]
    assert message.startswith("unknown field: remove it, or use one of ")


@pytest.mark.parametrize(
    ("written", "meant"), [("type", "trigger_type"), ("service_account", "spec.run.service_account_name")]
)
def test_names_that_led_to_another_field(written: str, meant: str) -> None:
    """type led to spec.run.engine.type, and service_account to that of Google Cloud."""
    _, problems = parse_trigger({"trigger_type": "manual", "cluster_id": "a", written: "x"})
    assert f"spec.{written}: unknown field: did you mean {meant}?" in [str(problem) for problem in problems]
