"""Free TCP ports of this machine."""

import random
import socket
from collections.abc import Callable, Iterable

from harness.cluster.errors import ClusterError

# Below the kernel's range for outgoing connections (32768 and up), which would take a port between choice and use.
RANGE = range(20000, 32000)
_CLAIMS: list[socket.socket] = []


def choose_ports(count: int, taken: Callable[[int], bool], candidates: Iterable[int]) -> list[int]:
    """Return the first COUNT distinct ports of CANDIDATES that are not TAKEN."""
    chosen: list[int] = []
    for port in candidates:
        if len(chosen) == count:
            break
        if port not in chosen and not taken(port):
            chosen.append(port)
    if len(chosen) < count:
        raise ClusterError(f"fewer than {count} free ports in {RANGE.start}-{RANGE.stop - 1}: stop what listens there")
    return chosen


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Returns COUNT ports of ADDRESS that no other process gets from here while this process runs.

    They are chosen at random, so that clusters that start together seldom try the same ones. A server can listen on
    them, and again after it was stopped, if it sets SO_REUSEADDR, as servers do.
    """
    return choose_ports(count, lambda port: not _claim(port, address), random.sample(RANGE, len(RANGE)))


def listening(port: int, address: str = "127.0.0.1") -> bool:
    """Tell whether PORT cannot be bound at ADDRESS."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _claim(port: int, address: str) -> bool:
    """Takes PORT for this process, without listening; returns whether it was free."""
    claim = socket.socket()
    try:
        claim.bind((address, port))  # without SO_REUSEADDR: not beside the claim of another process
    except OSError:
        claim.close()
        return False
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on beside the server that it is for
    _CLAIMS.append(claim)
    return True
