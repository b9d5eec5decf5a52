"""Builds the page of one run: its result, and whether it has a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clustertrigger.api.status import Execution
from clustertrigger.rest.page.views.detail import RunView, run_view


@dataclass(frozen=True, slots=True)
class RunPage:
    """The page of one run.

    Attributes:
        facts: Names and values of what is known.
        why_none: Why there is no report; empty if there is one.
    """

    namespace: str
    name: str
    run: RunView
    facts: Sequence[tuple[str, str]]
    has_report: bool
    why_none: str


def run_page(namespace: str, name: str, run: Execution, now: datetime) -> RunPage:
    """Returns the page of a run.

    Args:
        namespace: Namespace of the trigger.
        name: Name of the trigger.
        run: A run of its history.
        now: The current time.
    """
    view = run_view(run, now)
    facts = {
        "Began": f"{view.at.words} ({view.at.utc})" if view.at else "",
        "Slot": view.slot,
        "Took": view.took,
        "Action": run.action_type or "cluster",
        "Runs again": run.reruns or "",
        "Clusters": view.clusters,
        "Documents": view.documents,
        "Outputs": ", ".join(run.outputs or ()),
        "Folder": run.results_uri or "",
    }
    has_report = run.status == "completed" and bool(run.results_uri)
    return RunPage(
        namespace=namespace,
        name=name,
        run=view,
        facts=[(fact, value) for fact, value in facts.items() if value],
        has_report=has_report,
        why_none="" if has_report else _why_none(run),
    )


def _why_none(run: Execution) -> str:
    if run.status in ("pending", "running"):
        return "There is no report yet, because the run has not ended."
    if run.status == "failed":
        return "There is no report, because the run failed."
    return "There is no report, because the run wrote no results."
