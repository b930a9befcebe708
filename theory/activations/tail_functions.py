"""Functions of expansions, and expansions of expressions, on a half-line (see ``tails``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sympy
from flint import arb, fmpq

from theory.activations.balls import JETS, constant, interval
from theory.activations.errors import ActivationError
from theory.activations.growth import ONE, Coefficient, Monomial, TailError, ball, compact, symbolic
from theory.activations.tails import MINUS_ONE, ORDER, Expansion, series
from theory.grammar import T

__all__ = ["expand"]


def _negated(f: Expansion) -> Expansion:
    return f.scaled(MINUS_ONE)


def _sinh(f: Expansion) -> Expansion:
    return (f.exp() + _negated(_negated(f).exp())).scaled(fmpq(1, 2))


def _cosh(f: Expansion) -> Expansion:
    return (f.exp() + _negated(f).exp()).scaled(fmpq(1, 2))


def _sech(f: Expansion) -> Expansion:
    return _cosh(f).power(MINUS_ONE)


def _odd(rule: Callable[[Expansion], Expansion]) -> Callable[[Expansion], Expansion]:
    """The rule of an odd function from its rule for an argument that tends to +oo."""
    return lambda f: rule(f) if f.diverges() > 0 else _negated(rule(_negated(f)))


def _tanh(f: Expansion) -> Expansion:
    one = f.new((ONE, fmpq(1)))
    decay = f.scaled(fmpq(-2)).exp()
    return (one + _negated(decay)) * (one + decay).power(MINUS_ONE)


def _erfc_of_positive(f: Expansion) -> Expansion:
    # 1 - 1/(2 h^2) < sqrt(pi) h exp(h^2) erfc(h) < 1 for h > 0 (Abramowitz and Stegun 7.1.23).
    inverse = f.power(MINUS_ONE)
    smallest = 1 / inverse.sum_of_bounds().abs_upper()
    low = (1 - 1 / (2 * smallest**2)).max(arb(0))
    factor = interval(low, 1) / arb.const_sqrt_pi()
    return (_negated(f * f).exp() * inverse).scaled(factor)


def _erf(f: Expansion) -> Expansion:
    return f.new((ONE, fmpq(1))) + _negated(_erfc_of_positive(f))


def _erfc(f: Expansion) -> Expansion:
    if f.diverges() > 0:
        return _erfc_of_positive(f)
    return f.new((ONE, fmpq(2))) + _negated(_erfc_of_positive(_negated(f)))


def _atan(f: Expansion) -> Expansion:
    # atan h = pi/2 - atan(1/h) for h > 0.
    return f.new((ONE, sympy.pi / 2)) + _negated(_bounded(sympy.atan, f.power(MINUS_ONE)))


def _asinh(f: Expansion) -> Expansion:
    one = f.new((ONE, fmpq(1)))
    return (f + (one + f * f).power(fmpq(1, 2))).log()


def _wave(f: Expansion) -> Expansion:
    return f.new((ONE, interval(-1, 1)))


_AT_INFINITY: Final[dict[Any, Callable[[Expansion], Expansion]]] = {
    sympy.sinh: _sinh,
    sympy.cosh: _cosh,
    sympy.sech: _sech,
    sympy.tanh: _odd(_tanh),
    sympy.erf: _odd(_erf),
    sympy.erfc: _erfc,
    sympy.atan: _odd(_atan),
    sympy.asinh: _odd(_asinh),
    sympy.sin: _wave,
    sympy.cos: _wave,
}
"""Rules for arguments that tend to plus or minus infinity."""


def _bounded(function: Any, f: Expansion) -> Expansion:
    """A function of a bounded argument c + rho, by its Taylor expansion at c."""
    terms = dict(f.terms)
    centre = terms.pop(ONE, fmpq(0))
    rho = Expansion.of(f.start, terms)
    jet = JETS[function]
    padding = [arb(1)] + [arb(0)] * (ORDER - 1)
    at_centre = jet([ball(centre), *padding])
    on_hull = jet([ball(centre) + interval(0, rho.sum_of_bounds()), *padding])
    if not all(c.is_finite() for c in [*at_centre, *on_hull]):
        msg = f"{function.__name__} of what may leave its domain"
        raise TailError(msg)
    coefficients: list[Coefficient] = [*at_centre[:ORDER], on_hull[ORDER]]
    if not isinstance(centre, arb):
        coefficients[0] = compact(function(symbolic(centre)))
    return series(rho, coefficients)


def _apply(function: Any, f: Expansion) -> Expansion:
    if function is sympy.exp:
        return f.exp()
    if function is sympy.log:
        return f.log()
    if not f.terms or f.terms[0][0].sign() <= 0:
        return _bounded(function, f)
    if function in (sympy.sin, sympy.cos):
        return _wave(f)
    rule = _AT_INFINITY.get(function)
    if rule is None or f.diverges() == 0:
        msg = f"{function.__name__} of an unbounded argument"
        raise TailError(msg)
    return rule(f)


def expand(expr: sympy.Expr, start: Any) -> Expansion:
    """Enclose an expression in ``T`` for all t >= start.

    Args:
        expr: made of the functions of ``theory.activations.balls.JETS``.
        start: T0 > 0, an integer or ``fmpq``.

    Raises:
        TailError: no enclosure from there on was found; a larger start may do.
        ActivationError: the expression holds a function that cannot be enclosed.
    """
    return _expand(expr, start, {})


def _expand(expr: sympy.Expr, start: Any, known: dict[sympy.Expr, Expansion]) -> Expansion:
    if expr not in known:
        known[expr] = _expanded(expr, start, known)
    return known[expr]


def _expanded(expr: sympy.Expr, start: Any, known: dict[sympy.Expr, Expansion]) -> Expansion:
    if expr == T:
        return Expansion.of(start, {Monomial(power=fmpq(1)): fmpq(1)})
    if expr.is_number:
        constant(expr)  # refuses what it does not know
        return Expansion.of(start, {ONE: compact(expr)})
    if expr.is_Pow and not expr.exp.is_Rational:
        expr = sympy.exp(expr.exp * sympy.log(expr.base), evaluate=False)
    if expr.is_Pow:
        base = _expand(expr.base, start, known)
        return base.power(fmpq(int(expr.exp.p), int(expr.exp.q)))
    first, *rest = (_expand(part, start, known) for part in expr.args)
    if expr.is_Add or expr.is_Mul:
        for part in rest:
            first = first + part if expr.is_Add else first * part
        return first
    if expr.func not in JETS:
        msg = f"{expr.func.__name__} cannot be enclosed"
        raise ActivationError(msg)
    return _apply(expr.func, first)
