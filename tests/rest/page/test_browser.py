"""Tests of the page in a real Chromium: it updates, can be used by keyboard, and is accessible."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from harness.browser import OPTIONS, chromium
from harness.control_plane.api_process import ApiProcess
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import eventually
from harness.control_plane.kubelet import Kubelet
from harness.control_plane.manifests import conditional, cron, events, interval, rarely
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import take_role, token_of
from tests.cli.test_results import result
from tests.cli.test_watch import fire
from tests.rest.callers import UNIFIED, Caller, every, unified
from tests.rest.page.exec_node import ExecNode
from tests.rest.page.test_report import claimed, completed, may_read_reports

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 60_000
"""Milliseconds."""
expect.set_options(timeout=PATIENCE)
_NOON_OR_ONE = re.compile("1[23]:00:00")
"""The time in New York at two o'clock in Tokyo, in winter and in summer."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium: `python3 -m harness.browser prepare` installs Debian's")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield started
        started.close()


class Tab:
    """A tab of a signed-in user.

    Args:
        context: Context of the browser.
        url: URL of the page.
        token: Token of the reader.
    """

    def __init__(self, context: BrowserContext, url: str, token: str) -> None:
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = url
        self.page.goto(f"{url}/sign-in")
        self.page.get_by_label("Token", exact=True).fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/?namespace=*")

    def open(self, path: str) -> None:
        """Loads a page, and marks it as loaded."""
        self.page.goto(self.url + path)
        self.page.evaluate("window.loaded = true")

    @property
    def was_not_reloaded(self) -> bool:
        """Returns whether this is still the page that `open` loaded."""
        return bool(self.page.evaluate("window.loaded === true"))

    def is_live(self) -> None:
        """Waits until the page receives changes."""
        self.page.wait_for_selector("[data-live=on]")

    def shows(self, text: str) -> None:
        """Waits for a text."""
        expect(self.page.locator("main")).to_contain_text(text)


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return token_of(sandbox.kube, sandbox.namespace, "editor", role="clustertrigger-editor")


@pytest.fixture
def tab(browser: Browser, shared_service: ApiProcess, token: str) -> Iterator[Tab]:
    context = browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="America/New_York")  # type: ignore[arg-type]
    tab = Tab(context, shared_service.url, token)
    yield tab
    context.close()
    assert tab.complaints == []


def test_created_by_api_fires_is_paused_and_fails(
    tab: Tab, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet, shared_service: ApiProcess, token: str
) -> None:
    operator()
    tab.open(f"/?namespace={sandbox.namespace}")
    tab.is_live()
    tab.shows("0 triggers")
    with Caller(shared_service.url, sandbox.namespace, token) as caller:
        caller.create(unified(every(3, description="Every few seconds")), UNIFIED)
        name = "every-few-seconds"
        sandbox.edit(name, {"run": {"retries": 0}})
        tab.shows(name)
        tab.shows("running")
        assert tab.was_not_reloaded

        tab.page.get_by_role("rowheader").get_by_role("link", name=name).click()
        tab.page.evaluate("window.loaded = true")
        tab.is_live()
        first = eventually(lambda: sandbox.jobs(name))[0]["metadata"]["name"]
        kubelet.complete(first, result("perl"))
        tab.shows("4 clusters of 2,000 documents")
        tab.shows("librust-http-dev HTTP for Rust")
        second = eventually(lambda: [job for job in sandbox.jobs(name) if job["metadata"]["name"] != first])[0]
        assert tab.was_not_reloaded

        tab.page.get_by_role("button", name="Pause").click()
        tab.shows("The trigger is paused.")
        caller.wait_until(f"{UNIFIED}/{name}", status="paused")
        assert sandbox.get(name)["spec"]["status"] == "paused"
        tab.page.evaluate("window.loaded = true")
        tab.is_live()
        kubelet.fail(second["metadata"]["name"], '{"status": "failed", "error": "no column \'vector\'"}', exit_code=2)
        tab.shows("The last run failed")
        tab.shows("no column 'vector'")
        tab.shows("The trigger does not fire: it is paused.")
        expect(tab.page.get_by_role("button", name="Resume")).to_be_visible()
        assert tab.was_not_reloaded


def test_updates_keep_the_focus_and_open_sections(tab: Tab, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", rarely())
    tab.open(f"/triggers/{sandbox.namespace}/nightly")
    tab.is_live()
    page = tab.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in ("Triggers", sandbox.namespace, "Run now", "Pause"):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    page.locator("#object summary").click()
    page.get_by_role("button", name="Pause").focus()
    sandbox.edit("nightly", {"description": "Changed meanwhile"})
    tab.shows("Changed meanwhile")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    expect(page.locator("#object pre")).to_contain_text("description: Changed meanwhile")
    expect(page.locator("#object pre")).to_be_visible()
    page.keyboard.press("Enter")
    tab.shows("The trigger is paused.")


def test_times_are_shown_in_the_reader_s_zone_too(tab: Tab, sandbox: Sandbox, operator: StartOperator) -> None:
    operator()
    sandbox.trigger("nightly", cron("0 2 * * *", "Asia/Tokyo"))
    tab.open(f"/triggers/{sandbox.namespace}/nightly")
    tab.shows("Your time (America/New_York)")
    row = tab.page.locator("section", has=tab.page.locator("#next")).locator("tbody tr").first
    expect(row).to_contain_text("02:00:00 JST")
    expect(row).to_contain_text(_NOON_OR_ONE)
    tab.is_live()
    sandbox.edit("nightly", {"description": "Changed meanwhile"})
    tab.shows("Changed meanwhile")
    expect(row).to_contain_text(_NOON_OR_ONE)


def test_filters(tab: Tab, sandbox: Sandbox) -> None:
    sandbox.trigger("nightly", cron("0 2 * * *"))
    sandbox.trigger("hourly", interval(3600))
    tab.open(f"/?namespace={sandbox.namespace}")
    tab.shows("2 triggers")
    tab.page.get_by_label("Type").select_option("cron")
    tab.page.get_by_role("button", name="Filter").click()
    tab.shows("1 trigger:")
    assert tab.was_not_reloaded
    assert "type=cron" in tab.page.url
    tab.is_live()
    sandbox.trigger("weekly", cron("0 2 * * 0"))
    tab.shows("weekly")
    expect(tab.page.locator("table")).not_to_contain_text("hourly")
    tab.page.go_back()
    tab.shows("hourly")


def test_a_report_is_isolated_from_the_page(
    tab: Tab, sandbox: Sandbox, operator: StartOperator, kubelet: Kubelet, tmp_path: Path
) -> None:
    """The report's own script runs; it cannot reach the page around it, its cookie and the network."""
    operator()
    claimed(sandbox)
    may_read_reports(sandbox, "editor")
    tries = {
        "script": "'runs'",
        "cookie": "document.cookie",
        "around": "parent.document.title",
        "storage": "localStorage.length",
    }
    script = "".join(
        f"try {{ document.getElementById('{name}').textContent = {what} }} "
        f"catch (error) {{ document.getElementById('{name}').textContent = error.name }};"
        for name, what in tries.items()
    )
    script += "fetch('/v1/triggers').then(() => 'answered', () => 'refused').then(said => net.textContent = said);"
    places = "".join(f"<p id={name}></p>" for name in (*tries, "net"))
    (tmp_path / "report.html").write_text(f"<!doctype html><title>r</title>{places}<script>{script}</script>")
    with ExecNode(sandbox.kube, sandbox.namespace, tmp_path) as node:
        tab.open(completed(sandbox, kubelet, tmp_path))
        tab.page.get_by_role("button", name="Open the report").click()
        frame = tab.page.frame_locator("iframe[name=report]")
        expect(frame.locator("#script")).to_have_text("runs", timeout=2 * PATIENCE)
        for name in ("cookie", "around", "storage"):
            expect(frame.locator(f"#{name}")).to_have_text("SecurityError")
        expect(frame.locator("#net")).to_have_text("refused")
        assert tab.was_not_reloaded
        assert len(node.programs) == 1
    # What the report has tried is said in the console.
    assert all("report" in said or "sandbox" in said or "Content Security Policy" in said for said in tab.complaints)
    tab.complaints.clear()


def test_the_documentation_of_the_api(tab: Tab) -> None:
    """Swagger UI works under its policy: the console would report what the policy forbids."""
    tab.open("/docs")
    operation = tab.page.locator(".opblock-summary").first
    expect(operation).to_be_visible()
    operation.click()
    expect(tab.page.locator(".opblock-body").first).to_be_visible()


def test_a_lost_connection_is_shown(
    browser: Browser, sandbox: Sandbox, token: str, start_service: Callable[..., ApiProcess]
) -> None:
    sandbox.trigger("nightly", rarely())
    service = start_service()
    context = browser.new_context()
    tab = Tab(context, service.url, token)
    tab.open(f"/triggers/{sandbox.namespace}/nightly")
    tab.is_live()
    assert service.stop() == 0
    expect(tab.page.locator("[data-live=off]")).to_contain_text("trying again", timeout=PATIENCE)
    assert tab.was_not_reloaded
    context.close()


def test_updates_end_with_the_reader_s_rights(
    browser: Browser, shared_service: ApiProcess, sandbox: Sandbox, token: str
) -> None:
    sandbox.trigger("nightly", rarely())
    context = browser.new_context()
    tab = Tab(context, shared_service.url, token)
    tab.open(f"/triggers/{sandbox.namespace}/nightly")
    tab.is_live()
    take_role(sandbox.kube, sandbox.namespace, "editor")
    sandbox.edit("nightly", {"description": "secret"})
    tab.shows("Not allowed")
    expect(tab.page.locator("main")).not_to_contain_text("secret")
    context.close()


def test_the_page_works_without_scripts(
    browser: Browser, shared_service: ApiProcess, sandbox: Sandbox, token: str
) -> None:
    sandbox.trigger("nightly", cron("0 2 * * *", "Asia/Tokyo"))
    context = browser.new_context(java_script_enabled=False)
    tab = Tab(context, shared_service.url, token)
    expect(tab.page.locator("table")).to_contain_text("nightly")
    expect(tab.page.locator("[data-live]")).to_be_hidden()
    tab.page.get_by_role("rowheader").get_by_role("link", name="nightly").click()
    tab.shows("02:00:00 JST")
    tab.page.locator("#object summary").click()
    expect(tab.page.locator("#object pre")).to_contain_text("cron_expression: 0 2 * * *")
    tab.page.get_by_role("button", name="Pause").click()
    tab.shows("The trigger is paused.")
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.wait_for_url("**/sign-in")
    context.close()


def test_the_page_is_accessible(
    browser: Browser,
    shared_service: ApiProcess,
    sandbox: Sandbox,
    token: str,
    operator: StartOperator,
    kubelet: Kubelet,
) -> None:
    """axe finds no problem in both themes, and no element is wider than a phone."""
    operator()
    sandbox.trigger("nightly", cron("0 2 * * *", "Europe/Berlin"))
    sandbox.trigger("every-minute", interval(60, status="paused"))
    sandbox.trigger("counting", events(100, cooldown=300))
    sandbox.trigger("drifting", conditional(3600))
    kubelet.complete(fire(sandbox, "nightly", "a"), result("perl"))
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "completed")
    kubelet.fail(fire(sandbox, "nightly", "b"), '{"status": "failed", "error": "' + "x" * 300 + '"}', exit_code=2)
    eventually(lambda: sandbox.history("nightly")[0]["status"] == "failed")
    one = f"/triggers/{sandbox.namespace}"
    pages = ["/sign-in", f"/?namespace={sandbox.namespace}", f"/?namespace={sandbox.namespace}&state=failed",
             f"{one}/nightly", f"{one}/counting", f"{one}/drifting", f"{one}/no-such",
             "/?namespace=default"]  # fmt: skip
    found = []
    for theme in ("light", "dark"):
        for size in (WIDE, PHONE):
            context = browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
            tab = Tab(context, shared_service.url, token)
            for path in pages:
                tab.open(path)
                judged = Axe().run(tab.page).response
                assert judged["passes"], "it has looked"
                found += [(theme, path, wrong["id"], wrong["nodes"][0]["html"]) for wrong in judged["violations"]]
                if tab.page.evaluate("document.documentElement.scrollWidth") > size["width"]:
                    found.append((theme, path, "wider than", str(size["width"])))
                _picture(tab.page, f"{path.partition('?')[0].rpartition('/')[2] or 'list'}-{theme}-{size['width']}")
            context.close()
    assert found == []


def _picture(page: Page, name: str) -> None:
    """Writes pictures into the folder PAGE_PICTURES, if it is set, for people."""
    if folder := os.environ.get("PAGE_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
