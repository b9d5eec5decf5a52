"""Tests of the pages on a real API server: who sees which content, and that texts of others are escaped."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest

from harness.control_plane.api_process import ApiProcess
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import conditional, cron, interval, rarely
from harness.control_plane.sandbox import Sandbox
from tests.cli.test_results import result
from tests.cli.test_watch import fire
from tests.rest.page.readers import Reader

HOSTILE = """</title></script><script>alert("x")</script><img src=x onerror='y'>{{ 7*7 }} & "q" 'q'"""


def test_readers_without_a_token_get_the_sign_in_page(stranger: Reader) -> None:
    for path in ("/", "/?state=failed", "/triggers/search/nightly"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert '<input id="token" name="token" type="password"' in answer.text
        assert f'name="next" value="{path}"' in answer.text
        assert 'role="alert"' not in answer.text
    assert stranger.get("/live").status_code == 401
    assert stranger.get("/live/search/nightly").status_code == 401


def test_table_and_trigger(editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", rarely())
    kubelet.complete(fire(sandbox, "nightly", "a"), result("perl"))
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "completed")
    kubelet.fail(fire(sandbox, "nightly", "b"), '{"status": "failed", "error": "no column"}', exit_code=2)
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "failed")
    sandbox.trigger("quiet", rarely(status="paused"))
    eventually(lambda: sandbox.status("quiet"))

    home = editor.get("/")
    assert home.status_code == 303, "an account that may not list all namespaces begins with its own"
    assert home.headers["location"] == f"/?namespace={sandbox.namespace}"
    table = editor.get(home.headers["location"])
    assert table.status_code == 200
    assert ">nightly</a>" in table.text
    assert "the last run failed: no column" in table.text
    assert "2 triggers: 1 active, 1 paused" in table.text
    narrowed = editor.get(f"/?namespace={sandbox.namespace}&state=paused").text
    assert ">quiet</a>" in narrowed
    assert ">nightly</a>" not in narrowed

    answer = editor.get(f"/triggers/{sandbox.namespace}/nightly")
    assert answer.status_code == 200
    for words in ("The last run failed", "no column", "perl", "HTTP for Rust", "4 clusters of 2,000 documents",
                  "Run now", "clustertrigger logs nightly", "needs no intervention", "trigger_type:"):  # fmt: skip
        assert words in answer.text, words


def test_a_viewer_sees_no_buttons(viewer: Reader, editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    assert "Run now" in editor.get(path).text
    shown = viewer.get(path)
    assert shown.status_code == 200
    assert "Run now" not in shown.text
    assert "<form" not in shown.text.partition("<main")[2]


def test_a_user_without_rights_sees_nothing(stranger: Reader, nobody: object, sandbox: Sandbox) -> None:
    token = nobody.http.headers["authorization"].split()[1]  # type: ignore[attr-defined]
    sandbox.trigger("secret", rarely(description="very secret"))
    stranger.token = token
    assert stranger.sign_in().status_code == 303
    for path in (f"/?namespace={sandbox.namespace}", f"/triggers/{sandbox.namespace}/secret"):
        answer = stranger.get(path)
        assert answer.status_code == 403
        assert "very secret" not in answer.text
        assert "clustertriggers" in answer.text, "the API server's own words"
        assert 'role="alert"' in answer.text
    assert f'value="{sandbox.namespace}"' in stranger.get(f"/?namespace={sandbox.namespace}").text


def test_a_header_with_a_token_signs_in(stranger: Reader, editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    answer = stranger.get(path, Authorization=f"Bearer {editor.token}")
    assert answer.status_code == 200
    assert "Run now" in answer.text
    assert "Sign out" not in answer.text, "whoever set the header signs out"
    assert "Sign out" in editor.get(path).text
    bad = editor.get(path, Authorization="Bearer nonsense")
    assert bad.status_code == 401, "the header comes before the cookie"


@pytest.mark.parametrize(
    "path", ["/triggers/{}/no-such", "/triggers/{}/Not_A_Name", "/triggers/{}/trg_0000", "/assets/x/y"]
)
def test_missing_objects(editor: Reader, sandbox: Sandbox, path: str) -> None:
    answer = editor.get(path.format(sandbox.namespace))
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>Not found</h1>" in answer.text


@pytest.mark.parametrize(
    "query", ["start=-1", "start=x", "start=99999999999", "namespace=No_Such", "type=%3Cb%3E", "x=y"]
)
def test_unusual_queries(editor: Reader, sandbox: Sandbox, query: str) -> None:
    own = "" if "namespace" in query else f"namespace={sandbox.namespace}&"
    answer = editor.get(f"/?{own}{query}")
    assert answer.status_code in (200, 403, 404)
    assert "<b>" not in answer.text


def test_hostile_texts_are_escaped(editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet) -> None:
    process = operator()
    sandbox.trigger("nightly", rarely())
    kubelet.fail(fire(sandbox, "nightly", "a"), exit_code=2)
    sandbox.edit("nightly", {"description": HOSTILE})
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "failed")
    assert process.terminate() == 0
    path = f"/apis/clustertrigger.dev/v1alpha1/namespaces/{sandbox.namespace}/clustertriggers/nightly/status"
    history = [{**sandbox.history("nightly")[0], "error": HOSTILE, "notes": [HOSTILE]}]
    written = sandbox.kube.patch(path, {"status": {"history": history, "schedule": HOSTILE}})
    assert written["status"]["schedule"] == HOSTILE
    own = f"?namespace={sandbox.namespace}"
    for shown in (f"/triggers/{sandbox.namespace}/nightly", f"/{own}", f"/?namespace={quote(HOSTILE)}"):
        text = editor.get(shown).text
        assert "&lt;script&gt;alert" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "{{ 7*7 }}" in text


def test_pages_contain_no_inline_scripts_and_no_external_resources(
    editor: Reader, stranger: Reader, sandbox: Sandbox
) -> None:
    sandbox.trigger("nightly", cron("0 2 * * *", "Europe/Berlin"))
    one = f"/triggers/{sandbox.namespace}/nightly"
    answers = [stranger.get("/"), stranger.get("/sign-in"), stranger.get("/assets/x/y"),
               editor.get(f"/?namespace={sandbox.namespace}"), editor.get(one), editor.get(f"{one}x"),
               editor.get("/"), editor.post(f"{one}/run")]  # fmt: skip
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"""\son[a-z]+=|\sstyle=|<style|javascript:|<script(?![^>]* src="/assets/)""", answer.text)
        assert all(
            address.startswith(("/", "#")) for address in re.findall(r'(?:href|src|action)="([^"]+)"', answer.text)
        )
    named = {address for answer in answers for address in re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text)}
    assert len(named) >= 5
    for address in named:
        found = stranger.get(address)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
        assert found.headers["x-content-type-options"] == "nosniff"
    stale = re.sub(r"/assets/[0-9a-f]+/", "/assets/0000/", sorted(named)[0])
    assert stranger.get(stale).headers["cache-control"] == "no-cache"


def test_too_many_pages(start_service: object, sandbox: Sandbox, editor: Reader) -> None:
    service: ApiProcess = start_service(requests_per_second=1, burst=3)  # type: ignore[operator]
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as http:
        reader = Reader(http, editor.token)
        answers = [reader.get("/", Authorization=f"Bearer {editor.token}") for _ in range(6)]
        assert answers[0].status_code == 303
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "Too many requests" in answers[-1].text
        assert reader.get("/sign-in").status_code == 200


def test_an_interval_is_drawn(editor: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("hourly", interval(3600))
    text = editor.get(f"/?namespace={sandbox.namespace}").text
    assert "1 trigger has slots in the coming 24 hours." in text
    assert text.count("<line x1=") > 20


def test_an_empty_table_says_what_to_do(editor: Reader, sandbox: Sandbox) -> None:
    here = f"/?namespace={sandbox.namespace}"
    assert f"There is no trigger in the namespace {sandbox.namespace} yet." in editor.get(here).text
    sandbox.trigger("hourly", interval(3600))
    nothing = editor.get(f"{here}&type=cron&state=failed").text
    assert "No trigger matches." in nothing
    assert f'<a href="{here}">Show those of every type, state and action</a>' in nothing


def test_checks_are_distinguished_from_slots(
    editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet
) -> None:
    operator()
    sandbox.trigger("hourly", interval(3600))
    here = f"/?namespace={sandbox.namespace}"
    assert 'class="key checks"' not in editor.get(here).text
    sandbox.trigger("drifting", conditional(3600))
    kubelet.complete(fire(sandbox, "drifting", "a"), result("perl"))
    eventually(lambda: 'class="key checks"' in editor.get(here).text)
