"""How far a computed number may stand from the exact one: the only source of tolerances.

Every tolerance is derived, from the precision of the arithmetic, the number of operations and
the conditioning of the quantity; none is a literal chosen until a test passed. Notation: ``u`` is
the unit roundoff, ``gamma_n = n u / (1 - n u)``.

Sources:
    N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002:
    Lemma 3.1 (gamma_n), equation (3.5) (inner products), section 1.6 (conditioning).
    N. J. Higham and T. Mary, *A New Approach to Probabilistic Rounding Error Analysis*,
    SIAM J. Sci. Comput. 41 (2019): errors of n operations grow like sqrt(n) u, not n u.
    E. Anderson et al., *LAPACK Users' Guide*, 3rd ed., SIAM 1999, sections 4.7 and 4.9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import numpy as np
from numpy.typing import DTypeLike

__all__ = [
    "Numbers",
    "Tolerance",
    "ToleranceError",
    "gamma",
    "inner_product",
    "network",
    "spectrum",
    "unit_roundoff",
]

Numbers: TypeAlias = float | int | np.generic | np.ndarray | jax.Array | Sequence[Any]
"""Anything NumPy takes for numbers; its own `ArrayLike` cannot be checked at run time."""

ACTIVATION_ROUNDINGS = 16
"""Roundings granted to one activation value: libraries state 1 to 4 ulp for tanh, erf, exp, and
an expression such as GELU, or one of its derivatives, composes a few of them."""


class ToleranceError(ValueError):
    """A tolerance was asked for that the arithmetic cannot give."""


@dataclass(frozen=True)
class Tolerance:
    """An allowance ``absolute + relative * scale`` for the error of a computed number.

    Attributes:
        relative: allowance per unit of the scale (dimensionless, >= 0).
        absolute: allowance at scale zero, in the unit of the number compared (>= 0).
    """

    relative: float
    absolute: float = 0.0

    def __post_init__(self) -> None:
        for name in ("relative", "absolute"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                msg = f"a tolerance needs a finite {name} part >= 0, got {value!r}"
                raise ToleranceError(msg)

    def margin(self, *scales: Numbers) -> float:
        """The allowance at the largest absolute entry found among `scales`."""
        largest = max((float(np.max(np.abs(s), initial=0.0)) for s in scales), default=0.0)
        return self.absolute + self.relative * largest

    def close(self, left: Numbers, right: Numbers) -> bool:
        """Whether the two agree entrywise within the margin at their largest entry.

        The scale is the largest entry of either side, not each entry's own: entries that are
        small because terms cancelled carry the error of those terms. NaN and infinities agree
        with nothing.
        """
        a, b = np.asarray(left), np.asarray(right)
        if a.shape != b.shape:
            msg = f"cannot compare shape {a.shape} with shape {b.shape}; give equal shapes"
            raise ToleranceError(msg)
        if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
            return False
        return bool(np.all(np.abs(a - b) <= self.margin(a, b)))

    def at_most(self, left: float | int, right: float | int) -> bool:
        """Whether ``left <= right`` up to the margin at the larger of the two."""
        left, right = float(left), float(right)
        if left <= right:
            return True
        # An infinite or undefined side would make the margin infinite as well.
        finite = math.isfinite(left) and math.isfinite(right)
        return finite and left - right <= self.margin(left, right)

    def amplified(self, condition: float | int) -> Tolerance:
        """The tolerance of a result that magnifies relative errors by `condition` (>= 1)."""
        if not condition >= 1:
            msg = f"a condition number is at least 1, got {condition!r}"
            raise ToleranceError(msg)
        return Tolerance(self.relative * condition, self.absolute * condition)

    def __add__(self, other: Tolerance) -> Tolerance:
        """The tolerance after both sources of error."""
        return Tolerance(self.relative + other.relative, self.absolute + other.absolute)


def unit_roundoff(dtype: DTypeLike) -> float:
    """Half the distance from 1 to the next number: 2^-53 in float64, 2^-24 in float32.

    Raises:
        ToleranceError: if `dtype` is not a binary floating-point type.
    """
    if not np.issubdtype(np.dtype(dtype), np.floating):
        msg = f"{np.dtype(dtype)} is not a floating-point type; give float32 or float64"
        raise ToleranceError(msg)
    return float(np.finfo(dtype).eps) / 2


def gamma(operations: int, dtype: DTypeLike = np.float64) -> float:
    """Relative error that `operations` roundings in a row can reach at worst.

    Source: Higham 2002, Lemma 3.1.

    Raises:
        ToleranceError: if ``operations * u >= 1``: no digit is left to state an error for.
    """
    reach = operations * unit_roundoff(dtype)
    if not 0 <= reach < 1:
        msg = f"{operations} roundings in {np.dtype(dtype)} leave no digit; use a wider type"
        raise ToleranceError(msg)
    return reach / (1 - reach)


def inner_product(
    terms: int, dtype: DTypeLike = np.float64, *, condition: float | int = 1.0
) -> Tolerance:
    """Tolerance of a sum of products of length `terms`, in any order of summation.

    Args:
        terms: number of products summed.
        dtype: the arithmetic.
        condition: ``|x|.|y| / |x.y|``; 1 for a sum without cancellation, such as a norm.

    Source: Higham 2002, equation (3.5).
    """
    return Tolerance(gamma(max(terms, 1), dtype)).amplified(condition)


def spectrum(order: int, dtype: DTypeLike = np.float64) -> Tolerance:
    """Tolerance of eigenvalues or singular values, relative to the spectral norm.

    LAPACK's symmetric and singular value drivers are backward stable: each computed value is
    exact for a matrix within ``p(n) eps ||A||_2``, and by Weyl's inequality no value moves
    further. `p` is a "modestly growing function"; here ``p(n) = n`` with ``n >= 8``.

    Args:
        order: the larger dimension of the matrix.
        dtype: the arithmetic.

    Source: LAPACK Users' Guide, sections 4.7 and 4.9.
    """
    return Tolerance(2 * gamma(max(order, 8), dtype))


def network(
    widths: Sequence[int], dtype: DTypeLike = np.float64, *, condition: float | int = 1.0
) -> Tolerance:
    """Tolerance of one pass, forward or back, through a dense network.

    One layer is an inner product over its inputs and an activation. Its worst case is
    ``gamma_m`` times the condition number of the product, which is of order ``sqrt(m)`` for
    Gaussian weights; but m roundings add up like ``sqrt(m) u`` and not like ``m u`` (Higham and
    Mary 2019), so ``gamma_m`` alone covers both. The layers' allowances add up.

    Args:
        widths: ``m_0 .. m_L``.
        dtype: the arithmetic.
        condition: what later layers may magnify, e.g. the product of ``s_l lambda`` where it
            exceeds 1.
    """
    roundings = sum(widths) + ACTIVATION_ROUNDINGS * len(widths)
    return Tolerance(gamma(roundings, dtype)).amplified(condition)
