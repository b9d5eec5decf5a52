"""Tests of signing in and of sessions, and that other sites cannot act in a reader's name."""

from __future__ import annotations

import pytest

from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox
from tests.rest.page.readers import OWN, Reader


def cookie_of(reader: Reader, **headers: str) -> str:
    form = {"token": reader.token, "next": "/"}
    return reader.http.post("/sign-in", data=form, headers={**OWN, **headers}).headers["set-cookie"]


def test_the_token_is_stored_in_a_protected_cookie(editor: Reader) -> None:
    plain = cookie_of(editor)
    assert plain.startswith("clustertrigger-session=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in plain
    for part in ("Secure", "Domain", "Max-Age", "expires"):
        assert part not in plain, "it ends with the browser's session"
    secure = cookie_of(editor, **{"X-Forwarded-Proto": "https"})
    assert secure.startswith("__Host-clustertrigger-session=")
    assert "Secure" in secure


def test_a_secure_page_ignores_cookies_of_an_insecure_one(editor: Reader) -> None:
    assert editor.get("/").status_code == 303
    assert editor.get("/", X_Forwarded_Proto="https").status_code == 401


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ("", 422, "This is not a token"),
        ("two words, and a comma", 422, "This is not a token"),
        ("nonsense", 401, "does not know this token"),
        ("Bearer nonsense", 401, "does not know this token"),
        ("x" * 5_000, 422, "5,000 characters"),
        ("<script>", 422, "This is not a token"),
    ],
)
def test_bad_tokens(stranger: Reader, typed: str, status: int, words: str) -> None:
    answer = stranger.post("/sign-in", {"token": typed, "next": "/?state=failed"})
    assert answer.status_code == status
    assert words in answer.text
    assert 'role="alert"' in answer.text
    assert 'name="next" value="/?state=failed"' in answer.text
    assert "set-cookie" not in answer.headers
    assert "<script>" not in answer.text


def test_line_breaks_in_a_pasted_token_are_removed(editor: Reader, stranger: Reader) -> None:
    pasted = f" Bearer {editor.token[:100]}\n{editor.token[100:]} \r\n"
    assert stranger.post("/sign-in", {"token": pasted}).status_code == 303
    assert stranger.get("/").status_code == 303


@pytest.mark.parametrize(
    ("target", "led_to"),
    [
        ("/?state=failed", "/?state=failed"), ("https://evil.example/", "/"), ("//evil.example/", "/"),
        ("/\\evil.example", "/"), ("javascript:alert(1)", "/"), ("/a\r\nSet-Cookie: x=y", "/"), ("", "/"),
    ],
)  # fmt: skip
def test_redirects_stay_on_the_site(editor: Reader, target: str, led_to: str) -> None:
    answer = editor.sign_in(target)
    assert answer.headers["location"] == led_to
    assert list(editor.http.cookies) == ["clustertrigger-session"]


def test_signing_out(editor: Reader) -> None:
    assert editor.get("/").status_code == 303
    answer = editor.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert editor.get("/").status_code == 401


def test_an_invalid_token_ends_the_session(stranger: Reader) -> None:
    stranger.http.cookies.set("clustertrigger-session", "expired")
    answer = stranger.get("/")
    assert answer.status_code == 401
    assert "may have expired" in answer.text
    assert answer.headers["set-cookie"].startswith('clustertrigger-session=""; ')
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_link_on_another_site_opens_the_page(editor: Reader) -> None:
    """The browser omits the cookie at first; the following request of the service's own page contains it."""
    cookies = dict(editor.http.cookies)
    editor.http.cookies.clear()
    first = editor.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert (first.status_code, first.headers["refresh"]) == (200, "0")
    editor.http.cookies.update(cookies)
    assert editor.get("/", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate").status_code == 303


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Accept": "*/*"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_forms_of_other_sites_are_rejected(editor: Reader, sandbox: Sandbox, headers: dict[str, str]) -> None:
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    form = {"csrf": editor.csrf(path)}
    answer = editor.http.post(f"{path}/pause", data=form, headers=headers)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    assert sandbox.get("nightly")["spec"]["status"] == "active"
    assert editor.http.post("/sign-out", headers=headers).status_code == 403
    assert editor.http.post("/sign-in", data={"token": editor.token}, headers=headers).status_code == 403


def test_the_origin_alone_is_sufficient(editor: Reader, sandbox: Sandbox) -> None:
    """Browsers send Sec-Fetch-Site only over HTTPS and to localhost."""
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    own = str(editor.http.base_url).rstrip("/")
    form = {"csrf": editor.csrf(path)}
    assert editor.http.post(f"{path}/pause", data=form, headers={"Origin": own}).status_code == 303
    proxied = {"Origin": "https://triggers.example", "X-Forwarded-Host": "triggers.example"}
    assert editor.http.post(f"{path}/resume", data=form, headers=proxied).status_code == 303


@pytest.mark.parametrize("csrf", ["", "0" * 64, "\u00e9"])
def test_forms_of_another_session_are_rejected(editor: Reader, viewer: Reader, sandbox: Sandbox, csrf: str) -> None:
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    answer = editor.post(f"{path}/pause", {"csrf": csrf})
    assert answer.status_code == 403
    assert "another session" in answer.text
    assert sandbox.get("nightly")["spec"]["status"] == "active"


def test_buttons(editor: Reader, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet) -> None:
    operator()
    sandbox.trigger("nightly", rarely(max_consecutive_failures=1))
    path = f"/triggers/{sandbox.namespace}/nightly"
    eventually(lambda: sandbox.status("nightly"))

    answer = editor.press(path, "pause")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?done=pause")
    assert "The trigger is paused." in editor.get(answer.headers["location"]).text
    eventually(lambda: sandbox.status("nightly").get("status") == "paused")
    refused = editor.press(path, "run")
    assert refused.status_code == 409
    assert "resume it first" in refused.text
    assert "Resume" in refused.text, "on the trigger's own page"
    assert editor.press(path, "resume").status_code == 303

    assert editor.press(path, "run").status_code == 303
    job = eventually(lambda: sandbox.jobs("nightly"))[0]["metadata"]["name"]
    eventually(lambda: sandbox.history("nightly"))
    busy = editor.press(path, "run")
    assert busy.status_code == 409
    assert job in busy.text
    kubelet.fail(job, "no column")
    eventually(lambda: sandbox.status("nightly").get("status") == "failed")
    assert "Reset failures" in editor.get(path).text
    assert editor.press(path, "reset").status_code == 303
    eventually(lambda: sandbox.status("nightly").get("status") == "active")
    assert sandbox.status("nightly")["consecutive_failures"] == 0


def test_actions_without_a_button(editor: Reader, viewer: Reader, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    path = f"/triggers/{sandbox.namespace}/nightly"
    csrf = editor.csrf(path)
    assert editor.post(f"{path}/delete", {"csrf": csrf}).status_code == 404
    assert editor.post(f"/triggers/{sandbox.namespace}/no-such/pause", {"csrf": csrf}).status_code == 404
    assert editor.post(f"{path}/pause", {"csrf": csrf, "more": "x" * 20_000}).status_code == 413
    assert editor.get(f"{path}/pause").status_code == 405

    import hashlib
    import hmac

    own = hmac.new(viewer.token.encode(), b"clustertrigger page: a form that this session was shown", hashlib.sha256)
    denied = viewer.post(f"{path}/pause", {"csrf": own.hexdigest()})
    assert denied.status_code == 403, "who may not change it is refused by the API server"
    assert "clustertriggers" in denied.text
    assert sandbox.get("nightly")["spec"]["status"] == "active"
