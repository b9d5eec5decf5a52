"""Tests of free ports, which let several clusters run at the same time."""

import errno
import socket
import subprocess
import sys

import pytest

from harness.cluster.debian.ports import choose_ports, free_ports, listening
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY


def test_ports_are_distinct_and_free() -> None:
    assert choose_ports(3, {21, 23}.__contains__, [20, 20, 21, 22, 23, 24]) == [20, 22, 24]


def test_no_free_ports_are_reported() -> None:
    with pytest.raises(ClusterError, match="fewer than 2 free ports"):
        choose_ports(2, lambda _: False, [20])


def test_a_listening_port_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listening(server.getsockname()[1])
    assert not any(listening(port) for port in free_ports(3))


def test_a_port_is_reserved_for_one_process() -> None:
    (port,) = free_ports(1)
    other = f"from harness.cluster.debian import ports; ports.RANGE = range({port}, {port} + 1); ports.free_ports(1)"
    refused = subprocess.run([sys.executable, "-c", other], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert f"fewer than 1 free ports in {port}-{port}" in refused.stderr
    for address in ("127.0.0.1", "", "127.0.0.1"):
        with socket.create_server((address, port)), socket.create_connection(("127.0.0.1", port)):
            assert listening(port)
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
