"""Tests of how the demo runs `kubectl clustertrigger`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cluster.errors import ClusterError
from harness.demo.plugin import Plugin
from harness.kubectl import Kubectl

Runs = Callable[[Plugin, str], list[str]]


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(Kubectl(tmp_path / "kubeconfig", "demo"))


def whole(plugin: Plugin, word: str) -> list[str]:
    return plugin(word).splitlines()


def line_by_line(plugin: Plugin, word: str) -> list[str]:
    return list(plugin.follow(word))


@pytest.mark.parametrize("run", [whole, line_by_line])
def test_a_command_that_fails_is_named_with_its_last_line(plugin: Plugin, run: Runs) -> None:
    with pytest.raises(ClusterError) as failed:
        run(plugin, "list")
    said = str(failed.value)
    assert said.startswith("`kubectl clustertrigger list -n demo` failed with exit code 1: ")
    assert "kubeconfig" in said


def test_a_command_has_the_same_lines_in_both_ways(plugin: Plugin) -> None:
    assert whole(plugin, "--help") == line_by_line(plugin, "--help") != []
