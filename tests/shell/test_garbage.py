"""Python's garbage collector, and what it is kept from."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from clustertrigger.shell import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_is_exempt() -> None:
    """The collector does not go through it."""
    with garbage.exempt():
        loaded = [[n] for n in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(loaded)
    assert not any(found is loaded for found in gc.get_objects())


def test_a_load_that_fails_exempts_nothing() -> None:
    """It is tried again and again; each failure would leave something behind for ever."""
    with pytest.raises(ConnectionError), garbage.exempt():
        raise ConnectionError
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


class _Circle:
    def __init__(self) -> None:
        self.itself = self


def test_circles_are_still_found() -> None:
    """Later than usual, and without being asked."""
    garbage.look_rarely()
    lost = weakref.ref(_Circle())
    kept: list[list[int]] = []
    while lost() is not None and len(kept) < 100_000:
        kept.append([])
    assert 1_000 < len(kept) < 100_000
