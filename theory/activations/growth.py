"""Monomials of growth t^p (log t)^r exp(P(t)) and the coefficients that go with them.

A coefficient is an exact rational (``fmpq``), another exact number (SymPy), or a ball (``arb``).
Exact ones are kept as long as possible, because leading terms cancel only exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import flint
import sympy
from flint import arb, fmpq

from theory.activations.balls import constant

__all__ = [
    "ONE",
    "Coefficient",
    "Monomial",
    "TailError",
    "ball",
    "compact",
    "is_zero",
    "plus",
    "symbolic",
    "times",
]

Coefficient: TypeAlias = Any
MAX_OPERATIONS: Final = 16
"""An exact number made of more operations costs more than it is worth, and becomes a ball."""
Growth: TypeAlias = tuple[tuple[Any, Any], ...]
"""Pairs (q, c) of the sum of c t^q in an exponent, q > 0 falling; c exact SymPy numbers."""


class TailError(ArithmeticError):
    """A half-line [T0, oo) was too long to be enclosed; a larger T0 may do."""


def ball(c: Coefficient) -> Any:
    """The coefficient as a ball."""
    if isinstance(c, arb):
        return c
    return arb(c) if isinstance(c, fmpq) else constant(c)


def symbolic(c: Coefficient) -> Any:
    """An exact coefficient as a SymPy number."""
    return sympy.Rational(int(c.p), int(c.q)) if isinstance(c, fmpq) else c


def compact(c: Any) -> Coefficient:
    """An exact SymPy number as a coefficient, rational ones as ``fmpq``."""
    return fmpq(int(c.p), int(c.q)) if c.is_Rational else c


def plus(a: Coefficient, b: Coefficient) -> Coefficient:
    """The sum a + b, exact if both terms are exact and short."""
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return a + b
    if isinstance(a, arb) or isinstance(b, arb):
        return ball(a) + ball(b)
    return _exactly(sympy.Add, symbolic(a), symbolic(b), flint.ctx.prec)


def times(a: Coefficient, b: Coefficient) -> Coefficient:
    """The product a b, exact if both factors are exact and short."""
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return a * b
    if isinstance(a, arb) or isinstance(b, arb):
        return ball(a) * ball(b)
    return _exactly(sympy.Mul, symbolic(a), symbolic(b), flint.ctx.prec)


@lru_cache(maxsize=4096)
def _exactly(combine: Any, a: Any, b: Any, precision: int) -> Coefficient:
    if sympy.count_ops(a) + sympy.count_ops(b) > MAX_OPERATIONS:
        return constant(combine(a, b))
    return compact(sympy.expand(combine(a, b)))


def is_zero(c: Coefficient) -> bool:
    """Whether the coefficient is known to be exactly zero."""
    return bool(c.is_zero()) if isinstance(c, arb) else bool(c == 0)


_ONE: Final = fmpq(1)


class Monomial(NamedTuple):
    """t^power (log t)^log exp(sum of c t^q over the pairs (q, c) of growth)."""

    power: Any = fmpq(0)
    log: Any = fmpq(0)
    growth: Growth = ()

    def times(self, other: Monomial, exponent: Any = _ONE) -> Monomial:
        """This monomial times a rational power of another."""
        return Monomial(
            self.power + exponent * other.power,
            self.log + exponent * other.log,
            _combined(self.growth, other.growth, exponent),
        )

    def sign(self) -> int:
        """1 if it tends to infinity, -1 if it tends to 0, 0 if it is the constant 1."""
        if self.growth:
            return _sign(self.growth[0][1])
        exponent = self.power if self.power != 0 else self.log
        return int(exponent > 0) - int(exponent < 0)

    def bound(self, start: Any) -> Any:
        """The largest value on [start, oo) of a monomial that falls to 0 there; 1 of the constant.

        Raises:
            TailError: the monomial is not shown to be falling on all of the half-line.
        """
        return arb(1) if self == ONE else _bound(self, start, flint.ctx.prec)


ONE: Final = Monomial()


def compare(a: Monomial, b: Monomial) -> int:
    """1 if a grows faster than b, -1 if slower, 0 if they are the same."""
    if a.growth == b.growth:
        left, right = (a.power, a.log), (b.power, b.log)
        return int(left > right) - int(left < right)
    return a.times(b, fmpq(-1)).sign()


@lru_cache(maxsize=4096)
def _combined(a: Growth, b: Growth, exponent: Any) -> Growth:
    if not b:
        return a
    scale = symbolic(exponent)
    growth = dict(a)
    for q, c in b:
        growth[q] = sympy.expand(growth.get(q, sympy.S.Zero) + scale * c)
    falling = sorted(growth, reverse=True)
    return tuple((q, growth[q]) for q in falling if growth[q] != 0)


@lru_cache(maxsize=4096)
def _sign(c: Any) -> int:
    value = constant(c)
    if value > 0:
        return 1
    if value < 0:
        return -1
    msg = f"the sign of {c} is not determined"
    raise TailError(msg)


@lru_cache(maxsize=4096)
def _bound(monomial: Monomial, start: Any, precision: int) -> Any:
    # t M'/M = sum q c t^q + p + r/log t. Divided by t^d, d the largest q, only the leading term
    # keeps its size; a positive term is largest at the start, a negative one is at most 0.
    if monomial.log != 0 and start < 4:
        msg = "a power of log t, and log t is not above 1"
        raise TailError(msg)
    t, power, log = arb(start), arb(monomial.power), arb(monomial.log)
    slopes = [(q, arb(q) * constant(c)) for q, c in monomial.growth]
    slopes += [(fmpq(0), power)] if monomial.power != 0 or monomial.growth else []
    slopes += [(fmpq(0), log / t.log())] if monomial.log != 0 else []
    degree, total = slopes[0]
    for q, slope in slopes[1:]:
        if not slope < 0:
            total += slope.abs_upper() * t ** arb(q - degree)
    if not total < 0:
        msg = "a term of the expansion does not fall from here on"
        raise TailError(msg)
    exponent = sum((constant(c) * t ** arb(q) for q, c in monomial.growth), power * t.log())
    return (exponent + log * t.log().log() if monomial.log != 0 else exponent).exp()
