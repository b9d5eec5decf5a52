"""A cluster's own directory, marked so that nothing else is ever removed."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.cluster.files import write

MARK = "cluster.json"


@dataclass(frozen=True)
class Row:
    """One line of `status`: a component, its pid on this machine, its state, and where its output is."""

    component: str
    pid: str
    state: str
    log: str


def check_directory(directory: Path, provider: str, **settings: str) -> None:
    """Mark DIRECTORY as a cluster's, and refuse one that holds anything else.

    Args:
        directory: Made if missing.
        provider: Who runs the cluster: debian, control-plane or kind.
        settings: More to keep beside it.
    """
    recorded = provider_of(directory)
    if recorded not in (None, provider):
        raise ClusterError(f"{directory} holds a cluster of kind '{recorded}': stop it with `down`, or use --directory")
    if recorded is None and directory.exists() and any(directory.iterdir()):
        raise ClusterError(f"{directory} is not empty and does not belong to a cluster: use another --directory")
    directory.mkdir(parents=True, exist_ok=True)
    write(directory / MARK, json.dumps({"provider": provider, **settings}))


def provider_of(directory: Path) -> str | None:
    """Returns the provider of the cluster in DIRECTORY: debian, control-plane or kind; None if there is no cluster."""
    return settings_of(directory).get("provider")


def settings_of(directory: Path) -> dict[str, str]:
    """Return everything that check_directory kept."""
    try:
        text = (directory / MARK).read_text()
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # the last: of another user
        return {}
    settings: dict[str, str] = json.loads(text)
    return settings


def remove_directory(directory: Path) -> None:
    """Remove DIRECTORY, if it is a cluster's; its mark goes last, so that an interrupted `down` can be repeated."""
    if not (directory / MARK).exists():
        return
    for path in directory.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(directory)
