"""The command line: `kubectl clustertrigger next` and `validate`.

Exit codes: 0 done, 1 something in the files is invalid, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from clustertrigger import __version__
from clustertrigger.cli.manifests import MalformedFileError, UnreadableFileError, read
from clustertrigger.cli.next import print_next
from clustertrigger.cli.validate import validate
from clustertrigger.core.instants import parse_instant

PROG = "kubectl clustertrigger"
"""kubectl runs the plugin kubectl-clustertrigger under this name."""
INVALID, USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        manifests = read(options.filename)
        if options.command == "validate":
            code = validate(manifests)
        else:
            code = print_next(manifests, options.start or datetime.now(UTC), options.count, options.output)
        sys.stdout.flush()
    except UnreadableFileError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return USAGE
    except MalformedFileError as error:
        # The problems of files are what validate is asked for; anything else may feed another program.
        print(error, file=sys.stdout if options.command == "validate" else sys.stderr)
        return INVALID
    except BrokenPipeError:
        # The reader, such as head, has seen enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Says what ClusterTriggers in files will do, without any cluster.",
        epilog="Exit codes: 0 done, 1 something in the files is invalid, 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"clustertrigger {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    coming = _command(
        commands,
        "next",
        "print the coming slots of each trigger",
        "Prints when each ClusterTrigger of the files will be due, in UTC and on the clock of its time zone.",
        "kubectl clustertrigger next -f nightly.yaml --from 2026-03-28T00:00:00Z --count 3",
    )
    coming.add_argument(
        "--from", dest="start", type=_instant, metavar="TIME", help="look from this RFC 3339 time on (default: now)"
    )
    coming.add_argument("--count", type=_count, default=5, metavar="N", help="slots of each trigger (default: 5)")
    coming.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="how to print (default: table)"
    )
    _command(
        commands,
        "validate",
        "say what is wrong",
        "Says what kubectl apply and the operator would say of the ClusterTriggers, ClusterDefinitions and Collections "
        "of the files: a line for each problem, or OK. References are followed within the files.",
        "kustomize build . | kubectl clustertrigger validate -f -",
    )
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, about: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=about,
        epilog=f"Example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="YAML or JSON file, a folder of them, or - for standard input; may be repeated",
    )
    return command


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
