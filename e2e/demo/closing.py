"""What the demo ends with: the table, the events, the clusters, the reports, and what to try next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from e2e.demo.awaited import Run
from e2e.demo.central import format_clusters, read_clustering, read_texts
from e2e.kubectl import Kubectl

LARGEST = 6
CENTRAL = 3


def tell(kubectl: Kubectl, runs: Mapping[str, Run], *, featured: str, reports: Path, data: Path) -> None:
    """Print it.

    Args:
        kubectl: Its namespace has the triggers.
        runs: The runs that ended, by trigger.
        featured: The trigger whose events and clusters are shown.
        reports: Folder of this machine that holds the results of each run that succeeded, by trigger.
        data: The collection's file, with document_id and description.
    """
    print()
    _show(kubectl, "get", "clustertriggers")
    events = f"--field-selector=involvedObject.name={featured}"
    _show(kubectl, "get", "events", events, "--sort-by=.metadata.creationTimestamp")
    clustering = read_clustering(reports / featured / "members.parquet", CENTRAL)
    run = runs[featured]
    print(f"The {LARGEST} largest of the {run.clusters} clusters of {featured}; {clustering.in_none:,} of "
          f"{run.documents:,} documents are in none")  # fmt: skip
    print(format_clusters(clustering, read_texts(data, "description"), LARGEST))
    print("\nReports on this machine")
    for name, run in runs.items():
        if run.status == "completed":
            folder = _short(reports / name)
            print(f"  {folder}/report.html  {folder}/report.png")
    print(_what_next(kubectl, featured))


def _show(kubectl: Kubectl, *words: str) -> None:
    print(f"$ kubectl {' '.join(words)}")
    print(kubectl(*words))


def _what_next(kubectl: Kubectl, featured: str) -> str:
    return f"""
The cluster stays up, and every-minute goes on firing; `make cluster-down` ends both. To try next:
  export KUBECONFIG={_short(kubectl.kubeconfig)}
  kubectl -n {kubectl.namespace} get clustertriggers --watch
  kubectl -n {kubectl.namespace} describe clustertrigger missing-file
  kubectl -n {kubectl.namespace} annotate clustertrigger {featured} clustertrigger.dev/run-requested="$(date +%s)" --overwrite"""


def _short(path: Path) -> str:
    """A path as a person at this prompt would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
