"""Looks values up in sorted arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clusterworker.data.arrays import Flags, Rows


def places_in(ordered: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> tuple[Rows, Flags]:
    """Return where each wanted value stands, and whether it is there at all; both of shape (wanted,).

    Args:
        ordered: sorted values, each once.
        wanted: the place of one that is missing means nothing.
    """
    places = np.searchsorted(ordered, wanted)
    known = places < len(ordered)
    known[known] = ordered[places[known]] == wanted[known]
    return places, known
