"""The command line: `kubectl clustertrigger`.

Exit codes: 0 done, 1 it could not be done or something is invalid, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from clustertrigger import __version__
from clustertrigger.cli.command import PROG, CommandError, Commands, add_command, add_filename_option
from clustertrigger.cli.drift import add_drift
from clustertrigger.cli.manifests import MalformedFileError, UnreadableFileError, read
from clustertrigger.cli.next import print_next
from clustertrigger.cli.results import add_results
from clustertrigger.cli.send import add_send
from clustertrigger.cli.validate import validate
from clustertrigger.cli.watch import add_watch
from clustertrigger.core.instants import parse_instant

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.carry_out(options)
        sys.stdout.flush()
    except UnreadableFileError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return USAGE
    except MalformedFileError as error:
        # The problems of files are what validate is asked for; anything else may feed another program.
        print(error, file=sys.stdout if options.command == "validate" else sys.stderr)
        return FAILED
    except CommandError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has seen enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Says what ClusterTriggers will do and have done.",
        epilog="Exit codes: 0 done, 1 it could not be done or something is invalid, 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"clustertrigger {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_next(commands)
    _add_validate(commands)
    add_drift(commands)
    add_send(commands)
    add_watch(commands)
    add_results(commands)
    return parser


def _add_next(commands: Commands) -> None:
    parser = add_command(
        commands,
        "next",
        lambda options: print_next(
            read(options.filename), options.start or datetime.now(UTC), options.count, options.output
        ),
        summary="print the coming slots of the triggers in files",
        about="Prints when each ClusterTrigger of the files will be due, in UTC and on the clock of its time zone.",
        example="kubectl clustertrigger next -f nightly.yaml --from 2026-03-28T00:00:00Z --count 3",
    )
    add_filename_option(parser)
    parser.add_argument(
        "--from", dest="start", type=_instant, metavar="TIME", help="look from this RFC 3339 time on (default: now)"
    )
    parser.add_argument("--count", type=_count, default=5, metavar="N", help="slots of each trigger (default: 5)")
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="how to print (default: table)"
    )


def _add_validate(commands: Commands) -> None:
    parser = add_command(
        commands,
        "validate",
        lambda options: validate(read(options.filename)),
        summary="say what is wrong with files",
        about="Says what kubectl apply and the operator would say of the ClusterTriggers, ClusterDefinitions and "
        "Collections of the files: a line for each problem, or OK. References are followed within the files.",
        example="kustomize build . | kubectl clustertrigger validate -f -",
    )
    add_filename_option(parser)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        message = f"{text!r} is no RFC 3339 time: write it as 2026-03-29T00:00:00Z"
        raise argparse.ArgumentTypeError(message) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 10_000 and len(text) <= 6):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: write a number from 1 to 10000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
