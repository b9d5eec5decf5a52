"""Reads documents while others are processed."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_UNFINISHED = 4
"""Maximum number of items per thread that are fetched and whose results are not yielded yet: it limits the memory."""


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields the items in order, and fetches the next one in a thread; its errors are raised here.

    Reading and computing each occupy a core. One after the other, they would take the sum of both times.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        upcoming = reader.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = reader.submit(next, items, None)
            yield item


def in_threads(items: Iterator[T], work: Callable[[T], R], threads: int) -> Generator[R]:
    """Yields the result of `work` for each item, in the order of the items.

    The threads themselves fetch the items, one thread at a time, so that there is no reader in addition to them: it
    would compete with them for the cores, or keep them waiting.

    Args:
        items: Items. If fetching one raises an error, it is raised here after the results of the earlier items.
        work: Is called in several threads at the same time. Its errors are raised here.
        threads: Number of threads.
    """
    shared = _Shared(items, work, threads)
    with ThreadPoolExecutor(threads, thread_name_prefix="worker") as pool:
        for _ in range(threads):
            pool.submit(shared.run)
        try:
            yield from shared.results()
        finally:
            shared.stop()


class _Shared(Generic[T, R]):
    """The items that threads fetch and work on; see `in_threads`."""

    def __init__(self, items: Iterator[T], work: Callable[[T], R], threads: int) -> None:
        self._items = items
        self._work = work
        self._threads = threads
        self._changed = Condition()
        self._ready: deque[tuple[T, Future[R]]] = deque()
        self._unfinished: deque[Future[R]] = deque()
        self._is_fetching = False
        self._is_at_end = False

    def run(self) -> None:
        """Fetches an item if few are ready and no other thread fetches, and otherwise works on one, until the end."""
        while (step := self._next()) is not None:
            step()
            del step  # It keeps an item in memory.

    def results(self) -> Iterator[R]:
        """Yields the results in order."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unfinished or self._is_at_end)
                if not self._unfinished:
                    return
                promised = self._unfinished.popleft()
                self._changed.notify_all()
            yield promised.result()

    def stop(self) -> None:
        """Lets the threads end after the items that they work on."""
        with self._changed:
            self._is_at_end = True
            self._ready.clear()
            self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """Returns what the calling thread does next; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._may_fetch() or self._ready or self._is_at_end)
            if self._may_fetch():
                self._is_fetching = True
                return self._fetch
            return partial(self._finish, *self._ready.popleft()) if self._ready else None

    def _may_fetch(self) -> bool:
        return not (
            self._is_fetching
            or self._is_at_end
            or len(self._ready) >= self._threads
            or len(self._unfinished) >= self._threads * _UNFINISHED
        )

    def _fetch(self) -> None:
        promised: Future[R] = Future()
        item = error = None
        try:
            item = next(self._items, None)
        except BaseException as raised:
            error = raised
            promised.set_exception(raised)
        with self._changed:
            self._is_fetching = False
            if item is not None and not self._is_at_end:
                self._ready.append((item, promised))
            if item is not None or error is not None:
                self._unfinished.append(promised)
            self._is_at_end |= item is None
            self._changed.notify_all()

    def _finish(self, item: T, promised: Future[R]) -> None:
        try:
            promised.set_result(self._work(item))
        except BaseException as raised:
            promised.set_exception(raised)
