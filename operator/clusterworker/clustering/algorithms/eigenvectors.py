"""Computes the leading eigenvectors of a graph of similarities, in double precision.

Groups that hardly touch have eigenvalues that differ by 1e-6 and less from one another: products in single precision
would mix their eigenvectors, and Lanczos iterations would not separate them.
"""

import warnings
from typing import Any

import numpy as np
import scipy.linalg
from scipy import sparse
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh, lobpcg

from clusterworker.clustering.algorithms.similarity import TINY, Similarity, degrees_of, times
from clusterworker.data.arrays import Doubles, Rows
from clusterworker.process.errors import MisconfiguredError

DENSE_ROWS = 2_000
"""Number of rows up to which all eigenvalues are separated by a dense decomposition: 1.5 s, and 100 MB."""
CLEAR = 1e-4
"""Gap after the last eigenvalue above which Lanczos iterations with products in single precision, which are correct to
1e-6, find the same vectors.
"""
TRIED, RESTARTS = 30, 300
"""Restarts of Lanczos iterations with products in single and in double precision."""
ROUGH, EXACT = 1e-6, 1e-9
"""Residuals of eigenvectors from these products."""
REFINEMENTS, MORE = 200, 5
"""Iterations, and additional columns, of the block method that improves what Lanczos iterations have not separated."""
NEGLIGIBLE = 1e-17
"""Normalized similarity below which an entry does not change sums in double precision."""
SPARSE = 16
"""If at most one in this number of entries is not negligible, only those are multiplied."""
NARROW = 4
"""Number of rows per diagonal from which a matrix is decomposed, in half of the memory that the similarity takes."""
BEYOND = 1e-9
"""Distance of the shift of inverse iterations from the eigenvalue 1: eigenvalues are separated to 1e-15."""
BLOCK_ROWS = 512
UNSOLVED = (
    "no eigenvectors of the similarity graph were found: choose another gamma or n_neighbors, lower n_clusters, or use "
    "algorithm: hierarchical"
)


def eigenvectors(similarity: Similarity, counts: Rows, parts: Rows, number: int, seed: int) -> Doubles:
    """Returns the leading eigenvectors of the normalized similarity, scaled as in scikit-learn's `spectral_embedding`.

    A graph of several parts has the eigenvalue 1 once per part, which Lanczos iterations cannot distinguish. Therefore,
    each part is solved separately.

    Args:
        similarity: of distinct vectors, symmetric, shape (rows, rows).
        counts: documents per row, shape (rows,).
        parts: Part of the graph of each row, 0 the largest.
        number: Number of eigenvectors, less than rows.
        seed: Seed of the start.

    Returns:
        Shape (rows, at most number).

    Raises:
        MisconfiguredError: no method finds any.
    """
    if parts.max() == 0:
        return _connected_eigenvectors(similarity, counts, number, seed)[1]
    rows = len(parts)
    values, columns = [], []
    # Each part has the eigenvalue 1, so those of later parts are not needed.
    for place in range(min(int(parts.max()) + 1, number)):
        members = np.flatnonzero(parts == place)
        part = similarity[members][:, members]
        found, vectors = _connected_eigenvectors(part, counts[members], min(number, len(members)), seed)
        values.append(found)
        places = (np.repeat(members, len(found)), np.tile(np.arange(len(found)), len(members)))
        columns.append(sparse.csc_array((vectors.ravel(), places), shape=(rows, len(found))))
    order = np.argsort(-np.concatenate(values), kind="stable")[:number]
    return np.asarray(sparse.hstack(columns, format="csc")[:, order].toarray(), np.float64)


def _connected_eigenvectors(similarity: Similarity, counts: Rows, number: int, seed: int) -> tuple[Doubles, Doubles]:
    """Largest eigenvalues, descending, and their eigenvectors.

    Those of the graph of all documents, in which copies have equal entries: a row counts as often as it occurs. The
    first eigenvalue is exactly 1, and all others are less, so that rounding does not put another one before it.
    """
    rows = int(similarity.shape[0])
    if rows == 1:  # As in scikit-learn, a single document is not connected with itself, and so not a group.
        return np.ones(1) * (counts > 1), np.ones((1, 1))
    roots = np.sqrt(np.maximum(degrees_of(similarity, counts), TINY))
    if rows <= max(DENSE_ROWS, 2 * number + 2):
        values, vectors = _dense(similarity, counts, roots, number)
    else:
        values, vectors = _iterated(similarity, counts, roots, number, seed)
    leading = np.argsort(-values, kind="stable")[:number]
    ordered = np.minimum(values[leading], np.nextafter(1, 0))
    ordered[0] = 1.0
    return ordered, vectors[:, leading] / np.sqrt(counts)[:, None] / roots[:, None]


def _dense(similarity: Similarity, counts: Rows, roots: Doubles, number: int) -> tuple[Doubles, Doubles]:
    matrix = np.asarray(similarity.toarray() if sparse.issparse(similarity) else similarity, np.float64)
    own = matrix.diagonal().copy()
    shares = np.sqrt(counts) / roots
    normalised = matrix * shares[:, None] * shares
    normalised[np.diag_indices_from(normalised)] -= own / roots**2
    rows = len(normalised)
    values, vectors = scipy.linalg.eigh(
        normalised, subset_by_index=(rows - number, rows - 1), overwrite_a=True, check_finite=False
    )
    return np.asarray(values), np.asarray(vectors)


def _iterated(similarity: Similarity, counts: Rows, roots: Doubles, number: int, seed: int) -> tuple[Doubles, Doubles]:
    """Returns eigenvalues and eigenvectors of many rows.

    Products in single precision are fast, and sufficient if there is a gap after the last eigenvalue, or no group is
    linked weakly: then, which of many similar eigenvectors are the last ones hardly matters.

    Raises:
        MisconfiguredError: no method finds any.
    """
    shares, own = np.sqrt(counts) / roots, np.asarray(similarity.diagonal(), np.float64) / roots**2
    rows = len(roots)
    start = np.random.default_rng(seed).uniform(-1, 1, rows)

    def single(vector: Doubles) -> Doubles:
        # Only ratios matter, and the values of a graph with tiny similarities must not leave the range of float32.
        scaled = vector.ravel() * shares
        size = float(np.abs(scaled).max()) or 1.0
        product = np.asarray(similarity @ (scaled / size).astype(np.float32), np.float64) * size
        return np.asarray(product * shares - own * vector.ravel())

    def double(vectors: Doubles) -> Doubles:
        columns = vectors.reshape(rows, -1)
        product = shares[:, None] * times(entries, shares[:, None] * columns) - own[:, None] * columns
        return np.asarray(product.reshape(vectors.shape))

    entries = similarity
    first = double if sparse.issparse(similarity) else single
    rough = LinearOperator((rows, rows), matvec=first, dtype=np.float64)
    values, vectors = _lanczos(rough, number + 1, start, ROUGH)
    ordered = np.sort(values)[::-1]
    if len(ordered) > number and (ordered[number - 1] - ordered[number] > CLEAR or ordered[1] < 1 - CLEAR):
        return values, vectors
    entries = _entries(similarity, shares)
    if sparse.issparse(entries):
        scaled = sparse.csr_array(entries.multiply(shares[:, None]).multiply(shares))
        found = _banded(scaled - sparse.diags_array(own), number, start)
        if found is not None:
            return found
    exact = LinearOperator((rows, rows), matvec=double, matmat=double, dtype=np.float64)
    values, vectors = _lanczos(exact, number, start, EXACT)
    return (values, vectors) if len(values) >= number else _by_blocks(exact, vectors, number, seed)


def _banded(normalised: Any, number: int, start: Doubles) -> tuple[Doubles, Doubles] | None:
    """Returns eigenvalues and eigenvectors from inverse iterations; None if the graph is not narrow.

    A chain with weak links, whose eigenvalues are nearest to each other, is narrow: in the order of Cuthill and McKee
    (1969), its matrix has few diagonals, whose decomposition is small.
    """
    rows = normalised.shape[0]
    order = sparse.csgraph.reverse_cuthill_mckee(normalised, symmetric_mode=True)
    entries = sparse.coo_array(normalised[order][:, order])
    width = int(np.abs(entries.row - entries.col).max(initial=0))
    if width * NARROW > rows:
        return None
    below = entries.row >= entries.col
    bands = np.zeros((width + 1, rows))
    bands[(entries.row - entries.col)[below], entries.col[below]] = -entries.data[below]
    bands[0] += 1 + BEYOND
    try:
        factor = scipy.linalg.cholesky_banded(bands, lower=True, overwrite_ab=True)
        inverse = LinearOperator(
            (rows, rows), matvec=lambda vector: -scipy.linalg.cho_solve_banded((factor, True), vector), dtype=np.float64
        )
        values, vectors = eigsh(entries, k=number, sigma=1 + BEYOND, OPinv=inverse, which="LM", v0=start)
    except (ArpackError, np.linalg.LinAlgError):
        return None
    found = np.empty_like(vectors)
    found[order] = vectors
    return values, found


def _entries(similarity: Similarity, shares: Doubles) -> Similarity:
    """Returns the similarity, without its negligible entries if nearly all of them are."""
    if sparse.issparse(similarity):
        return similarity.astype(np.float64)
    rows, kept, count = len(similarity), [], 0
    for first in range(0, rows, BLOCK_ROWS):
        part = slice(first, first + BLOCK_ROWS)
        block = similarity[part].astype(np.float64)
        block[block * shares[part, None] * shares <= NEGLIGIBLE] = 0
        kept.append(sparse.csr_array(block))
        count += kept[-1].nnz
        if count * SPARSE > rows * min(first + BLOCK_ROWS, rows):
            return similarity
    return sparse.csr_array(sparse.vstack(kept, format="csr"))


def _lanczos(normalised: Any, number: int, start: Doubles, residual: float) -> tuple[Doubles, Doubles]:
    """Returns the eigenvalues and eigenvectors that ARPACK separates, which can be fewer, or none."""
    rows = normalised.shape[0]
    restarts, least = (TRIED, 20) if residual == ROUGH else (RESTARTS, 120)
    subspace = min(max(2 * number + 1, min(4 * number + 1, 200), least), rows)
    try:
        values, vectors = eigsh(
            normalised, k=number, which="LA", v0=start, ncv=subspace, tol=residual, maxiter=restarts
        )
    except ArpackNoConvergence as partly:
        values, vectors = partly.eigenvalues, partly.eigenvectors
    except ArpackError:
        return np.empty(0), np.empty((rows, 0))
    return np.asarray(values, np.float64), np.asarray(vectors, np.float64).reshape(rows, -1)


def _by_blocks(normalised: Any, known: Doubles, number: int, seed: int) -> tuple[Doubles, Doubles]:
    """Returns approximate eigenvectors from LOBPCG (Knyazev 2001), which improves any start.

    Args:
        normalised: The normalized similarity.
        known: Eigenvectors that were found, shape (rows, at most number).
        number: Number of eigenvectors.
        seed: Seed of the start of the others.

    Raises:
        MisconfiguredError: the method fails.
    """
    rows = normalised.shape[0]
    # A few more than wanted: those at the end converge last.
    others = np.random.default_rng(seed).uniform(-1, 1, (rows, number + MORE - known.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # What is not separated yet is nearly equal.
        try:
            values, vectors, *_ = lobpcg(
                normalised, np.hstack([known, others]), largest=True, maxiter=REFINEMENTS, tol=EXACT
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            raise MisconfiguredError(f"spectral: {UNSOLVED}") from error
    if not (np.isfinite(values).all() and np.isfinite(vectors).all()):
        raise MisconfiguredError(f"spectral: {UNSOLVED}")
    return np.asarray(values), np.asarray(vectors)
