"""python -m harness.demo.pictures: takes README's pictures of the cluster that `make demo` has left.

The report is that of a run that is made for the picture, with a map by UMAP. The page shows the demo's triggers.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from clustercontract.container import RESULTS_MOUNT
from clustertrigger.api import API_VERSION
from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED
from harness.browser import OPTIONS, chromium
from harness.claim_files import claim_files
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY
from harness.cluster.progress import say
from harness.demo.awaited import Awaited
from harness.demo.steps import NAMESPACE, ON_DRIFT, REPORTS, RESULTS_CLAIM, VISITOR
from harness.demo.waiting import wait_for_runs
from harness.image import build_images
from harness.installation import RELEASE, SYSTEM_NAMESPACE, LocalCluster
from harness.kubectl import Kubectl

IMAGES = REPOSITORY / "docs/images"
NAME = "nightly"
"""The trigger in README."""
RUN_SECONDS = 240.0
_WIDTH, _HEIGHT = 1180, 1010
_PATIENCE = 60_000


def main() -> int:
    """Takes the pictures. Returns 1, after one line with the remedy, if that is not possible."""
    cluster = LocalCluster()
    try:
        if not cluster.exists():
            raise ClusterError("there is no cluster to take pictures of: `make demo` first")
        program = chromium()
        if program is None:
            raise ClusterError("there is no Chromium: run `python3 -m harness.browser prepare`")
        kubectl = Kubectl(cluster.kubeconfig, NAMESPACE)
        worker = build_images().worker
        cluster.load(worker)  # The code may have changed since the demo.
        report = _report(kubectl, worker.name)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
            _take(browser, "report", "light", lambda tab: _show_report(tab, report))
            system = kubectl.in_namespace(SYSTEM_NAMESPACE)
            with system.forwarded(f"service/{RELEASE}-api", 8082) as address:
                token = kubectl.token(VISITOR)
                _take(browser, "page-triggers", "light", lambda tab: _show_triggers(tab, address, token))
                _take(browser, "page-trigger", "dark", lambda tab: _show_trigger(tab, address, token))
            browser.close()
    except (ClusterError, OSError) as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 1
    return 0


def _report(kubectl: Kubectl, worker: str) -> Path:
    """Fetches the report of a run of README's trigger."""
    spec = {
        "trigger_type": "cron",
        "schedule_config": {"cron_expression": "0 2 * * *", "timezone": "Europe/Berlin"},
        "execution_config": {"collection_ids": ["col_packages"], "config": {"algorithm": "kmeans", "n_clusters": 12}},
        "run": {"report": {"map": "umap"}, "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}}},
    }
    token = f"pictures-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    metadata = {"name": NAME, "annotations": {ANNOTATION_RUN_REQUESTED: token}}
    kubectl.apply({"apiVersion": API_VERSION, "kind": "ClusterTrigger", "metadata": metadata, "spec": spec})
    run = wait_for_runs(kubectl, [Awaited(NAME, request=token)], RUN_SECONDS)[NAME]
    folder = REPORTS / NAME
    shutil.rmtree(folder, ignore_errors=True)
    with claim_files(kubectl, worker, [RESULTS_CLAIM]) as claims:
        claims.download(RESULTS_CLAIM, run.results_uri.removeprefix(f"{RESULTS_MOUNT}/"), folder)
    kubectl("delete", "clustertrigger", NAME)
    return folder / "report.html"


def _take(browser: Browser, name: str, theme: str, show: Callable[[Page], None]) -> None:
    tab = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme=theme)  # type: ignore[arg-type]
    show(tab)
    path = IMAGES / f"{name}.png"
    tab.screenshot(path=path)
    tab.close()
    say(f"  {path.relative_to(REPOSITORY)}, {path.stat().st_size // 1024} KiB")


def _show_report(tab: Page, report: Path) -> None:
    """Takes a picture of the map, with the pointer on a document of the largest cluster."""
    tab.goto(report.as_uri())
    tab.locator("#map g.level:not([hidden]) g[data-title^='0 '] circle").nth(100).hover(force=True)
    tab.wait_for_selector("#tip:not([hidden])", timeout=_PATIENCE)
    if (map_ := tab.locator("figure.map").bounding_box()) is not None:
        tab.set_viewport_size({"width": _WIDTH, "height": round(map_["y"] + map_["height"]) + 20})


def _sign_in(tab: Page, address: str, token: str) -> None:
    tab.goto(address)
    tab.get_by_label("Token", exact=True).fill(token)
    with tab.expect_navigation():
        tab.get_by_role("button", name="Sign in").click()


def _show_triggers(tab: Page, address: str, token: str) -> None:
    _sign_in(tab, address, token)
    tab.goto(f"{address}/?namespace={NAMESPACE}")
    tab.wait_for_selector("[data-live=on]", timeout=_PATIENCE)


def _show_trigger(tab: Page, address: str, token: str) -> None:
    """Takes a picture of the runs and the measurements of the trigger that drift has fired."""
    _sign_in(tab, address, token)
    tab.goto(f"{address}/triggers/{NAMESPACE}/{ON_DRIFT}")
    tab.wait_for_selector("[data-live=on]", timeout=_PATIENCE)
    top, bottom = (tab.locator(f"section[aria-labelledby={name}]").bounding_box() for name in ("runs", "drift"))
    if top is None or bottom is None:
        raise ClusterError(f"the page of {ON_DRIFT} shows no runs or no drift: `make demo` again")
    height = round(bottom["y"] + bottom["height"] - top["y"]) + 20
    tab.set_viewport_size({"width": _WIDTH, "height": height})
    tab.evaluate("window.scrollTo(0, document.getElementById('runs').closest('section').offsetTop - 10)")


if __name__ == "__main__":
    sys.exit(main())
