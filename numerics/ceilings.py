"""An upper bound on a spectral norm from a few steps of the power method with random starts.

The power method approaches a norm from below.  But let x be uniform on the unit sphere of R^n, u a
unit right singular vector to ``|A|``, and ``y = (A'A)^q x``.  Whatever the other singular values
are, ``|y| >= |u . y| = |A|^(2q) |u . x|``, and ``|u . x|`` is at least
`numerics.certificates.overlap` except with a small probability.  Hence

    |A| <= ( |(A'A)^q x| / overlap )^(1/(2q)).

Of several starts the largest such number is taken; it fails only where every start does.  For four
starts, q = 10, n = 4096 and a failure probability of 1e-9 it is at most 1.6 times the norm: rough,
proved, and at the cost of twenty products.

A computed product with A'A errs by at most ``slip |A|^2`` per unit vector, where
``slip = 2 gamma sqrt(r)`` and r is the smaller dimension of A, as the norm of the matrix of
absolute values is at most ``sqrt(r) |A|`` (Higham 2002, equation (3.5)); in gamma are also the two
roundings of each normalisation.  After q steps ``|u . y|`` has lost no more than
``q slip (1 + slip)^q |A|^(2q)``.  The rounding of the norms and logarithms that are added up is far
less than the part 1/(2n) of ``|u . x|`` that `numerics.certificates.overlap` leaves unused.  Norms
are taken of vectors whose largest entry is 1, so that no square overflows or vanishes.

Source:
    J. D. Dixon, *Estimating extremal eigenvalues and condition numbers of matrices*, SIAM J.
    Numer. Anal. 20 (1983), for the argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.certificates import overlap
from numerics.tolerances import gamma

STARTS = 4
STEPS = 10  # q


def starts(size: int, seed: int = 0) -> Float[np.ndarray, "size starts"]:
    """Independent unit vectors, uniform on the sphere, one a column.

    Args:
        size: n.
        seed: of the draw.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, size, 17)))
    found: np.ndarray = rng.standard_normal((size, STARTS))
    return found / np.linalg.norm(found, axis=0)


def grown(
    act: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    columns: Float[Array, "size k"],
) -> Float[Array, " k"]:
    """How much the power method lengthens vectors, for use under JAX transformations.

    Args:
        act: the product with A of the columns of an array.
        adjoint: the product with its transpose.
        columns: the starts x.

    Returns:
        ``log |(A'A)^STEPS x|`` for each x; -inf for a zero.
    """

    def body(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        columns, logs = carry
        for product in (act, adjoint):
            columns = product(columns)
            largest = jnp.max(jnp.abs(columns), axis=0)
            columns = columns / jnp.where(largest == 0, 1.0, largest)
            size = jnp.sqrt(jnp.sum(columns * columns, axis=0))
            columns = columns / jnp.where(size == 0, 1.0, size)
            logs = logs + jnp.log(largest) + jnp.log(size)
        return columns, logs

    return jax.lax.fori_loop(0, STEPS, body, (columns, jnp.zeros(columns.shape[1])))[1]


def ceiling(growth: Float[np.ndarray, " starts"], shape: tuple[int, int], chance: float) -> float:
    """The upper bound, from how much the starts have grown.

    Args:
        growth: of `grown`, for each column x of `starts`.
        shape: (rows, cols) of A; products with it sum at most ``rows + cols`` terms.
        chance: with which the bound may fail, over the starts.

    Returns:
        The bound; infinite where rounding leaves no overlap.
    """
    rows, cols = shape
    slip = 2 * gamma(rows + cols + 2) * math.sqrt(min(rows, cols))
    least = overlap(cols, chance ** (1 / STARTS)) - STEPS * slip * (1 + slip) ** STEPS
    if least <= 0:
        return math.inf
    largest = float(np.max(growth))
    if largest == -math.inf:
        return 0.0
    return math.exp((largest - math.log(least)) / (2 * STEPS)) * (1 + slip)


__all__ = ["STARTS", "STEPS", "ceiling", "grown", "starts"]
