"""Runs the program in this folder, which evaluates objects as Flux and Argo CD do."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster.commands import run
from harness.cluster.debian import go_modules, runtime
from harness.cluster.files import cache_directory, made_once
from harness.cluster.progress import stage

SOURCE = Path(__file__).parent
_FILES = ("go.mod", "go.sum", "main.go")

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The result for one object.

    Attributes:
        kstatus: InProgress, Current, Failed, Terminating or Unknown.
        message: kstatus' words.
        health: Argo CD's: Healthy, Progressing, Degraded, Suspended or Missing; "" where no script was given.
        health_message: The script's words.
        actions: Names of Argo CD's resource actions that are not disabled, sorted.
        changed: What the action made of the object; None where none was given.
    """

    kstatus: str
    message: str
    health: str = ""
    health_message: str = ""
    actions: tuple[str, ...] = ()
    changed: dict[str, Any] | None = None


def why_not() -> str | None:
    """Returns why the program is not available on this machine; None if it is."""
    return None if _program().exists() else go_modules.refusal()


def judge(objects: Sequence[Object], *, health: str = "", actions: str = "", action: str = "") -> list[Verdict]:
    """Returns the result for each object.

    Args:
        objects: As the API server gives them.
        health: Argo CD's health script for their kind.
        actions: Its discovery script of resource actions.
        action: The script of one action, which changes the object.

    Raises:
        ClusterError: a script is wrong, or the program could not be compiled.
    """
    question = {"objects": list(objects), "health": health, "actions": actions, "action": action}
    answer = json.loads(run([_built()], stdin=json.dumps(question)))
    return [
        Verdict(
            found["kstatus"],
            found["message"],
            found.get("health", ""),
            found.get("healthMessage", ""),
            tuple(sorted(found.get("actions") or ())),
            found.get("changed"),
        )
        for found in answer["verdicts"]
    ]


def _program() -> Path:
    digest = hashlib.sha256(runtime.architecture().encode())
    for name in _FILES:
        digest.update((SOURCE / name).read_bytes())
    return cache_directory() / f"gitops-judges-{digest.hexdigest()[:12]}"


def _built() -> Path:
    return made_once(_program(), "gitops-judges", "another build of the judges to finish", _build)


def _build(draft: Path) -> None:
    with stage("compiling kstatus and Lua"):
        flags = ["-trimpath", "-mod=readonly", "-buildvcs=false"]
        environment = {"CGO_ENABLED": "0", "GOWORK": "off"}
        run(["go", "build", *flags, "-o", draft, "."], cwd=SOURCE, env=environment)
