"""What the demo ends with: the table, the events, the clusters, the reports, and what to try next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clustertrigger.api.names import ANNOTATION_RUN_REQUESTED
from harness.demo.awaited import Run
from harness.demo.clusters import format_clusters, read_metrics
from harness.kubectl import Kubectl

LARGEST = 6


def tell(kubectl: Kubectl, runs: Mapping[str, Run], *, featured: str, reports: Path) -> None:
    """Print it.

    Args:
        kubectl: Its namespace has the triggers.
        runs: The runs that ended, by trigger.
        featured: The trigger whose events and clusters are shown.
        reports: Folder of this machine that holds the results of each run that succeeded, by trigger.
    """
    print()
    _show(kubectl, "get", "clustertriggers")
    events = f"--field-selector=involvedObject.name={featured}"
    _show(kubectl, "get", "events", events, "--sort-by=.metadata.creationTimestamp")
    metrics = read_metrics(reports / featured)
    print(
        f"The {LARGEST} largest of the {metrics['num_clusters']} clusters of {featured} ({metrics['algorithm']}); "
        f"{metrics['num_noise']:,} of {metrics['num_documents']:,} documents are in none"
    )
    print(format_clusters(metrics, LARGEST))
    print("\nReports on this machine")
    for name, run in runs.items():
        if run.status == "completed":
            folder = _short(reports / name)
            print(f"  {folder}/report.html  {folder}/report.png")
    print(_what_next(kubectl, featured))


def _show(kubectl: Kubectl, *words: str) -> None:
    print(f"$ kubectl -n {kubectl.namespace} {' '.join(words)}")
    print(kubectl(*words))


def _what_next(kubectl: Kubectl, featured: str) -> str:
    namespace = f"kubectl -n {kubectl.namespace}"
    request = f'{ANNOTATION_RUN_REQUESTED}="$(date +%s)" --overwrite'
    return f"""
The cluster stays up, and every-minute goes on firing; `make cluster-down` ends both. To try next:
  export KUBECONFIG={_short(kubectl.kubeconfig)}
  {namespace} get clustertriggers --watch
  {namespace} describe clustertrigger missing-file
  {namespace} annotate clustertrigger {featured} {request}"""


def _short(path: Path) -> str:
    """A path as a person at this prompt would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
