"""Reports the progress of long steps on standard error."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 20.0

_started = time.monotonic()


def say(text: str) -> None:
    """Prints one line with the seconds since this process began."""
    print(f"[{time.monotonic() - _started:5.0f} s] {text}", file=sys.stderr, flush=True)


@contextmanager
def stage(text: str, done: Callable[[], str] | None = None) -> Iterator[None]:
    """Reports a step, and every HEARTBEAT_SECONDS that it still runs, with the progress that DONE returns."""
    say(text)
    began = time.monotonic()
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            progress = f", {done()}" if done else ""
            say(f"  still {text[0].lower()}{text[1:]} ({time.monotonic() - began:.0f} s{progress})")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
