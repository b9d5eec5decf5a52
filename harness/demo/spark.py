"""python -m harness.demo.spark: runs examples/beyond-one-machine.yaml in the cluster of `make demo`, by executors."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import yaml

from clustertrigger.api.names import LABEL_ROLE, LABEL_TRIGGER, ROLE_EXECUTOR
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY
from harness.cluster.progress import say, stage
from harness.demo.closing import environment
from harness.demo.plugin import Plugin
from harness.demo.release import values_of_demo
from harness.demo.steps import NAMESPACE, VECTORS_CLAIM
from harness.image import build_image, build_images
from harness.image.plan import SPARK
from harness.installation import SYSTEM_NAMESPACE, LocalCluster, install_operator
from harness.kubectl import Kubectl

EXAMPLE = REPOSITORY / "examples/beyond-one-machine.yaml"
TRIGGER = "beyond-one-machine"
_POLL_SECONDS = 0.5


def main() -> int:
    """Runs the example. Returns 1, after one line with the remedy, if that is not possible."""
    cluster = LocalCluster()
    kubectl = Kubectl(cluster.kubeconfig, NAMESPACE)
    plugin = Plugin(kubectl)
    try:
        if not cluster.exists() or kubectl.find("persistentvolumeclaim", VECTORS_CLAIM) is None:
            raise ClusterError("the demo's documents are not in a cluster: `make demo` first")
        say("Spark in the demo's cluster: 2 minutes, up to 10 the first time, when the image is built")
        enable(cluster)
        say(f"3/3 {EXAMPLE.relative_to(REPOSITORY)}: the run's Pod is the driver, and creates the executors")
        say(f"  $ kubectl apply -n {NAMESPACE} -f {EXAMPLE.relative_to(REPOSITORY)}")
        for line in kubectl("apply", f"--filename={EXAMPLE}").splitlines():
            say(f"    {line}")
        show_run(kubectl, plugin)
        print(_closing(kubectl, plugin))
    except (ClusterError, OSError) as error:
        print(f"demo-spark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo-spark: interrupted; `make demo-spark` repeats everything", file=sys.stderr)
        return 130
    return 0


def enable(cluster: LocalCluster) -> None:
    """Does what an administrator does: loads the image with Java and Spark, and sets the chart's value spark.enabled.

    Raises:
        ClusterError: the image cannot be built, or Helm fails.
    """
    say("1/3 Building the image with Java and Spark, and loading it into the cluster")
    images, spark = build_images(), build_image(SPARK)
    for image in (images.operator, images.worker, spark):
        cluster.load(image)
    with stage("2/3 Upgrading the operator with Helm: spark.enabled=true"):
        install_operator(Kubectl(cluster.kubeconfig, SYSTEM_NAMESPACE), values_of_demo(images, spark))


def show_run(kubectl: Kubectl, plugin: Plugin) -> None:
    """Runs the example's trigger, and shows its progress and its executors.

    Args:
        kubectl: Its namespace has the trigger.
        plugin: `kubectl clustertrigger` in the same namespace.

    Raises:
        ClusterError: the run failed, or had fewer executors than the example asks for.
    """
    words = ("run", TRIGGER, "--wait")
    say(f"  $ {plugin.typed(*words)}")
    over = threading.Event()
    with ThreadPoolExecutor(1) as background:
        shown = background.submit(_show_executors, kubectl, _wanted(), over)
        try:
            for line in plugin.follow(*words):
                say(f"    {line}")
        finally:
            over.set()
    if not shown.result():
        raise ClusterError(f"{_wanted()} executors were never running at the same time")


def _wanted() -> int:
    """Returns the number of executors in the example."""
    *_, trigger = yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8"))
    return int(trigger["spec"]["run"]["engine"]["executors"])


def _show_executors(kubectl: Kubectl, wanted: int, over: threading.Event) -> bool:
    """Waits until executors run, and prints their Pods. Returns False if the run is over before."""
    labels = f"{LABEL_TRIGGER}={TRIGGER},{LABEL_ROLE}={ROLE_EXECUTOR}"
    while not over.wait(_POLL_SECONDS):
        pods = kubectl("get", "pods", f"--selector={labels}").splitlines()
        if sum(" Running " in pod for pod in pods) >= wanted:
            say(f"  $ kubectl get pods -n {kubectl.namespace} -l {labels}")
            for pod in pods:
                say(f"    {pod}")
            return True
    return False


def _closing(kubectl: Kubectl, plugin: Plugin) -> str:
    newest = kubectl.json("get", "clustertrigger", TRIGGER)["status"]["history"][0]
    notes = "\n".join(f"  {note}" for note in newest.get("notes", ()))
    return f"""
$ {plugin.typed("results", TRIGGER)}
{plugin("results", TRIGGER)}
Notes of the run
{notes}

The trigger stays, and the operator allows Spark until `make cluster-down`. To try next:
  {environment(kubectl)}
  {plugin.typed("describe", TRIGGER)}
  {plugin.typed("report", TRIGGER)}"""


if __name__ == "__main__":
    sys.exit(main())
