"""Reads the next batch while the last one is worked on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items in order, the next one being fetched in a thread meanwhile; its errors arise here.

    Reading and computing each keep a core busy; by turns they would take the sum of both.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        upcoming = reader.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = reader.submit(next, items, None)
            yield item
