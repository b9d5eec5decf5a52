"""A node whose Pods run immediately, and which runs programs in them as `kubectl exec` requests."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from harness.control_plane.kube import Kube, RefusedError
from harness.control_plane.kubelet import Kubelet

_NAME = "exec-node"
_PROTOCOL = "v4.channel.k8s.io"
_FAILURE = """{"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [
{"reason": "ExitCode", "message": "%d"}]}}"""


class ExecNode:
    """Runs the Pods that read reports, in one namespace; their programs run on this machine, and see its files.

    Args:
        kube: The API server, which passes programs on to the node.
        namespace: Namespace of the Pods.
        directory: Directory for its certificate.
    """

    def __init__(self, kube: Kube, namespace: str, directory: Path) -> None:
        self._kube = kube
        self._namespace = namespace
        self._kubelet = Kubelet(kube, namespace)
        self._directory = directory
        self._ended = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self.programs: list[list[str]] = []
        """Programs that were run."""
        self.pods: list[str] = []
        """Pods that existed."""

    def __enter__(self) -> Self:
        self._certify()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(60)
        self._kube.create("/api/v1/nodes", {"metadata": {"name": _NAME}})
        self._kube.patch(f"/api/v1/nodes/{_NAME}/status", {"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
        }})  # fmt: skip
        self._starting = threading.Thread(target=self._start_pods, daemon=True)
        self._starting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._starting.join()
        self._kube.delete(f"/api/v1/nodes/{_NAME}")
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _certify(self) -> None:
        """Creates a certificate of the cluster's authority, which the API server requires."""
        pki = self._kube.kubeconfig.parent / "pki"
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        words += ["-subj", f"/O=system:nodes/CN=system:node:{_NAME}", "-addext", "subjectAltName=IP:127.0.0.1"]
        words += ["-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key")]
        files = ["-keyout", "node.key", "-out", "node.crt"]
        subprocess.run([*words, *files], check=True, capture_output=True, cwd=self._directory)

    def left(self) -> list[str]:
        """Pods that have not been deleted."""
        return [pod["metadata"]["name"] for pod in self._reading()]

    async def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._directory / "node.crt", self._directory / "node.key")
        app = web.Application()
        app.router.add_get("/exec/{namespace}/{pod}/{container}", self._exec)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self._port = self._runner.addresses[0][1]

    def _reading(self) -> list[dict[str, dict[str, str]]]:
        path = f"/api/v1/namespaces/{self._namespace}/pods?labelSelector=clustertrigger.dev/role%3Dreport"
        return self._kube.items(path)

    def _start_pods(self) -> None:
        while not self._ended.is_set():
            for pod in self._reading():
                name = pod["metadata"]["name"]
                if name in self.pods:
                    continue
                self.pods.append(name)
                at = f"/api/v1/namespaces/{self._namespace}/pods/{name}"
                target = {"apiVersion": "v1", "kind": "Node", "name": _NAME}
                try:
                    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
                    self._kube.create(f"{at}/binding", binding)
                    self._kubelet.write(name, "Running", {"running": {"startedAt": "2026-11-21T02:00:00Z"}})
                except RefusedError:
                    continue  # it is gone already
            time.sleep(0.1)

    async def _exec(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(protocols=(_PROTOCOL,))
        await answer.prepare(request)
        program = request.query.getall("command")
        self.programs.append(program)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program[1:], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        for channel, content in ((1, output), (2, errors)):
            for begin in range(0, len(content), 32_768):
                await answer.send_bytes(bytes([channel]) + content[begin : begin + 32_768])
        code = process.returncode or 0
        outcome = '{"status": "Success"}' if code == 0 else _FAILURE % code
        await answer.send_bytes(bytes([3]) + outcome.encode())
        await answer.close()
        return answer
