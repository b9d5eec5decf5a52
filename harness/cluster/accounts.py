"""Writes kubeconfigs of service accounts.

With them, tests and the operator run with their real permissions, rather than as administrator.
"""

import json
from pathlib import Path

from harness.cluster import kubeconfig
from harness.cluster.commands import run


def service_account_kubeconfig(
    admin: Path, namespace: str, name: str, path: Path, *, expiration_seconds: int = 86400
) -> Path:
    """Write a kubeconfig whose user is a service account, known by a token of the TokenRequest API.

    Args:
        admin: The administrator's kubeconfig.
        namespace: The account's namespace.
        name: The account, which must exist.
        path: The file to write.
        expiration_seconds: How long the token is good, at least 600.

    Raises:
        ClusterError: the account does not exist, or the server does not answer.
    """
    kubectl = ["kubectl", "--kubeconfig", str(admin)]
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": expiration_seconds},
    }
    # Not `kubectl create token`, which Debian's kubectl 1.20 does not have.
    tokens = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    answer = run([*kubectl, "create", "--raw", tokens, "--filename", "-"], stdin=json.dumps(request))
    token = json.loads(answer)["status"]["token"]
    view = json.loads(run([*kubectl, "config", "view", "--raw", "--minify", "--flatten", "--output", "json"]))
    cluster = view["clusters"][0]["cluster"]
    return kubeconfig.with_token(path, name, cluster["server"], cluster["certificate-authority-data"], token)
