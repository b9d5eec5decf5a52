"""Hashes vectors, so that equal ones are found."""

import numpy as np

from clusterworker.data.arrays import Hashes, Vectors

_SEED = 20_261_128
"""Seed of the multipliers that distinguish rows; any number works."""
_BLOCK_ROWS = 1_024
"""A block of this many rows fits into the processor's cache."""


def prints(vectors: Vectors) -> Hashes:
    """Returns a hash per row, shape (rows,). Numbers are compared by value: 0 and -0 are equal."""
    multipliers = np.random.default_rng(_SEED).integers(1, 2**64, vectors.shape[1], dtype=np.uint64, endpoint=False)
    found = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        block = np.ascontiguousarray(vectors[part] + np.float32(0))  # This turns -0 into 0.
        found[part] = (block.view(np.uint32) * multipliers).sum(axis=1, dtype=np.uint64)
    return found
