"""Threads that fetch items themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from clusterworker.data.ahead import in_threads

THREADS = [1, 2, 5]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [0, 1, 3, 200])
def test_results_are_in_the_order_of_the_items(threads: int, count: int) -> None:
    """Also if later items are done first."""
    barrier = threading.Event()

    def work(item: int) -> int:
        if item == 0 and threads > 1 and count > 1:
            assert barrier.wait(60)
        elif item == 1:
            barrier.set()
        return item * item

    assert list(in_threads(iter(range(count)), work, threads)) == [item * item for item in range(count)]


@pytest.mark.parametrize("threads", THREADS)
def test_one_thread_fetches_at_a_time(threads: int) -> None:
    """A generator refuses to be continued by a second thread."""

    def items() -> Iterator[int]:
        for item in range(300):
            threading.Event().wait(0.0001)
            yield item

    assert sum(in_threads(items(), lambda item: item, threads)) == 299 * 150


def test_all_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=60)
    assert list(in_threads(iter(range(9)), lambda _: together.wait() >= 0, 3)) == [True] * 9


@pytest.mark.parametrize("threads", THREADS)
def test_an_error_of_an_item_is_raised_after_the_earlier_results(threads: int) -> None:
    def items() -> Iterator[int]:
        yield from range(7)
        raise ValueError("row 7")

    results = in_threads(items(), lambda item: item, threads)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="row 7"):
        next(results)


@pytest.mark.parametrize("threads", THREADS)
def test_an_error_of_the_work_ends_the_fetching(threads: int) -> None:
    fetched = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            fetched.append(item)
            yield item

    def work(item: int) -> int:
        return 1 // (item - 5)

    with pytest.raises(ZeroDivisionError):
        list(in_threads(items(), work, threads))
    assert len(fetched) < 100


@pytest.mark.parametrize("threads", THREADS)
def test_fetching_waits_for_the_results_to_be_taken(threads: int) -> None:
    """The memory is limited, however slow the consumer is; the threads end when it stops."""
    fetched = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            fetched.append(item)
            yield item

    results = in_threads(items(), lambda item: item, threads)
    assert [next(results) for _ in range(20)] == list(range(20))
    assert len(fetched) <= 20 + 5 * threads
    results.close()
    assert len(fetched) <= 20 + 5 * threads
