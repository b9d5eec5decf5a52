"""Declares commands with click.

The alternative typer consists of click, shellingham and a second way to declare options, and this command must need few
libraries. In click, the options that all commands share (-n, --context, …) are one decorator, and completion for bash,
zsh and fish is included. Help pages are plain text; rich prints the output of commands.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clustertrigger.api.names import COMMAND
from clustertrigger.cli.scope import Scope
from clustertrigger.core.spelling import nearest

if TYPE_CHECKING:
    from clustertrigger.cli.cluster import Cluster

PROG = COMMAND
SECTIONS = ("See", "Act", "Write and check", "Set up")
"""Sections of the list of commands, in this order."""

Function = TypeVar("Function", bound=Callable[..., Any])
CarryOut = Callable[..., int]


class Command(click.Command):
    """A command whose help ends with examples, and lists the global options separately.

    Args:
        section: Its section in the list of commands: one of SECTIONS.
        examples: Command lines.
        arguments: Options of click.Command.
    """

    def __init__(self, *, section: str, examples: Sequence[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.section = section
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the command's own options, then the global ones."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples. The lines of a long example end with a backslash, so that they can be copied."""
        with formatter.section("Examples"):
            indent = " " * formatter.current_indent
            for example in self.examples:
                formatter.write(
                    "".join(f"{indent}{line}\n" for line in _folded(example, formatter.width - len(indent)))
                )


class Commands(click.Group):
    """The program. It lists its commands by section, and suggests one for a misspelt name."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands by section, then the global options."""
        commands = [(name, command) for name, command in self.commands.items() if isinstance(command, Command)]
        for section in SECTIONS:
            rows = [(name, command.get_short_help_str(70)) for name, command in commands if command.section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes how to show a command's own options."""
        formatter.write_paragraph()
        formatter.write_text(f"{PROG} COMMAND --help shows the options and examples of a command.")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that the first argument names.

        Raises:
            click.UsageError: there is none of that name.
        """
        if args and not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in self.commands:
            guess = nearest(args[0], self.commands)
            remedy = f"did you mean {guess!r}?" if guess else f"{PROG} --help lists the commands"
            raise click.UsageError(f"unknown command {args[0]!r}: {remedy}", ctx)
        return super().resolve_command(ctx, args)


def add_command(
    group: click.Group, name: str, *, section: str, examples: Sequence[str]
) -> Callable[[Function], Command]:
    """Returns a decorator that makes a function a command. The function's docstring is its help.

    Args:
        group: The group of the command.
        name: Name of the command.
        section: One of SECTIONS.
        examples: Command lines at the end of the help.
    """

    def decorate(function: Function) -> Command:
        command = click.command(name, cls=Command, section=section, examples=examples)(function)
        group.add_command(command)
        return command

    return decorate


def global_options(function: Function) -> Function:
    """Adds -n, --context, --kubeconfig, --as and --as-group. kubectl passes a plugin no options that precede its name.

    They are also accepted before the command. They are stored in the context's Scope, and not passed to the function.
    """
    from clustertrigger.cli import completion

    def option(*names: str, **arguments: Any) -> None:
        nonlocal function
        function = click.option(*names, expose_value=False, callback=_remember, cls=_GlobalOption, **arguments)(
            function
        )

    option("--as-group", "groups", metavar="GROUP", multiple=True, help="Group to impersonate. Repeatable.")
    option("--as", "user", metavar="USER", help="User to impersonate, such as system:serviceaccount:NAMESPACE:NAME.")
    option("--kubeconfig", metavar="FILE", help="Kubeconfig file. Default: KUBECONFIG, or else ~/.kube/config.")
    option(
        "--context", metavar="NAME", help="Context of the kubeconfig. Default: the current one.",
        shell_complete=completion.contexts,
    )  # fmt: skip
    option(
        "-n", "--namespace", metavar="NAME", help="Namespace. Default: the context's.",
        shell_complete=completion.namespaces,
    )  # fmt: skip
    return function


def on_cluster(function: Callable[..., Awaitable[int]]) -> CarryOut:
    """Makes a coroutine function with a Cluster argument a command's function, with the global options.

    The command connects according to the options, and returns the coroutine's exit code.
    """

    @click.pass_context
    def carry_out(ctx: click.Context, /, **options: Any) -> int:
        from clustertrigger.cli.cluster import connected

        async def act(cluster: Cluster) -> int:
            return await function(cluster, **options)

        return asyncio.run(connected(ctx.ensure_object(Scope), act))

    carry_out.__name__, carry_out.__doc__ = function.__name__, function.__doc__
    carry_out.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return global_options(carry_out)


def name_argument(function: Function) -> Function:
    """Adds the argument NAME, the name of a trigger."""
    from clustertrigger.cli import completion

    return click.argument("name", metavar="NAME", shell_complete=completion.triggers)(function)


def run_option(help_text: str) -> Callable[[Function], Function]:
    """Returns what adds the option --run, the name of a run, which commands get as `job`."""
    from clustertrigger.cli import completion

    return click.option("--run", "job", metavar="JOB", shell_complete=completion.runs, help=help_text)


class _GlobalOption(click.Option):
    """Declares one of kubectl's global options."""


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    scope = ctx.ensure_object(Scope)
    if value:
        setattr(scope, str(parameter.name), value)


def _folded(line: str, width: int) -> list[str]:
    """Splits a shell command that is longer than the width into lines, before options and redirections."""
    lines, continued = [""], "    "
    for part in re.split(r" (?=-|>|\|)", line):
        longer = f"{lines[-1]} {part}" if lines[-1].strip() else lines[-1] + part
        if len(longer) <= width - len(" \\") or not lines[-1].strip():
            lines[-1] = longer
        else:
            lines[-1] += " \\"
            lines.append(continued + part)
    return [line] if len(line) <= width else lines


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for parameter in command.get_params(ctx):
        # The text of the help explains the arguments.
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
            (shared if isinstance(parameter, _GlobalOption) else own).append(record)
    for title, rows in (("Options", own), ("Global options", shared)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
