"""Ports and subnets, so that clusters can live side by side."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from e2e.cluster.debian.network import INDICES, Link, choose_link, disconnect
from e2e.cluster.debian.ports import choose_ports, free_ports, listening
from e2e.cluster.errors import ClusterError


def test_ports_are_distinct_and_not_taken() -> None:
    assert choose_ports(3, {21, 23}.__contains__, [20, 20, 21, 22, 23, 24]) == [20, 22, 24]


def test_no_ports_left_is_said() -> None:
    with pytest.raises(ClusterError, match="fewer than 2 free ports"):
        choose_ports(2, lambda _: False, [20])


def test_a_listening_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listening(server.getsockname()[1])
    assert not any(listening(port) for port in free_ports(3))


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


def test_no_subnet_left_is_said() -> None:
    with pytest.raises(ClusterError, match="every subnet"):
        choose_link([f"10.231.{index}.0/24" for index in range(256)])


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2")
def test_a_link_whose_number_another_cluster_has_taken_over_stays(tmp_path: Path) -> None:
    """The kernel removes a link with the namespaces of its cluster, before the cluster itself comes to do so."""
    link = Link(INDICES[-1])
    record = tmp_path / "link.json"
    record.write_text(json.dumps({"index": link.index}))
    subprocess.run(["ip", "link", "add", link.device, "type", "veth", "peer", "name", "ctpeer"], check=True)
    try:
        for owner, stays in (("/somebody/else", True), (str(record), False)):
            subprocess.run(["ip", "link", "set", link.device, "alias", owner], check=True)
            disconnect(record)
            assert Path("/sys/class/net", link.device).exists() is stays
    finally:
        subprocess.run(["ip", "link", "delete", link.device], check=False, capture_output=True)
