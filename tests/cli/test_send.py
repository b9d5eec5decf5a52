"""Tests of `kubectl clustertrigger send` to a real operator; a story on a real cluster tests the port-forward."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustertrigger.cli.main import main
from clustertrigger.cli.send import URL_VARIABLE
from harness.cluster.accounts import service_account_kubeconfig
from harness.cluster.debian.certificates import Authority
from harness.control_plane.cluster import Cluster
from harness.control_plane.event_sender import free_port, service_account
from harness.control_plane.fixtures import StartOperator
from harness.control_plane.kube import Object, eventually
from harness.control_plane.manifests import events
from harness.control_plane.proxy import Answer, Fault, Proxy, Rule, failing
from harness.control_plane.sandbox import Sandbox
from harness.control_plane.tokens import grant

Send = Callable[..., int]


WHAT = ["--type", "documents_added", "--collection", "col_products"]
THRESHOLD = 10**6
LABELS = {"app.kubernetes.io/part-of": "clustertrigger", "app.kubernetes.io/component": "operator"}


@pytest.fixture(autouse=True)
def _no_url_of_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def sender(cluster: Cluster, sandbox: Sandbox, tmp_path: Path) -> Path:
    """The kubeconfig of a user who can only send events."""
    service_account(sandbox, "sender", may_send=True)
    return service_account_kubeconfig(cluster.plane.kubeconfig, sandbox.namespace, "sender", tmp_path / "sender")


@pytest.fixture
def send(sandbox: Sandbox, sender: Path) -> Send:
    """Runs the command, as that sender unless another kubeconfig is given; returns its exit code."""

    def command(*arguments: str, kubeconfig: Path = sender) -> int:
        return main(["send", "-n", sandbox.namespace, "--kubeconfig", str(kubeconfig), *WHAT, *arguments])

    return command


@pytest.fixture
def url(operator: StartOperator, sandbox: Sandbox) -> str:
    """Where an operator accepts events for the trigger `ingest`."""
    port = free_port()
    operator(events_port=port)
    sandbox.trigger("ingest", events(THRESHOLD))
    eventually(lambda: sandbox.status("ingest"))
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def between(cluster: Cluster, url: str) -> Iterator[Proxy]:
    """A reverse proxy, such as an Ingress, that causes failures."""
    with Proxy(url, cluster.kube.ca) as proxy:
        yield proxy


def counted(sandbox: Sandbox) -> int:
    found: int = sandbox.status("ingest").get("event_counter", 0)
    return found


def test_an_event_is_counted(send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("--url", url, "--count", "100") == 0
    assert counted(sandbox) == 100
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"accepted: 100 documents_added for col_products in {sandbox.namespace}\n", "")


def test_each_event_has_a_new_id_by_default(
    send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [send("--url", url) for _ in range(2)] == [0, 0]
    assert counted(sandbox) == 2
    assert [send("--url", url, "--id", "upload-7") for _ in range(2)] == [0, 0]
    assert counted(sandbox) == 3
    assert capsys.readouterr().out.splitlines()[-1] == (
        "duplicate: the event upload-7 of /kubectl-clustertrigger was already counted"
    )
    assert send("--url", url, "--id", "upload-7", "--source", "/crawler") == 0
    assert counted(sandbox) == 4


def test_an_unmatched_event(send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("--url", url, "--type", "documents_deleted") == 1
    assert capsys.readouterr().err == (
        "kubectl clustertrigger: unmatched: no active or paused trigger counts documents_deleted for col_products in "
        f"{sandbox.namespace}: kubectl get clustertriggers -n {sandbox.namespace} lists the triggers and the events "
        "that they count\n"
    )


def test_the_url_of_helms_notes_and_of_the_environment(
    send: Send, sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in (f"{url}/", f"{url}/v1/namespaces/elsewhere/events"):
        assert send("--url", given) == 0
    monkeypatch.setenv(URL_VARIABLE, url)
    assert send() == 0
    assert counted(sandbox) == 3


def test_https(
    send: Send, operator: StartOperator, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority, port = Authority(tmp_path / "pki"), free_port()
    certificate, key = authority.server("events", "events", ["127.0.0.1"])
    shutil.copy(certificate, tmp_path / "tls.crt")
    shutil.copy(key, tmp_path / "tls.key")
    operator(events_port=port, events_cert_dir=tmp_path)
    sandbox.trigger("ingest", events(THRESHOLD))
    url = f"https://127.0.0.1:{port}"
    assert send("--url", url) == 1
    assert "name the authority that signed it with --certificate-authority FILE" in capsys.readouterr().err
    assert send("--url", url, "--certificate-authority", str(authority.certificate)) == 0
    assert counted(sandbox) == 1


def once(fault: Fault) -> Rule:
    return failing(1, lambda _: fault)


def test_temporary_errors_are_retried_and_nothing_counts_twice(
    send: Send, sandbox: Sandbox, between: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    faults: list[Fault] = ["lose", "drop", Answer(503, retry_after=1), Answer(429), Answer(502)]
    for number, fault in enumerate(faults, 1):
        between.requests.clear()
        between.rule = once(fault)
        assert send("--url", between.url, "--count", "5") == 0
        assert counted(sandbox) == 5 * number
        said = capsys.readouterr()
        assert said.out.startswith("accepted: 5 documents_added")
        assert said.err.count("retrying with the same id") == 1
        assert len({json.loads(request.body)["id"] for request in between.requests}) == 1


def test_permanent_errors_are_reported_at_once(
    send: Send, sandbox: Sandbox, between: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    between.rule = lambda _: Answer(404)
    assert send("--url", between.url) == 1
    said = capsys.readouterr().err
    assert f"is {between.url} where the operator receives events?" in said
    assert len(between.requests) == 1


def test_the_operator_s_reason_is_shown(
    cluster: Cluster, send: Send, sandbox: Sandbox, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service_account(sandbox, "stranger", may_send=False)
    stranger = service_account_kubeconfig(
        cluster.plane.kubeconfig, sandbox.namespace, "stranger", tmp_path / "stranger"
    )
    assert send("--url", url, kubeconfig=stranger) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"kubectl clustertrigger: 403: 'system:serviceaccount:{sandbox.namespace}:stranger' is not allowed"
    )
    assert counted(sandbox) == 0


def test_a_user_without_a_token_gets_one(
    cluster: Cluster, send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    administrator = cluster.plane.kubeconfig
    assert send("--url", url, "--service-account", "sender", kubeconfig=administrator) == 0
    assert counted(sandbox) == 1
    assert send("--url", url, "--service-account", "nobody", kubeconfig=administrator) == 1
    missing = '--service-account: serviceaccounts "nobody" not found: set --service-account to one in'
    assert missing in capsys.readouterr().err


def test_a_client_certificate_leads_to_a_token_of_a_named_account(
    cluster: Cluster, send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with kind and kubeadm; the two offered commands create the account."""
    administrator = cluster.plane.kubeconfig
    assert send("--url", url, kubeconfig=administrator) == 1
    first, refusal, *commands = capsys.readouterr().err.splitlines()
    assert first == (
        f"your kubeconfig contains no token: sending as ServiceAccount {sandbox.namespace}/clustertrigger-sender"
    )
    assert 'serviceaccounts "clustertrigger-sender" not found' in refusal
    assert len(commands) == 2
    for command in commands:
        done = sandbox.kubectl(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
    assert send("--url", url, "--count", "7", kubeconfig=administrator) == 0
    assert counted(sandbox) == 7
    assert capsys.readouterr().out == f"accepted: 7 documents_added for col_products in {sandbox.namespace}\n"


def test_the_token_of_another_user_is_not_sent(
    cluster: Cluster, send: Send, sandbox: Sandbox, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --as, the token of the kubeconfig does not belong to the impersonated user."""
    jane = ["--as", f"system:serviceaccount:{sandbox.namespace}:jane"]
    assert send("--url", url, *jane) == 1
    assert "may not impersonate" in (said := capsys.readouterr().err) or "cannot impersonate" in said
    assert counted(sandbox) == 0
    assert send("--url", url, *jane, kubeconfig=cluster.plane.kubeconfig) == 1
    assert "ask for the right to create serviceaccounts/token" in capsys.readouterr().err
    assert counted(sandbox) == 0


def service(name: str, *ports: Object) -> Object:
    return {"metadata": {"name": name, "labels": LABELS}, "spec": {"clusterIP": "None", "ports": list(ports)}}


def test_the_operator_s_service_is_found(
    cluster: Cluster, send: Send, sandbox: Sandbox, sender: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Service has no Pod: kubectl's error shows that the command used that Service."""

    def say(*arguments: str, kubeconfig: Path) -> str:
        assert send(*arguments, kubeconfig=kubeconfig) == 1
        return capsys.readouterr().err.strip().removeprefix("kubectl clustertrigger: ")

    administrator = ["--service-account", "sender"]
    kubeconfig = cluster.plane.kubeconfig
    services = f"/api/v1/namespaces/{sandbox.namespace}/services"
    assert say(*administrator, kubeconfig=kubeconfig) == (
        "no operator in this cluster receives events: install the chart with events.enabled, or set --url"
    )
    sandbox.kube.create(services, service("metrics-only", {"name": "http", "port": 8080}))
    sandbox.kube.create(services, service("one", {"name": "http", "port": 8080}, {"name": "events", "port": 8081}))
    try:
        found = say(*administrator, kubeconfig=kubeconfig)
        assert found == (
            "kubectl port-forward: cannot attach to *v1.Service: invalid service 'one': Service is defined without a "
            "selector: set --url instead"
        )
        assert say(*administrator, "--service", f"{sandbox.namespace}/one", kubeconfig=kubeconfig) == found
        assert say(*administrator, "--service", f"{sandbox.namespace}/metrics-only", kubeconfig=kubeconfig) == (
            f"--service: {sandbox.namespace}/metrics-only has no port named events: install with events.enabled"
        )
        assert say(kubeconfig=sender) == (
            "you do not have the right to search for the operator in all namespaces: set --service NAMESPACE/NAME to "
            "its Service, or --url to the URL at which it receives events"
        )
        sandbox.kube.create(services, service("two", {"name": "events", "port": 8081}))
        assert say(*administrator, kubeconfig=kubeconfig) == (
            "several operators receive events: choose one with --service: "
            f"{sandbox.namespace}/one, {sandbox.namespace}/two"
        )
    finally:
        for name in ("metrics-only", "one", "two"):
            sandbox.kube.delete(f"{services}/{name}")


def test_without_the_right_to_forward_ports_the_error_names_url(
    cluster: Cluster, send: Send, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    one = service("guarded", {"name": "events", "port": 8081})
    one["spec"]["selector"] = {"app": "clustertrigger"}
    sandbox.kube.create(f"/api/v1/namespaces/{sandbox.namespace}/services", one)
    rule = {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}
    grant(sandbox.kube, sandbox.namespace, "sender", rule)
    assert send("--service", f"{sandbox.namespace}/guarded") == 1
    said = capsys.readouterr().err
    assert "forbidden" in said
    assert f"ask for the right to create pods/portforward in namespace '{sandbox.namespace}', or set --url" in said
    sandbox.kube.delete(f"/api/v1/namespaces/{sandbox.namespace}/services/guarded")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--type'"),
        (["--type", "documents_added"], "Missing option '--collection'"),
        ([*WHAT, "--count", "0"], "'0' is not a number from 1 to 1000000000"),
        ([*WHAT, "--count", "1000000001"], "'1000000001' is not a number"),
        ([*WHAT, "--count", "many"], "'many' is not a number"),
        ([*WHAT, "--id", " "], "'--id': must not be empty"),
        ([*WHAT, "--url", "events.example.com"], "is not a URL: write it as https://events.example.com"),
        ([*WHAT, "--service", "clustertrigger"], "'clustertrigger' is not a Service: write it as NAMESPACE/NAME"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["send", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_wrong_url_in_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(URL_VARIABLE, "events")
    assert main(["send", *WHAT]) == 2
    assert "'events' is not a URL" in capsys.readouterr().err


def test_a_missing_certificate_authority(send: Send, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("--url", "https://127.0.0.1", "--certificate-authority", str(tmp_path / "ca")) == 1
    assert "No such file or directory: name a PEM file" in capsys.readouterr().err
