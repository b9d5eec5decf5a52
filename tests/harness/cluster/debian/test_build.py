"""Tests of where the programs of a version are stored, and that a cluster keeps the programs that it started with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cluster.debian.binaries import VERSIONS, Binaries
from harness.cluster.debian.build import FOLDER, WISH, finished, programs_for, recorded
from harness.cluster.debian.choice import Offer
from harness.cluster.debian.debian_source import DebianSource
from harness.cluster.debian.go_modules import GoModules
from harness.cluster.errors import ClusterError
from harness.cluster.state import check_directory


@pytest.mark.parametrize("offer", [GoModules(), DebianSource()], ids=["modules", "source"])
def test_builds_have_a_stable_name(offer: Offer) -> None:
    assert re.fullmatch(r"kubernetes-1\.[0-9]+\.[0-9]+-[0-9a-f]{12}", finished(offer).name)
    assert finished(offer) == finished(offer)


def test_a_cluster_stays_on_the_version_that_it_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / VERSIONS).write_text(json.dumps({"kubernetes": "1.33.4"}))
    cluster = tmp_path / "cluster"
    check_directory(cluster, "debian", **recorded(Binaries(programs)))
    monkeypatch.delenv(WISH, raising=False)
    monkeypatch.delenv(FOLDER, raising=False)
    assert programs_for(cluster).directory == programs
    monkeypatch.setenv(WISH, str(DebianSource().version))
    with pytest.raises(ClusterError, match=r"runs Kubernetes 1\.33\.4, and another is requested by KUBERNETES"):
        programs_for(cluster)
