"""Starts etcd, the API server, the controller manager and the scheduler of one cluster.

All features of a hosted cluster's control plane that clients see are enabled: RBAC, the node authorizer, both kinds of
service-account tokens, admission webhooks, quota, and the controllers.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.cluster import kubeconfig
from harness.cluster.api import Api, wait_until
from harness.cluster.debian import local_path
from harness.cluster.debian.binaries import Binaries
from harness.cluster.debian.certificates import Authority
from harness.cluster.debian.processes import Daemons
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY, write
from harness.cluster.versions import Version

PROVISIONER = "local-path-provisioner"
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"  # of the Service `kubernetes`: the first address of the range
API_SERVER_STARTS = 3
FRONT_PROXY = "front-proxy-client"
READY_SECONDS = 180.0
# Versions of Kubernetes that changed something.
GATES_OPEN = Version(1, 21, 0)  # enabled TTLAfterFinished and CronJobControllerV2; later versions removed the gates
NO_INSECURE_PORT = Version(1, 23, 0)  # later versions removed the flag that closes it
NO_TOKEN_SECRETS = Version(1, 24, 0)  # service accounts get tokens only by TokenRequest
STORAGE_CLASS: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": local_path.PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


@dataclass(frozen=True)
class Endpoints:
    """Addresses and ports of the components.

    Attributes:
        address: IP address of the API server.
        api: Its port.
        etcd: etcd's port for clients, always on 127.0.0.1.
        etcd_peer: etcd's port for peers, always on 127.0.0.1.
        controller_manager: Port of its /healthz, on 127.0.0.1.
        scheduler: Port of its /healthz, on 127.0.0.1.
    """

    address: str
    api: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{self.api}"

    @property
    def etcd_url(self) -> str:
        """URL of etcd."""
        return f"http://127.0.0.1:{self.etcd}"


def load_endpoints(path: Path) -> Endpoints | None:
    """Read the endpoints of an earlier start."""
    return Endpoints(**json.loads(path.read_text())) if path.exists() else None


class Components:
    """Starts the components. Each method takes seconds and is idempotent.

    Args:
        directory: The cluster's own directory.
        programs: The binaries.
        endpoints: Addresses and ports to listen on.
        daemons: The cluster's daemons.
        enter: Enters the namespaces to run in. Default: the namespaces of this process.
        on_node: Whether Pods will run. If so, the API server is advertised to them, and connects to the kubelet.
    """

    def __init__(
        self,
        directory: Path,
        programs: Binaries,
        endpoints: Endpoints,
        daemons: Daemons,
        *,
        enter: Callable[[], None] | None = None,
        on_node: bool = False,
    ) -> None:
        self.endpoints = endpoints
        self.volumes = directory / "volumes"
        self.kubeconfig = directory / "kubeconfig"
        self._directory = directory
        self._programs = programs
        self._version = programs.kubernetes
        self._daemons = daemons
        self._enter = enter
        self._on_node = on_node
        self.authority = Authority(directory / "pki")
        write(directory / "endpoints.json", json.dumps(asdict(endpoints)))
        certificate, key = self.authority.client("admin", "clustertrigger-admin", ["system:masters"])
        kubeconfig.with_certificate(
            self.kubeconfig, "clustertrigger", endpoints.server, self.authority.certificate, certificate, key
        )
        self.api = Api(endpoints.server, self.authority.certificate, certificate, key)

    def start_etcd(self) -> None:
        """Start etcd."""
        peer = f"http://127.0.0.1:{self.endpoints.etcd_peer}"
        self._start(
            "etcd",
            f"--data-dir={self._directory}/etcd",
            f"--listen-client-urls={self.endpoints.etcd_url}",
            f"--advertise-client-urls={self.endpoints.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            "--logger=zap",
        )

    def start_api_server(self) -> None:
        """Start the API server and wait until it is ready."""
        for left in reversed(range(API_SERVER_STARTS)):
            self._start("kube-apiserver", *self._api_server_flags())
            try:
                return self._await("kube-apiserver", self.api.ready)
            except ClusterError:
                # It ends if etcd does not respond within 20 s, for example on a busy disk.
                if not left or self._daemons.find("kube-apiserver"):
                    raise
        raise AssertionError("unreachable")

    def start_controller_manager(self, *, as_shipped: bool = False) -> None:
        """Start the controller manager and wait until its controllers run.

        Args:
            as_shipped: Keep its default limit of 20 requests a second for each controller, instead of 500.
        """
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={self.client_kubeconfig('kube-controller-manager', 'system:kube-controller-manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.endpoints.controller_manager}",
            f"--cert-dir={self._directory}/pki",
            "--leader-elect=false",
            f"--root-ca-file={self.authority.certificate}",
            f"--service-account-private-key-file={self.authority.token_key()}",
            f"--cluster-signing-cert-file={self.authority.certificate}",
            f"--cluster-signing-key-file={self.authority.key}",
            "--use-service-account-credentials=true",
            # The default of 20 requests a second would slow down tests, and the CronJobs to which bench/ compares.
            *([] if as_shipped else ["--kube-api-qps=500", "--kube-api-burst=1000"]),
            *(["--port=0"] if self._version < NO_INSECURE_PORT else []),
            *(["--feature-gates=TTLAfterFinished=true,CronJobControllerV2=true"] if self._version < GATES_OPEN else []),
        )
        # Every Pod needs its namespace's service account with a token, and these are created last.
        self._await("kube-controller-manager", self._default_account_ready)

    def start_scheduler(self) -> None:
        """Start the scheduler."""
        self._start(
            "kube-scheduler",
            f"--kubeconfig={self.client_kubeconfig('kube-scheduler', 'system:kube-scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.endpoints.scheduler}",
            f"--cert-dir={self._directory}/pki",
            "--leader-elect=false",
            *(["--port=0"] if self._version < NO_INSECURE_PORT else []),
        )

    def start_provisioner(self) -> None:
        """Start the provisioner, which creates the volumes of the StorageClass `standard`."""
        self.volumes.mkdir(exist_ok=True)
        module = ["-m", "harness.cluster.debian.local_path"]
        arguments = [self.endpoints.server, str(self._directory / "pki"), str(self.volumes)]
        self._daemons.start(
            PROVISIONER, [sys.executable, *module, *arguments], env={"PYTHONPATH": str(REPOSITORY)}, enter=self._enter
        )

    def create_storage_class(self) -> None:
        """Create the default StorageClass `standard`, as in kind."""
        self.api.create("/apis/storage.k8s.io/v1/storageclasses", STORAGE_CLASS)

    def client_kubeconfig(self, component: str, user: str, groups: tuple[str, ...] = ()) -> Path:
        """Return the kubeconfig with which a component authenticates as USER."""
        path = self._directory / "pki" / f"{component}.kubeconfig"
        if not path.exists():
            certificate, key = self.authority.client(component, user, groups)
            kubeconfig.with_certificate(
                path, "clustertrigger", self.endpoints.server, self.authority.certificate, certificate, key
            )
        return path

    def _api_server_flags(self) -> list[str]:
        address = self.endpoints.address
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        certificate, key = self.authority.server(
            "kube-apiserver", "kube-apiserver", [*names, SERVICE_ADDRESS, "127.0.0.1", address]
        )
        kubelet_certificate, kubelet_key = self.authority.client("to-kubelet", "kube-apiserver", ["system:masters"])
        # With these, the server authenticates to aggregated API servers, such as that of Kueue's queues.
        proxy_certificate, proxy_key = self.authority.client("front-proxy", FRONT_PROXY, [])
        token_key = self.authority.token_key()
        flags = [
            f"--etcd-servers={self.endpoints.etcd_url}",
            f"--bind-address={address}",
            f"--advertise-address={address}",
            f"--secure-port={self.endpoints.api}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self.authority.certificate}",
            f"--cert-dir={self._directory}/pki",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--service-account-key-file={token_key}",
            f"--service-account-signing-key-file={token_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--kubelet-certificate-authority={self.authority.certificate}",
            f"--kubelet-client-certificate={kubelet_certificate}",
            f"--kubelet-client-key={kubelet_key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={self.authority.certificate}",
            f"--requestheader-allowed-names={FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={proxy_certificate}",
            f"--proxy-client-key-file={proxy_key}",
            f"--enable-aggregator-routing={str(self._on_node).lower()}",
            # A thousand triggers may fire in one second; with the defaults (400 and 200), some requests get a 429.
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        ]
        if self._version < GATES_OPEN:
            flags.append("--feature-gates=TTLAfterFinished=true")
        if not self._on_node:
            # No client uses the Service `kubernetes`, and 127.0.0.1 is not a valid endpoint of a Service.
            flags.append("--endpoint-reconciler-type=none")
        return flags

    def _start(self, name: str, *flags: str, env: dict[str, str] | None = None) -> None:
        self._daemons.start(name, [self._programs[name], *flags], env=env, enter=self._enter)

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        def ready_or_dead() -> bool:
            self._daemons.require(name)
            return ready()

        wait_until(ready_or_dead, READY_SECONDS, name, lambda: f"see {self._daemons.log(name)}")

    def _default_account_ready(self) -> bool:
        try:
            account = json.loads(self.api.get("/api/v1/namespaces/default/serviceaccounts/default"))
        except OSError:
            return False
        return bool(account.get("secrets")) or self._version >= NO_TOKEN_SECRETS
