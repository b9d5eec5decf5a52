"""Opens sockets that listen on all addresses of a machine, whether it has IPv4, IPv6 or both."""

from __future__ import annotations

import socket

_ALL = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))  # noqa: S104 - A Pod listens on all addresses.


def listen_everywhere(port: int, backlog: int) -> list[socket.socket]:
    """Listens on a port of all addresses, with one socket for IPv4 and one for IPv6 if the machine has it.

    Args:
        port: The port; 0 selects a free one, the same for both.
        backlog: Maximum number of connections that wait to be accepted.

    Raises:
        OSError: the port cannot be listened on.
    """
    listeners: list[socket.socket] = []
    for family, address in _ALL:
        listener = _listen(family, address, port, backlog)
        if listener is not None:
            listeners.append(listener)
            port = int(listener.getsockname()[1])
    return listeners


def _listen(family: socket.AddressFamily, address: str, port: int, backlog: int) -> socket.socket | None:
    listener: socket.socket | None = None
    try:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(backlog)
    except OSError:
        if listener is not None:
            listener.close()
        if family == socket.AF_INET:
            raise
        return None  # The machine has no IPv6.
    listener.setblocking(False)
    return listener
