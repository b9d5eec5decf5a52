"""Manages daemons, which are started independently of this process, and found again by a later one.

A daemon is identified by its pid and its start time. The pid alone is not sufficient: after a crash or a reboot, it can
belong to another process, which must never get a signal.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cluster.errors import ClusterError
from harness.cluster.files import write

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Process:
    """One process, now or in the past.

    Attributes:
        pid: Its number, as the host sees it.
        started: Its start in clock ticks since boot, field 22 of /proc/PID/stat.
        boot: Which boot that was.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Return the process that runs as PID.

        Raises:
            ProcessLookupError: none does.
        """
        found = _identify(pid)
        if found is None:
            raise ProcessLookupError(pid)
        return found

    def alive(self) -> bool:
        """Tell whether it runs; a zombie does not."""
        return _identify(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, to this very process or to none."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.alive():  # asked after opening: the handle cannot come to mean another process
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)

    def kill(self) -> None:
        """Send SIGKILL and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self._wait(20)

    def stop(self, seconds: float = 15) -> None:
        """Send SIGTERM, and SIGKILL to what is still there after SECONDS."""
        self.signal(signal.SIGTERM)
        if not self._wait(seconds):
            self.kill()

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive() or self._ending():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _ending(self) -> bool:
        """Returns whether its first thread is a zombie and other threads keep its files open.

        Its ports are then still occupied.
        """
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return fields[0] == "Z" and int(fields[17]) > 1 and int(fields[19]) == self.started


class Daemons:
    """The daemons of one cluster: records under run/, output under logs/ of its directory."""

    def __init__(self, directory: Path) -> None:
        self._records = directory / "run"
        self._logs = directory / "logs"

    def names(self) -> list[str]:
        """Return every daemon that was started and not stopped, in the order of starting."""
        records = self._records.glob("*.json")
        return [path.stem for path in sorted(records, key=lambda path: path.stat().st_mtime_ns)]

    def find(self, name: str) -> Process | None:
        """Return the running daemon NAME."""
        try:
            process = Process(**json.loads((self._records / f"{name}.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return process if process.alive() else None

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        enter: Callable[[], None] | None = None,
    ) -> Process:
        """Start ARGV as the daemon NAME, unless it runs already.

        Args:
            name: Its name in status, records and logs.
            argv: Program and arguments.
            env: Variables added to this process's own.
            enter: Called in the new process before its program starts, to enter or make namespaces.
        """
        running = self.find(name)
        if running:
            return running
        self._logs.mkdir(parents=True, exist_ok=True)
        process = _spawn([str(word) for word in argv], {**os.environ, **(env or {})}, self.log(name), enter)
        write(self._records / f"{name}.json", json.dumps(asdict(process)))
        return process

    def stop(self, name: str) -> None:
        """Stop the daemon NAME and forget it."""
        process = self.find(name)
        if process:
            process.stop()
        self.forget(name)

    def kill(self, name: str) -> None:
        """Kill the daemon NAME with SIGKILL and forget it."""
        process = self.find(name)
        if process:
            process.kill()
        self.forget(name)

    def forget(self, name: str) -> None:
        """Remove the record of NAME."""
        (self._records / f"{name}.json").unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """Return the file that NAME's output goes to."""
        return self._logs / f"{name}.log"

    def require(self, name: str) -> None:
        """Raise what NAME printed last, unless it runs.

        Raises:
            ClusterError: it does not.
        """
        if self.find(name) is None:
            raise ClusterError(f"{name} stopped at once: {self.last_words(name)} ({self.log(name)})")

    def last_words(self, name: str) -> str:
        """Return the last line that NAME printed, for an error message."""
        with suppress(FileNotFoundError):
            lines = self.log(name).read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1][-400:]
        return "it printed nothing"


def strays(programs: Path, directory: Path) -> list[Process]:
    """Find processes of a cluster whose records are lost, because its directory was deleted or `up` was killed.

    Args:
        programs: The directory that the programs of all clusters lie below.
        directory: The cluster's own directory, which the arguments of its daemons name.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        of_cluster = any(word == str(directory) or f"{directory}/" in word for word in words[1:])
        process = _identify(int(path.parent.name)) if words[0].startswith(f"{programs}/") and of_cluster else None
        if process:
            found.append(process)
    return found


def _identify(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    if fields[0] in "ZX":
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    return Process(pid, int(fields[19]), _BOOT_ID.read_text().strip())


def _spawn(argv: list[str], env: Mapping[str, str], log: Path, enter: Callable[[], None] | None) -> Process:
    # Two forks: the daemon gets another parent, which reaps it, and a process that joins a PID namespace is not in it
    # itself, only its children are. The pid, or the error, travels through a pipe that closes when the program starts.
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        _exec_daemon(argv, env, log, enter, writer)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read().splitlines()
    os.waitpid(middle, 0)
    errors = [line for line in answer if not line.isdigit()]
    process = None if errors or not answer else _identify(int(answer[0]))
    if process is None:
        raise ClusterError(f"{argv[0]} could not be started: {errors[0] if errors else f'see {log}'}")
    return process


def _exec_daemon(
    argv: list[str], env: Mapping[str, str], log: Path, enter: Callable[[], None] | None, writer: int
) -> None:
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        silence = os.open(os.devnull, os.O_RDONLY)
        if enter:
            enter()
        child = os.fork()
        if child == 0:
            for source, target in ((silence, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.execve(argv[0], argv, env)  # noqa: S606 - a list, no shell
        os.write(writer, f"{child}\n".encode())
    except OSError as error:
        os.write(writer, f"{error}\n".encode())
    finally:
        os._exit(0)
