"""Triggers that are as they should be, and fire every few seconds: whoever delays others, delays them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from clustertrigger.core.kube import paths
from clustertrigger.shell.kube.api_server import ApiServer
from harness.control_plane import fleet, manifests

STEPS = (2, 2, 3, 3, 4, 4, 5, 5)
"""Seconds from one slot to the next, of each."""


class Canaries:
    """What the canaries of a namespace should have done, and have."""

    def __init__(self, grids: dict[str, tuple[datetime, timedelta]], seen: fleet.Arrivals) -> None:
        self._grids = grids
        self._seen = seen

    def fired(self) -> Counter[tuple[str, datetime]]:
        """Jobs of each canary and slot."""
        return Counter(
            (job["metadata"]["ownerReferences"][0]["name"], fleet.slot_of(job)) for _, job in self._seen.jobs
        )

    def due(self, until: datetime) -> set[tuple[str, datetime]]:
        """Every slot up to an instant."""
        return {
            (name, anchor + n * step)
            for name, (anchor, step) in self._grids.items()
            for n in range(1, (until - anchor) // step + 1)
        }

    def lateness(self) -> list[float]:
        """Seconds from each slot until its Job was seen, sorted."""
        return sorted((at - fleet.slot_of(job)).total_seconds() for at, job in self._seen.jobs)

    def assert_in_time(self, p99: float, grace: float = 5.0) -> None:
        """No slot was lost or fired twice, and one in a hundred at most is later than so many seconds.

        Args:
            p99: seconds.
            grace: slots of the last seconds may still be on their way.
        """
        fired = self.fired()
        lost = self.due(datetime.now(UTC) - timedelta(seconds=grace)) - fired.keys()
        assert not lost, sorted(lost)
        assert fired.keys() <= self.due(datetime.now(UTC)), "slots that are none"
        assert max(fired.values()) == 1, fired.most_common(5)
        assert fleet.quantile(self.lateness(), 0.99) <= p99


async def settle(api: ApiServer, namespace: str, seen: fleet.Arrivals) -> Canaries:
    """Creates them where their Jobs are already watched."""
    path, grids = paths.custom("clustertriggers", namespace), {}
    for n, step in enumerate(STEPS):
        # Another run may be active: how fast runs end is not what is asked here.
        spec = manifests.interval(step, concurrency_policy="Allow")
        made = await api.create(path, manifests.trigger(f"canary-{n}", spec))
        anchor = datetime.fromisoformat(made["metadata"]["creationTimestamp"])
        grids[f"canary-{n}"] = anchor, timedelta(seconds=step)
    return Canaries(grids, seen)
