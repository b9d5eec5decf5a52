"""Computes how many documents can be compared pair by pair in the container's memory.

Design record: docs/design/limits.md.
"""

import math


def pair_limit(memory: int, bytes_per_pair: int, most: int) -> int:
    """Returns how many documents can be clustered directly; half of the memory is for their pairs.

    Args:
        memory: Bytes that the container may use.
        bytes_per_pair: Bytes that the algorithm keeps, counting both (a, b) and (b, a).
        most: Limit because of time.
    """
    return min(most, math.isqrt(memory // 2 // bytes_per_pair))
