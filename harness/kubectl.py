"""kubectl for one cluster and namespace. Stories and the demo use it, so that users can do the same manually."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.cluster.commands import run
from harness.cluster.errors import ClusterError

SECONDS = 60.0
_FORWARDING = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")

Manifest = Mapping[str, Any]


class Kubectl:
    """Runs kubectl.

    Args:
        kubeconfig: Determines cluster and user.
        namespace: Namespace of every command that names no other.
    """

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._scope = ["kubectl", f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]

    def __call__(self, *words: str | Path, stdin: str | None = None, timeout: float = SECONDS) -> str:
        """Returns kubectl's output.

        Raises:
            ClusterError: it failed; the message ends with kubectl's own last line.
        """
        return run([*self._scope, *words], stdin=stdin, timeout=timeout)

    def in_namespace(self, namespace: str) -> Kubectl:
        """Return the same for another namespace."""
        return Kubectl(self.kubeconfig, namespace)

    def json(self, *words: str | Path) -> Any:
        """Return the parsed answer of a `get`."""
        return json.loads(self(*words, "--output=json"))

    def items(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        found: list[dict[str, Any]] = self.json("get", kind, *words)["items"]
        return found

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """Returns one object, or None if it does not exist."""
        answer = self("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(answer) if answer.strip() else None

    def apply(self, *manifests: Manifest) -> None:
        """Apply objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self("apply", "--filename=-", stdin=json.dumps(listed))

    def ensure_namespace(self) -> None:
        """Creates this namespace, if it is missing."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    def token(self, account: str, seconds: int = 86_400) -> str:
        """Returns a token of a service account, by its path, because kubectl before 1.24 cannot create one."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        spec = {"expirationSeconds": seconds}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made = json.loads(self("create", "--raw", path, "--filename=-", stdin=json.dumps(request)))
        return str(made["status"]["token"])

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[str]:
        """Forward a port of this machine, and give its address, such as http://127.0.0.1:40123.

        Args:
            target: such as service/NAME.
            port: of the target.

        Raises:
            ClusterError: kubectl does not forward.
        """
        command = [*self._scope, "port-forward", target, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if (found := _FORWARDING.search(line)) is None:
                    raise ClusterError(f"{' '.join(command)} does not forward: {line.strip() or 'it printed nothing'}")
                yield f"http://{found[1]}"
            finally:
                process.terminate()

    def pipe(self, words: Iterable[str], sent: bytes = b"", timeout: float = SECONDS) -> bytes:
        """Send bytes to kubectl and return the bytes that it prints, for `exec`.

        Raises:
            ClusterError: it failed or took too long.
        """
        command = [*self._scope, *words]
        try:
            done = subprocess.run(command, input=sent, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{' '.join(command)} took longer than {timeout:.0f} s") from error
        if done.returncode != 0:
            output = done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"]
            raise ClusterError(f"{' '.join(command)} failed with exit code {done.returncode}: {output[-1]}")
        return done.stdout
