"""Tests of nodes as a tree: its paths and levels, and the errors for invalid trees."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterworker.enrichment.tree import DEEPEST, ROOT, tree_of
from clusterworker.process.errors import MisconfiguredError

IDS = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=30, unique=True)


@st.composite
def forests(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """IDs and parents, in any order: each node's parent is a node that was drawn before it, or none."""
    ids = draw(IDS)
    parents = [draw(st.sampled_from(["", *ids[:number]])) for number in range(len(ids))]
    order = draw(st.permutations(range(len(ids))))
    return [ids[one] for one in order], [parents[one] for one in order]


@given(forests())
def test_every_path_leads_from_a_root_to_the_node(forest: tuple[list[str], list[str]]) -> None:
    ids, parents = forest
    tree = tree_of("t", ids, [node.upper() for node in ids], parents)
    for number, node in enumerate(ids):
        expected = [node]
        while parent := parents[ids.index(expected[0])]:
            expected.insert(0, parent)
        assert tree.paths[number] == " > ".join(expected).upper()
        assert tree.parents[number] == (ids.index(parents[number]) if parents[number] else ROOT)
    assert tree.levels == max(path.count(" > ") + 1 for path in tree.paths)
    assert sorted(child for children in tree.children for child in children) == list(range(len(ids)))


@given(forests(), st.data())
def test_counts_with_descendants_are_those_of_the_paths(
    forest: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    ids, parents = forest
    tree = tree_of("t", ids, ids, parents)
    counts = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(ids), max_size=len(ids))))
    totals = tree.with_descendants(counts)
    for number, node in enumerate(ids):
        below = [other for other, path in enumerate(tree.paths) if node in path.split(" > ")]
        assert totals[number] == counts[below].sum()


@given(forests(), st.data())
def test_whatever_closes_a_ring_is_told(forest: tuple[list[str], list[str]], data: st.DataObject) -> None:
    ids, parents = forest
    tree = tree_of("t", ids, ids, parents)
    node = data.draw(st.integers(0, len(ids) - 1))
    below = [other for other, path in enumerate(tree.paths) if ids[node] in path.split(" > ")]
    parents[node] = ids[data.draw(st.sampled_from(below))]
    with pytest.raises(MisconfiguredError, match=r"own parent|form a cycle") as caught:
        tree_of("t", ids, ids, parents)
    assert len(str(caught.value).splitlines()) == 1
    named = re.findall(r"'(\w+)'", str(caught.value))
    assert set(named) <= set(ids)


@pytest.mark.parametrize(
    ("ids", "parents", "says"),
    [
        (["a"], ["a"], "node 'a' is its own parent: correct its parent"),
        (
            ["c", "b", "a"],
            ["a", "c", "b"],
            "nodes form a cycle: 'a' is a child of 'b', which is a child of 'c', which is a child of 'a': correct the "
            "parent of one of them",
        ),
        (
            ["a", "b", "d"],
            ["", "c", "e"],
            "node 'b' has the parent 'c', which does not exist (the same applies to 1 more node): add the "
            "parent, or correct the node's parent",
        ),
        (["a", "b"], ["", "x"], "node 'b' has the parent 'x', which does not exist: add the parent, or correct"),
        (["a", "b", "a"], ["", "", ""], "two nodes have the id 'a': give each node an id of its own"),
        (
            [str(number) for number in range(DEEPEST + 1)],
            ["", *[str(number) for number in range(DEEPEST)]],
            f"node '{DEEPEST}' is more than {DEEPEST} levels below its root: use fewer levels",
        ),
    ],
)
def test_what_is_no_tree_is_told_in_one_line(ids: list[str], parents: list[str], says: str) -> None:
    with pytest.raises(MisconfiguredError) as caught:
        tree_of("taxonomy t", ids, ids, parents)
    assert str(caught.value).startswith(f"taxonomy t: {says}")
    assert "\n" not in str(caught.value)


def test_a_long_ring_is_told_in_part() -> None:
    ids = [f"n{number:03}" for number in range(200)]
    with pytest.raises(MisconfiguredError, match=r"196 more.*'n000': correct"):
        tree_of("t", ids, ids, [*ids[1:], ids[0]])


def test_a_node_without_a_label_is_called_by_its_id() -> None:
    assert tree_of("t", ["a", "b"], ["", "B"], ["", "a"]).paths == ["a", "a > B"]
