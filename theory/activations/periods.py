"""Periods that can be read off an expression."""

from __future__ import annotations

import math
from fractions import Fraction

import sympy

from theory.grammar import T

__all__ = ["period_of"]


def period_of(expr: sympy.Expr) -> sympy.Expr | None:
    """A period of an expression in ``T``, not necessarily the least one.

    Only the obvious is found: t occurs in it, but only within sin(a t + b) and cos(a t + b), with
    rates a whose ratios are rational.

    >>> period_of(sympy.sin(2 * T) + sympy.cos(3 * T / 2))
    4*pi
    """
    rates: set[sympy.Expr] = set()
    if T not in expr.free_symbols or not _collect_rates(expr, rates):
        return None
    first = min(rates, key=str)
    ratios = [sympy.expand(rate / first) for rate in rates]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    fractions = [Fraction(int(ratio.p), int(ratio.q)) for ratio in ratios]
    common = math.lcm(*(fraction.denominator for fraction in fractions))
    divisor = math.gcd(*(int(fraction * common) for fraction in fractions))
    return 2 * sympy.pi * common / (sympy.Abs(first) * divisor)


def _collect_rates(expr: sympy.Expr, rates: set[sympy.Expr]) -> bool:
    """Whether t occurs only as it may; the rates are put into the set."""
    if T not in expr.free_symbols:
        return True
    if isinstance(expr, sympy.sin | sympy.cos):
        rate = sympy.expand(sympy.diff(expr.args[0], T))
        if rate.is_number:
            rates.add(rate)
            return True
    return bool(expr.args) and all(_collect_rates(part, rates) for part in expr.args)
