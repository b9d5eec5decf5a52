"""Tests of Python's garbage collector, and of the objects that it does not examine."""

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


def test_objects_loaded_at_start_are_exempt() -> None:
    """The collector does not examine the objects."""
    loaded = [[n] for n in range(1000)]
    garbage.exempt_what_is_loaded()
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(loaded)
    assert not any(found is loaded for found in gc.get_objects())


def test_garbage_of_loading_is_not_exempt() -> None:
    """Such garbage would never be freed."""
    lost = weakref.ref(_Circle())
    garbage.exempt_what_is_loaded()
    assert lost() is None


class _Circle:
    def __init__(self) -> None:
        self.itself = self


def test_reference_cycles_are_still_collected() -> None:
    """The collector runs less often, and by itself."""
    garbage.look_rarely()
    lost = weakref.ref(_Circle())
    kept: list[list[int]] = []
    while lost() is not None and len(kept) < 100_000:
        kept.append([])
    assert 1_000 < len(kept) < 100_000
