"""Exact maxima: a candidate point is guessed, and that it is the maximum is proved.

Branch and bound leaves a few pieces where |g| may reach its maximum, on each of which g is convex
or concave. If each holds a point c with g'(c) = 0 exactly, then on that piece |g| <= max(|g(c)|,
|g at the ends|), so the maximum is |g(c)|. The candidates are 0, the points below, parts of a
period, and points whose square looks like a simple fraction; a wrong guess proves nothing.
"""

from __future__ import annotations

from fractions import Fraction
from math import factorial
from typing import Any, Final

import sympy
from flint import arb

from theory.activations.balls import Program, constant
from theory.activations.maxima import Peak, Piece
from theory.grammar import T

__all__ = ["at_critical_points"]

_ROOT3: Final = sympy.sqrt(3)
POINTS: Final = (
    sympy.atanh(1 / _ROOT3),  # tanh'' is largest where tanh^2 = 1/3
    sympy.log(2 + _ROOT3),  # sigmoid'' and softplus''' where tanh(t/2)^2 = 1/3
    sympy.sqrt((7 - sympy.sqrt(33)) / 2),  # gelu''' where t^4 - 7 t^2 + 4 = 0
    sympy.sqrt((3 - sympy.sqrt(6)) / 2),  # the third derivative of exp(-t^2)
)
MAX_DENOMINATOR: Final = 64
GUESS_ERROR: Final = arb(2) ** -80


def at_critical_points(
    expr: sympy.Expr, program: Program, order: int, peak: Peak, period: sympy.Expr | None
) -> sympy.Expr | None:
    """The exact maximum of |expr|, expr the derivative of that order, if it is proved.

    Args:
        expr: g, an expression in ``T``.
        program: the function of which g is a derivative.
        order: of that derivative.
        peak: what branch and bound has found for |g|.
        period: a period of g, or None.
    """
    points = [c for c in _candidates(peak, period) if _plausible(c, program, order, peak)]
    found = [next((c for c in points if _inside(c, piece)), None) for piece in peak.pieces]
    if None in found or not all(piece.curved for piece in peak.pieces):
        return None
    slope = sympy.diff(expr, T)
    value: sympy.Expr | None = None
    for point, piece in zip(found, peak.pieces, strict=True):
        if not _vanishes(_at(slope, point)):
            return None
        here = _at(expr, point)
        here = -here if constant(here) < 0 else here
        value = here if value is None else value
        same = here == value or _vanishes(here - value)
        if not same or not _ends_are_lower(piece, point, program, order, constant(value)):
            return None
    return value if value is None or value.is_algebraic else sympy.simplify(value)


def _candidates(peak: Peak, period: sympy.Expr | None) -> list[Any]:
    found: list[Any] = [sympy.S.Zero]
    if period is not None:
        found += [period * j / 8 for j in range(1, 9)]
    else:
        square = (peak.at * peak.at).mid()
        guess = Fraction(float(square)).limit_denominator(MAX_DENOMINATOR)
        fraction = sympy.Rational(guess.numerator, guess.denominator)
        if constant(fraction) - square < GUESS_ERROR and square - constant(fraction) < GUESS_ERROR:
            found.append(sympy.sqrt(fraction))
        found += POINTS
    return found + [-point for point in found[1:]]


def _plausible(point: sympy.Expr, program: Program, order: int, peak: Peak) -> bool:
    """Whether the point may be a maximum, numerically; what is not is not worth proving."""
    jet = program.jet(constant(point), order + 1)
    value = abs(jet[order] * factorial(order))
    return bool(jet[order + 1].contains(0)) and not (value < peak.lower or value > peak.upper)


def _inside(point: sympy.Expr, piece: Piece) -> bool:
    where = constant(point)
    return bool(arb(piece.low) <= where and where <= arb(piece.high))


def _at(expr: sympy.Expr, point: sympy.Expr) -> sympy.Expr:
    """The value at a point; algebraic parts are brought to normal form on the way up."""
    if expr == T:
        return point
    if not expr.args:
        return expr
    value = expr.func(*(_at(part, point) for part in expr.args))
    if value.is_Rational or not value.is_algebraic:
        return value
    return sympy.radsimp(sympy.expand(value))


def _vanishes(value: sympy.Expr) -> bool:
    """Whether SymPy shows that the number is exactly 0."""
    return bool(value == 0 or sympy.expand(value) == 0 or sympy.simplify(value) == 0)


def _ends_are_lower(
    piece: Piece, point: sympy.Expr, program: Program, order: int, value: Any
) -> bool:
    for end in (piece.low, piece.high):
        if constant(point) == arb(end):
            continue
        modulus = program.jet(arb(end), order)[order] * factorial(order)
        if not modulus.abs_upper() < value:
            return False
    return True
