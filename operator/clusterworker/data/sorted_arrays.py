"""Searches sorted arrays for values."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Flags, Rows


def places_in(ordered: npt.NDArray[Any], values: npt.NDArray[Any]) -> tuple[Rows, Flags]:
    """Returns the position of each wanted value, and whether it exists; both of shape (wanted,).

    Args:
        ordered: Sorted values, each once.
        values: Values; the position of a missing one has no meaning.
    """
    places = np.searchsorted(ordered, values)
    known = places < len(ordered)
    known[known] = ordered[places[known]] == values[known]
    return places, known
