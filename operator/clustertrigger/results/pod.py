"""Builds the short-lived Pod that reads a run's results: it mounts the claim read-only, or reads the bucket."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clustercontract.container import RESULTS_MOUNT, SECRETS_MOUNT
from clustertrigger.api.names import LABEL_ROLE, LABEL_TRIGGER, WORKER_CONTAINER
from clustertrigger.api.status import Execution
from clustertrigger.core.actions.work import RunDefaults, claim_of, distinct, why_out_of_reach
from clustertrigger.core.jobs.naming import generated_name
from clustertrigger.core.jobs.pods import container_security, pod_security
from clustertrigger.results import reader

REPORT = "report.html"
STARTUP = 120
"""Maximum number of seconds until the Pod starts."""
MISSING = 3
"""Exit code of the program if the file does not exist."""
_ROLE = "report"
_LIFETIME = 300
"""Seconds after which the Pod ends by itself if it is not deleted."""
_DEFAULTS = RunDefaults(image="")


@dataclass(frozen=True)
class Place:
    """A file of a run's results, and the settings of a Pod that can read it.

    Attributes:
        uri: Absolute path below RESULTS_MOUNT, or s3://bucket/key.
        claim: PersistentVolumeClaim that is mounted there; None for a bucket.
        secret: Secret with the bucket's keys; None for anonymous access.
        endpoint: URL of an S3-compatible server.
        region: Region of the bucket.
        image: The worker's image.
        image_pull_policy: Pull policy of the image.
        image_pull_secrets: Names of Secrets that pull the image.
        node_selector: Node selector of the run.
        tolerations: Tolerations of the run.
        affinity: Affinity of the run; a ReadWriteOnce claim may have its run's node chosen by it.
        runtime_class_name: RuntimeClass of the run.
        labels: Labels that the trigger sets on its Pods.
        annotations: Annotations that the trigger sets on its Pods, such as one against a sidecar.
    """

    uri: str
    claim: str | None = None
    secret: str | None = None
    endpoint: str | None = None
    region: str | None = None
    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] | None = None
    runtime_class_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def program(self) -> list[str]:
        """Returns the command that writes the file to standard output, compressed, in the Pod."""
        secret = f"{SECRETS_MOUNT}/{self.secret}" if self.secret else None
        place = {"uri": self.uri, "secret": secret, "endpoint": self.endpoint, "region": self.region}
        return ["python", "-c", inspect.getsource(reader), json.dumps(place)]


def place_of(
    trigger: Mapping[str, Any],
    run: Execution,
    jobs: Sequence[Mapping[str, Any]],
    *,
    claim: str | None,
    image: str,
    file: str = REPORT,
) -> Place:
    """Returns where a file of a run's results is, and the settings of a Pod that can read it.

    Args:
        trigger: The run's trigger.
        run: A run that wrote results.
        jobs: Jobs of the operator in the namespace. If the run's own Job still exists, it determines the claim.
        claim: Claim that the user has set; it takes precedence.
        image: Image of the Pod.
        file: Path of the file in the run's folder.

    Raises:
        LookupError: it is not known how to reach it.
    """
    policy = trigger["spec"].get("run") or {}
    results = policy.get("results") or {}
    if why := why_out_of_reach(run.job_id, str(run.results_uri), results.get("uri")):
        raise LookupError(why)
    uri = f"{str(run.results_uri).rstrip('/')}/{file}"
    in_bucket = uri.startswith("s3://")
    own = next((job for job in jobs if job["metadata"]["name"] == run.job_id), None)
    mounted = _results_claim(_pod_of(own)) if own else None
    template = _pod_of(own or (jobs[-1] if jobs else None))
    pull_secrets = [*(template.get("imagePullSecrets") or ()), *(policy.get("image_pull_secrets") or ())]
    claim = claim or mounted or claim_of(run) or results.get("volume") or _DEFAULTS.results_volume
    return Place(
        uri=uri,
        claim=None if in_bucket else claim,
        secret=results.get("secret_name") if in_bucket else None,
        endpoint=results.get("endpoint") if in_bucket else None,
        region=results.get("region") if in_bucket else None,
        image=image,
        image_pull_policy=_container(template).get("imagePullPolicy") or "IfNotPresent",
        image_pull_secrets=tuple(distinct(str(secret["name"]) for secret in pull_secrets)),
        node_selector=policy.get("node_selector") or {},
        tolerations=tuple(policy.get("tolerations") or ()),
        affinity=policy.get("affinity"),
        runtime_class_name=policy.get("runtime_class_name"),
        labels=policy.get("pod_labels") or {},
        annotations=policy.get("pod_annotations") or {},
    )


def image_in(jobs: Sequence[Mapping[str, Any]], trigger: str, run: Execution) -> str | None:
    """Returns the worker's image from a Job: the run's own, one of its trigger, or any other; None if there is none."""

    def closeness(job: Mapping[str, Any]) -> tuple[bool, bool]:
        metadata = job["metadata"]
        return metadata["name"] == run.job_id, (metadata.get("labels") or {}).get(LABEL_TRIGGER) == trigger

    for job in sorted(jobs, key=closeness, reverse=True):
        if image := _container(_pod_of(job)).get("image"):
            return str(image)
    return None


def reader_pod(owner: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Returns the Pod. It has no token, no root user and no write access, and ends after some minutes in any case.

    Args:
        owner: Metadata of the trigger, which owns the Pod.
        place: What the Pod reads.
    """
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
    mounts: list[dict[str, Any]] = [{"name": "scratch", "mountPath": "/tmp"}]  # noqa: S108 - the Pod's own
    if place.claim:
        volumes.append({"name": "results", "persistentVolumeClaim": {"claimName": place.claim}})
        mounts.append({"name": "results", "mountPath": RESULTS_MOUNT, "readOnly": True})
    if place.secret:
        volumes.append({"name": "secret", "secret": {"secretName": place.secret, "defaultMode": 0o440}})
        mounts.append({"name": "secret", "mountPath": f"{SECRETS_MOUNT}/{place.secret}", "readOnly": True})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": generated_name(owner["name"], _ROLE),
            "labels": {**place.labels, LABEL_ROLE: _ROLE, **_label(str(owner["name"]))},
            "annotations": dict(place.annotations),
            "ownerReferences": [
                {
                    "apiVersion": "clustertrigger.dev/v1alpha1",
                    "kind": "ClusterTrigger",
                    "name": owner["name"],
                    "uid": owner["uid"],
                }
            ],
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": STARTUP + _LIFETIME,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": dict(place.node_selector),
            "tolerations": [dict(toleration) for toleration in place.tolerations],
            **({"affinity": dict(place.affinity)} if place.affinity else {}),
            **({"runtimeClassName": place.runtime_class_name} if place.runtime_class_name else {}),
            "imagePullSecrets": [{"name": secret} for secret in place.image_pull_secrets],
            "securityContext": pod_security(),
            "volumes": volumes,
            "containers": [
                {
                    "name": WORKER_CONTAINER,
                    "image": place.image,
                    "imagePullPolicy": place.image_pull_policy,
                    "command": ["python", "-c", f"import time; time.sleep({_LIFETIME})"],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "64Mi"},
                        "limits": {"cpu": "1", "memory": "512Mi"},
                    },
                    "securityContext": container_security(),
                    "volumeMounts": mounts,
                }
            ],
        },
    }


def _label(name: str) -> dict[str, str]:
    """Returns the trigger's label, if its name is short enough."""
    return {LABEL_TRIGGER: name} if len(name) <= 63 else {}


def _pod_of(job: Mapping[str, Any] | None) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = job["spec"]["template"]["spec"] if job else {}
    return spec


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in pod.get("containers") or ():
        if container.get("name") == WORKER_CONTAINER:
            found: Mapping[str, Any] = container
            return found
    return {}


def _results_claim(pod: Mapping[str, Any]) -> str | None:
    """Returns the claim that is mounted for results."""
    mounts = _container(pod).get("volumeMounts") or ()
    names = [mount["name"] for mount in mounts if mount["mountPath"] == RESULTS_MOUNT]
    for volume in pod.get("volumes") or ():
        if volume["name"] in names and "persistentVolumeClaim" in volume:
            return str(volume["persistentVolumeClaim"]["claimName"])
    return None
