"""The fixtures of tests on a real API server, the order of tests, and what marks them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("harness.control_plane")

from harness.control_plane.fixtures import busy_kubelet, cluster, kubelet, no_lease, operator, proxy, sandbox  # noqa: E402

__all__ = ["busy_kubelet", "cluster", "kubelet", "no_lease", "operator", "proxy", "sandbox"]


# Random examples are always the same, so that only a change makes a test fail, and no clock of a busy machine ends one.
# `make fuzz` draws other ones: --hypothesis-profile=random.
settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("random", settings.get_profile("same"), derandomize=False)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--shuffle SEED: in an order that the seed decides on, so that no test rests on what another one left."""
    parser.addoption("--shuffle", metavar="SEED", help="run files, and the tests in each, in a random order")


@pytest.hookimpl(specname="pytest_collection_modifyitems", trylast=True)  # when -k and -m have chosen
def pytest_shuffle_when_asked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole files: what a file's tests share is made once."""
    if (seed := config.getoption("shuffle")) is not None:
        shuffle(items, seed)


def shuffle(items: list[pytest.Item], seed: str) -> None:
    """Orders files at random, and the tests of each; every worker of xdist must come to the same order."""
    chance = random.Random(seed)
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    files = list(by_file.values())
    chance.shuffle(files)
    for tests in files:
        chance.shuffle(tests)
    items[:] = [item for tests in files for item in tests]


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what talks to an API server: `make compat` runs it on the oldest Kubernetes too."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.control_plane)
