"""Prints the end of the demo: the table, what changed, the remedy of the failure, the reports, and what to try next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clustertrigger.core.trigger_state import TriggerState, advice
from harness.demo.awaited import Run
from harness.demo.clusters import compare_clusters, format_clusters, read_metrics
from harness.demo.plugin import Plugin
from harness.installation import RELEASE, SYSTEM_NAMESPACE
from harness.kubectl import Kubectl

LARGEST = 3
_API_PORT = 8082


def print_outcome(
    kubectl: Kubectl, plugin: Plugin, runs: Mapping[str, Run], *, drifted: str, enriched: str, reports: Path
) -> None:
    """Prints the end of the demo.

    Args:
        kubectl: Its namespace has the triggers.
        plugin: `kubectl clustertrigger` in the same namespace.
        runs: The runs that ended, by trigger.
        drifted: The trigger that drift fired; its run before has its folder beside it, with `-before`.
        enriched: The trigger that gives packages their sections.
        reports: Folder of this machine that holds the results of each run that succeeded, by trigger.
    """
    print(f"\n$ {plugin.typed('list')}")
    print(plugin("list"))
    before, after = read_metrics(reports / f"{drifted}-before"), read_metrics(reports / drifted)
    summary = kubectl.json("get", "clustertrigger", drifted)["status"]["last_result"]["changes"]["summary"]
    print(f"What changed when drift fired {drifted}: {summary}")
    print(compare_clusters(before, after))
    print(f"\n$ {plugin.typed('drift', drifted)}")
    print(plugin("drift", drifted))
    print(f"The {LARGEST} largest clusters of {drifted}, with their most central documents")
    print(format_clusters(after, LARGEST))
    print(f"\n$ {plugin.typed('results', enriched)}")
    print(plugin("results", enriched), end="")
    for name, run in runs.items():
        if run.status == "failed":
            print(f"\n{name} fails as intended: {run.error}")
            state = TriggerState(kubectl.json("get", "clustertrigger", name))
            print("\n".join(f"  {line}" for line in advice(state, f"-n {kubectl.namespace}")))
    print("\nReports on this machine")
    for name, run in runs.items():
        if run.status == "completed":
            print(f"  {_short(reports / name)}/report.html")
    print(_what_next(kubectl, plugin, drifted))


def print_page_address(kubectl: Kubectl, *, account: str) -> None:
    """Prints how to view the triggers in a browser.

    Args:
        kubectl: Its namespace has the triggers.
        account: The service account of the token.
    """
    print(f"""
The page in a browser, which updates while runs make progress:
  kubectl -n {SYSTEM_NAMESPACE} port-forward service/{RELEASE}-api {_API_PORT} &
  http://127.0.0.1:{_API_PORT}/?namespace={kubectl.namespace}
and sign in with this token, which is valid for a day:
{kubectl.token(account)}""")


def environment(kubectl: Kubectl) -> str:
    """Returns the command with which a shell finds the cluster and `kubectl clustertrigger`."""
    return f'export KUBECONFIG={_short(kubectl.kubeconfig)} PATH="$PWD/.venv/bin:$PATH"'


def _what_next(kubectl: Kubectl, plugin: Plugin, drifted: str) -> str:
    return f"""
The cluster stays up, and {drifted} keeps checking; `make cluster-down` ends both. To try next:
  {environment(kubectl)}
  {plugin.typed("describe", drifted)}
  {plugin.typed("run", "nightly-topics", "--wait")}
  {plugin.typed("send", "--type", "documents_added", "--collection", "col_packages", "--count", "100")}"""


def _short(path: Path) -> str:
    """Returns a path relative to this directory if possible."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
