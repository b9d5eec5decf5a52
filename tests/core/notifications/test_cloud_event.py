"""Tests of the CloudEvents that receivers get."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from clustercontract.brief import Changes
from clustertrigger.api.notification import Occasion, Receiver
from clustertrigger.api.status import Check, Execution, LastResult, Notification
from clustertrigger.core.notifications.cloud_event import (
    TYPES,
    body_of,
    notification,
    of_check,
    of_run,
    receiver_id,
)
from clustertrigger.core.resources.trigger import Key
from tests.core.builders import at

KEY = Key("search", "products")
RUN = Execution(
    job_id="products-1",
    slot="manual/now",
    triggered_at=at(1),
    status="completed",
    num_clusters=3,
    volumes=["documents"],
    secrets=["reader"],
)
CHANGES = Changes(since="products-0", summary="1 new", kept=2, new=[4])


def test_a_run_s_data_are_its_entry_without_names_of_claims_and_secrets() -> None:
    assert of_run(KEY, RUN, None) == {
        "namespace": "search",
        "trigger": "products",
        "job_id": "products-1",
        "slot": "manual/now",
        "triggered_at": "2026-03-02T12:00:01Z",
        "status": "completed",
        "num_clusters": 3,
    }


@pytest.mark.parametrize(("job", "told"), [("products-1", True), ("products-0", False)])
def test_changes_are_those_of_the_run(job: str, told: bool) -> None:
    data = of_run(KEY, RUN, LastResult(job_id=job, changes=CHANGES))
    assert ("changes" in data) == told
    if told:
        assert (data["changes"]["summary"], data["changes"]["new"]) == ("1 new", [4])


@pytest.mark.parametrize(("check", "told"), [("products-c1", True), ("products-c0", False)])
def test_a_measurement_is_that_of_the_check(check: str, told: bool) -> None:
    entry = Check(job_id="products-c1", slot=at(1), status="completed", value=0.5, fires=True)
    data = of_check(KEY, entry, {"check": check, "value": 0.5})
    assert (data["job_id"], data["value"], "measurement" in data) == ("products-c1", 0.5, told)


def made(occasion: Occasion = "completed") -> Notification:
    return notification(
        occasion, "products-1", at(5.5), {"a": "ä"}, [Receiver(uri="https://a/"), Receiver(uri="https://b/")]
    )


def test_what_is_sent_is_a_cloudevent_and_the_same_each_time() -> None:
    told = made()
    body = body_of(told, KEY)
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "products-1-completed",
        "source": "/apis/clustertrigger.dev/v1alpha1/namespaces/search/clustertriggers/products",
        "type": "dev.clustertrigger.run.completed",
        "subject": "products-1",
        "time": "2026-03-02T12:00:05Z",
        "datacontenttype": "application/json",
        "data": {"a": "ä"},
    }
    assert told.to == [receiver_id("https://a/"), receiver_id("https://b/")]
    stored = TypeAdapter(Notification)
    assert body_of(stored.validate_json(stored.dump_json(told)), KEY) == body
    assert body_of(replace(told, to=[]), KEY) == body


def test_each_occasion_has_a_type_and_an_id_of_its_own() -> None:
    occasions: list[Occasion] = ["completed", "failed", "changed", "drifted"]
    assert set(TYPES) == set(occasions)
    assert len({made(occasion).id for occasion in occasions}) == len(set(TYPES.values())) == 4
    assert all("." not in made(occasion).id for occasion in occasions), "the signature puts dots between its parts"
