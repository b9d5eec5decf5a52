"""Runs the work in a child process of a small parent.

In a Pod, the worker is process 1, for which SIGTERM has no default action, and a Python handler would wait until the
running compiled code returns, which can take minutes. Therefore the work runs in a child. On SIGTERM, the parent ends
the child at once and cleans up after it. If the kernel kills the child because memory ran out, the parent reports it.
Design record: docs/design/supervisor.md.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 0.5


@dataclass(frozen=True)
class Ended:
    """How the child ended.

    Attributes:
        code: Its exit code, or 128 + the signal's number, as in a shell.
        killed_by: The signal that ended it, if there was one.
        requested: Whether that was a SIGTERM or SIGINT to the parent.
    """

    code: int
    killed_by: signal.Signals | None = None
    requested: bool = False


def supervise(work: Callable[[], int]) -> Ended:
    """Runs `work` in a child process and waits for it.

    Args:
        work: Returns the exit code; runs only in the child.
    """
    parent = os.getpid()
    child = 0
    stopped: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        if child:
            os.kill(child, signal.SIGKILL)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        child = os.fork()
        if child == 0:
            for number in previous:
                signal.signal(number, signal.SIG_DFL)
            _die_with(parent)
            os._exit(_run(work))
        if stopped:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if stopped:
        return Ended(128 + stopped[0], signal.Signals(stopped[0]), requested=True)
    if os.WIFSIGNALED(status):
        return Ended(128 + os.WTERMSIG(status), signal.Signals(os.WTERMSIG(status)))
    return Ended(os.WEXITSTATUS(status))


def _run(work: Callable[[], int]) -> int:
    try:
        return int(work())
    except BaseException:  # The child must not return into the parent's code.
        import traceback

        traceback.print_exc()
        return 1


def _die_with(parent: int) -> None:
    """Ends this process when its parent ends, even by SIGKILL. On Linux, the kernel does this; elsewhere, a thread."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    else:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
