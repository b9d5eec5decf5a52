"""How many documents may be compared pair by pair in the container's memory.

Design record: docs/design/limits.md.
"""

import math


def pair_limit(memory: int, bytes_per_pair: int, most: int) -> int:
    """Return how many documents may be clustered directly: half of the memory is for their pairs.

    Args:
        memory: bytes that the container may use.
        bytes_per_pair: that the algorithm keeps, counting both (a, b) and (b, a).
        most: limit that time sets.
    """
    return min(most, math.isqrt(memory // 2 // bytes_per_pair))
