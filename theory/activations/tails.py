r"""What an expression does on a whole half-line [T0, oo), with certainty.

On the tail a function is enclosed by a finite sum

    f(t) in sum_M  c_M M(t)    for every t >= T0,    M(t) = t^p (log t)^r exp(P(t)),

with c_M an exact number or a ball that holds the values of some function of t. Sums, products,
powers, exp, log and the functions that tend to a limit (tanh, erf, atan, ...) act on such sums by
expansion about the leading term; the remainder is one more monomial whose coefficient is a ball
(Taylor's theorem with Lagrange's remainder). Nothing here is asymptotic: every statement holds
from T0 on. ``TailError`` is raised where that is not shown, so that an expansion, where there is
one, also proves that f is finite and analytic on the tail.

Source: the multiseries of B. Salvy and J. Shackell, Symbolic asymptotics: multiseries of inverse
functions, Journal of Symbolic Computation 27 (1999), with the error terms made explicit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from math import factorial
from typing import Any, Final, NamedTuple

import sympy
from flint import arb, fmpq

from theory.activations.balls import interval
from theory.activations.growth import (
    ONE,
    Coefficient,
    Monomial,
    TailError,
    ball,
    compact,
    compare,
    is_zero,
    plus,
    symbolic,
    times,
)

__all__ = ["MINUS_ONE", "ORDER", "Expansion", "Range", "TailError", "series"]

ORDER: Final = 4
"""Expansions are carried to this order; the term of this order is the remainder."""
MAX_TERMS: Final = 12
MINUS_ONE: Final = fmpq(-1)


class Range(NamedTuple):
    """The values on the tail lie in [low, high].

    Attributes:
        limit: what they tend to; exact, or a ball that contains the values of some bounded term.
        low: an exact ball (radius 0).
        high: an exact ball (radius 0).
        capped: the limit is exact, and no value on the tail is larger than it in modulus.
    """

    limit: Coefficient
    low: Any
    high: Any
    capped: bool


@dataclass(frozen=True)
class Expansion:
    """A sum of monomials with coefficients that encloses a function on [start, oo).

    Attributes:
        start: T0 > 0, an integer or ``fmpq``.
        terms: (monomial, coefficient) pairs, fastest growing first.
    """

    start: Any
    terms: tuple[tuple[Monomial, Coefficient], ...]

    @staticmethod
    def of(start: Any, terms: Mapping[Monomial, Coefficient]) -> Expansion:
        """Sort the terms; fold what is beyond the longest expansion kept into its last term."""
        kept = [item for item in terms.items() if not is_zero(item[1])]
        if not all(ball(c).is_finite() for _, c in kept):
            msg = "a coefficient is not finite"
            raise TailError(msg)
        rank = cmp_to_key(compare)
        kept.sort(key=lambda item: rank(item[0]), reverse=True)
        while len(kept) > MAX_TERMS:
            _fold_last(kept, start)
        return Expansion(start, tuple(kept))

    def new(self, *terms: tuple[Monomial, Coefficient]) -> Expansion:
        """Another expansion on the same tail."""
        return Expansion.of(self.start, dict(terms))

    def __add__(self, other: Expansion) -> Expansion:
        terms = dict(self.terms)
        for monomial, c in other.terms:
            terms[monomial] = plus(terms[monomial], c) if monomial in terms else c
        return Expansion.of(self.start, terms)

    def __mul__(self, other: Expansion) -> Expansion:
        terms: dict[Monomial, Coefficient] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial, c = left.times(right), times(a, b)
                terms[monomial] = plus(terms[monomial], c) if monomial in terms else c
        return Expansion.of(self.start, terms)

    def scaled(self, c: Coefficient) -> Expansion:
        """The product with a constant."""
        return self * self.new((ONE, c))

    def sum_of_bounds(self) -> Any:
        """A ball around the values of a function all of whose terms are bounded."""
        total = arb(0)
        for monomial, c in self.terms:
            top = monomial.bound(self.start)
            total += ball(c) * (top if monomial == ONE else interval(0, top))
        return total

    def split(self) -> tuple[Monomial, Coefficient, Expansion, Any]:
        """(M, c, rho, R): the function is c M (1 + rho), c is not 0, rho lies in R > -1.

        Raises:
            TailError: there is no such form from here on.
        """
        if not self.terms:
            msg = "the function vanishes"
            raise TailError(msg)
        (monomial, c), *rest = self.terms
        if isinstance(c, arb) and c.contains(0):
            msg = "the leading coefficient may vanish"
            raise TailError(msg)
        rho = self.new(*rest) * self.new((Monomial().times(monomial, MINUS_ONE), 1 / c))
        values = rho.sum_of_bounds()
        if not values > -1:
            msg = "the leading term does not prevail from here on"
            raise TailError(msg)
        return monomial, c, rho, values

    def diverges(self) -> int:
        """1 or -1 if the function certainly tends to plus or minus infinity, else 0."""
        if not self.terms or self.terms[0][0].sign() <= 0:
            return 0
        monomial, c, _, _ = self.split()
        monomial.times(monomial, fmpq(-2)).bound(self.start)  # 1/M falls to 0: M rises
        return 1 if ball(c) > 0 else -1

    def range(self) -> Range:
        """The values of a bounded function, exactly one-sided where one side is the limit.

        Raises:
            TailError: the function is not shown to be bounded.
        """
        limit = dict(self.terms).get(ONE, fmpq(0))
        rest = self.new(*(term for term in self.terms if term[0] != ONE))
        try:
            monomial, c, _, values = rest.split()
            away = ball(c) * monomial.bound(self.start) * (1 + values)
            down, up = away.min(arb(0)).lower(), away.max(arb(0)).upper()
        except TailError:
            away = rest.sum_of_bounds()
            down, up = away.lower(), away.upper()
        middle = ball(limit)
        if not (middle + down + up).is_finite():
            msg = "a bound is not finite"
            raise TailError(msg)
        inward = (up <= 0 and 2 * middle + down > 0) or (down >= 0 and 2 * middle + up < 0)
        capped = not isinstance(limit, arb) and (bool(inward) or not rest.terms)
        return Range(limit, (middle + down).lower(), (middle + up).upper(), capped)

    def power(self, r: Any) -> Expansion:
        """The power with a rational exponent."""
        if r.q == 1 and r >= 0:
            return self._natural_power(int(r.p))
        monomial, c, rho, values = self.split()
        if r.q != 1 and not ball(c) > 0:
            msg = "a root of what may be negative"
            raise TailError(msg)
        coefficients = [fmpq(1)]
        for j in range(1, ORDER + 1):
            coefficients.append(coefficients[-1] * (r - (j - 1)) / j)
        hull = (1 + interval(0, values)).log() * arb(r - ORDER)
        last = ball(coefficients[ORDER]) * hull.exp()
        expanded = series(rho, [*coefficients[:ORDER], last])
        return expanded * self.new((Monomial().times(monomial, r), _coefficient_power(c, r)))

    def _natural_power(self, n: int) -> Expansion:
        if n <= 1:
            return self if n == 1 else self.new((ONE, fmpq(1)))
        half = self._natural_power(n // 2)
        return half * half * self if n % 2 else half * half

    def log(self) -> Expansion:
        """The logarithm of a positive function."""
        monomial, c, rho, values = self.split()
        if not ball(c) > 0 or monomial.log != 0:
            msg = "the logarithm of what may be negative, or of a logarithm"
            raise TailError(msg)
        coefficients: list[Coefficient] = [fmpq(0)]
        coefficients += [fmpq((-1) ** (j + 1), j) for j in range(1, ORDER)]
        hull = 1 + interval(0, values)
        coefficients.append(arb((-1) ** (ORDER + 1)) / (ORDER * hull**ORDER))
        result = series(rho, coefficients)
        result += self.new(
            (ONE, c.log() if isinstance(c, arb) else compact(sympy.log(symbolic(c))))
        )
        if monomial.power != 0:
            result += self.new((Monomial(log=fmpq(1)), monomial.power))
        for q, coefficient in monomial.growth:
            result += self.new((Monomial(power=q), compact(coefficient)))
        return result

    def exp(self) -> Expansion:
        """The exponential. That of something very negative is bounded by that of -t^2."""
        growth: list[tuple[Any, Any]] = []
        prefactor, scale = Monomial(), self.new((ONE, fmpq(1)))
        rest: list[tuple[Monomial, Coefficient]] = []
        for monomial, c in self.terms:
            exact = not isinstance(c, arb)
            if monomial.sign() < 0:
                rest.append((monomial, c))
            elif monomial == ONE:
                value = c.exp() if isinstance(c, arb) else compact(sympy.exp(symbolic(c)))
                scale = self.new((ONE, value))
            elif exact and monomial == Monomial(power=monomial.power):
                growth.append((monomial.power, symbolic(c)))
            elif isinstance(c, fmpq) and monomial == Monomial(log=fmpq(1)):
                prefactor = Monomial(power=c)
            else:
                return self._exp_of_very_negative()
        small = self.new(*rest)
        hull = interval(0, small.sum_of_bounds()).exp()
        coefficients = [fmpq(1, factorial(j)) for j in range(ORDER)]
        expanded = series(small, [*coefficients, hull / factorial(ORDER)])
        leading = Monomial(prefactor.power, fmpq(0), tuple(growth))
        return expanded * scale * self.new((leading, fmpq(1)))

    def _exp_of_very_negative(self) -> Expansion:
        # If f + t^2 = c M (1 + rho) with c < 0, then f < -t^2 on the whole tail.
        if (self + self.new((Monomial(power=fmpq(2)), fmpq(1)))).diverges() >= 0:
            msg = "the exponential of a function that is not understood"
            raise TailError(msg)
        bell = Monomial(growth=((fmpq(2), sympy.Integer(-1)),))
        return self.new((bell, interval(0, 1)))


def _fold_last(terms: list[tuple[Monomial, Coefficient]], start: Any) -> None:
    """Bound the smallest term by the next one that it stays below from the start on."""
    small, c = terms.pop()
    for place in range(len(terms) - 1, -1, -1):
        monomial, before = terms[place]
        try:
            ratio = small.times(monomial, MINUS_ONE).bound(start)
        except TailError:
            continue
        terms[place] = (monomial, ball(before) + ball(c) * interval(0, ratio))
        return
    msg = "a small term is not small from here on"
    raise TailError(msg)


def _coefficient_power(c: Coefficient, r: Any) -> Coefficient:
    if isinstance(c, arb):
        return c ** int(r.p) if r.q == 1 else (c.log() * arb(r)).exp()
    return compact(sympy.Pow(symbolic(c), symbolic(r)))


def series(rho: Expansion, coefficients: list[Coefficient]) -> Expansion:
    """The sum of coefficients[j] rho^j."""
    result = rho.new((ONE, coefficients[-1]))
    for c in reversed(coefficients[:-1]):
        result = result * rho + rho.new((ONE, c))
    return result
