"""One port on all addresses."""

from __future__ import annotations

import socket

import pytest

from clustertrigger.net.listening import listen_everywhere


def reaches(family: socket.AddressFamily, address: str, port: int) -> bool:
    with socket.socket(family) as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) == 0


def test_both_families_reach_it() -> None:
    listeners = listen_everywhere(0, 8)
    try:
        (port,) = {listener.getsockname()[1] for listener in listeners}
        assert reaches(socket.AF_INET, "127.0.0.1", port)
        if len(listeners) > 1:
            assert reaches(socket.AF_INET6, "::1", port)
        with pytest.raises(OSError, match="in use"):
            listen_everywhere(port, 8)
    finally:
        for listener in listeners:
            listener.close()


def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    made = socket.socket

    def only_ipv4(family: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError("address family not supported")
        return made(family)

    monkeypatch.setattr(socket, "socket", only_ipv4)
    (listener,) = listen_everywhere(0, 8)
    with listener:
        assert listener.family == socket.AF_INET
