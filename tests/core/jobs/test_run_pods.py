"""Tests of which Pods belong to a run."""

from __future__ import annotations

import pytest

from clustertrigger.core.jobs.run_pods import any_left
from tests.core.jobs.test_admission import view

LONG = "p" * 63
"""The API server shortens the name of a Job in the names of its Pods."""


@pytest.mark.parametrize(
    ("name", "owner", "phase", "expected"),
    [
        ("products-1", {"kind": "Job", "name": "products-1", "uid": "u"}, "Running", True),
        ("products-1", {"kind": "Job", "name": "products-1", "uid": "u"}, "Pending", True),
        ("products-1", {"kind": "Job", "name": "products-1", "uid": "u"}, "Succeeded", False),
        ("products-1", {"kind": "Job", "name": "products-1", "uid": "u"}, "Failed", False),
        ("products-1", {"kind": "Job", "name": "products-2", "uid": "v"}, "Running", False),
        ("products-1", {"kind": "Pod", "name": "products-1-x7k2p", "uid": "p"}, "Running", True),
        ("products-1", {"kind": "Pod", "name": "products-1-x7k2p", "uid": "p"}, "Failed", False),
        ("products-1", {"kind": "Pod", "name": "products-10-x7k2p", "uid": "p"}, "Running", False),
        ("products-1", {"kind": "Pod", "name": "products-1", "uid": "p"}, "Running", False),
        (LONG, {"kind": "Pod", "name": f"{LONG[:58]}x7k2p", "uid": "p"}, "Running", True),
    ],
)
def test_pods_of_a_run(name: str, owner: dict[str, str], phase: str, expected: bool) -> None:
    pod = {"metadata": {"ownerReferences": [owner]}, "status": {"phase": phase}}
    assert any_left(view(name=name), [pod]) is expected
