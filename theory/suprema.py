"""Certified suprema over the real line of the derivatives of an activation function.

sup|sigma^(k)| is enclosed on [-T0, T0] by branch and bound (``theory.maxima``) and beyond by an
expansion that holds on the whole half-line (``theory.tails``); a periodic derivative needs one
period and no tails. Where the supremum is the value at a point that is known exactly, or an exact
limit at infinity, that is proved too (``theory.closed_forms``). Every number is rounded outward.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import flint
import sympy
from flint import arb, fmpq

from theory.activation_errors import (
    ActivationError,
    CertificationError,
    NotSmoothError,
    UnboundedDerivativeError,
)
from theory.balls import PRECISION, Program, constant
from theory.closed_forms import at_critical_points
from theory.grammar import T
from theory.growth import TailError, ball, symbolic
from theory.maxima import Peak, SingularError, largest, require_finite
from theory.tails import Range, expand

if TYPE_CHECKING:
    from theory.activations import ActivationFunction, Supremum

__all__ = ["check_smooth", "supremum"]

STARTS: Final = (8, 16, 64, 256, 1024, 2**12, 2**16, 2**20)
"""The values of T0 that are tried."""
DIGITS: Final = 15
CONSTANTS: Final = ("sup|σ|", "λ = sup|σ'|", "β = sup|σ''|", "sup|σ'''|")


class _Tails(NamedTuple):
    """What happens beyond [-start, start]: |f| <= high, and it tends to the limits."""

    start: int
    high: Any
    ranges: tuple[Range, ...]

    def limit(self) -> Any:
        """The largest modulus of an exact limit, a lower bound of the supremum; else 0."""
        exact = [symbolic(r.limit) for r in self.ranges if not isinstance(r.limit, arb)]
        largest_limit = sympy.S.Zero
        for value in exact:
            if constant(abs(value)) > constant(largest_limit):
                largest_limit = abs(value)
        return largest_limit


def supremum(function: ActivationFunction, order: int) -> Supremum:
    """Enclose sup |sigma^(order)| over the real line.

    Raises:
        UnboundedDerivativeError: it is infinite.
        CertificationError: it was neither enclosed nor shown to be infinite.
    """
    from theory.activations import Supremum

    expr = function.derivative(order)
    with flint.ctx.workprec(PRECISION):
        if order in dict(function.bounds):
            return _declared(function, order)
        if expr.is_number:
            exact = abs(expr)
            return Supremum(*_rounded(constant(exact), constant(exact), exact), exact)
        try:
            return _enclosed(function, expr, order)
        except SingularError as error:
            raise _rough(function.expr, error.at) from error


def _enclosed(function: ActivationFunction, expr: sympy.Expr, order: int) -> Supremum:
    from theory.activations import Supremum

    program = Program(function.expr)
    period = _period(expr)
    if period is not None:
        tails = _Tails(0, arb(0), ())
        edges = _edges_of_period(period)
    else:
        tails = _tails(function, expr, order, program)
        edges = _edges(tails.start)
    limit = tails.limit()
    peak = largest(program, order, edges, floor=constant(limit).lower())
    exact = _exact(expr, program, order, peak, tails, limit, period)
    upper = peak.upper if peak.upper >= tails.high else tails.high
    return Supremum(*_rounded(peak.lower, upper, exact), exact)


def _exact(
    expr: sympy.Expr,
    program: Program,
    order: int,
    peak: Peak,
    tails: _Tails,
    limit: sympy.Expr,
    period: sympy.Expr | None,
) -> sympy.Expr | None:
    """The supremum itself, if it is proved to be a limit or the value at a known point."""
    if limit != 0 and (peak.upper <= constant(limit).lower() or _not_above(peak.upper, limit)):
        capped = (_capped(values, limit) for values in tails.ranges)
        if all(capped):
            return limit
    value = at_critical_points(expr, program, order, peak, period)
    return value if value is not None and tails.high < constant(value) else None


def _not_above(upper: Any, limit: sympy.Expr) -> bool:
    return bool(limit.is_Rational and upper <= arb(fmpq(int(limit.p), int(limit.q))))


def _capped(values: Range, limit: sympy.Expr) -> bool:
    """Whether no value on a tail is larger than the limit in modulus."""
    modulus = _modulus(values)
    return bool(modulus < constant(limit)) or (
        values.capped and sympy.Abs(symbolic(values.limit)) == limit
    )


def _modulus(values: Range) -> Any:
    low, high = values.low.abs_upper(), values.high.abs_upper()
    return low if low >= high else high


def _tails(function: ActivationFunction, expr: sympy.Expr, order: int, program: Program) -> _Tails:
    """The shortest T0 beyond which nothing matters, or else the one with the lowest bound."""
    found: _Tails | None = None
    reason = ""
    for start in STARTS:
        try:
            ranges = tuple(_range(function, expr, order, side, start) for side in (1, -1))
        except TailError as error:
            reason = str(error)
            continue
        highs = [_modulus(values) for values in ranges]
        tails = _Tails(start, highs[0] if highs[0] >= highs[1] else highs[1], ranges)
        if found is None or tails.high < found.high:
            found = tails
        if tails.high <= _sampled(program, order, tails):
            return tails
    if found is None:
        msg = (
            f"{CONSTANTS[order]} of {function.name} was neither enclosed nor shown to be infinite: "
            f"for large |t|, {reason}; if a bound is known, declare it by "
            f"ActivationFunction(name, expr, bounds={{{order}: bound}})"
        )
        raise CertificationError(msg)
    return found


def _range(
    function: ActivationFunction, expr: sympy.Expr, order: int, side: int, start: int
) -> Range:
    expansion = expand(expr.subs(T, side * T), start)
    if expansion.diverges():
        what = "σ" + "'" * order
        msg = (
            f"{CONSTANTS[order]} is infinite for the activation {function.name}: |{what}(t)| grows "
            f"without bound as t -> {'+' if side > 0 else '-'}oo; a bound that uses this constant "
            "does not cover it"
        )
        raise UnboundedDerivativeError(msg)
    return expansion.range()


def _sampled(program: Program, order: int, tails: _Tails) -> Any:
    """Slightly more than the largest modulus seen at some points, and than the exact limits."""
    best = constant(tails.limit()).upper()
    edges = _edges(tails.start)
    for low, high in zip(edges, edges[1:], strict=False):
        for point in (low, (low + high) / 2):
            value = program.jet(arb(point), order)[order] * math.factorial(order)
            if value.is_finite() and value.abs_lower() > best:
                best = value.abs_lower()
    return best * (1 + arb(2) ** -60)


def _edges(start: int) -> list[Any]:
    """0, 1, 2, 3, 4, 6, 8, 12, ..., start and their opposites, rising."""
    positive = [1]
    while positive[-1] < start:
        last = positive[-1]
        positive.append(last + max(1, 2 ** (last.bit_length() - 2)))
    return [fmpq(sign * x) for sign, x in
            [*((-1, x) for x in reversed(positive)), (1, 0), *((1, x) for x in positive)]]


def _edges_of_period(period: sympy.Expr) -> list[Any]:
    """Eighths of an interval not shorter than the period; its eighths from 0 are in the middle."""
    length = int(constant(period * 2**40).upper().ceil().unique_fmpz())
    return [fmpq(length * (2 * j - 1), 16 * 2**40) for j in range(9)]


def _period(expr: sympy.Expr) -> sympy.Expr | None:
    """A period, if t occurs only in sin(a t + b) and cos(a t + b) with commensurable a."""
    rates: set[Any] = set()
    if not _collect_rates(expr, rates):
        return None
    first = min(rates, key=str)
    ratios = [sympy.radsimp(rate / first) for rate in rates]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    return 2 * sympy.pi / abs(first * sympy.gcd_list(ratios))


def _collect_rates(expr: sympy.Expr, rates: set[Any]) -> bool:
    if T not in expr.free_symbols:
        return True
    if isinstance(expr, sympy.sin | sympy.cos):
        rate = sympy.diff(expr.args[0], T)
        if rate.is_number:
            rates.add(sympy.simplify(rate))
            return True
    return bool(expr.args) and all(_collect_rates(part, rates) for part in expr.args)


def _rounded(low: Any, high: Any, exact: sympy.Expr | None) -> tuple[Fraction, Fraction]:
    """Rationals around [low, high], of about ``DIGITS`` digits; the exact value if rational."""
    if exact is not None:
        if exact.is_Rational:
            value = Fraction(int(exact.p), int(exact.q))
            return value, value
        low = high = constant(exact)
    size = float(high.upper())
    scale = 10 ** (DIGITS - 1 - (math.floor(math.log10(size)) if size > 1e-300 else 0))
    down = int((low.lower() * scale).lower().floor().unique_fmpz())
    up = int((high.upper() * scale).upper().ceil().unique_fmpz())
    return max(Fraction(down, scale), Fraction(0)), Fraction(up, scale)


def _declared(function: ActivationFunction, order: int) -> Supremum:
    """The bound the user vouches for, unless a point disproves it."""
    from theory.activations import Supremum

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
        period = None if T not in expr.free_symbols else _period(expr)
        try:
            if period is not None:
                require_finite(program, 2, _edges_of_period(period))
                return
            start = STARTS[0] if trust_tails else _smooth_from(expr, program)
            require_finite(program, 2, _edges(start))
        except SingularError as error:
            raise _rough(expr, error.at) from error


def _smooth_from(expr: sympy.Expr, program: Program) -> int:
    require_finite(program, 2, _edges(STARTS[0]))
    reason = ""
    for start in STARTS:
        try:
            for side in (1, -1):
                expand(expr.subs(T, side * T), start)
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
    msg = (
        f"{expr} could not be shown to be twice continuously differentiable near t = {at:.4g}: its "
        "derivatives have no finite enclosure there (a pole, the edge of a domain, or 0/0); use a "
        "function that is smooth on the whole real line, such as tanh, softplus, gelu or silu"
    )
    return NotSmoothError(msg)
