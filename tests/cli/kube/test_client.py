"""Tests of the command's client against a real API server: authentication, refusals, and failed connections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from clustertrigger.cli.main import main
from harness.cluster.accounts import service_account_kubeconfig
from harness.control_plane.cluster import Cluster
from harness.control_plane.event_sender import free_port, service_account
from harness.control_plane.manifests import rarely
from harness.control_plane.sandbox import Sandbox

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `next TRIGGER`, which reads; returns the exit code and standard error."""
    sandbox.trigger("nightly", rarely())

    def command(*options: str, kubeconfig: Path = sandbox.kube.kubeconfig) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*options, "next", "nightly", "-n", sandbox.namespace, "--kubeconfig", str(kubeconfig)])
        return code, capsys.readouterr().err.removeprefix("kubectl clustertrigger: ").strip()

    return command


def changed(sandbox: Sandbox, path: Path, **fields: object) -> Path:
    """Returns the administrator's kubeconfig with other fields of the cluster entry."""
    config = yaml.safe_load(sandbox.kube.kubeconfig.read_text())
    config["clusters"][0]["cluster"].update(fields)
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_client_certificate_and_a_token(cluster: Cluster, sandbox: Sandbox, ask: Ask, tmp_path: Path) -> None:
    assert ask() == (0, "")
    service_account(sandbox, "stranger", may_send=False)
    stranger = service_account_kubeconfig(
        cluster.plane.kubeconfig, sandbox.namespace, "stranger", tmp_path / "stranger"
    )
    code, said = ask(kubeconfig=stranger)
    assert code == 1
    assert f'User "system:serviceaccount:{sandbox.namespace}:stranger" cannot get resource "clustertriggers"' in said
    assert said.endswith(": ask for that right")


def test_impersonation_before_or_after_the_command(sandbox: Sandbox, ask: Ask) -> None:
    code, said = ask("--as", "jane")
    assert code == 1
    assert 'User "jane" cannot get resource "clustertriggers"' in said
    assert ask("--as", "jane", "--as-group", "system:masters") == (0, "")
    assert ask("--as-group", "system:masters", "--as-group", "others", "--as", "jane") == (0, "")


def test_tokens_that_are_refused(sandbox: Sandbox, ask: Ask, tmp_path: Path) -> None:
    config = yaml.safe_load(sandbox.kube.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "revoked"}
    file = tmp_path / "revoked"
    file.write_text(yaml.safe_dump(config))
    assert ask(kubeconfig=file) == (
        1,
        f"{sandbox.kube.server}: not authenticated: log in again, or choose another --context",
    )


def test_an_unreachable_or_different_server(sandbox: Sandbox, ask: Ask, tmp_path: Path) -> None:
    nobody = f"https://127.0.0.1:{free_port()}"
    code, said = ask(kubeconfig=changed(sandbox, tmp_path / "a", server=nobody))
    assert code == 1
    assert said.startswith(f"{nobody}: no answer from the API server: ")
    assert said.endswith(": check the cluster and the context")
    code, said = ask(kubeconfig=changed(sandbox, tmp_path / "b", **{"tls-server-name": "elsewhere.example"}))
    assert code == 1
    assert "certificate verify failed" in said
    unchecked = {"insecure-skip-tls-verify": True, "certificate-authority-data": ""}
    assert ask(kubeconfig=changed(sandbox, tmp_path / "c", **unchecked)) == (0, "")
    assert ask(kubeconfig=changed(sandbox, tmp_path / "d", **{"tls-server-name": "kubernetes"})) == (0, "")


def test_a_proxy(sandbox: Sandbox, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    code, said = ask(kubeconfig=changed(sandbox, tmp_path / "a", **{"proxy-url": nobody}))
    assert (code, said.split(": ")[1]) == (1, "no answer from the API server")
    code, said = ask(kubeconfig=changed(sandbox, tmp_path / "b", **{"proxy-url": "gopher://a"}))
    assert code == 1
    assert "proxy-url 'gopher://a'" in said
    monkeypatch.setenv("HTTPS_PROXY", nobody)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask()[0] == 1
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert ask() == (0, "")


def test_names_cannot_change_the_path(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    scope = ["-n", sandbox.namespace, "--kubeconfig", str(sandbox.kube.kubeconfig)]
    for name in ("../collections/products", "a/b", "a?b=c"):
        assert main(["next", name, *scope]) == 1
        assert f"no ClusterTrigger {name!r} in namespace" in capsys.readouterr().err
