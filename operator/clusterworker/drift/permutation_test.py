"""The result of a permutation test, which metrics that compare two samples share."""

from dataclasses import dataclass

import numpy as np

from clusterworker.data.arrays import Doubles


@dataclass(frozen=True)
class PermutationTest:
    """Result of a test.

    Attributes:
        value: The measured value.
        noise_floor: Half of the value that permuted samples stay below in 99.5 % of permutations.
        p_value: Share of permutations whose value is at least as high.
    """

    value: float
    noise_floor: float
    p_value: float


def tested(value: float, permuted: Doubles, noise_floor: float) -> PermutationTest:
    """Returns the result of a test.

    Args:
        value: The measured value.
        permuted: Values of the permutations, shape (permutations,).
        noise_floor: The metric's estimate from these.
    """
    reached = int(np.count_nonzero(permuted >= value))
    return PermutationTest(value, noise_floor, (1 + reached) / (1 + len(permuted)))
