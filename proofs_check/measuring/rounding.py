"""Numbers that carry their rounding error, and how errors grow through a network.

Running error analysis: every computed number comes with a bound on its distance from the exact one,
propagated by first-order rules, so that a line of a proof is judged by the error of *its* two sides
and by no fixed tolerance.

Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002,
Sections 3.3 (running error analysis) and 3.5 (matrix products).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from numerics.tolerances import ACTIVATION_ROUNDINGS, gamma, unit_roundoff

U = unit_roundoff(float)
POWER_ROUNDINGS = 4
"""Roundings granted to one ``pow`` of the C library, its exponent's rounding included."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A non-negative number and a bound on its error.

    Attributes:
        value: the computed number.
        error: an upper estimate of ``|value - exact|``, >= 0, or inf when nothing is known.
    """

    value: float
    error: float = 0.0

    @property
    def upper(self) -> float:
        """The largest exact value that is consistent with the error."""
        return self.value + self.error

    def __add__(self, other: Measured) -> Measured:
        """The sum."""
        value = self.value + other.value
        return Measured(value, self.error + other.error + U * value)

    def __mul__(self, other: Measured) -> Measured:
        """The product."""
        value = _times(self.value, other.value)
        spread = _times(self.upper, other.error) + _times(self.error, other.value)
        return Measured(value, spread + U * value)

    def power(self, exponent: Fraction) -> Measured:
        """The power; infinite where a negative one is taken of what may be zero."""
        value = _power(self.value, exponent)
        low = _power(max(self.value - self.error, 0.0), exponent)
        high = _power(self.upper, exponent)
        ends = (abs(high - value), abs(low - value)) if math.isfinite(value) else (math.inf,)
        spread = max(ends) if self.error else 0.0
        return Measured(value, spread + gamma(POWER_ROUNDINGS) * value)

    def widened(self, error: float) -> Measured:
        """The same number with a further error."""
        return Measured(self.value, self.error + error)


ZERO, ONE = Measured(0.0), Measured(1.0)


def _times(left: float, right: float) -> float:
    """The product of two non-negative numbers, where nothing times no matter what is nothing."""
    return left * right if left and right else 0.0


def _power(base: float, exponent: Fraction) -> float:
    try:
        return float(base ** float(exponent))
    except (ZeroDivisionError, OverflowError):
        return math.inf


def total(numbers: Iterable[Measured]) -> Measured:
    """The sum of any number of them."""
    result = ZERO
    for number in numbers:
        result = result + number
    return result


def product(numbers: Iterable[Measured]) -> Measured:
    """The product of any number of them."""
    result = ONE
    for number in numbers:
        result = result * number
    return result


def matrix_product_rounding(rows: int, inner: int, cols: int) -> float:
    """Relative error of a computed matrix product, in spectral norms of the factors.

    ``|fl(AB) - AB| <= gamma_n |A| |B|`` entrywise, and a Frobenius norm is at most the root of the
    smaller dimension times the spectral norm.

    Source: Higham 2002, equation (3.13).
    """
    return gamma(inner + 1) * math.sqrt(min(rows, inner) * min(inner, cols))


# -- derivatives of functions of the parameters ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Jet:
    """Sizes of a vector-valued function of the parameters and of its first two derivatives.

    Each ``value`` is at least about the norm of the quantity, cancellation disregarded, and each
    ``error`` bounds the rounding error of computing it.

    Attributes:
        value: Euclidean norm of the function's value.
        first: spectral norm of its Jacobian.
        second: norm of ``<c, second derivative>`` for a unit vector c.
        dim: number of its entries.
    """

    value: Measured
    first: Measured
    second: Measured
    dim: int

    def scaled(self, factor: Measured) -> Jet:
        """The function times a number."""
        return Jet(factor * self.value, factor * self.first, factor * self.second, self.dim)

    def __add__(self, other: Jet) -> Jet:
        """The sum of two functions."""
        return Jet(
            self.value + other.value, self.first + other.first, self.second + other.second, self.dim
        )

    def times(self, other: Jet, rows: int, cols: int = 1) -> Jet:
        """The product ``self other`` of two functions (matrix by vector, say), product rule."""
        inner = max(self.dim // max(rows, 1), 1)
        loss = matrix_product_rounding(rows, inner, cols)
        value = self.value * other.value
        first = self.first * other.value + self.value * other.first
        both = self.first * other.first
        second = self.second * other.value + both + both + self.value * other.second
        value, first, second = (q.widened(loss * q.value) for q in (value, first, second))
        return Jet(value, first, second, rows * cols)

    def pointwise(self, sizes: tuple[float, float, float, float]) -> Jet:
        """The function followed by sigma, entry by entry.

        Args:
            sizes: ``|sigma(z)|_2``, and the maxima of ``|sigma'(z)|``, ``|sigma''(z)|`` and
                ``|sigma'''(z)|`` over the entries.
        """
        shift, loss = self.value.error, gamma(ACTIVATION_ROUNDINGS)
        size, slope, bend, twist = sizes
        value = Measured(size, slope * shift + loss * (size + slope * self.value.value))
        rate = Measured(slope, bend * shift + loss * slope)
        curve = Measured(bend, twist * shift + loss * bend)
        second = curve * self.first * self.first + rate * self.second
        return Jet(value, rate * self.first, second, self.dim)

    def slopes(self, sizes: tuple[float, float, float, float]) -> Jet:
        """``diag(sigma'(z))``, from the same sizes as :meth:`pointwise`."""
        _, slope, bend, twist = sizes
        loss = gamma(ACTIVATION_ROUNDINGS)
        value = Measured(slope, bend * self.value.error + loss * slope)
        curve = Measured(bend, twist * self.value.error + loss * bend)
        second = Measured(twist) * self.first * self.first + curve * self.second
        return Jet(value, curve * self.first, second, self.dim)


def constant(size: Measured, dim: int) -> Jet:
    """The jet of a constant."""
    return Jet(size, ZERO, ZERO, dim)


def coordinate(size: float, dim: int) -> Jet:
    """The jet of a block of the parameters, such as a weight matrix."""
    return Jet(Measured(size), ONE, ZERO, dim)
