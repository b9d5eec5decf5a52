"""python3 -m harness.cluster check|prepare|up|down|status|load-image: a real cluster, on any machine."""

import argparse
import hashlib
import sys
from pathlib import Path

from harness.cluster.clusters import existing, kubernetes_version, make, prepare
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY, cache_directory, locked
from harness.cluster.preconditions import check
from harness.cluster.progress import say
from harness.cluster.state import Row

DEFAULT_NAME = "clustertrigger"


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    name: str = options.name
    directory: Path = options.directory or default_directory(name)
    try:
        return int(options.run(options, name, directory.absolute()))
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 2
    except PermissionError as error:
        print(f"cluster: {error.filename or error}: permission denied: run it as root, with sudo", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cluster: interrupted; `up` continues from here, `down` removes it", file=sys.stderr)
        return 130


def default_directory(name: str) -> Path:
    """Returns .cluster for the default name, .cluster-NAME for others."""
    return REPOSITORY / (".cluster" if name == DEFAULT_NAME else f".cluster-{name}")


def _check(_options: argparse.Namespace, _name: str, _directory: Path) -> int:
    say(f"a cluster here is {check()}")
    return 0


def _prepare(_options: argparse.Namespace, _name: str, _directory: Path) -> int:
    prepare()
    return 0


def _up(options: argparse.Namespace, name: str, directory: Path) -> int:
    cluster = existing(name, directory) or make(name, directory, control_plane_only=options.control_plane_only)
    with locked(_lock(directory), "another `up` or `down` of this cluster"):
        started = cluster.up()
    version = kubernetes_version(cluster)
    say(f"the cluster is ready: Kubernetes {version}" if started else f"Kubernetes {version} runs; nothing to do")
    print(f"{cluster.kubeconfig}\n  export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(_options: argparse.Namespace, name: str, directory: Path) -> int:
    with locked(_lock(directory), "another `up` or `down` of this cluster"):
        cluster = existing(name, directory)
        if cluster is None:
            # This also removes what a crash or a deleted directory left.
            make(name, directory).down()
            say("no cluster runs; nothing to do")
        else:
            cluster.down()
            say("the cluster is deleted")
    return 0


def _status(_options: argparse.Namespace, name: str, directory: Path) -> int:
    cluster = existing(name, directory)
    if cluster is None:
        print(f"no cluster in {directory}: start one with `up`")
        return 1
    rows = cluster.status()
    print(table(rows))
    print(f"\nKubernetes: {kubernetes_version(cluster) or 'the API server does not answer'}")
    print(f"kubeconfig: {cluster.kubeconfig}")
    return 0 if all(row.state in ("running", "ready", "healthy") for row in rows) else 1


def _load_image(options: argparse.Namespace, name: str, directory: Path) -> int:
    cluster = existing(name, directory)
    if cluster is None:
        raise ClusterError(f"no cluster in {directory}: start one with `up`")
    cluster.load_image(options.file, options.image)
    say(f"loaded {options.file}")
    return 0


def table(rows: list[Row]) -> str:
    """Formats the rows of `status` in columns."""
    lines = [("COMPONENT", "PID", "STATE", "LOG"), *((row.component, row.pid, row.state, row.log) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "   ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]]) for line in lines
    )


def _lock(directory: Path) -> Path:
    # Not in the directory, which `down` removes.
    return cache_directory() / "locks" / hashlib.sha256(str(directory).encode()).hexdigest()[:16]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m harness.cluster", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=DEFAULT_NAME, help="name of the cluster (default: %(default)s)")
    common.add_argument(
        "--directory", type=Path, help="where it lives (default: .cluster, or .cluster-NAME, in the repository)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    able = commands.add_parser(
        "check", parents=[common], help="check whether this machine can run a cluster, and of which kind"
    )
    able.set_defaults(run=_check)
    ready = commands.add_parser("prepare", parents=[common], help="build or fetch the programs of a cluster, once")
    ready.set_defaults(run=_prepare)
    up = commands.add_parser("up", parents=[common], help="start the cluster, unless it runs; prints its kubeconfig")
    up.add_argument("--control-plane-only", action="store_true", help="etcd, API server and controllers; no node")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="stop the cluster and remove all of its files")
    down.set_defaults(run=_down)
    status = commands.add_parser(
        "status", parents=[common], help="show the state of each part; exits with 1 if one does not run"
    )
    status.set_defaults(run=_status)
    load = commands.add_parser("load-image", parents=[common], help="load a container image into the cluster")
    load.add_argument("file", type=Path, metavar="FILE.tar", help="tar of `docker save` or an OCI archive")
    load.add_argument("image", nargs="?", metavar="NAME", help="the image's name, if the archive has none")
    load.set_defaults(run=_load_image)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
