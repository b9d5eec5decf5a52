"""Reads and changes the triggers of a namespace with kubectl, for stories."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED, LABEL_TRIGGER
from harness.cluster.files import REPOSITORY
from harness.kubectl import Kubectl

MANIFESTS = REPOSITORY / "e2e/stories/manifests"
PATIENCE = 240.0
"""Maximum number of seconds to wait for an expected change, on two busy cores."""
_POLL_SECONDS = 0.5

Object = dict[str, Any]
Found = TypeVar("Found")


class Scene:
    """The triggers of one namespace.

    Args:
        kubectl: Kubectl for the namespace of the triggers.
        system: Kubectl for the namespace of the operator.
    """

    def __init__(self, kubectl: Kubectl, system: Kubectl) -> None:
        self.kubectl = kubectl
        self.system = system

    def apply_file(self, name: str) -> None:
        """Apply a file of manifests/."""
        self.kubectl("apply", f"--filename={MANIFESTS / name}")

    def trigger(self, name: str) -> Object:
        """Return the current trigger."""
        found: Object = self.kubectl.json("get", "clustertrigger", name)
        return found

    def status(self, name: str) -> Object:
        """Return the trigger's status; {} until the operator has written it."""
        found: Object = self.trigger(name).get("status", {})
        return found

    def condition(self, name: str, kind: str) -> Object:
        """Return a condition of the trigger; {} until it is set."""
        conditions: list[Object] = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def column(self, name: str, column: str) -> str:
        """Return the text in a column of `kubectl get clustertrigger NAME`."""
        header, row = self.kubectl("get", "clustertrigger", name).splitlines()
        begin = header.index(column)
        end = next((i for i in range(begin + len(column), len(header)) if header[i] != " "), None)
        return row[begin:end].strip()

    def shows(self, name: str, column: str, expected: str) -> None:
        """Wait until a column has the expected text, because the operator may not have observed the trigger yet."""
        seen: list[str] = []

        def look() -> bool:
            seen.append(self.column(name, column))
            return seen[-1] == expected

        try:
            self.eventually(look, f"{name}: {column} is {expected!r}", name)
        except AssertionError as error:
            raise AssertionError(f"{column} is {seen[-1]!r}: {error}") from None

    def jobs(self, name: str) -> list[Object]:
        """Return the trigger's Jobs, oldest first."""
        jobs = self.kubectl.items("jobs", f"--selector={LABEL_TRIGGER}={name}")
        return sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]))

    def pods(self, name: str) -> list[Object]:
        """Return the Pods of the trigger's runs."""
        return self.kubectl.items("pods", f"--selector={LABEL_TRIGGER}={name}")

    def events(self, name: str) -> list[str]:
        """Return the Kubernetes events on the trigger, as `REASON: MESSAGE`, in order of their first appearance."""
        found = self.kubectl.items(
            "events", f"--field-selector=involvedObject.kind=ClusterTrigger,involvedObject.name={name}"
        )
        ordered = sorted(found, key=lambda event: str(event["metadata"]["creationTimestamp"]))
        return [f"{event['reason']}: {event['message']}" for event in ordered]

    def wait_for_event(self, name: str, beginning: str, needle: str = "") -> str:
        """Wait for an event with this beginning and this text, because events are written after the status."""

        def found() -> str | None:
            events = self.events(name)
            return next((event for event in events if event.startswith(beginning) and needle in event), None)

        return self.eventually(found, f"{name}: an event {beginning} … {needle}", name)

    def patch(self, name: str, spec: Object) -> None:
        """Change fields of the trigger's spec; None removes a field."""
        self.kubectl("patch", "clustertrigger", name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def pause(self, name: str) -> None:
        """Pause the trigger, because the following stories need the cores."""
        self.patch(name, {"status": "paused"})

    def request_run(self, name: str, token: str) -> None:
        """Request a manual run."""
        self.kubectl("annotate", "clustertrigger", name, f"{ANNOTATION_RUN_REQUESTED}={token}", "--overwrite")

    def run_ended(self, name: str, *, slot: str | None = None, patience: float = PATIENCE) -> Object:
        """Wait for the end of the run of a slot, or of the oldest run; return its entry in the history."""

        def ended() -> Object | None:
            history = reversed(self.status(name).get("history", []))
            meant = next((entry for entry in history if slot in (None, entry["slot"])), None)
            return meant if meant and meant["status"] in ("completed", "failed") else None

        return self.eventually(ended, f"{name}: the run {slot or ''} has ended", name, patience)

    def running(self, name: str) -> Object:
        """Wait until a Pod of the trigger is running, and return the Pod."""

        def pod() -> Object | None:
            return next((pod for pod in self.pods(name) if pod["status"].get("phase") == "Running"), None)

        return self.eventually(pod, f"{name}: a Pod runs", name)

    def plugin(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `kubectl clustertrigger …` in the triggers' namespace, in the way that kubectl starts the plugin."""
        scope = ["--kubeconfig", str(self.kubectl.kubeconfig), "--namespace", self.kubectl.namespace]
        program = [sys.executable, "-m", "clustertrigger.cli.main"]
        return subprocess.run([*program, *words, *scope], capture_output=True, text=True, timeout=300, check=False)

    def eventually(
        self, look: Callable[[], Found | None], what: str, trigger: str | None = None, patience: float = PATIENCE
    ) -> Found:
        """Poll until a function returns a true value, and return the value.

        Args:
            look: Function that returns a true value at the end.
            what: Expected change, for the error message.
            trigger: Trigger whose status, events and Pods the error message shows.
            patience: Maximum number of seconds to wait.
        """
        deadline = time.monotonic() + patience
        while True:
            if found := look():
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {patience:.0f} s: {what}\n{self._scenery(trigger)}")
            time.sleep(_POLL_SECONDS)

    def _scenery(self, trigger: str | None) -> str:
        if trigger is None:
            return str(self.kubectl("get", "clustertriggers,jobs,pods"))
        shown = {"status": self.status(trigger), "events": self.events(trigger)}
        pods = self.kubectl("get", "pods", f"--selector={LABEL_TRIGGER}={trigger}", "--output=wide")
        return f"{json.dumps(shown, indent=2)}\n{pods}"
