"""Volumes that are folders of this machine: the provisioner behind the StorageClass `standard`, as kind has one.

Kubernetes' own provisioner of this kind makes directories that only root can write, below the system's temporary
directory. These are below the cluster's own, can be written by every Pod, and carry the claim's name, so that a person
finds the files. One process per cluster: ``python3 -m harness.cluster.debian.local_path SERVER PKI VOLUMES``.
"""

import http.client
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from harness.cluster.api import Api
from harness.cluster.progress import say

PROVISIONER = "clustertrigger.dev/local-path"
POLL_SECONDS = 0.5
ANNOTATION_NODE = "volume.kubernetes.io/selected-node"
ANNOTATION_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"

_CLAIMS = "/api/v1/persistentvolumeclaims?resourceVersion=0"
_VOLUMES = "/api/v1/persistentvolumes"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses?resourceVersion=0"

Object = dict[str, Any]


def awaits_volume(claim: Object, classes: set[str]) -> bool:
    """Returns whether a claim waits for a volume of this provisioner, after a node was chosen for its first Pod."""
    spec, metadata = claim["spec"], claim["metadata"]
    return (
        spec.get("storageClassName") in classes
        and not spec.get("volumeName")
        and ANNOTATION_NODE in metadata.get("annotations", {})
        and "deletionTimestamp" not in metadata
        and spec.get("volumeMode", "Filesystem") == "Filesystem"
    )


def volume_of(claim: Object, folder: Path) -> Object:
    """Return the volume for a claim; a second attempt returns the same."""
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {ANNOTATION_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {**reference, **{key: metadata[key] for key in ("namespace", "name", "uid")}},
            "hostPath": {"path": str(folder)},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
        },
    }


def volume_name(claim: Object) -> str:
    """Return the name of a claim's volume."""
    return f"pvc-{claim['metadata']['uid']}"


def folder_of(claim: Object, root: Path) -> Path:
    """Return the folder of a claim's volume, by whose name a person finds it."""
    metadata = claim["metadata"]
    return root / f"{metadata['namespace']}_{metadata['name']}_{volume_name(claim)}"


def is_released(volume: Object, root: Path) -> bool:
    """Returns whether a volume belongs to this provisioner and its claim is deleted."""
    provisioned_here = volume["metadata"].get("annotations", {}).get(ANNOTATION_PROVISIONED_BY) == PROVISIONER
    path = volume["spec"].get("hostPath", {}).get("path", "")
    released = volume["status"].get("phase") == "Released"
    deleted_with_claim = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    return provisioned_here and released and deleted_with_claim and Path(path).parent == root


def provide(api: Api, root: Path) -> None:
    """Creates the volumes that claims wait for, and removes those whose claim is deleted.

    Raises:
        OSError: the API server did not answer; whatever was not done is done the next time.
    """
    classes = {each["metadata"]["name"] for each in _items(api, _CLASSES) if each["provisioner"] == PROVISIONER}
    for claim in _items(api, _CLAIMS):
        if awaits_volume(claim, classes):
            folder = folder_of(claim, root)
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)  # hostPath volumes know no fsGroup: a Pod that is not root writes where everyone can
            if api.create(_VOLUMES, volume_of(claim, folder)):
                say(f"made {folder}")
    for volume in _items(api, f"{_VOLUMES}?resourceVersion=0"):
        if is_released(volume, root):
            shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
            api.delete(f"{_VOLUMES}/{volume['metadata']['name']}")
            say(f"removed {volume['spec']['hostPath']['path']}")


def main(server: str, pki: str, root: str) -> None:
    """Provide volumes until the process ends."""
    keys = Path(pki)
    api = Api(server, keys / "ca.crt", keys / "admin.crt", keys / "admin.key")
    complaint = ""
    while True:
        try:
            provide(api, Path(root))
            complaint = ""
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            if str(error) != complaint:  # once for each outage
                complaint = str(error)
                say(f"waiting for {server}: {complaint}")
        time.sleep(POLL_SECONDS)


def _items(api: Api, path: str) -> list[Object]:
    found: list[Object] = json.loads(api.get(path))["items"]
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
