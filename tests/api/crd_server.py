"""A recent API server for custom resources: the tests' own control plane, or that of CRD_SERVER_KUBECONFIG.

Any server of Kubernetes 1.30 or later is suitable: a kind cluster, or the CRD server alone. The tests install the CRDs
of this checkout there and leave them; objects are created in the namespace `default`, most of them as dry runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import config

from clustertrigger.api import API_VERSION, GROUP
from codegen.crd import KINDS, Kind
from harness.cluster.versions import Version, parse_version

KUBECONFIG_VARIABLE = "CRD_SERVER_KUBECONFIG"
NAMESPACE = "default"
Json = dict[str, Any]

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DIGEST = f"{GROUP}/test-digest"
_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PATIENCE = 60.0


class RefusedError(Exception):
    """The server's answer to an invalid request: its HTTP status, and (field, message) of each cause."""

    def __init__(self, code: int, status: Json) -> None:
        super().__init__(status["message"])
        self.code = code
        causes = status.get("details", {}).get("causes") or []
        # Beside the causes, the server notes that it has skipped the rules: that note blames no field.
        self.causes = [(cause["field"], cause["message"]) for cause in causes if cause["field"] != "<nil>"]


class CrdServer:
    """Installs the CRDs and creates objects."""

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        self._host = client.configuration.host
        self._pool = client.rest_client.pool_manager

    @property
    def kubernetes(self) -> Version:
        """The server's version of Kubernetes."""
        return parse_version(self._request("GET", "/version")["gitVersion"], f"the version of {self._host}")

    def install(self) -> None:
        """Installs the CRDs of this checkout in place of others; several test processes can do so at the same time."""
        with _only_one():
            for kind in KINDS:
                self._install(kind)

    def conditions(self, kind: Kind) -> dict[str, str]:
        """The CRD's conditions: status by type."""
        crd = self._request("GET", f"{_CRDS}/{kind.crd_name}")
        conditions = crd.get("status", {}).get("conditions") or ()  # null until the server has looked at it
        return {condition["type"]: condition["status"] for condition in conditions}

    def create(self, kind: Kind, spec: Json, *, name: str = "test", dry_run: bool = True) -> Json:
        """Creates an object with strict field validation, as kubectl does.

        Raises:
            RefusedError: the server rejects it.
        """
        body = {"apiVersion": API_VERSION, "kind": kind.name, "metadata": {"name": name}, "spec": spec}
        options = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._request("POST", _path(kind), body, options)

    @contextmanager
    def created(self, kind: Kind, spec: Json, *, name: str) -> Iterator[Json]:
        """Creates an object for the duration of the block."""
        self._delete(_path(kind, name))
        try:
            yield self.create(kind, spec, name=name, dry_run=False)
        finally:
            self._delete(_path(kind, name))

    def write_status(self, kind: Kind, name: str, status: Json) -> Json:
        """Merges into the status, through its subresource."""
        return self._request("PATCH", f"{_path(kind, name)}/status", {"status": status}, content_type=_MERGE)

    def names(self, kind: Kind, field_selector: str) -> list[str]:
        """Returns the names of the objects that a field selector selects."""
        found = self._request("GET", _path(kind), options={"fieldSelector": field_selector})
        return [item["metadata"]["name"] for item in found["items"]]

    def table(self, kind: Kind, name: str) -> tuple[Json, Json]:
        """Returns the table of `kubectl get`: the default columns and those of -o wide, each cell by its heading."""
        table = self._request("GET", _path(kind, name), accept=_TABLE)
        columns = list(zip(table["columnDefinitions"], table["rows"][0]["cells"], strict=True))
        narrow = {column["name"]: cell for column, cell in columns if column["priority"] == 0}
        return narrow, {column["name"]: cell for column, cell in columns if column["priority"] > 0}

    def _install(self, kind: Kind) -> None:
        crd = kind.custom_resource_definition()
        digest = hashlib.sha256(json.dumps(crd).encode()).hexdigest()
        crd["metadata"]["annotations"] = {_DIGEST: digest}
        path = f"{_CRDS}/{kind.crd_name}"
        installed = self._find(path)
        if installed and installed["metadata"].get("annotations", {}).get(_DIGEST) == digest:
            return
        # Deleted and created rather than replaced: then there is no moment in which the old rules answer.
        self._delete(path)
        _eventually(lambda: self._find(path) is None)
        self._request("POST", _CRDS, crd, {"fieldValidation": "Strict"})
        _eventually(lambda: self.conditions(kind).get("Established") == "True" and self._find(_path(kind)) is not None)

    def _find(self, path: str) -> Json | None:
        try:
            return self._request("GET", path)
        except RefusedError as error:
            if error.code == 404:
                return None
            raise

    def _delete(self, path: str) -> None:
        try:
            self._request("DELETE", path)
        except RefusedError as error:
            if error.code != 404:
                raise

    def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        options: dict[str, str] | None = None,
        *,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Json:
        answer = self._pool.request(
            method,
            f"{self._host}{path}?{urlencode(options or {})}",
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type, "Accept": accept},
        )
        try:
            found: Json = json.loads(answer.data)
        except ValueError:
            # An unknown path is answered in plain text.
            found = {"message": answer.data.decode()}
        if answer.status >= 400:
            raise RefusedError(answer.status, found)
        return found


def _path(kind: Kind, name: str | None = None) -> str:
    path = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{kind.plural}"
    return path if name is None else f"{path}/{name}"


@contextmanager
def _only_one() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"clustertrigger-crd-server-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the CRD server took more than {_PATIENCE:g} s")
        time.sleep(0.1)
