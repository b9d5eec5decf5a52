"""Builds the Pods of a run or check with Spark: its driver, which is its own Pod, and the template of the executors.

The driver creates the executors' Pods itself, with the token of the run's service account, which only the driver has.
The driver's Pod owns each executor, so deleting the run's Job deletes the executors too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clustercontract.engine import (
    EXECUTOR_CONTAINER,
    PLACEMENT_VARIABLE,
    POD_IP_VARIABLE,
    POD_NAME_VARIABLE,
    POD_NAMESPACE_VARIABLE,
    POD_UID_VARIABLE,
    Engine,
)
from clustertrigger.api.names import ANNOTATION_PLACEMENT, LABEL_MANAGED_BY, LABEL_ROLE, ROLE_EXECUTOR
from clustertrigger.api.run_policy import RunPolicy
from clustertrigger.core.actions.engine import engine_input
from clustertrigger.core.actions.work import RunDefaults, Work, Writes
from clustertrigger.core.jobs.cloud_tokens import token_variables
from clustertrigger.core.jobs.pods import (
    container_security,
    frame,
    pod_metadata,
    tolerations,
    volumes_and_mounts,
)

_IDENTITY = {
    POD_NAME_VARIABLE: "metadata.name",
    POD_NAMESPACE_VARIABLE: "metadata.namespace",
    POD_UID_VARIABLE: "metadata.uid",
    POD_IP_VARIABLE: "status.podIP",
    # It is known only after the Job has left its queue, when its Pod's environment cannot change any longer.
    PLACEMENT_VARIABLE: f"metadata.annotations['{ANNOTATION_PLACEMENT}']",
}


def engine(
    run: RunPolicy, work: Work, defaults: RunDefaults, own_labels: Mapping[str, str], writes: Writes
) -> tuple[RunDefaults, Engine | None]:
    """Returns the operator's settings with the image of the run's engine, and the run's executors; None if it has none.

    Args:
        run: how the trigger's Jobs are run.
        work: The objects that it refers to are mounted.
        defaults: what the operator adds to every run.
        own_labels: the operator's, of the driver's Pod.
        writes: What is mounted to write, in addition to the results.
    """
    if not run.engine.has_executors:
        return defaults, None
    if spark := defaults.spark:
        defaults = replace(
            defaults, image=spark.name, image_pull_policy=spark.pull_policy, image_pull_secrets=spark.pull_secrets
        )
    return defaults, engine_input(run, defaults.image, _template(run, work, defaults, own_labels, writes))


def driver(pod: dict[str, Any]) -> dict[str, Any]:
    """Returns the spec of a run's Pod, as that of the driver of executors."""
    (worker,) = pod["containers"]
    identity = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in _IDENTITY.items()
    ]
    return {
        **pod,
        "automountServiceAccountToken": True,
        "containers": [{**worker, "env": [*worker["env"], *identity]}],
    }


def _template(
    run: RunPolicy, work: Work, defaults: RunDefaults, own_labels: Mapping[str, str], writes: Writes
) -> dict[str, Any]:
    executor = run.engine.executor
    volumes, mounts = volumes_and_mounts(run, work, defaults, writes)
    # Without the label by which the operator watches the Pods of Jobs: executors come and go without its doing.
    labels = {name: value for name, value in own_labels.items() if name != LABEL_MANAGED_BY}
    labels[LABEL_ROLE] = ROLE_EXECUTOR
    spec = frame(run, defaults, spread=labels)
    if executor is not None and executor.node_selector is not None:
        spec["nodeSelector"] = dict(executor.node_selector)
    if executor is not None and executor.tolerations is not None:
        spec["tolerations"] = tolerations(executor.tolerations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": pod_metadata(run, labels),
        "spec": {
            **spec,
            "volumes": volumes,
            "containers": [
                {
                    "name": EXECUTOR_CONTAINER,
                    "imagePullPolicy": defaults.image_pull_policy,
                    "env": token_variables(run.cloud_identity),
                    "securityContext": container_security(),
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "volumeMounts": mounts,
                }
            ],
        },
    }
