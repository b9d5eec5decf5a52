"""Tests that kubeconfigs are read as kubectl reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustertrigger.cli.kube.kubeconfig import KubeconfigError, context_names, load_context

Object = dict[str, Any]


def config(name: str, *, current: bool = True, cluster: Object | None = None, user: Object | None = None) -> Object:
    """Returns a kubeconfig with one context, whose cluster and user have the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        **({"current-context": name} if current else {}),
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"of-{name}"}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443", **(cluster or {})}}],
        "users": [{"name": name, "user": user or {"token": name}}],
    }


def written(path: Path, content: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(autouse=True)
def _no_kubeconfig_of_one_s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_current_context_or_the_named_one(tmp_path: Path) -> None:
    both = config("one")
    for kind, entries in config("two").items():
        if isinstance(entries, list):
            both[kind] += entries
    file = written(tmp_path / "config", both)
    assert load_context(file, None).namespace == "of-one"
    named = load_context(file, "two")
    assert (named.name, named.cluster["server"], named.user["token"]) == ("two", "https://two:6443", "two")
    assert context_names(file) == ["one", "two"]


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "a", config("shared", current=False, user={"token": "of the first"}))
    second = written(tmp_path / "b", config("shared", user={"token": "of the second"}))
    third = written(tmp_path / "c", config("third"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([first, str(tmp_path / "missing"), "", second, third]))
    assert load_context(None, None).user == {"token": "of the first"}
    assert load_context(None, "third").namespace == "of-third"


def test_the_file_in_the_home_directory_is_the_default(tmp_path: Path) -> None:
    written(tmp_path / "home/.kube/config", config("home"))
    assert load_context(None, None).name == "home"


def test_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KubeconfigError, match=rf"^no kubeconfig was found at {tmp_path}/home/\.kube/config$"):
        load_context(None, None)
    monkeypatch.setenv("KUBECONFIG", "/missing/one:/missing/two")
    with pytest.raises(KubeconfigError, match=r"^no kubeconfig was found at /missing/one, /missing/two$"):
        load_context(None, None)


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    user = {
        "client-certificate": "pki/me.crt",
        "client-key": "/etc/me.key",
        "exec": {"command": "./login", "apiVersion": "client.authentication.k8s.io/v1"},
    }
    file = written(tmp_path / "configs/config", config("a", cluster={"certificate-authority": "ca.crt"}, user=user))
    context = load_context(file, None)
    assert context.cluster["certificate-authority"] == f"{tmp_path}/configs/ca.crt"
    assert context.user["client-certificate"] == f"{tmp_path}/configs/pki/me.crt"
    assert context.user["client-key"] == "/etc/me.key"
    assert context.user["exec"]["command"] == f"{tmp_path}/configs/login"


@pytest.mark.parametrize(
    ("content", "context", "message"),
    [
        ({}, None, "no kubeconfig was found"),
        (config("a", current=False), None, "no current context is set"),
        (config("a"), "b", "context 'b' does not exist"),
        ({**config("a"), "clusters": []}, None, "context 'a' refers to cluster 'a', which has no server"),
        ({**config("a"), "users": None}, None, "context 'a' refers to user 'a', which does not exist"),
        ([1], None, "is not a kubeconfig: it contains no object"),
        ({"contexts": [{"context": {}}]}, None, "an entry of contexts has no name"),
    ],
)
def test_unusable_credentials(tmp_path: Path, content: object, context: str | None, message: str) -> None:
    with pytest.raises(KubeconfigError) as error:
        load_context(written(tmp_path / "config", content), context)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (json.dumps(config("a"), indent="\t"), "a"),
        ("\ufeff" + json.dumps(config("a")), "a"),
        (yaml.safe_dump(config("a", user={"token": "2026-13-45"})).replace("'", ""), "2026-13-45"),
        (yaml.safe_dump(config("a")) + "current-context: a\t# twice, as kubectl allows\n---\na: second\n", "a"),
        ("%YAML 1.1\n---\n" + yaml.safe_dump(config("a")), "a"),
        ("--- " + json.dumps(config("a")), "a"),
    ],
    ids=[
        "JSON with tabs",
        "byte order mark",
        "no date of a calendar",
        "a key twice, and a second document",
        "a directive",
        "content after the dashes",
    ],
)
def test_files_that_kubectl_reads(tmp_path: Path, text: str, token: str) -> None:
    file = tmp_path / "config"
    file.write_text(text, encoding="utf-8")
    assert load_context(str(file), None).user["token"] == token


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), (b"\xff\xfe\x00", "is not YAML")])
def test_invalid_yaml(tmp_path: Path, text: str | bytes, message: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(KubeconfigError, match=message):
        load_context(str(file), None)
    with pytest.raises(KubeconfigError, match="no such file"):
        load_context(str(tmp_path / "missing"), None)
