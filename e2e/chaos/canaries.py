"""Runs canaries: valid triggers that fire every few seconds, and show whether other triggers delay them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from clustertrigger.core.kube import paths
from clustertrigger.shell.kube.api_server import ApiServer
from harness.control_plane import fleet, manifests

STEPS = (2, 2, 3, 3, 4, 4, 5, 5)
"""Interval of each canary in seconds."""


class Canaries:
    """Compares the slots of the canaries of a namespace with their Jobs."""

    def __init__(self, grids: dict[str, tuple[datetime, timedelta]], seen: fleet.Arrivals) -> None:
        self._grids = grids
        self._seen = seen

    def fired(self) -> Counter[tuple[str, datetime]]:
        """Returns the number of Jobs by canary and slot."""
        return Counter(
            (job["metadata"]["ownerReferences"][0]["name"], fleet.slot_of(job)) for _, job in self._seen.jobs
        )

    def due(self, until: datetime) -> set[tuple[str, datetime]]:
        """Returns all slots of all canaries up to an instant."""
        return {
            (name, anchor + n * step)
            for name, (anchor, step) in self._grids.items()
            for n in range(1, (until - anchor) // step + 1)
        }

    def lateness(self) -> list[float]:
        """Returns the sorted seconds from each slot until its Job was observed."""
        return sorted((at - fleet.slot_of(job)).total_seconds() for at, job in self._seen.jobs)

    def assert_in_time(self, p99: float, grace: float = 5.0) -> None:
        """Verifies that no slot was lost or fired twice, and that at most one in a hundred was late.

        Args:
            p99: Maximum lateness of 99 % of the slots in seconds.
            grace: Number of seconds in which the latest slots may not have a Job yet.
        """
        fired = self.fired()
        lost = self.due(datetime.now(UTC) - timedelta(seconds=grace)) - fired.keys()
        assert not lost, sorted(lost)
        assert fired.keys() <= self.due(datetime.now(UTC)), "slots that are none"
        assert max(fired.values()) == 1, fired.most_common(5)
        assert fleet.quantile(self.lateness(), 0.99) <= p99


async def settle(api: ApiServer, namespace: str, seen: fleet.Arrivals) -> Canaries:
    """Creates the canaries in a namespace whose Jobs are already watched."""
    path, grids = paths.custom("clustertriggers", namespace), {}
    for n, step in enumerate(STEPS):
        # Runs may overlap, because the duration of runs is not tested here.
        spec = manifests.interval(step, concurrency_policy="Allow")
        made = await api.create(path, manifests.trigger(f"canary-{n}", spec))
        anchor = datetime.fromisoformat(made["metadata"]["creationTimestamp"])
        grids[f"canary-{n}"] = anchor, timedelta(seconds=step)
    return Canaries(grids, seen)
