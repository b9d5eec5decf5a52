"""Creates a namespace for one test, and reads and writes objects in it."""

from __future__ import annotations

import subprocess
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED, ANNOTATION_SLOT, LABEL_TRIGGER
from clustertrigger.core.instants import parse_instant
from clustertrigger.core.kube import paths
from harness.control_plane.kube import Kube, Object, eventually, trigger_path
from harness.control_plane.manifests import collection, trigger


class Sandbox:
    """A namespace with one Collection, in which a test creates and reads objects."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.namespace = f"test-{uuid.uuid4().hex[:8]}"
        kube.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        # Without this service account, the first Pod of a Job is rejected, and retried only after 10 s.
        eventually(lambda: kube.find(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default"), 60)
        self.create("collections", collection())

    def close(self) -> None:
        """Deletes the namespace in the background."""
        for plural in ("clustertriggers", "collections"):
            self.kube.delete(paths.custom(plural, self.namespace))
        self.kube.delete(f"/api/v1/namespaces/{self.namespace}")

    def create(self, plural: str, body: Object) -> Object:
        """Creates an object of one of this API's kinds."""
        return self.kube.create(paths.custom(plural, self.namespace), body)

    def processed_by(self, template: Object) -> None:
        """Creates a PodTemplate, and sets it as the processing of the Collection."""
        self.kube.create(paths.pod_templates(self.namespace), template)
        processing = {"pod_template": template["metadata"]["name"]}
        path = f"{paths.custom('collections', self.namespace)}/{collection()['metadata']['name']}"
        self.kube.patch(path, {"spec": {"processing": processing}})

    def trigger(self, name: str, spec: Object, **metadata: Any) -> Object:
        """Creates a trigger."""
        return self.create("clustertriggers", trigger(name, spec, **metadata))

    def get(self, name: str) -> Object:
        """Reads a trigger."""
        return self.kube.get(trigger_path(self.namespace, name))

    def status(self, name: str) -> Object:
        """Returns the trigger's status; {} until the operator has observed the trigger.

        Until then, observedGeneration has the schema's default of -1.
        """
        found: Object = self.get(name).get("status") or {}
        return found if found.get("observedGeneration", -1) > 0 else {}

    def history(self, name: str) -> list[Object]:
        """Returns the trigger's history, newest first."""
        found: list[Object] = self.status(name).get("history") or []
        return found

    def condition(self, name: str, kind: str) -> Object:
        """Returns a condition of the trigger; {} until it is set."""
        conditions: list[Object] = self.status(name).get("conditions") or []
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def edit(self, name: str, spec: Object | None = None, **metadata: Any) -> Object:
        """Merges fields into spec and metadata of a trigger."""
        body = {**({"spec": spec} if spec else {}), **({"metadata": metadata} if metadata else {})}
        return self.kube.patch(trigger_path(self.namespace, name), body)

    def request_run(self, name: str, token: str) -> None:
        """Requests a manual run."""
        self.edit(name, annotations={ANNOTATION_RUN_REQUESTED: token})

    def delete(self, name: str, propagation: str = "Background") -> None:
        """Deletes a trigger."""
        self.kube.delete(trigger_path(self.namespace, name), propagation)

    def jobs(self, name: str | None = None) -> list[Object]:
        """Returns the Jobs of a trigger, or all Jobs, oldest first."""
        selector = f"?labelSelector={LABEL_TRIGGER}%3D{name}" if name else ""
        return self.kube.items(paths.jobs(self.namespace) + selector)

    def job(self, name: str) -> Object:
        """Returns one Job by its own name."""
        return self.kube.get(f"{paths.jobs(self.namespace)}/{name}")

    def delete_job(self, name: str) -> None:
        """Deletes a Job manually."""
        self.kube.delete(f"{paths.jobs(self.namespace)}/{name}")

    def slots(self, name: str) -> list[datetime]:
        """Returns the slots of the schedule with Jobs of the trigger, in order."""
        found = (job["metadata"]["annotations"][ANNOTATION_SLOT] for job in self.jobs(name))
        return sorted(parse_instant(slot) for slot in found if not slot.startswith("manual/"))

    def events(self, name: str, reason: str | None = None) -> list[Object]:
        """Returns the events on a trigger."""
        path = f"/api/v1/namespaces/{self.namespace}/events?fieldSelector=involvedObject.name%3D{name}"
        return [event for event in self.kube.items(path) if reason in (None, event["reason"])]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs kubectl in the namespace."""
        words = ["kubectl", "--kubeconfig", str(self.kube.kubeconfig), "--namespace", self.namespace, *arguments]
        return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def apply(self, *documents: Object, files: tuple[Path, ...] = ()) -> str:
        """Runs `kubectl apply` with objects and files; returns its output."""
        text = yaml.safe_dump_all(documents)
        sources = [word for file in files for word in ("-f", str(file))] or ["-f", "-"]
        done = self.kubectl("apply", *sources, stdin=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lease(self, name: str, namespace: str) -> Object | None:
        """Returns a Lease; None if it does not exist."""
        return self.kube.find(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")
