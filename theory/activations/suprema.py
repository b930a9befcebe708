"""Certified suprema over the real line of the derivatives of an activation function.

sup|sigma^(k)| is enclosed on [-T0, T0] by branch and bound (``theory.activations.maxima``) and
beyond by an expansion that holds on the whole half-line (``theory.activations.tails``); a periodic
derivative needs one period and no tails. Where the supremum is the value at a point that is known
exactly, or an exact limit at infinity, that is proved too (``theory.activations.closed_forms``).
Every number is rounded outward.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import flint
import sympy
from flint import arb, fmpq

from theory.activations.balls import PRECISION, Program, constant, interval, larger
from theory.activations.closed_forms import at_critical_points
from theory.activations.errors import (
    ActivationError,
    CertificationError,
    NotSmoothError,
    UnboundedDerivativeError,
)
from theory.activations.growth import TailError, symbolic
from theory.activations.maxima import Peak, SingularError, largest, require_finite
from theory.activations.periods import period_of
from theory.activations.tail_functions import expand
from theory.activations.tails import Range
from theory.grammar import T

if TYPE_CHECKING:
    from theory.activations.functions import ActivationFunction, Supremum

__all__ = ["check_smooth", "supremum"]

STARTS: Final = (8, 16, 32, 64, 256, 1024, 2**13, 2**16, 2**20, 2**30)
"""The values of T0 that are tried."""
OSCILLATING: Final = 64
"""T0 where the bound of the tail is the same from everywhere on, such as for sin(t) + tanh(t)."""
QUICK: Final = 800
DIGITS: Final = 16
CONSTANTS: Final = ("sup|σ|", "λ = sup|σ'|", "β = sup|σ''|", "sup|σ'''|")


class _Tails(NamedTuple):
    """What happens beyond [-start, start]: |f| <= high, and it tends to the limits."""

    start: Any
    high: Any
    ranges: tuple[Range, ...]

    def limit(self) -> sympy.Expr:
        """The largest modulus of an exact limit, a lower bound of the supremum; else 0."""
        best = sympy.S.Zero
        for values in self.ranges:
            if not isinstance(values.limit, arb):
                modulus = sympy.Abs(symbolic(values.limit))
                best = modulus if constant(modulus) > constant(best) else best
        return best


NO_TAILS: Final = _Tails(0, arb(0), ())


def supremum(function: ActivationFunction, order: int) -> Supremum:
    """Enclose sup |sigma^(order)| over the real line.

    Raises:
        UnboundedDerivativeError: it is infinite.
        CertificationError: it was neither enclosed nor shown to be infinite.
        NotSmoothError: the function has a singularity.
    """
    from theory.activations.functions import Supremum

    with flint.ctx.workprec(PRECISION):
        if order in dict(function.bounds):
            return _declared(function, order)
        expr = function.derivative(order)
        if expr.is_number:
            exact = sympy.Abs(expr)
            return Supremum(*_rounded(constant(exact), constant(exact), exact), exact)
        try:
            low, high, exact = _Problem(function, order, expr).solve()
        except SingularError as error:
            raise _rough(function.expr, error.at) from error
        return Supremum(*_rounded(low, high, exact), exact)


@dataclass
class _Problem:
    """The supremum of one derivative of one function."""

    function: ActivationFunction
    order: int
    expr: sympy.Expr

    def __post_init__(self) -> None:
        self.program = Program(self.function.expr)
        self.period = period_of(self.expr)

    def solve(self) -> tuple[Any, Any, sympy.Expr | None]:
        """(lower, upper, exact value or None)."""
        if self.period is not None:
            tails = NO_TAILS
            peak = largest(self.program, self.order, _edges_of_period(self.period))
        else:
            tails = self.first_tails()
            peak = self.search(tails, QUICK)
            if not _narrow(peak):
                tails = self.nearer(tails, peak.lower)
                peak = self.search(tails, 4 * QUICK)
        upper = larger(peak.upper, tails.high)
        if not upper.is_finite():
            msg = f"{CONSTANTS[self.order]} of {self.function.name} was not enclosed"
            raise CertificationError(msg)
        exact = self.exact(peak, tails)
        # The enclosure does not rest on SymPy's simplifier: what disagrees with it is dropped.
        agrees = exact is not None and interval(peak.lower, upper).overlaps(constant(exact))
        return peak.lower, upper, exact if agrees else None

    def search(self, tails: _Tails, pieces: int) -> Peak:
        floor = constant(tails.limit()).lower()
        return largest(self.program, self.order, _edges(tails.start), floor=floor, pieces=pieces)

    def tails(self, start: Any) -> _Tails:
        """Both tails from the same T0 on."""
        ranges = tuple(self.side(sign, start) for sign in (1, -1))
        return _Tails(start, larger(*map(_modulus, ranges)), ranges)

    def side(self, sign: int, start: Any) -> Range:
        expansion = expand(self.expr.subs(T, sign * T), start)
        if not expansion.diverges():
            return expansion.range()
        what = "σ" + "'" * self.order
        msg = (
            f"{CONSTANTS[self.order]} is infinite for the activation {self.function.name}: "
            f"|{what}(t)| grows without bound as t -> {'+' if sign > 0 else '-'}oo, so no bound "
            "that uses this constant covers it; use an activation for which it is finite, such as "
            "tanh"
        )
        raise UnboundedDerivativeError(msg)

    def first_tails(self) -> _Tails:
        """The first T0 beyond which nothing matters, or else the one with the lowest bound."""
        found: _Tails | None = None
        reason = ""
        for start in STARTS:
            try:
                tails = self.tails(start)
            except TailError as error:
                reason = str(error)
                continue
            if tails.high <= self.sampled(tails):
                return tails
            best = found or tails
            if tails.high < best.high or (start <= OSCILLATING and tails.high <= best.high):
                best = tails
            found = best
        if found is not None:
            return found
        msg = (
            f"{CONSTANTS[self.order]} of {self.function.name} was neither enclosed nor shown to be "
            f"infinite: for large |t|, {reason}; if a bound is known, declare it by "
            f"ActivationFunction(name, expr, bounds={{{self.order}: bound}})"
        )
        raise CertificationError(msg)

    def nearer(self, tails: _Tails, known: Any) -> _Tails:
        """The least T0, nearly, beyond which nothing exceeds a known value or the limit.

        Close to a limit a bounded interval is hard to search, and a tail is not.
        """

        def enough(start: Any) -> _Tails | None:
            try:
                shorter = self.tails(start)
            except TailError:
                return None
            limit = constant(shorter.limit()).upper()
            allowed = larger(known, limit) * (1 + arb(2) ** -60)
            return shorter if shorter.high <= allowed else None

        return _least(tails, enough)

    def sampled(self, tails: _Tails) -> Any:
        """A little more than the largest modulus seen at some points, and than the limits."""
        best = constant(tails.limit()).upper()
        edges = _edges(tails.start)
        for low, high in itertools.pairwise(edges):
            for point in (low, (low + high) / 2):
                value = self.program.jet(arb(point), self.order)[self.order]
                value *= math.factorial(self.order)
                if value.is_finite() and value.abs_lower() > best:
                    best = value.abs_lower()
        return best * (1 + arb(2) ** -60) + arb(2) ** -100

    def exact(self, peak: Peak, tails: _Tails) -> sympy.Expr | None:
        """The supremum itself, if it is proved to be a limit or the value at a known point."""
        limit = tails.limit()
        low_inside = limit != 0 and _at_most(peak.upper, limit)
        if low_inside and all(_capped(values, limit) for values in tails.ranges):
            return limit
        value = at_critical_points(self.expr, self.program, self.order, peak, self.period)
        return value if value is not None and tails.high < constant(value) else None


def _least(tails: _Tails, enough: Callable[[Any], _Tails | None]) -> _Tails:
    """Halve T0 while that is enough, then bisect."""
    low, best = fmpq(0), tails
    for _ in range(60):
        high = fmpq(best.start)
        if 128 * (high - low) <= high or high < fmpq(1, 2**30):
            break
        middle = high / 2 if low == 0 else (low + high) / 2
        shorter = enough(middle)
        if shorter is None:
            low = middle
        else:
            best = shorter
    return best


def _narrow(peak: Peak) -> bool:
    return bool(peak.upper <= peak.lower * (1 + arb(2) ** -45) + arb(2) ** -100)


def _at_most(upper: Any, limit: sympy.Expr) -> bool:
    """Whether upper <= limit for certain, equality included."""
    if limit.is_Rational:
        return bool(fmpq(int(limit.p), int(limit.q)) >= upper)
    return bool(upper <= constant(limit).lower())


def _capped(values: Range, limit: sympy.Expr) -> bool:
    """Whether no value on a tail is larger than the limit in modulus."""
    if _modulus(values) < constant(limit):
        return True
    return values.capped and bool(sympy.Abs(symbolic(values.limit)) == limit)


def _modulus(values: Range) -> Any:
    return larger(values.low.abs_upper(), values.high.abs_upper())


def _edges(start: Any) -> list[Any]:
    """-start, ..., 0, ..., start: steps of an eighth, or 1 at first and then longer ones."""
    if start <= 8:
        return [fmpq(start) * j / 8 for j in range(-8, 9)]
    positive = [1]
    while positive[-1] < start:
        last = positive[-1]
        positive.append(last + max(1, 2 ** (last.bit_length() - 2)))
    rising = [fmpq(x) for x in positive[:-1]] + [fmpq(start)]
    return [*(-x for x in reversed(rising)), fmpq(0), *rising]


def _edges_of_period(period: sympy.Expr) -> list[Any]:
    """Eighths of an interval not shorter than the period; its eighths from 0 are in the middle."""
    length = int(constant(period * 2**40).upper().ceil().unique_fmpz())
    return [fmpq(length * (2 * j - 1), 16 * 2**40) for j in range(9)]


def _rounded(low: Any, high: Any, exact: sympy.Expr | None) -> tuple[Fraction, Fraction]:
    """Rationals around [low, high], of about ``DIGITS`` digits; the exact value if rational."""
    if exact is not None:
        if exact.is_Rational:
            value = Fraction(int(exact.p), int(exact.q))
            return value, value
        low = high = constant(exact)
    size = float(high.upper())
    scale = 10 ** max(0, DIGITS - 1 - (math.floor(math.log10(size)) if size > 1e-300 else 0))
    down = int((low.lower() * scale).lower().floor().unique_fmpz())
    up = int((high.upper() * scale).upper().ceil().unique_fmpz())
    return max(Fraction(down, scale), Fraction(0)), Fraction(up, scale)


def _declared(function: ActivationFunction, order: int) -> Supremum:
    """The bound the user vouches for, unless a point disproves it."""
    from theory.activations.functions import Supremum

    bound = dict(function.bounds)[order]
    program = Program(function.expr)
    upper = arb(fmpq(int(bound.p), int(bound.q)))
    best = arb(0)
    for j in range(-512, 513):
        point = fmpq(j, 32)
        value = program.jet(arb(point), order)[order] * math.factorial(order)
        if value.abs_lower() > upper:
            msg = (
                f"the declared bound {CONSTANTS[order]} <= {bound} of {function.name} is false: at "
                f"t = {point} the modulus is {float(value.abs_lower()):.6g}"
            )
            raise ActivationError(msg)
        if value.is_finite() and value.abs_lower() > best:
            best = value.abs_lower()
    top = Fraction(int(bound.p), int(bound.q))
    return Supremum(min(_rounded(best, best, None)[0], top), top, declared=True)


def check_smooth(expr: sympy.Expr, *, trust_tails: bool = False) -> None:
    """Show that an expression in ``T`` is twice continuously differentiable on the real line.

    Args:
        expr: the activation.
        trust_tails: look only at [-8, 8].

    Raises:
        NotSmoothError: it is not, or could not be shown to be, near some point.
        CertificationError: nothing could be shown for large |t|.
        ActivationError: it holds a function that cannot be enclosed.
    """
    with flint.ctx.workprec(PRECISION):
        program = Program(expr)
        try:
            period = period_of(expr)
            if period is not None:
                require_finite(program, 2, _edges_of_period(period))
                return
            require_finite(program, 2, _edges(STARTS[0]))
            if not trust_tails:
                require_finite(program, 2, _edges(_smooth_from(expr)))
        except SingularError as error:
            raise _rough(expr, error.at) from error


def _smooth_from(expr: sympy.Expr) -> int:
    """A T0 beyond which the expression is analytic on both sides: it has expansions there."""
    reason = ""
    for start in STARTS:
        try:
            for sign in (1, -1):
                expand(expr.subs(T, sign * T), start)
        except TailError as error:
            reason = str(error)
            continue
        return start
    msg = (
        f"{expr} could not be shown to be twice continuously differentiable for large |t|: "
        f"{reason}; if it is, declare bounds by ActivationFunction(name, expr, bounds={{1: ..., "
        "2: ...})"
    )
    raise CertificationError(msg)


def _rough(expr: sympy.Expr, at: float) -> NotSmoothError:
    at = 0.0 if abs(at) < 1e-9 else at
    msg = (
        f"{expr} could not be shown to be twice continuously differentiable (C^2) near "
        f"t = {at:.4g}: its derivatives have no finite enclosure there (a pole, the edge of a "
        "domain, or 0/0); use a function that is smooth on the whole real line, such as tanh, "
        "softplus, gelu or silu"
    )
    return NotSmoothError(msg)
