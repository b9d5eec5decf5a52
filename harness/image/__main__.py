"""``python3 -m harness.image build|push``: builds the images; pushes them to a registry."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.image import push
from harness.image.build import build_image
from harness.image.plan import SPARK, TARGETS


def main(arguments: list[str]) -> int:
    """Runs the command line. Returns 0, or 2 after one line with the remedy."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "push":
            return _push(options.registry, [*TARGETS, *([SPARK] if options.spark else [])])
        return _build(options.target, options.output)
    except (ClusterError, OSError, ValueError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 2


def _build(requested: str, output: Path | None) -> int:
    for target in TARGETS if requested == "all" else [requested]:
        image = build_image(target)
        archive = image.archive
        if output:
            output.mkdir(parents=True, exist_ok=True)
            archive = Path(shutil.copy(archive, output))
        print(f"{image.name}\t{archive}\t{archive.stat().st_size / 1e6:.0f} MB")
    return 0


def _push(registry: str, targets: Sequence[str]) -> int:
    push.require_registry(registry)  # before a build, which takes long
    images = {target: build_image(target) for target in targets}
    for image in images.values():
        for name in push.push(image, registry):
            print(f"pushed {name}")
    print(f"\nInstall them:\n\n{push.installation(images, registry)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m harness.image", description="Build the project's images.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build what is not in the cache")
    build.add_argument(
        "--target", choices=[*TARGETS, SPARK, "all"], default="all", help="all: the operator's and the worker's"
    )
    build.add_argument("--output", type=Path, metavar="DIR", help="also copy the archives there, such as worker.tar")
    pushing = commands.add_parser("push", help="build, and push to a registry that the nodes can pull from")
    pushing.add_argument("registry", metavar="REGISTRY", help="such as registry.example.com/team")
    pushing.add_argument("--spark", action="store_true", help="also the image of runs with engine spark")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
