"""Tests of links and their subnets, which let several clusters run at the same time."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster.debian import network
from harness.cluster.debian.namespaces import INIT, Namespaces
from harness.cluster.debian.network import INDICES, Link, choose_link, connect, disconnect
from harness.cluster.debian.processes import Daemons
from harness.cluster.errors import ClusterError


@pytest.mark.parametrize(
    ("routes", "index"),
    [
        ([], 1),
        (["default", "192.168.1.0/24"], 1),
        (["10.231.1.0/30"], 2),
        (["10.231.1.2"], 2),
        (["10.231.2.0/30"], 1),
        (["10.231.1.0/30", "10.231.2.0/24"], 3),
        (["10.0.0.0/8"], 1),  # a VPN: the link's own route is more specific
        (["10.231.0.0/20"], 16),
        (["fd00::/64"], 1),
    ],
)
def test_the_first_unused_subnet(routes: list[str], index: int) -> None:
    assert choose_link(routes) == Link(index)


def test_a_link_has_two_addresses_in_its_subnet() -> None:
    link = Link(7)
    assert (link.host, link.node, link.device) == ("10.231.7.1", "10.231.7.2", "ctcluster7")
    assert len(Link(249).device) <= 15  # IFNAMSIZ


def test_no_free_subnet_is_reported() -> None:
    with pytest.raises(ClusterError, match="every subnet"):
        choose_link([f"10.231.{index}.0/24" for index in range(256)])


@pytest.fixture
def link() -> Iterator[Link]:
    """A link that exists and belongs to no cluster, with a number that other tests' clusters do not use."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    for link in map(Link, reversed(INDICES)):
        peer = ["peer", "name", f"ctpeer{link.index}"]
        made = subprocess.run(["ip", "link", "add", link.device, "type", "veth", *peer], check=False)
        if made.returncode == 0:
            break
    else:
        raise AssertionError("every number is taken")
    yield link
    subprocess.run(["ip", "link", "delete", link.device], check=False, capture_output=True)


def give(link: Link, owner: str) -> None:
    subprocess.run(["ip", "link", "set", link.device, "alias", owner], check=True)


def test_a_link_with_another_clusters_number_is_kept(tmp_path: Path, link: Link) -> None:
    """The kernel can remove a link together with the namespaces of its cluster, before `down` does so."""
    record = tmp_path / "link.json"
    record.write_text(json.dumps({"index": link.index}))
    for owner, stays in (("/somebody/else", True), (str(record), False)):
        give(link, owner)
        disconnect(record)
        assert Path("/sys/class/net", link.device).exists() is stays


def test_a_restarted_cluster_uses_a_free_number(tmp_path: Path, link: Link) -> None:
    give(link, "/somebody/else")
    record = tmp_path / "link.json"
    record.write_text(json.dumps({"index": link.index}))
    daemons = Daemons(tmp_path)
    process = daemons.start(INIT, ["/usr/bin/unshare", "--net", "/bin/sleep", "300"])
    try:
        while Path(f"/proc/{process.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
            time.sleep(0.02)
        with pytest.raises(ClusterError, match=f"{link.device} of {tmp_path} belongs to /somebody/else now: `down`"):
            connect(record, Namespaces(tmp_path, Path("/bin/true"), daemons))
    finally:
        daemons.kill(INIT)
    assert Path("/sys/class/net", link.device).exists()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
def test_a_crashed_cluster_keeps_its_number(tmp_path: Path) -> None:
    """The link is removed with its namespaces, but certificates contain its address: the next cluster uses another."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    daemons = Daemons(tmp_path)
    records = {name: tmp_path / name / "link.json" for name in ("crashed", "other")}
    links: dict[str, Link] = {}
    for name in ("crashed", "other", "crashed"):
        process = daemons.start(INIT, ["/usr/bin/unshare", "--net", "/bin/sleep", "300"])
        try:
            while Path(f"/proc/{process.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
                time.sleep(0.02)
            link = connect(records[name], Namespaces(tmp_path, Path("/bin/true"), daemons))
            assert links.setdefault(name, link) == link
        finally:
            daemons.kill(INIT)  # and with it the kernel removes the link
    assert links["crashed"] != links["other"]
    for name, link in links.items():
        assert link.index in network._reserved()
        disconnect(records[name])
        assert link.index not in network._reserved()


@pytest.mark.usefixtures("own_cache")
def test_a_deleted_directory_reserves_no_number(tmp_path: Path) -> None:
    reservation = tmp_path / "cache/clustertrigger/links/7"
    reservation.parent.mkdir(parents=True)
    record = tmp_path / "link.json"
    reservation.write_text(str(record))
    assert network._reserved() == set()
    record.write_text(json.dumps({"index": 8}))
    assert network._reserved() == set()
    record.write_text(json.dumps({"index": 7}))
    assert network._reserved() == {7}
    assert choose_link([], range(1, 9)) == Link(9)


def test_a_link_without_a_route_is_in_use(link: Link) -> None:
    give(link, "/somebody/else")
    assert str(link.subnet) in network._in_use()
