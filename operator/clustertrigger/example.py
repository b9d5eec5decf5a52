"""`python -m clustertrigger.example FOLDER OWNER`: applies the manifests of the chart's example, in a Pod.

Helm cannot apply objects whose kinds the same installation defines. This program waits until the API server serves the
kinds. The ConfigMap OWNER owns each object, so removing the chart or its example deletes the objects.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, Configuration, CoreV1Api, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import load_incluster_config

from clustertrigger.api import GROUP, VERSION

FIELD_MANAGER = "clustertrigger-example"
SERVED_SECONDS = 120.0
"""How long the API server can take until it serves the kinds."""
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def manifests(folder: Path) -> Iterator[dict[str, Any]]:
    """Returns all objects in the folder's YAML files, in the order of the files' names."""
    for path in sorted(folder.glob("*.yaml")):
        yield from (document for document in yaml.safe_load_all(path.read_text()) if document)


def apply(client: ApiClient, namespace: str, owner: str, folder: Path, patience: float = SERVED_SECONDS) -> list[str]:
    """Applies all objects.

    Args:
        client: Client of an account that may create, get and patch the objects, and get the ConfigMap.
        namespace: Namespace of the objects.
        owner: Name of the ConfigMap that owns them.
        folder: Folder with the manifests.
        patience: Number of seconds that the API server can take until it serves the kinds.

    Returns:
        What was applied, for instance collection/packages.

    Raises:
        ApiException: refused, or the kinds are not served in time.
    """
    found = CoreV1Api(client).read_namespaced_config_map(owner, namespace).to_dict()
    belongs_to = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": found["metadata"]["uid"]}
    deadline = time.monotonic() + patience
    applied = []
    for manifest in manifests(folder):
        manifest["metadata"] = {**manifest["metadata"], "namespace": namespace, "ownerReferences": [belongs_to]}
        _apply(client, namespace, manifest, deadline)
        applied.append(f"{manifest['kind'].lower()}/{manifest['metadata']['name']}")
    return applied


def _apply(client: ApiClient, namespace: str, manifest: dict[str, Any], deadline: float) -> None:
    name, plural = manifest["metadata"]["name"], _plural(manifest["kind"].lower())
    while True:
        try:
            CustomObjectsApi(client).patch_namespaced_custom_object(
                GROUP, VERSION, namespace, plural, name, manifest,
                field_manager=FIELD_MANAGER, force=True, _content_type="application/apply-patch+yaml",
            )  # fmt: skip
        except ApiException as error:
            if error.status != 404 or time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def main(arguments: list[str] | None = None) -> int:
    """Applies the example in the Pod's own namespace, with the Pod's account."""
    folder, owner = arguments or sys.argv[1:]
    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    with ApiClient(configuration) as client:
        for name in apply(client, _NAMESPACE.read_text().strip(), owner, Path(folder)):
            sys.stdout.write(f"{name} applied\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
