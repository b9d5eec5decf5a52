"""Tests of the keys by which runs find documents again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from clusterworker.data.sources.document_ids import document_keys

INTEGERS = [0, 7, -7, 10**18 - 1, 10**18, -(10**18), 2**63 - 1, -(2**63)]
OTHERS = ["", "-0", "00", "07", "+7", " 7", "7\n", "7.0", "\u0667", str(2**63), str(-(2**63) - 1), "1" * 25, "x"]


def test_an_integer_and_its_digits_are_one_document() -> None:
    numbers = document_keys(pa.array(INTEGERS, pa.int64()))
    texts = document_keys(pa.array([*map(str, INTEGERS), *OTHERS]))
    assert texts[: len(INTEGERS)].tolist() == numbers.tolist()
    assert len(set(texts.tolist())) == len(texts)


@pytest.mark.parametrize("ids", [pa.array([], pa.string()), pa.array([], pa.int64()), pa.array([7], pa.int32())])
def test_few_ids(ids: pa.Array) -> None:
    assert document_keys(ids).tolist() == ids.to_pylist()
