"""Connects a full cluster with its host: by a pair of virtual Ethernet devices and a subnet of four addresses.

The host reaches the API server at `node`, and Pods reach servers of the host at `host`. There is intentionally no other
route: Pods cannot reach other machines, and other machines cannot reach the cluster.
"""

import ipaddress
import json
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cluster.commands import run, succeeds
from harness.cluster.debian.control_plane import SERVICE_RANGE
from harness.cluster.debian.namespaces import Namespaces
from harness.cluster.errors import ClusterError
from harness.cluster.files import cache_directory, locked, write

INDICES = range(1, 250)


@dataclass(frozen=True)
class Link:
    """The link of one cluster. Its index determines the device and the addresses."""

    index: int

    @property
    def device(self) -> str:
        """Name of the device on the host."""
        return f"ctcluster{self.index}"

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The subnet of four addresses."""
        return ipaddress.IPv4Network(f"10.231.{self.index}.0/30")

    @property
    def host(self) -> str:
        """Address of the host for Pods."""
        return str(self.subnet[1])

    @property
    def node(self) -> str:
        """Address of the node for the host."""
        return str(self.subnet[2])


def choose_link(routes: Iterable[str], reserved: Container[int] = ()) -> Link:
    """Return the first link whose subnet the machine does not use.

    Args:
        routes: Destinations of the machine's routes. Wide ones (10.0.0.0/8 of a VPN) do not matter, because the link's
            route is more specific.
        reserved: Indices of other clusters, which may have no link at the moment.
    """
    networks = [ipaddress.ip_network(route, strict=False) for route in routes if route != "default"]
    close = [network for network in networks if network.version == 4 and network.prefixlen >= 20]
    for index in INDICES:
        link = Link(index)
        if index not in reserved and not any(
            isinstance(used, ipaddress.IPv4Network) and used.overlaps(link.subnet) for used in close
        ):
            return link
    raise ClusterError("every subnet of 10.231.0.0/16 is in use: stop a cluster with `down`")


def connect(record: Path, namespaces: Namespaces) -> Link:
    """Connect the namespaces with the host by the link in RECORD, or by a new one; keep an existing connection."""
    with locked(cache_directory() / "network.lock", "another cluster to get its network"):
        link = load(record) if record.exists() else choose_link(_in_use(), _reserved())
        write(record, json.dumps(asdict(link)))
        write(_reservations() / str(link.index), str(record.resolve()))
        pid = str(namespaces.pid)
        if succeeds(["nsenter", "--target", pid, "--net", "ip", "link", "show", "eth0"]):
            return link
        _make_room(link, record)
        run(["ip", "link", "add", link.device, "type", "veth", "peer", "name", "eth0", "netns", pid])
        run(["ip", "link", "set", link.device, "alias", _alias(record)])
        run(["ip", "address", "add", f"{link.host}/30", "dev", link.device])
        run(["ip", "link", "set", link.device, "up"])
        inside = ["nsenter", "--target", pid, "--net", "ip"]
        run([*inside, "address", "add", f"{link.node}/30", "dev", "eth0"])
        run([*inside, "link", "set", "eth0", "up"])
        # kube-proxy rewrites the addresses of Services only in packets that have a route. The API server sends such
        # packets when it calls webhooks.
        run([*inside, "route", "add", SERVICE_RANGE, "dev", "eth0"])
    return link


def load(record: Path) -> Link:
    """Read the link of a started cluster."""
    try:
        return Link(**json.loads(record.read_text()))
    except FileNotFoundError:
        raise ClusterError(f"no cluster runs in {record.parent}: start it with `up`") from None


def disconnect(record: Path) -> None:
    """Remove the link in RECORD, unless the kernel has removed it or another cluster now uses its index."""
    if record.exists():
        link = load(record)
        with locked(cache_directory() / "network.lock", "another cluster to get its network"):
            if _owners().get(link.device) == _alias(record):
                _remove(link)
            reservation = _reservations() / str(link.index)
            if _holder(reservation) == record.resolve():
                reservation.unlink()


def _reservations() -> Path:
    """Return the directory that has, for each index in use, a file with the path of the cluster's record.

    A crashed cluster has no link, but its certificates and manifests contain the link's address: `up` needs the index.
    """
    return cache_directory() / "links"


def _reserved() -> set[int]:
    return {int(path.name) for path in _reservations().glob("[0-9]*") if _holder(path)}


def _holder(reservation: Path) -> Path | None:
    """Return the record that RESERVATION names, if that record still has this index."""
    try:
        record = Path(reservation.read_text())
        return record if json.loads(record.read_text())["index"] == int(reservation.name) else None
    except FileNotFoundError:
        return None


def _alias(record: Path) -> str:
    """Return the alias of a link, which names its cluster; the kernel keeps 255 characters."""
    return str(record.resolve())[-255:]


def _make_room(link: Link, record: Path) -> None:
    """Remove the rest of the link in RECORD; raise ClusterError if another cluster now uses its index."""
    owner = _owners().get(link.device, "")
    if owner not in ("", _alias(record)):
        raise ClusterError(f"{link.device} of {record.parent} belongs to {owner} now: `down`, then `up`")
    _remove(link)


def _owners() -> dict[str, str]:
    """Return the machine's devices and their aliases; "" if the creator was killed before it set the alias."""
    devices = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    return {device["ifname"]: device.get("ifalias", "") for device in devices}


def _remove(link: Link) -> None:
    if succeeds(["ip", "link", "show", link.device]):
        succeeds(["ip", "link", "delete", link.device])


def _in_use() -> list[str]:
    """Return the destinations of the machine's routes, and the subnets of all links, which may have no route."""
    routes = [route["dst"] for route in json.loads(run(["ip", "-4", "-json", "route", "show"]) or "[]")]
    owners = _owners()
    return routes + [str(link.subnet) for link in map(Link, INDICES) if owners.get(link.device)]
