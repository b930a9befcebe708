"""Lanczos on the host, in NumPy, with its Ritz vectors.

`numerics.spectral` encloses a norm from four random starts in one compiled loop and keeps no
vectors. Here is the small brother: one start, of any kind, nothing compiled, and the vectors, which
a search climbs along. Every Ritz value is a Rayleigh quotient, so the one largest in magnitude is a
lower bound on the spectral norm, up to rounding.

Source:
    B. N. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, chapter 13: residuals from the
    last components of the tridiagonal eigenvectors; orthogonalising twice is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

from numerics.lanczos import Tridiagonal
from numerics.spectral import SpectralError
from numerics.tolerances import unit_roundoff

__all__ = ["RitzPairs", "ritz_pairs"]

Vector = Float[np.ndarray, " n"]

_U = unit_roundoff(np.float64)


class RitzPairs(NamedTuple):
    """Approximate eigenpairs of a symmetric matrix of order n, from k products with it.

    Attributes:
        values: Ritz values, increasing, shape (k,).
        vectors: unit Ritz vectors, one a row, shape (k, n).
        residuals: ``|A u - value u|_2`` of each, shape (k,): an eigenvalue is that close.
        run: the tridiagonal matrix, for `numerics.certificates`.
        weights: squares of the Ritz vectors' components along the start, shape (k,): the weights
            of the Gauss quadrature that the run makes.
    """

    values: Float[np.ndarray, " k"]
    vectors: Float[np.ndarray, "k n"]
    residuals: Float[np.ndarray, " k"]
    run: Tridiagonal
    weights: Float[np.ndarray, " k"]

    @property
    def top(self) -> int:
        """Index of the Ritz value largest in magnitude."""
        return int(np.argmax(np.abs(self.values)))


def ritz_pairs(
    multiply: Callable[[Vector], Vector],
    start: Vector,
    *,
    steps: int,
    tolerance: float,
    wanted: int = 1,
) -> RitzPairs:
    """Approximate the eigenvalues of largest magnitude of a symmetric matrix.

    Args:
        multiply: the product with the matrix, of float64 vectors of shape (n,).
        start: where the Krylov space starts, shape (n,), not zero.
        steps: most products, >= 1.
        tolerance: stop once the residuals of the values largest in magnitude are at most this
            fraction of the largest (the error is of the order of the square).
        wanted: how many values have to be that good, >= 1.

    Returns:
        The Ritz pairs; no more than n of them.

    Raises:
        ValueError: the start is zero or not finite.
        SpectralError: a product is not finite.
    """
    size = float(np.linalg.norm(start))
    if not (math.isfinite(size) and size > 0):
        msg = f"a start of norm {size!r} spans no Krylov space; give a finite non-zero vector"
        raise ValueError(msg)
    limit = min(steps, start.size)
    basis = np.empty((limit, start.size))
    basis[0] = start / size
    diagonal, beside, drift = np.zeros((3, limit))
    for k in range(limit):
        image = np.asarray(multiply(basis[k]), dtype=np.float64)
        diagonal[k] = basis[k] @ image
        recurrence = image - diagonal[k] * basis[k] - (beside[k - 1] * basis[k - 1] if k else 0.0)
        image = recurrence
        for _ in range(2):
            image = image - (basis[: k + 1] @ image) @ basis[: k + 1]
        beside[k], drift[k] = np.linalg.norm(image), np.linalg.norm(recurrence - image)
        if not math.isfinite(diagonal[k] + beside[k]):
            msg = "a product with the matrix is infinite or NaN: are the parameters or input huge?"
            raise SpectralError(msg)
        values, small = scipy.linalg.eigh_tridiagonal(diagonal[: k + 1], beside[:k])
        residuals = beside[k] * np.abs(small[-1])
        top = int(np.argmax(np.abs(values)))
        largest = abs(values[top])
        exhausted = beside[k] <= 64 * _U * largest
        first = np.argsort(-np.abs(values), kind="stable")[:wanted]
        good = k + 1 >= wanted and bool(np.all(residuals[first] <= tolerance * largest))
        if exhausted or good or k + 1 == limit:
            break
        basis[k + 1] = image / beside[k]
    # As in numerics.lanczos: three axpys, a division and a correction, each rounded once per entry.
    defect = drift[: k + 1] + 16 * _U * largest
    run = Tridiagonal(diagonal[: k + 1], beside[: k + 1], defect, bool(exhausted))
    return RitzPairs(values, small.T @ basis[: k + 1], residuals, run, small[0] ** 2)
