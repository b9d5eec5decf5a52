"""Tests of a kubeconfig user's credentials: tokens, files, passwords and plugins."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from clustertrigger.cli.kube.credentials import Credentials
from clustertrigger.cli.kube.kubeconfig import KubeconfigError

Object = dict[str, Any]


def plugin(folder: Path, script: str, **fields: Any) -> Object:
    program = folder / "login"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1", **fields}}


def answer(expires: str | None = None) -> str:
    """Returns the script of a plugin that counts its runs and returns the number as its token."""
    expiration = f', "expirationTimestamp": "{expires}"' if expires else ""
    return f'echo >> "$COUNT"; printf \'{{"status": {{"token": "t%d"{expiration}}}}}\' "$(wc -l < "$COUNT")"'


@pytest.mark.parametrize(
    ("expires", "tokens"),
    [
        (None, ["t1", "t1"]),
        ("2099-01-01T00:00:00Z", ["t1", "t1"]),
        ("2020-01-01T00:00:00Z", ["t1", "t2"]),
    ],
)
def test_a_plugin_runs_again_after_its_token_has_expired(
    tmp_path: Path, expires: str | None, tokens: list[str]
) -> None:
    counted = {"name": "COUNT", "value": str(tmp_path / "count")}
    credentials = Credentials(plugin(tmp_path, answer(expires), env=[counted]), {})
    assert [credentials.token() for _ in range(2)] == tokens
    assert credentials.forget(), "the server refused it"
    assert credentials.token() == f"t{int(tokens[-1][1:]) + 1}"


def test_a_plugin_gets_arguments_and_the_cluster(tmp_path: Path) -> None:
    script = 'printf \'%s\' "$KUBERNETES_EXEC_INFO" > "$OUT"; printf \'{"status": {"token": "%s"}}\' "$1"'
    out = tmp_path / "info"
    user = plugin(tmp_path, script, args=["mine"], provideClusterInfo=True, env=[{"name": "OUT", "value": str(out)}])
    assert Credentials(user, {"server": "https://a"}).authorization() == "Bearer mine"
    said = json.loads(out.read_text())
    assert said["apiVersion"] == "client.authentication.k8s.io/v1"
    assert said["spec"]["cluster"] == {"server": "https://a"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "ended with exit code 3"),
        ("echo hello", "printed no ExecCredential"),
        ("echo '[]'", "printed no ExecCredential"),
        ("echo '{\"status\": null}'", "printed no ExecCredential"),
    ],
)
def test_a_plugin_that_fails(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(KubeconfigError, match=message):
        Credentials(plugin(tmp_path, script), {}).token()


def test_a_plugin_that_is_not_installed() -> None:
    user = {"exec": {"command": "no-such-login", "installHint": "install it\nfrom there"}}
    with pytest.raises(KubeconfigError, match="'no-such-login': No such file or directory: install it from there"):
        Credentials(user, {}).token()


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({}, None),
        ({"token": "a"}, "Bearer a"),
        ({"username": "me", "password": "x"}, "Basic " + base64.b64encode(b"me:x").decode()),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "j.w.t"}}}, "Bearer j.w.t"),
    ],
)
def test_ways_to_authenticate(user: Object, header: str | None) -> None:
    assert Credentials(user, {}).authorization() == header


def test_a_token_file_is_read_again_and_takes_precedence(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    credentials = Credentials({"tokenFile": str(file), "token": "stale"}, {})
    assert credentials.token() == "first"
    file.write_text("second\n")
    assert credentials.token() == "second"
    file.unlink()
    with pytest.raises(KubeconfigError, match=r"tokenFile: .*No such file"):
        credentials.token()
