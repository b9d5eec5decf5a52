"""Runs another program, and reports in one line why it failed."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cluster.errors import ClusterError


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Returns what ARGV prints on standard output.

    Args:
        argv: Program and arguments.
        cwd: Directory to run in.
        env: Variables added to this process's own.
        stdin: Text for standard input, by default none.
        log: File that both outputs are appended to instead of being returned.
        timeout: Seconds after which the program is killed.

    Raises:
        ClusterError: the program is missing, failed or took too long; with the last line it printed.
    """
    words = [str(word) for word in argv]
    environment = {**os.environ, **(env or {})}
    try:
        if log is None:
            done = _run_captured(words, cwd, environment, stdin or "", timeout)
        else:
            done = _run_logged(words, cwd, environment, log, timeout)
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed, or {cwd} does not exist ({error})") from error
    except OSError as error:  # not executable, or of another kind of machine
        raise ClusterError(f"{words[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{shlex.join(words)} took longer than {timeout:.0f} s") from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout or "").strip() or (_tail(log) if log else "")
        reason = output.splitlines()[-1] if output else "it printed nothing"
        where = f"; the whole output is in {log}" if log else ""
        raise ClusterError(f"{shlex.join(words)} failed with exit code {done.returncode}: {reason}{where}")
    return done.stdout or ""


def succeeds(argv: Sequence[str | Path], *, timeout: float = 30) -> bool:
    """Returns whether ARGV runs and exits with 0 within TIMEOUT seconds."""
    try:
        run(argv, timeout=timeout)
    except ClusterError:
        return False
    return True


def find_program(name: str) -> str | None:
    """Finds NAME on PATH or in directories of administrators' programs, which a user's PATH may lack."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def _run_captured(
    words: list[str], cwd: Path | None, environment: Mapping[str, str], stdin: str, timeout: float | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )


def _run_logged(
    words: list[str], cwd: Path | None, environment: Mapping[str, str], log: Path, timeout: float | None
) -> subprocess.CompletedProcess[str]:
    with log.open("a") as output:
        return subprocess.run(
            words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
