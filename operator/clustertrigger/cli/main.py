"""The command line `kubectl clustertrigger`. Exit codes: 0 success, 1 failure or an invalid object, 2 wrong usage."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click
from click.shell_completion import shell_complete

from clustertrigger import __version__
from clustertrigger.cli.acting import add_acting
from clustertrigger.cli.command import PROG, Commands, global_options
from clustertrigger.cli.completing import (
    PLUGIN,
    VARIABLE,
    add_completion,
    complete_for_kubectl,
    is_asked_by_kubectl,
)
from clustertrigger.cli.describe import add_describe
from clustertrigger.cli.drift import add_drift
from clustertrigger.cli.init.command import add_init
from clustertrigger.cli.list import add_list
from clustertrigger.cli.logs import add_logs
from clustertrigger.cli.manifests import MalformedFileError, UnreadableFileError
from clustertrigger.cli.next import add_next
from clustertrigger.cli.report import add_report
from clustertrigger.cli.results import add_results
from clustertrigger.cli.scope import CommandError, Scope
from clustertrigger.cli.send import add_send
from clustertrigger.cli.terminal import say
from clustertrigger.cli.validate import add_validate
from clustertrigger.cli.watch import add_watch

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a file that the output is redirected to."""


@click.group(PROG, cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clustertrigger", message="%(prog)s %(version)s")
@global_options
def program() -> None:
    """See, run and check ClusterTriggers.

    Exit codes: 0 success, 1 failure or an invalid object, 2 wrong usage.
    """


# The list of commands has this order.
for _add in (
    *(add_list, add_describe, add_watch, add_logs, add_results, add_report, add_drift, add_next),
    *(add_acting, add_send),
    *(add_init, add_validate),
    *(add_completion,),
):
    _add(program)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    if arguments is None and is_asked_by_kubectl(sys.argv[0]):
        return complete_for_kubectl(program, sys.argv[1:])
    if arguments is None and (instruction := os.environ.get(VARIABLE)):
        return shell_complete(program, {"obj": Scope()}, PLUGIN, VARIABLE, instruction)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names and texts of other programs may not be representable on this terminal.
            stream.reconfigure(errors="replace")
    output = sys.stdout
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:
        return _stop_writing(output)  # The reader, such as head, has closed the pipe.
    except SystemExit:
        if sys.stdout is output:
            raise
        return _stop_writing(output)  # click exits with 1, and replaces the output, where a pipe was closed.
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        _stop_writing(output)
        _report(Exception(f"the output cannot be written: {error.strerror}: free space, or write it elsewhere"))
        return FAILED


def _run(words: list[str]) -> int:
    """Runs one command and returns its exit code. Errors of the output are left to `main`."""
    try:
        code = program.main(words, prog_name=PROG, standalone_mode=False, obj=Scope())
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        say(*error.format_message().splitlines(), stream=sys.stderr)
        return USAGE
    except click.UsageError as error:
        _report_usage(error)
        return USAGE
    except UnreadableFileError as error:
        _report(error)
        return USAGE
    except MalformedFileError as error:
        # validate prints problems of files on standard output. For other commands, another program may read the output.
        say(str(error), stream=sys.stdout if "validate" in words[:1] else sys.stderr)
        return FAILED
    except CommandError as error:
        _report(error)
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    return int(code or 0)


def _stop_writing(output: TextIO) -> int:
    """Discards the remaining buffer, which would cause an error at exit. Returns 0."""
    sys.stdout = output
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    return 0


def _report(error: Exception) -> None:
    first, *others = f"{PROG}: {error}".splitlines()
    say(first, *others, stream=sys.stderr)


def _report_usage(error: click.UsageError) -> None:
    path = error.ctx.command_path if error.ctx else PROG
    _report(Exception(f"{error.format_message()}\n{path} --help describes the usage"))


if __name__ == "__main__":
    sys.exit(main())
