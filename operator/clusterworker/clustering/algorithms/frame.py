"""Where vectors lie, and how large they are: single precision resolves differences only near the origin.

‖a‖² + ‖b‖² - 2ab in float32 is wrong by about 1e-7 (‖a‖² + ‖b‖²). Vectors that lie far from the origin, or whose
squares leave the range of float32, are therefore moved and scaled before matrix products, here and in faiss, compare
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
"""The centre is far from the origin at so many times the radius: up to there, squares are right to 1e-5."""
FARTHEST = 1e17
USUAL_RADIUS = (1e-6, 1e6)


@dataclass(frozen=True)
class Frame:
    """A centre and a scale.

    Attributes:
        centre: per dimension the median, which a few far vectors do not move, shape (dimensions,).
        scale: a power of two, so that scaling rounds nothing.
        needed: whether vectors are better compared within the frame than as they are.
    """

    centre: Doubles
    scale: float
    needed: bool

    @classmethod
    def of(cls, vectors: Vectors | Doubles) -> Self:
        """Find the frame of vectors, shape (rows, dimensions), at least one row."""
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
        """The frame of vectors that have been moved already."""
        return cls(np.zeros(dimensions), 1.0, needed=False)

    def into(self, vectors: Vectors) -> Vectors:
        """Return the vectors within the frame; the very same array where the frame is not needed."""
        if not self.needed:
            return vectors
        framed: Vectors = self.moved(vectors, np.float32)
        return framed

    def back(self, vectors: Vectors) -> Vectors:
        """Return what `into` was given."""
        if not self.needed:
            return vectors
        return np.ascontiguousarray(vectors.astype(np.float64) / self.scale + self.centre, np.float32)

    def moved(self, vectors: Vectors | Doubles, dtype: Any) -> Any:
        """Return the vectors within the frame, whether it is needed or not, block by block.

        What is so far out that its squares would leave the range of float32 ends short of that.
        """
        moved = np.empty(vectors.shape, dtype)
        for first in range(0, len(vectors), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            moved[rows] = np.clip((vectors[rows] - self.centre) * self.scale, -FARTHEST, FARTHEST)
        return moved
