"""Tests of chains: which events a trigger does not count, and which chain a run passes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustertrigger.api.names import ANNOTATION_CHAIN
from clustertrigger.core.decide import decide
from clustertrigger.core.decision import CountEvents, CreateJob, Decision, RunEvent
from clustertrigger.core.events.chains import MOST_LINKS, lengthened, merged, why_stopped
from clustertrigger.core.events.event_index import EventIndex
from clustertrigger.core.resources.trigger import Trigger
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import EVENTS, World, at, condition, observed, spec, trigger

LONG = tuple(f"t{number}" for number in range(MOST_LINKS + 1))


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ((), None),
        (("embed",), None),
        (LONG[:-1], None),
        (("products",), "(products → products): an event of products was not counted"),
        (("a", "products", "b"), "in a loop (products → b → products): an event of b was not counted"),
        (LONG, f"the chain of triggers that led to it has {MOST_LINKS + 1} triggers, and the maximum is {MOST_LINKS}"),
    ],
)
def test_events_that_are_not_counted(chain: tuple[str, ...], says: str | None) -> None:
    why = why_stopped(chain, "products")
    assert (why is None) == (says is None)
    assert (says or "") in (why or "")


def test_a_run_passes_its_chain_on_and_its_own_trigger_comes_last() -> None:
    assert lengthened(("a", "b"), "c") == ("a", "b", "c")
    assert lengthened(("a", "b"), "a") == ("b", "a")
    assert merged([["a", "b"], [], ["c", "b"]]) == ["a", "b", "c"]
    assert merged([[f"t{number}" for number in range(100)]])[-1] == "t99"
    assert why_stopped(lengthened(merged([[f"t{number}" for number in range(100)]]), "c"), "new") is not None


def begun(raw_spec: dict[str, Any]) -> World:
    world = World(raw_spec)
    world.step(at(1))
    return world


def chained(threshold: int = 1, **changes: Any) -> dict[str, Any]:
    config = {"event_type": "run_completed", "event_threshold": threshold, "collection_id": "col_a"}
    return spec(EVENTS, schedule_config=config, **changes)


def test_the_chain_of_what_was_counted_goes_with_the_next_run_and_no_further() -> None:
    world = begun(chained(threshold=2))
    assert world.send(at(10), "1", chain=("a",)) == (True,)
    assert world.send(at(10), "2", chain=("b", "a")) == (True,)
    (job,) = jobs(decide(world.trigger, observed(), at(11)))
    assert job.manifest["metadata"]["annotations"][ANNOTATION_CHAIN] == "a,b"
    world.step(at(11))
    world.step(at(12))
    state = world.trigger.status.event_state
    assert state is not None
    assert (state.chain, state.loop) == ([], None)


def test_the_chain_of_what_is_left_over_stays() -> None:
    world = begun(chained(threshold=2))
    world.send(at(10), "1", count=3, chain=("a",))
    world.step(at(11))
    world.step(at(12))
    state = world.trigger.status.event_state
    assert state is not None
    assert (state.chain, world.trigger.status.event_counter) == (["a"], 1)


def test_a_manual_run_begins_a_chain_of_its_own() -> None:
    world = begun(chained(threshold=2))
    world.send(at(10), "1", chain=("a",))
    world.request(run="now")
    (job,) = jobs(decide(world.trigger, observed(), at(11)))
    assert ANNOTATION_CHAIN not in job.manifest["metadata"]["annotations"]


def jobs(decision: Decision) -> list[CreateJob]:
    return [action for action in decision.actions if isinstance(action, CreateJob)]


def test_a_loop_is_reported_once_and_does_not_fire() -> None:
    world = begun(chained())
    assert world.send(at(10), "1", chain=("products", "b")) == (False,)
    world.step(at(11))
    world.step(at(12))
    assert (world.created, world.trigger.status.event_counter) == ([], 0)
    assert condition(world, "Stalled") == ("True", "ChainLoop")
    assert condition(world, "Ready") == ("True", "Scheduled")
    assert sum(event.startswith("ChainLoop: The triggers fire each other in a loop") for event in world.events) == 1
    writes = world.writes
    assert world.send(at(13), "1", chain=("products", "b")) == (False,)
    assert world.writes == writes, "it is remembered like any other"


@pytest.mark.parametrize("way", ["edit", "reset", "another event"])
def test_how_the_condition_of_a_loop_ends(way: str) -> None:
    world = begun(chained(threshold=5))
    world.send(at(10), "1", chain=("products",))
    world.step(at(11))
    assert condition(world, "Stalled") == ("True", "ChainLoop")
    if way == "edit":
        world.edit(chained(threshold=6), at(20))
    elif way == "reset":
        world.request(reset="1")
    else:
        world.send(at(20), "2", chain=("b",))
    world.step(at(21))
    assert condition(world, "Stalled") == ("False", "NotStalled")


def ended(**fields: Any) -> tuple[Trigger, Any]:
    world = begun(spec())
    world.request(run="1")
    world.step(at(2))
    (seen,) = world.runs.values()
    return world.trigger, replace(seen, phase="completed", **fields)


@pytest.mark.parametrize(
    ("announces", "awaited", "chain", "events"),
    [
        (("col_a", "a"), {"a", "col_b"}, (), [RunEvent("run_completed", 1, ("a",))]),
        (("col_a",), {"col_b"}, (), []),
        (("col_a",), set(), (), []),
        (("col_a",), {"col_a"}, ("embed",), [RunEvent("run_completed", 1, ("col_a",))]),
    ],
)
def test_a_completed_run_is_an_event_for_waiting_triggers(
    announces: tuple[str, ...], awaited: set[str], chain: tuple[str, ...], events: list[RunEvent]
) -> None:
    it, seen = ended(announces=announces, chain=chain)
    world = replace(observed([seen]), awaited=frozenset(awaited))
    decision = decide(it, world, at(10))
    if not events:
        assert (decision.actions, decision.status.execution_count) == ((), 1)
        return
    assert decision.actions == (CountEvents(seen.job, tuple(events), (*chain, "products")),)
    assert decision.status.execution_count == 0, "what is not counted yet must not be settled"
    decision = decide(it, replace(world, counted=frozenset({seen.job})), at(10))
    assert (decision.actions, decision.status.execution_count) == ((), 1)


def test_a_failed_run_is_not_an_event() -> None:
    it, seen = ended(announces=("col_a",))
    failed = replace(seen, phase="failed", error="no such file")
    decision = decide(it, replace(observed([failed]), awaited=frozenset({"col_a"})), at(10))
    assert (decision.actions, decision.status.failure_count) == ((), 1)


def test_awaited_collections_follow_the_triggers() -> None:
    index = EventIndex()
    first, second = trigger(chained()), trigger(chained())
    second = replace(second, key=second.key._replace(name="other"))
    assert index.awaited("search", "run_completed") == frozenset()
    for one in (first, second):
        index.put(one)
    assert index.awaited("search", "run_completed") == {"col_a"}
    assert index.awaited("search", "documents_added") == index.awaited("other", "run_completed") == frozenset()
    index.remove(first.key)
    assert index.awaited("search", "run_completed") == {"col_a"}
    elsewhere = trigger(spec(chained(), schedule_config={**chained()["schedule_config"], "collection_id": "col_b"}))
    index.put(replace(elsewhere, key=second.key))
    assert index.awaited("search", "run_completed") == {"col_b"}
    index.remove(second.key)
    assert index.awaited("search", "run_completed") == frozenset()


SHORT = {"collection_ids": ["col_b"], "config": {"algorithm": "kmeans", "n_clusters": 3}, "outputs": ["col_a"]}
LONG_FORM = {"cluster_id": "c", "output_collection_ids": ["col_x", "col_a"]}


@pytest.mark.parametrize(
    ("raw_spec", "is_loop"),
    [
        (chained(execution_config=SHORT), True),
        (chained(execution_config={**SHORT, "outputs": ["col_x"]}), False),
        (chained(execution_config={**SHORT, "outputs": [], "collection_ids": ["col_a"]}), False),
        (spec(EVENTS, execution_config=SHORT), False),
        (chained(execution_config=None, action_config=LONG_FORM), True),
        (chained(execution_config=None, action_config={"cluster_id": "c", "output_collection_ids": ["b"]}), False),
    ],
)
def test_a_trigger_that_waits_for_its_own_output_is_refused(raw_spec: dict[str, Any], is_loop: bool) -> None:
    parsed, problems = parse_trigger(raw_spec)
    assert (parsed is None) == is_loop
    if is_loop:
        (problem,) = problems
        assert (problem.field, problem.value) == ("spec.schedule_config.collection_id", "col_a")
        assert problem.message.startswith("collection_id is not valid with event_type run_completed: ")
