"""Tests that the pages about events match the code: their examples work, and their figures are the code's."""

from __future__ import annotations

import re

import yaml

from clustertrigger.core.events.cloudevents import LARGEST_COUNT, MOST_EVENTS, STRUCTURED, read_events
from clustertrigger.core.events.seen_events import MOST_SEEN, REMEMBERED_FOR
from clustertrigger.core.resources.validation import parse_trigger
from clustertrigger.shell.events.endpoint import CONNECTIONS, CONNECTIONS_OF_A_SOURCE, LARGEST_BODY, PATH
from clustertrigger.shell.events.group_commit import MOST_WAITING
from clustertrigger.shell.metrics.process import Metrics
from clustertrigger.shell.serving.http_server import HEADER, IDLE, LARGEST_HEADER
from harness.cluster.files import REPOSITORY

PAGES = [REPOSITORY / "docs" / part / "events.md" for part in ("how-to", "reference")]
PAGE = "\n".join(path.read_text() for path in PAGES)
WORDS = " ".join(PAGE.split())


def manifest(kind: str) -> dict[str, object]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [one for block in blocks if (one := yaml.safe_load(block))["kind"] == kind]
    manifest: dict[str, object] = found
    return manifest


def test_the_trigger_is_valid() -> None:
    spec = manifest("ClusterTrigger")["spec"]
    assert isinstance(spec, dict)
    assert parse_trigger(spec)[1] == []


def test_the_event_that_curl_sends_is_one() -> None:
    (body,) = re.findall(r"--data '(.*?)'", PAGE, re.DOTALL)
    (said,) = read_events({"content-type": STRUCTURED}, body.encode())
    assert (said.type, said.collection_id, said.count) == ("documents_added", "col_products", 37)


def test_everybody_sends_to_the_path_that_is_served() -> None:
    urls = re.findall(r"http://clustertrigger\.clustertrigger\.svc:8081(/\S+)", PAGE)
    assert len(urls) == 3
    assert {url.replace("/search/", "/{namespace}/") for url in urls} == {PATH}


def test_figures() -> None:
    assert f"last {MOST_SEEN:,} events" in WORDS
    assert f"{MOST_SEEN / REMEMBERED_FOR.total_seconds():.0f} a second" in WORDS
    assert REMEMBERED_FOR.total_seconds() == 600
    assert f"1 to {LARGEST_COUNT:,}" in WORDS
    assert f"wait to be stored in this replica ({MOST_WAITING // 2:,}, or" in WORDS
    assert f"a header | takes longer than {HEADER:.0f} seconds or has more than {LARGEST_HEADER // 1024} KiB" in WORDS
    assert f"nothing is sent | for {IDLE:.0f} seconds" in WORDS
    assert f"{CONNECTIONS:,} in a replica, {CONNECTIONS_OF_A_SOURCE:,} from an address" in WORDS
    assert (LARGEST_BODY, f"1 MiB or {MOST_EVENTS:,} events" in PAGE) == (2**20, True)


def test_metrics() -> None:
    named = set(re.findall(r"`(clustertrigger_[a-z_]+)", PAGE))
    families = {family.name for family in Metrics().registry.collect()}
    assert {name.removesuffix("_total") for name in named} <= families
    assert len(named) == 4
