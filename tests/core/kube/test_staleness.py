"""Tests of which reports of an object are outdated."""

from __future__ import annotations

import pytest

from clustertrigger.core.kube.staleness import Tombstones, is_newer, number_of


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("10", "10", False),
        ("abc", "10", True),
        ("abc", "abc", False),
        ("²", "1", True),
        ("9" * 5000, "1", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, than: str, newer: bool) -> None:
    assert is_newer(version, than) is newer


@pytest.mark.parametrize(("version", "number"), [("10", 10), ("", 0), ("abc", 0), ("²", 0), ("9" * 5000, 0)])
def test_a_version_that_is_no_number_counts_as_0(version: str, number: int) -> None:
    assert number_of(version) == number


@pytest.mark.parametrize(
    ("gone_as_of", "reported", "covered"),
    [("20", "10", True), ("20", "20", True), ("20", "30", False), (None, "30", True)],
)
def test_a_deleted_object_exists_again_in_a_later_version_only(
    gone_as_of: str | None, reported: str, covered: bool
) -> None:
    tombstones = Tombstones()
    tombstones.add("first", gone_as_of)
    assert tombstones.cover("first", reported) is covered
    assert not tombstones.cover("second", reported)


@pytest.mark.parametrize(
    ("gone_as_of", "listed", "as_of", "restored"),
    [
        ("20", "10", "20", True),
        ("20", "20", "30", True),
        ("20", "10", "1000", True),
        ("20", "10", "19", False),  # The list is older than the deletion.
        ("20", "25", "30", False),  # The object matches the selector again.
        (None, "10", "30", False),  # The list can be older than the deletion.
    ],
)
def test_a_deleted_object_in_a_later_list_was_restored(
    gone_as_of: str | None, listed: str, as_of: str, restored: bool
) -> None:
    tombstones = Tombstones()
    tombstones.add("first", gone_as_of)
    assert tombstones.contradict("first", listed, as_of) is restored
    assert not tombstones.contradict("second", listed, as_of)
