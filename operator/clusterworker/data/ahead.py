"""Reads the next batch while the previous one is processed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields the items in order, and fetches the next one in a thread; its errors are raised here.

    Reading and computing each occupy a core. One after the other, they would take the sum of both times.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        upcoming = reader.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = reader.submit(next, items, None)
            yield item
