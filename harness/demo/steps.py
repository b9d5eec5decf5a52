"""The demo's steps, in order; each can be repeated on what an earlier demo left."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

from clustercontract.container import RESULTS_MOUNT
from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED
from harness.claim_files import ClaimFiles, claim_files
from harness.cluster.files import REPOSITORY
from harness.cluster.progress import say, stage
from harness.demo import closing
from harness.demo.awaited import Awaited, Run
from harness.demo.waiting import wait_for_runs
from harness.image import Images, build_images
from harness.installation import SYSTEM_NAMESPACE, LocalCluster, install_operator, operator_values
from harness.kubectl import Kubectl

NAMESPACE = "demo"
MANIFESTS = REPOSITORY / "examples/demo"
DATA = REPOSITORY / "examples/data/debian-packages.parquet"
REPORTS = REPOSITORY / ".demo"
VECTORS_CLAIM, RESULTS_CLAIM = "embeddings", "clustertrigger-results"
FEATURED = "nightly-topics"
"""The trigger that is run by hand, and whose clusters are shown."""
RUN_SECONDS = 240.0


class Demo:
    """One demo.

    Args:
        cluster: Where; default: the one of `make cluster-up`.
    """

    def __init__(self, cluster: LocalCluster | None = None) -> None:
        self._cluster = cluster or LocalCluster()
        self._kubectl = Kubectl(self._cluster.kubeconfig, NAMESPACE)
        self.way_out = "correct that and repeat `make demo`: it goes on from here"

    def run(self) -> None:
        """Run all steps.

        Raises:
            ClusterError: a step failed; one line that says what to do.
        """
        say("ClusterTrigger on a real cluster: 2 to 3 minutes, up to 20 the first time, when everything is built")
        say("1/6 Starting the cluster")
        self._cluster.up()
        images = self._provide_images()
        self._install(images)
        self._look_at(NAMESPACE)
        say("4/6 Copying the example data into a PersistentVolumeClaim")
        self._kubectl.ensure_namespace()
        self._kubectl("apply", f"--filename={MANIFESTS / 'volumes.yaml'}")
        with claim_files(self._kubectl, images.worker.name, [VECTORS_CLAIM, RESULTS_CLAIM]) as claims:
            claims.upload(VECTORS_CLAIM, {DATA.name: DATA})
            runs = self._fire()
            say("6/6 Copying the reports to this machine")
            self._fetch_results(claims, runs)
        closing.tell(self._kubectl, runs, featured=FEATURED, reports=REPORTS)

    def _provide_images(self) -> Images:
        say("2/6 Building the images of operator and worker, and loading them into the cluster")
        images = build_images()
        self._cluster.load(images.operator)
        self._cluster.load(images.worker)
        return images

    def _install(self, images: Images) -> None:
        self._look_at(SYSTEM_NAMESPACE)
        with stage("3/6 Installing the operator with Helm: two replicas, under the chart's own RBAC"):
            system = self._kubectl.in_namespace(SYSTEM_NAMESPACE)
            release = install_operator(system, operator_values(images))
        say(f"  release {release.name} in {SYSTEM_NAMESPACE}, revision {release.revision}: {release.status}")

    def _fire(self) -> dict[str, Run]:
        say(f"5/6 Applying examples/demo/ in the namespace {NAMESPACE}, and waiting for the runs")
        began = datetime.now(UTC).replace(microsecond=0)
        self._kubectl("apply", f"--filename={MANIFESTS}")
        token = f"demo-{began:%Y%m%d-%H%M%S}"
        request = f"{ANNOTATION_RUN_REQUESTED}={token}"
        say(f"  kubectl annotate clustertrigger {FEATURED} {request} --overwrite")
        self._kubectl("annotate", "clustertrigger", FEATURED, request, "--overwrite")
        awaited = [
            Awaited("right-away"),
            Awaited("missing-file", outcome="failed"),
            Awaited(FEATURED, request=token),
            Awaited("every-minute", since=began),
        ]
        return wait_for_runs(self._kubectl, awaited, RUN_SECONDS)

    def _fetch_results(self, claims: ClaimFiles, runs: dict[str, Run]) -> None:
        for run in runs.values():
            if run.status == "completed":
                target = REPORTS / run.trigger
                shutil.rmtree(target, ignore_errors=True)
                claims.download(RESULTS_CLAIM, run.results_uri.removeprefix(f"{RESULTS_MOUNT}/"), target)

    def _look_at(self, namespace: str) -> None:
        command = f"kubectl --kubeconfig {self._cluster.kubeconfig} --namespace {namespace} get pods,events"
        self.way_out = f"`{command}` may say more; then repeat `make demo`, which goes on from here"
