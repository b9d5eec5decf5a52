"""Defines the demo's steps, in order. Each can be repeated after an earlier demo."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from clustercontract.container import RESULTS_MOUNT
from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED
from harness.claim_files import ClaimFiles, claim_files
from harness.cluster.files import REPOSITORY
from harness.cluster.progress import say, stage
from harness.demo import closing, documents
from harness.demo.awaited import Awaited, Run
from harness.demo.plugin import Plugin
from harness.demo.release import values_of_next_demo
from harness.demo.waiting import wait_for_runs
from harness.helm import Values
from harness.image import Image, Images, build_image, build_images
from harness.image.plan import SPARK
from harness.installation import RELEASE, SYSTEM_NAMESPACE, LocalCluster, editor, install_operator
from harness.kubectl import Kubectl

NAMESPACE = "demo"
MANIFESTS = REPOSITORY / "examples/demo"
DATA = REPOSITORY / "examples/data/debian-packages.parquet"
SECTIONS = REPOSITORY / "examples/data/debian-sections.parquet"
REPORTS = REPOSITORY / ".demo"
VECTORS_CLAIM, RESULTS_CLAIM = "embeddings", "clustertrigger-results"
NIGHTLY, ON_EVENT, ON_DRIFT, BY_SECTION, FAILING = (
    "nightly-topics",
    "on-new-documents",
    "on-drift",
    "packages-by-section",
    "missing-file",
)
SENDER = "clustertrigger-sender"
"""The account that `kubectl clustertrigger send` uses if the kubeconfig has a client certificate."""
RUN_SECONDS = 240.0
VISITOR = "visitor"
"""The service account whose token signs in to the page."""


class Demo:
    """One demo.

    Args:
        cluster: The cluster. Default: that of `make cluster-up`.
    """

    def __init__(self, cluster: LocalCluster | None = None) -> None:
        self._cluster = cluster or LocalCluster()
        self._kubectl = Kubectl(self._cluster.kubeconfig, NAMESPACE)
        self._plugin = Plugin(self._kubectl)
        self.remedy = "correct that and repeat `make demo`: it continues from here"

    def run(self) -> None:
        """Runs all steps.

        Raises:
            ClusterError: a step failed; one line that says what to do.
        """
        say("ClusterTrigger on a real cluster: 3 to 4 minutes, up to 20 the first time, when everything is built")
        say("1/6 Starting the cluster")
        self._cluster.up()
        images = self._provide_images()
        values = values_of_next_demo(self._kubectl.in_namespace(SYSTEM_NAMESPACE), images, self._provide_spark)
        with ThreadPoolExecutor(1) as background:
            # Helm mostly waits for Pods, so the documents are copied at the same time.
            installed = background.submit(self._install, values)
            self._look_at(NAMESPACE)
            self._kubectl.ensure_namespace()
            self._kubectl("apply", f"--filename={MANIFESTS / 'volumes.yaml'}")
            with claim_files(self._kubectl, images.worker.name, [VECTORS_CLAIM, RESULTS_CLAIM]) as claims:
                claims.upload(VECTORS_CLAIM, {DATA.name: documents.before(DATA), SECTIONS.name: SECTIONS})
                self._look_at(SYSTEM_NAMESPACE)
                installed.result()
                self._look_at(NAMESPACE)
                first = self._fire_all()
                second = self._swap(claims)
                say("  Copying the reports to this machine")
                self._fetch(claims, first[ON_DRIFT], REPORTS / f"{ON_DRIFT}-before")
                for run in (first[NIGHTLY], first[ON_EVENT], *second.values()):
                    self._fetch(claims, run, REPORTS / run.trigger)
        closing.print_outcome(
            self._kubectl, self._plugin, {**first, **second}, drifted=ON_DRIFT, enriched=BY_SECTION, reports=REPORTS
        )
        closing.print_page_address(self._kubectl, account=VISITOR)

    def _provide_images(self) -> Images:
        say("2/6 Building the images of operator and worker, and loading them into the cluster")
        images = build_images()
        self._cluster.load(images.operator)
        self._cluster.load(images.worker)
        return images

    def _provide_spark(self) -> Image:
        say("  The image with Java and Spark, because `make demo-spark` has enabled Spark in this cluster")
        image = build_image(SPARK)
        self._cluster.load(image)
        return image

    def _install(self, values: Values) -> None:
        with stage("3/6 Installing the operator with Helm: two replicas, under the chart's own RBAC"):
            system = self._kubectl.in_namespace(SYSTEM_NAMESPACE)
            release = install_operator(system, values)
        say(f"  release {release.name} in {SYSTEM_NAMESPACE}, revision {release.revision}: {release.status}")

    def _fire_all(self) -> dict[str, Run]:
        """Waits for a run of each trigger except the paused one: by request, by an event, by its schedule."""
        say("4/6 Monday: packages of Debian, embedded, in a PersistentVolumeClaim; the triggers of examples/demo/")
        self._kubectl.apply(*editor(VISITOR, NAMESPACE))
        self._kubectl("apply", f"--filename={MANIFESTS}")
        self._allow_sending()
        requested = [self._request(name) for name in (NIGHTLY, ON_DRIFT, BY_SECTION)]
        sent = datetime.now(UTC).replace(microsecond=0)
        self._type("send", "--type", "documents_added", "--collection", "col_packages", "--count", "100")
        awaited = [*requested, Awaited(ON_EVENT, since=sent), Awaited(FAILING, outcome="failed")]
        return wait_for_runs(self._kubectl, awaited, RUN_SECONDS)

    def _swap(self, claims: ClaimFiles) -> dict[str, Run]:
        """Replaces the data, and waits for a check, its run, and the enrichment."""
        say("5/6 Tuesday: 713 packages for desktops are removed, 1,042 of programming languages are added")
        swapped = datetime.now(UTC).replace(microsecond=0)
        claims.upload(VECTORS_CLAIM, {DATA.name: documents.after(DATA)})
        say(f"6/6 {ON_DRIFT} is checked every 30 seconds: the next check measures the drift, and fires")
        return wait_for_runs(self._kubectl, [Awaited(ON_DRIFT, since=swapped), self._request(BY_SECTION)], RUN_SECONDS)

    def _request(self, trigger: str) -> Awaited:
        token = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        request = f"{ANNOTATION_RUN_REQUESTED}={token}"
        say(f"  $ kubectl annotate clustertrigger {trigger} {request} --overwrite -n {NAMESPACE}")
        self._kubectl("annotate", "clustertrigger", trigger, request, "--overwrite")
        return Awaited(trigger, request=token)

    def _allow_sending(self) -> None:
        """Creates the sender that `kubectl clustertrigger send` suggests, once."""
        if self._kubectl.find("serviceaccount", SENDER) is None:
            self._kubectl("create", "serviceaccount", SENDER)
        if self._kubectl.find("rolebinding", SENDER) is None:
            account = f"--serviceaccount={NAMESPACE}:{SENDER}"
            self._kubectl("create", "rolebinding", SENDER, f"--clusterrole={RELEASE}-event-sender", account)

    def _type(self, *words: str) -> None:
        say(f"  $ {self._plugin.typed(*words)}")
        for line in self._plugin(*words).splitlines():
            say(f"    {line}")

    def _fetch(self, claims: ClaimFiles, run: Run, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        claims.download(RESULTS_CLAIM, run.results_uri.removeprefix(f"{RESULTS_MOUNT}/"), target)

    def _look_at(self, namespace: str) -> None:
        command = f"kubectl --kubeconfig {self._cluster.kubeconfig} --namespace {namespace} get pods,events"
        self.remedy = f"`{command}` may say more; then repeat `make demo`, which continues from here"
