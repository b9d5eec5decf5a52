"""Defines the array types of the worker."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Vectors, shape (rows, dimensions), C-contiguous."""
Labels: TypeAlias = npt.NDArray[np.int32]
"""Labels, shape (rows,): a cluster's number, or NOISE."""
Flags: TypeAlias = npt.NDArray[np.bool_]
Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
"""Row numbers of the whole data set, from 0."""
Hashes: TypeAlias = npt.NDArray[np.uint64]
"""Hashes of vectors, shape (rows,); see `data.prints`."""

NOISE = -1
"""Label of a document that belongs to no cluster, as in scikit-learn."""
