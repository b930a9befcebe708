"""Gaussian moments of an activation, enclosed: ``sqrt(E sigma^(j)(a xi)^2)``, xi standard normal.

The real line is cut at |xi| = REACH.  Inside, the integrand is expanded around the middle of each
of many short pieces by jets in ball arithmetic; the last coefficient is enclosed on the whole piece
and bounds the remainder (Lagrange), so nothing is estimated.  Outside,
``|sigma(t)| <= |sigma(0)| + lambda |t|`` or ``|sigma'| <= lambda`` bounds what is left.

Source: R. E. Moore, Interval Analysis, 1966, chapter 8 (integration with Taylor remainders).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import flint
import sympy
from flint import arb, fmpq

from theory.activations.balls import PRECISION, Jet, Program, constant
from theory.activations.errors import CertificationError
from theory.activations.functions import ActivationFunction
from theory.grammar import T

REACH: Final = 10  # standard deviations
DEGREE: Final = 14
LONGEST: Final = Fraction(1, 2)  # of a piece, both in xi and in a xi
MOST_CUTS: Final = 12
RELATIVE: Final = 1e-12
"""Relative width that an enclosure has at most."""


def root_mean_square(function: ActivationFunction, order: int, scale: float) -> float:
    """``sqrt(E sigma^(order)(scale xi)^2)`` for a standard normal xi, to a relative 1e-12.

    Args:
        function: the activation sigma.
        order: 0 or 1.
        scale: the standard deviation, not negative.

    Raises:
        CertificationError: when no enclosure that narrow is found.
        UnboundedDerivativeError: when sup|sigma'| is infinite.
    """
    lower, upper = enclosure(function, order, float(scale))
    return (lower + upper) / 2


@lru_cache(maxsize=4096)
def enclosure(function: ActivationFunction, order: int, scale: float) -> tuple[float, float]:
    """Two floats between which ``sqrt(E sigma^(order)(scale xi)^2)`` lies."""
    if order not in (0, 1) or not (0 <= scale < math.inf):
        msg = f"needs the order 0 or 1 and a finite scale >= 0, was given {order} and {scale}"
        raise ValueError(msg)
    with flint.ctx.workprec(PRECISION // 2):
        if scale == 0:
            value = constant(sympy.simplify(function.derivative(order).subs(T, 0)))
            return _floats(abs(value))
        mean = _inside(function, order, scale) + _outside(function, order, scale)
        root = mean.sqrt() if mean.lower() > 0 else arb(0, mean.abs_upper().sqrt())
        low, high = _floats(root)
    if not high - low <= RELATIVE * high:
        msg = (
            f"the mean square of {function.name!r} (derivative {order}) at the standard deviation "
            f"{scale} was enclosed in [{low}, {high}] only"
        )
        raise CertificationError(msg)
    return low, high


def _floats(value: Any) -> tuple[float, float]:
    """A ball as two floats around it."""
    if not value.is_finite():
        return 0.0, math.inf
    low = math.nextafter(float(value.lower()), -math.inf)
    return max(0.0, low), math.nextafter(float(value.upper()), math.inf)


_BELL: Final = sympy.exp(-(T**2) / 2) / sympy.sqrt(2 * sympy.pi)


@lru_cache(maxsize=64)
def _program(expr: sympy.Expr) -> Program:
    return Program(expr)


def _inside(function: ActivationFunction, order: int, scale: float) -> Any:
    """The integral over [-REACH, REACH]."""
    program = _program(function.derivative(order))
    ratio = max(1, math.ceil(scale))
    step = LONGEST / ratio
    total = arb(0)
    for i in range(-REACH * ratio * 2, REACH * ratio * 2):
        total += _piece(program, scale, i * step, step, MOST_CUTS)
    return total


def _piece(program: Program, scale: float, start: Fraction, length: Fraction, cuts: int) -> Any:
    """The integral over one piece, cut in two where its remainder is not finite or not small."""
    half = length / 2
    middle, radius = _number(start + half), _number(half)
    centre = _integrand(program, scale, middle)
    around = _integrand(program, scale, arb(middle, radius * (1 + arb(2) ** -20)))
    found = arb(0)
    for k in range(0, DEGREE, 2):
        found += 2 * centre[k] * radius ** (k + 1) / (k + 1)
    rest = around[DEGREE].abs_upper() * radius ** (DEGREE + 1) * 2 / (DEGREE + 1)
    if cuts and not rest.upper() < 1e-16:
        parts = (start, start + half)
        return sum((_piece(program, scale, s, half, cuts - 1) for s in parts), arb(0))
    return found + arb(0, rest.abs_upper())


def _number(value: Fraction) -> Any:
    return arb(fmpq(value.numerator, value.denominator))


def _integrand(program: Program, scale: float, point: Any) -> Jet:
    """The jet of ``sigma^(j)(a xi)^2 phi(xi)`` in xi."""
    a = arb(scale)
    inner = [c * a**k for k, c in enumerate(program.jet(a * point, DEGREE))]
    bell = _program(_BELL).jet(point, DEGREE)
    return _product(_product(inner, inner), bell)


def _product(left: Jet, right: Jet) -> Jet:
    return [sum((left[j] * right[k - j] for j in range(k + 1)), arb(0)) for k in range(len(left))]


def _outside(function: ActivationFunction, order: int, scale: float) -> Any:
    """A ball around zero that the integral beyond REACH lies in, on its non-negative side."""
    steep = function.sup(1).upper
    slope = _number(Fraction(steep))
    reach = arb(REACH)
    beyond = (reach / arb(2).sqrt()).erfc()  # P(|xi| > REACH)
    if order == 1:
        most = slope**2 * beyond
    else:
        second = 2 * reach * constant(_BELL.subs(T, REACH)) + beyond  # E xi^2 beyond REACH
        start = constant(function.at_zero)
        most = 2 * (start**2 * beyond + slope**2 * arb(scale) ** 2 * second)
    half = most.abs_upper() / 2
    return arb(half, half * (1 + arb(2) ** -20))
