"""Waits for runs, and shows their progress: a live line on a terminal, a line per change elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from harness.cluster.errors import ClusterError
from harness.cluster.progress import say
from harness.demo.awaited import Awaited, Run, Status
from harness.kubectl import Kubectl

_POLL_SECONDS = 1.0
_NEW = timedelta(seconds=10)
"""A run that began this long before belongs to an earlier demo."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def wait_for_runs(kubectl: Kubectl, awaited: Sequence[Awaited], seconds: float) -> dict[str, Run]:
    """Waits until every run has ended, and reports each.

    Args:
        kubectl: Its namespace has the triggers.
        awaited: One run per trigger.
        seconds: How long to wait for all of them.

    Returns:
        The runs by trigger.

    Raises:
        ClusterError: one ended otherwise than it was meant to, or the time is over.
    """
    ended: dict[str, Run] = {}
    line = _LiveLine()
    began = datetime.now(UTC).replace(microsecond=0)
    deadline = time.monotonic() + seconds
    while True:
        statuses = {item["metadata"]["name"]: item.get("status", {}) for item in kubectl.items("clustertriggers")}
        for one in awaited:
            run = one.ended(statuses.get(one.trigger, {}))
            if run is not None and one.trigger not in ended:
                ended[one.trigger] = run
                line.clear()
                say(f"  {one.trigger}: {run}{_remark(one, run, began)}")
                _check(one, run)
        left = [one for one in awaited if one.trigger not in ended]
        if not left:
            line.clear()
            return ended
        if time.monotonic() > deadline:
            line.clear()
            raise ClusterError(f"after {seconds:.0f} s still waiting: {_where_they_are(left, statuses)}")
        line.show(_where_they_are(left, statuses))
        time.sleep(_POLL_SECONDS)


def _remark(awaited_run: Awaited, run: Run, began: datetime) -> str:
    remark = " (as intended)" if awaited_run.outcome == "failed" else ""
    return f"{remark} (at {run.triggered_at:%H:%M:%S} UTC)" if run.triggered_at < began - _NEW else remark


def _check(awaited_run: Awaited, run: Run) -> None:
    if run.status != awaited_run.outcome:
        raise ClusterError(f"the run {run.job} should be {awaited_run.outcome} and is {run.status}: {run.error}")


def _where_they_are(awaited: Sequence[Awaited], statuses: Mapping[str, Status]) -> str:
    states = []
    for one in awaited:
        status = statuses.get(one.trigger, {})
        states.append(f"{one.trigger} {one.obstacle(status) or one.state(status)}")
    return " · ".join(states)


class _LiveLine:
    """The last line of a terminal, which is rewritten in place; elsewhere, a line whenever the text changes."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._turns = 0
        self._last = ""

    def show(self, text: str) -> None:
        if not self._terminal:
            if text != self._last:
                say(f"  waiting: {text}")
            self._last = text
            return
        self._turns += 1
        room = shutil.get_terminal_size().columns - 1
        elapsed = f"{time.monotonic() - self._began:.0f} s"
        line = f"  {_SPINNER[self._turns % len(_SPINNER)]} {elapsed:>5}  {text}"
        print(f"\r\x1b[K{line[:room]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._turns:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
