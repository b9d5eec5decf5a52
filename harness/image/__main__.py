"""``python3 -m harness.image build``: build the images and print their names and archives."""

import argparse
import shutil
import sys
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.image.build import build_image
from harness.image.plan import TARGETS


def main(arguments: list[str]) -> int:
    """Run the command line; return 0, or 2 with one line that says what to do."""
    options = _parser().parse_args(arguments)
    try:
        for target in TARGETS if options.target == "all" else [options.target]:
            image = build_image(target)
            archive = image.archive
            if options.output:
                options.output.mkdir(parents=True, exist_ok=True)
                archive = Path(shutil.copy(archive, options.output))
            print(f"{image.name}\t{archive}\t{archive.stat().st_size / 1e6:.0f} MB")
    except (ClusterError, OSError, ValueError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m harness.image", description="Build the project's images.")
    build = parser.add_subparsers(dest="command", required=True).add_parser(
        "build", help="build what is not in the cache"
    )
    build.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    build.add_argument("--output", type=Path, metavar="DIR", help="also copy operator.tar and worker.tar there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
