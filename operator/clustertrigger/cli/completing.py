"""`kubectl clustertrigger completion`: prints scripts that complete commands and names in a shell or kubectl."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from clustertrigger.cli.command import PROG, add_command
from clustertrigger.cli.scope import Scope

PLUGIN = "kubectl-clustertrigger"
FOR_KUBECTL = "kubectl_complete-clustertrigger"
"""The program that kubectl runs for completions: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/"""
VARIABLE = "_KUBECTL_CLUSTERTRIGGER_COMPLETE"
_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_NO_FILES = 4
"""A directive of cobra, which kubectl understands: do not complete file names."""


def add_completion(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "completion",
        section="Set up",
        examples=[
            f"{PROG} completion bash > ~/.local/share/bash-completion/completions/{PLUGIN}",
            f"{PROG} completion zsh > ~/.zfunc/_{PLUGIN}",
            f"{PROG} completion fish > ~/.config/fish/completions/{PLUGIN}.fish",
        ],
    )
    @click.argument("shell", type=click.Choice(list(_SHELLS)), metavar="bash|zsh|fish")
    def command(shell: str) -> int:
        """Print a completion script for a shell.

        Source the script, or put it where your shell looks for such scripts. It completes commands, options, and the
        names of triggers, runs, namespaces and contexts for `kubectl-clustertrigger`.

        `kubectl clustertrigger` is completed by kubectl 1.26 and later, with kubectl's own completion script, if
        kubectl_complete-clustertrigger is on the PATH. pip and pipx install it. With the single file, create a
        link with that name to kubectl-clustertrigger.
        """
        complete = _SHELLS[shell](group, {}, PLUGIN, VARIABLE)
        # complete.source() is not used, because click would run bash to read its version, and the target may have no
        # bash.
        click.echo(complete.source_template % complete.source_vars())
        return 0


def is_asked_by_kubectl(program: str) -> bool:
    """Returns whether kubectl has started the program for completions."""
    return PurePath(program).name.removesuffix(".exe") == FOR_KUBECTL


def complete_for_kubectl(group: click.Group, words: Sequence[str]) -> int:
    """Prints the completions of the last word as kubectl expects them: `value<TAB>help`, then a directive."""
    *before, incomplete = words or [""]
    complete = ShellComplete(group, {"obj": Scope()}, PLUGIN, VARIABLE)
    for item in complete.get_completions(list(before), incomplete):
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(f":{_NO_FILES}")
    return 0
