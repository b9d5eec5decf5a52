"""Moves and scales vectors, so that single precision resolves their differences.

In float32, ‖a‖² + ‖b‖² - 2ab has an error of about 1e-7 (‖a‖² + ‖b‖²). Vectors that are far from the origin, or whose
squares exceed the range of float32, are therefore moved and scaled before matrix products, here and in faiss, compare
them.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from clusterworker.data.arrays import Doubles, Vectors
from clusterworker.data.dataset import LARGEST
from clusterworker.data.sources.batch import BATCH_ROWS

SAMPLE_ROWS = 1_001
"""An odd number, so that the median of whole numbers is one of them."""
FAR = 8.0
"""Ratio of the centre's distance to the radius above which the centre is far from the origin; below it, squares are
correct to 1e-5.
"""
FARTHEST = 1e17
USUAL_RADIUS = (1e-6, 1e6)


@dataclass(frozen=True)
class Frame:
    """A centre and a scale.

    Attributes:
        centre: Median of each dimension, which a few far vectors do not move, shape (dimensions,).
        scale: A power of two, so that scaling causes no rounding.
        needed: Whether vectors should be compared within the frame.
    """

    centre: Doubles
    scale: float
    needed: bool

    @classmethod
    def of(cls, vectors: Vectors | Doubles) -> Self:
        """Returns the frame of vectors, shape (rows, dimensions), at least one row."""
        rows = len(vectors) - 1 + len(vectors) % 2
        sample = np.asarray(vectors[: max(rows, 1) : max(1, -(-rows // SAMPLE_ROWS))], np.float64)
        sample = sample[: len(sample) - 1 + len(sample) % 2] if len(sample) > 1 else sample
        centre: Doubles = np.median(sample, axis=0)
        lengths = np.linalg.norm(sample - centre, axis=1)
        inside = lengths[lengths > 0]
        distance = float(np.linalg.norm(centre))
        radius = float(np.median(inside)) if inside.size else distance or 1.0
        largest = max(float(vectors.max()), -float(vectors.min()), distance)
        exponent = -math.frexp(radius)[1]
        if largest > 0:
            exponent = min(exponent, math.frexp(LARGEST / largest)[1] - 2)
        needed = distance > FAR * radius or not USUAL_RADIUS[0] < radius < USUAL_RADIUS[1]
        return cls(centre, math.ldexp(1.0, exponent), needed)

    @classmethod
    def at_origin(cls, dimensions: int) -> Self:
        """Returns the frame of vectors that have already been moved."""
        return cls(np.zeros(dimensions), 1.0, needed=False)

    def into(self, vectors: Vectors) -> Vectors:
        """Returns the vectors within the frame; the same array if the frame is not needed."""
        if not self.needed:
            return vectors
        framed: Vectors = self.moved(vectors, np.float32)
        return framed

    def back(self, vectors: Vectors) -> Vectors:
        """Reverses `into`."""
        if not self.needed:
            return vectors
        return np.ascontiguousarray(vectors.astype(np.float64) / self.scale + self.centre, np.float32)

    def moved(self, vectors: Vectors | Doubles, dtype: Any) -> Any:
        """Returns the vectors within the frame, whether it is needed or not, in blocks.

        Numbers whose squares would exceed the range of float32 are limited.
        """
        moved = np.empty(vectors.shape, dtype)
        for first in range(0, len(vectors), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            moved[rows] = np.clip((vectors[rows] - self.centre) * self.scale, -FARTHEST, FARTHEST)
        return moved
