"""Story of the page: a browser shows the progress of runs, and its buttons have the same effect as kubectl."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from e2e.stories.conftest import VALUES, Stage
from e2e.stories.scene import Scene
from e2e.stories.triggers import by_interval
from harness.browser import OPTIONS, chromium
from harness.helm import find_helm
from harness.installation import RELEASE, SYSTEM_NAMESPACE, editor, operator_values
from harness.kubectl import Manifest

READER = "reader"
"""Service account of the person."""
_PATIENCE = 180_000
"""Maximum number of milliseconds until a run ends, on two busy cores."""
expect.set_options(timeout=_PATIENCE)


@pytest.fixture(scope="module")
def page(stage_set: Stage) -> Iterator[Page]:
    """A tab of a real browser with the token of a user who may edit in the stories' namespace."""
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium: `python3 -m harness.browser prepare` installs Debian's")
    scene = stage_set.scene
    helm = find_helm(scene.kubectl.kubeconfig, SYSTEM_NAMESPACE)
    try:
        helm.upgrade(RELEASE, operator_values(stage_set.images, {**VALUES, "api": {"enabled": True, "replicas": 1}}))
        forwarded = scene.system.forwarded(f"service/{RELEASE}-api", 8082)
        with forwarded as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
            tab = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
            tab.set_default_timeout(_PATIENCE)
            tab.goto(address)
            tab.get_by_label("Token", exact=True).fill(_token(scene))
            tab.get_by_role("button", name="Sign in").click()
            yield tab
            browser.close()
    finally:
        helm.upgrade(RELEASE, operator_values(stage_set.images, VALUES))


def test_seen_run_and_paused_in_a_browser(scene: Scene, page: Page) -> None:
    main = page.locator("main")
    page.wait_for_selector("[data-live=on]")
    page.evaluate("window.loaded = true")
    name = "seen-in-a-browser"
    scene.kubectl.apply(by_interval(name))
    expect(main).to_contain_text(name)
    assert page.evaluate("window.loaded"), "the table has moved by itself"

    page.get_by_role("rowheader").get_by_role("link", name=name).click()
    page.wait_for_selector("[data-live=on]")
    page.get_by_role("button", name="Run now").click()
    expect(main).to_contain_text("A run was requested.")
    page.evaluate("window.loaded = true")
    ended = scene.run_ended(name)
    assert ended["status"] == "completed", ended
    expect(main).to_contain_text(f"{ended['num_clusters']} clusters of {ended['num_documents']:,} documents")
    largest = scene.status(name)["last_result"]["clusters"][0]
    expect(main).to_contain_text(largest["name"])
    # The legend of the bars always contains the word.
    expect(main.locator(":not(.key):text-is('running')")).to_have_count(0)
    assert page.evaluate("window.loaded"), "the run's end was shown without loading the page again"
    _picture(page, "trigger")

    page.get_by_role("button", name="Pause").click()
    expect(main).to_contain_text("The trigger is paused.")
    scene.eventually(lambda: scene.column(name, "STATUS") == "paused", f"{name}: paused", name)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_report_is_read_in_a_browser(scene: Scene, page: Page) -> None:
    """A Pod with the reader's rights reads the report, and is deleted afterwards."""
    name = "seen-in-a-browser"
    ended = scene.run_ended(name)
    run = f"{page.url.partition('/triggers')[0]}/triggers/{scene.kubectl.namespace}/{name}/runs/{ended['job_id']}"
    page.goto(run)
    expect(page.locator("main")).to_contain_text("you need the rights to create and delete Pods")
    scene.kubectl.apply(*_may_read_reports(scene.kubectl.namespace))

    def may_open() -> bool:
        page.reload()
        return page.get_by_role("button", name="Open the report").is_visible()

    scene.eventually(may_open, "the right to read reports counts", name)
    page.get_by_role("button", name="Open the report").click()
    report = page.frame_locator("iframe[name=report]")
    expect(report.locator("body")).to_contain_text(ended["job_id"])
    expect(report.locator("body")).to_contain_text(scene.status(name)["last_result"]["clusters"][0]["name"])
    _picture(page, "report")
    readers = [pod for pod in scene.kubectl.items("pods") if "report" in pod["metadata"]["name"]]
    assert all("deletionTimestamp" in pod["metadata"] for pod in readers), readers


def test_why_a_run_failed_is_seen_in_a_browser(scene: Scene, page: Page) -> None:
    failed = next(
        trigger for trigger in scene.kubectl.items("clustertriggers")
        if (trigger.get("status") or {}).get("last_execution_status") == "failed"
    )  # fmt: skip
    name, status = failed["metadata"]["name"], failed["status"]
    page.goto(f"{page.url.partition('/triggers')[0]}/triggers/{scene.kubectl.namespace}/{name}")
    expect(page.locator("main")).to_contain_text("The last run failed")
    expect(page.locator(".error")).to_have_text(status["last_execution_error"])
    expect(page.locator("main")).to_contain_text(f"kubectl clustertrigger logs {name}")
    page.get_by_role("link", name="Triggers", exact=True).click()
    page.wait_for_url("**/?namespace=*")
    page.wait_for_selector("[data-live=on]")
    _picture(page, "triggers")


def _token(scene: Scene) -> str:
    scene.kubectl.apply(*editor(READER, scene.kubectl.namespace))
    return scene.kubectl.token(READER)


def _may_read_reports(namespace: str) -> list[Manifest]:
    """Return the rights of a reader of reports according to docs/reference/page.md."""
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "delete"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
    ]
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reports"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reports"},
        "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": namespace}],
    }
    return [{"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "reports"}, "rules": rules}, binding]


def _picture(page: Page, name: str) -> None:
    """Save screenshots in both themes, if PAGE_PICTURES names a folder."""
    if folder := os.environ.get("PAGE_PICTURES"):
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=Path(folder) / f"{name}-{theme}.png", full_page=True)
