"""Taylor coefficients of a SymPy expression over an interval, in ball arithmetic.

``Program(expr).jet(x, n)`` gives balls c_0, ..., c_n such that expr^(k)(t)/k! lies in c_k for
every t in the ball x. Balls are python-flint's ``arb``: rounding is outward, so the enclosure is
certain. Where the expression, or a derivative, is not shown to be finite and real on all of x, the
coefficients are not finite; that is how a pole or a branch point makes itself known.

Source: A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., chapter 13 (the recurrences);
F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval arithmetic, 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import flint
import sympy
from flint import arb, fmpq

from theory.activations.errors import ActivationError
from theory.grammar import T

__all__ = ["JETS", "PRECISION", "Jet", "Program", "constant", "interval", "larger"]

Jet: TypeAlias = list[Any]
"""Taylor coefficients c_0, ..., c_n, each an ``arb``."""

PRECISION: Final = 192
"""Bits of the midpoints; every function here runs under ``flint.ctx.workprec(PRECISION)``."""


_JUST_BELOW_ONE: Final = 1 - arb(2) ** -31


def interval(a: Any, b: Any) -> Any:
    """A ball that contains two balls or numbers and all between them.

    For exact ends it is the smallest one that can be written; not finite if an end is not.
    """
    a, b = arb(a), arb(b)
    low, high = -larger(-a.lower(), -b.lower()), larger(a.upper(), b.upper())
    middle, radius = (low + high) / 2, ((high - low) / 2).abs_upper()
    # A radius has 30 bits and is always rounded up, even if it fits: [-1, 1] would be too wide.
    snug = arb(middle, radius * _JUST_BELOW_ONE)
    return snug if snug.lower() <= low and snug.upper() >= high else arb(middle, radius)


def larger(a: Any, b: Any) -> Any:
    """The larger of two exact balls; plus infinity if one of them is not a number."""
    if a >= b:
        return a
    return b if b >= a else arb.pos_inf()


def _add(a: Jet, b: Jet) -> Jet:
    return [x + y for x, y in zip(a, b, strict=True)]


def _scale(a: Jet, factor: Any) -> Jet:
    return [factor * x for x in a]


def _mul(a: Jet, b: Jet) -> Jet:
    return [_dot(a, b, k) for k in range(len(a))]


def _dot(a: Jet, b: Jet, k: int) -> Any:
    """The sum of a_j b_{k-j} over j = 0..k."""
    total = a[0] * b[k]
    for j in range(1, k + 1):
        total += a[j] * b[k - j]
    return total


def _square(a: Jet) -> Jet:
    square = _mul(a, a)
    square[0] = _even_power(a[0], 2)
    return square


def _even_power(x: Any, n: int) -> Any:
    """x^n for even n: never negative, unlike the product of two independent intervals."""
    return interval(x.abs_lower() ** n, x.abs_upper() ** n)


def _integrated(start: Any, slope: Jet) -> Jet:
    """The jet with value ``start`` and derivative ``slope``."""
    return [start] + [slope[k - 1] / k for k in range(1, len(slope) + 1)]


def _derived(a: Jet) -> Jet:
    return [k * a[k] for k in range(1, len(a))]


def _integer_power(a: Jet, n: int) -> Jet:
    """Binary powering; the value of an even power is kept non-negative."""
    if n == 0:
        return [arb(1)] + [arb(0)] * (len(a) - 1)
    if n == 1:
        return a
    half = _integer_power(a, n // 2)
    power = _square(half)
    if n % 2:
        return _mul(power, a)
    power[0] = _even_power(a[0], n)
    return power


def _power(a: Jet, exponent: sympy.Rational) -> Jet:
    """a^r by a_0 k p_k = sum_j (r j - (k - j)) a_j p_{k-j}, for non-vanishing a_0."""
    if exponent.is_Integer and exponent >= 0:
        return _integer_power(a, int(exponent))
    r = fmpq(int(exponent.p), int(exponent.q))
    if exponent.is_Integer:
        power = [1 / _integer_power(a[:1], -int(exponent))[0]]
    elif exponent.q == 2:
        power = [a[0].sqrt() ** int(exponent.p)]
    else:
        power = [(a[0].log() * arb(r)).exp()]
    for k in range(1, len(a)):
        total = arb(0)
        for j in range(1, k + 1):
            total += arb(r * j - (k - j)) * a[j] * power[k - j]
        power.append(total / (k * a[0]))
    return power


def _exp(a: Jet) -> Jet:
    power = [a[0].exp()]
    slope = _derived(a)
    for k in range(1, len(a)):
        power.append(_dot(slope, power, k - 1) / k)
    return power


def _log(a: Jet) -> Jet:
    slope = _mul(_derived(a), _power(a[:-1], sympy.Integer(-1))) if len(a) > 1 else []
    return _integrated(a[0].log(), slope)


def _waves(a: Jet, start: tuple[Any, Any], sign: int) -> tuple[Jet, Jet]:
    """(s, c) with s' = a' c and c' = sign a' s, from their values at a_0."""
    s, c = [start[0]], [start[1]]
    slope = _derived(a)
    for k in range(1, len(a)):
        s_k, c_k = _dot(slope, c, k - 1) / k, sign * _dot(slope, s, k - 1) / k
        s.append(s_k)
        c.append(c_k)
    return s, c


def _sin_cos(x: Any) -> tuple[Any, Any]:
    """Sine and cosine on a ball; by the ends, where they are monotone."""
    sin, cos = x.sin(), x.cos()
    if x.is_exact() or not x.is_finite():
        return sin, cos
    low, high = x.lower(), x.upper()
    sharp_sin = sin if cos.contains(0) else interval(low.sin(), high.sin())
    sharp_cos = cos if sin.contains(0) else interval(low.cos(), high.cos())
    return sharp_sin, sharp_cos


def _sin(a: Jet) -> Jet:
    return _waves(a, _sin_cos(a[0]), -1)[0]


def _cos(a: Jet) -> Jet:
    return _waves(a, _sin_cos(a[0]), -1)[1]


def _sinh(a: Jet) -> Jet:
    return _waves(a, (a[0].sinh(), a[0].cosh()), 1)[0]


def _cosh(a: Jet) -> Jet:
    return _waves(a, (a[0].sinh(), a[0].cosh()), 1)[1]


def _tanh_like(a: Jet, value: Any, slope: Any, sign: int) -> Jet:
    """The jet of y, y' = a' w, w = 1 + sign y^2; ``slope`` is w_0, free of cancellation."""
    y, w = [value], [slope]
    da = _derived(a)
    for k in range(1, len(a)):
        y.append(_dot(da, w, k - 1) / k)
        w.append(sign * _dot(y, y, k))
    return y


def _tanh(a: Jet) -> Jet:
    return _tanh_like(a, a[0].tanh(), _even_power(a[0].sech(), 2), -1)


def _tan(a: Jet) -> Jet:
    return _tanh_like(a, a[0].tan(), 1 + _even_power(a[0].tan(), 2), 1)


def _inverse_jet(value: Any, a: Jet, denominator: Jet, exponent: sympy.Rational) -> Jet:
    """The jet of y, y' = a' denominator^exponent."""
    if len(a) == 1:
        return [value]
    return _integrated(value, _mul(_derived(a), _power(denominator[:-1], exponent)))


_MINUS_HALF: Final = sympy.Rational(-1, 2)


def _one_plus_square(a: Jet, sign: int) -> Jet:
    square = _scale(_square(a), sign)
    return [1 + square[0], *square[1:]]


def _atan(a: Jet) -> Jet:
    return _inverse_jet(a[0].atan(), a, _one_plus_square(a, 1), sympy.Integer(-1))


def _asinh(a: Jet) -> Jet:
    return _inverse_jet(a[0].asinh(), a, _one_plus_square(a, 1), _MINUS_HALF)


def _atanh(a: Jet) -> Jet:
    return _inverse_jet(a[0].atanh(), a, _one_plus_square(a, -1), sympy.Integer(-1))


def _asin(a: Jet) -> Jet:
    return _inverse_jet(a[0].asin(), a, _one_plus_square(a, -1), _MINUS_HALF)


def _acos(a: Jet) -> Jet:
    return [a[0].acos(), *_scale(_asin(a)[1:], -1)]


def _erf(a: Jet) -> Jet:
    if len(a) == 1:
        return [a[0].erf()]
    bell = _scale(_exp(_scale(_square(a[:-1]), -1)), 2 / arb.const_sqrt_pi())
    return _integrated(a[0].erf(), _mul(_derived(a), bell))


def _erfc(a: Jet) -> Jet:
    return [a[0].erfc(), *_scale(_erf(a)[1:], -1)]


def _reciprocal(function: Callable[[Jet], Jet]) -> Callable[[Jet], Jet]:
    return lambda a: _power(function(a), sympy.Integer(-1))


JETS: Final[dict[Any, Callable[[Jet], Jet]]] = {
    sympy.exp: _exp,
    sympy.log: _log,
    sympy.sin: _sin,
    sympy.cos: _cos,
    sympy.tan: _tan,
    sympy.sinh: _sinh,
    sympy.cosh: _cosh,
    sympy.tanh: _tanh,
    sympy.sech: _reciprocal(_cosh),
    sympy.asin: _asin,
    sympy.acos: _acos,
    sympy.atan: _atan,
    sympy.asinh: _asinh,
    sympy.atanh: _atanh,
    sympy.erf: _erf,
    sympy.erfc: _erfc,
}
"""The functions of one variable that can be enclosed."""

_CONSTANTS: Final[dict[Any, Callable[[], Any]]] = {
    sympy.pi: arb.pi,
    sympy.E: arb.const_e,
    sympy.EulerGamma: arb.const_euler,
    sympy.Catalan: arb.const_catalan,
    sympy.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}


class Program:
    """An expression in ``T`` as a list of operations, each common part once.

    Raises:
        ActivationError: the expression holds a function that cannot be enclosed.
    """

    def __init__(self, expr: sympy.Expr) -> None:
        self.steps: list[tuple[Callable[..., Jet], tuple[int, ...]]] = []
        self._index: dict[sympy.Expr, int] = {}
        self.result = self._compile(expr)

    def jet(self, x: Any, order: int) -> Jet:
        """Balls around expr^(k)/k! on the ball x, for k = 0..order."""
        point = [x] + [arb(1 if k == 1 else 0) for k in range(1, order + 1)]
        values: list[Jet] = []
        for operation, arguments in self.steps:
            values.append(operation(point, *(values[i] for i in arguments)))
        return values[self.result]

    def _emit(self, operation: Callable[..., Jet], *arguments: int) -> int:
        self.steps.append((operation, arguments))
        return len(self.steps) - 1

    def _compile(self, expr: sympy.Expr) -> int:
        if expr not in self._index:
            self._index[expr] = self._operation(expr)
        return self._index[expr]

    def _operation(self, expr: sympy.Expr) -> int:
        if expr == T:
            return self._emit(lambda point: point)
        if expr.is_Rational or expr in _CONSTANTS:
            return self._emit(lambda point: _constant_jet(expr, len(point)))
        if expr.is_Add or expr.is_Mul:
            combine = _add if expr.is_Add else _mul
            first, *rest = (self._compile(part) for part in expr.args)
            for part in rest:
                first = self._emit(lambda point, a, b: combine(a, b), first, part)
            return first
        if expr.is_Pow and expr.exp.is_Rational:
            exponent = expr.exp
            return self._emit(lambda point, a: _power(a, exponent), self._compile(expr.base))
        if expr.is_Pow:
            return self._compile(sympy.exp(expr.exp * sympy.log(expr.base), evaluate=False))
        function = JETS.get(expr.func)
        if function is None:
            known = ", ".join(sorted(cls.__name__ for cls in JETS))
            msg = f"{expr}: {expr.func.__name__} cannot be enclosed; use +, *, powers and {known}"
            raise ActivationError(msg)
        return self._emit(lambda point, a: function(a), self._compile(expr.args[0]))


def _constant_jet(expr: sympy.Expr, length: int) -> Jet:
    return [_number(expr, flint.ctx.prec)] + [arb(0)] * (length - 1)


@lru_cache(maxsize=1024)
def _number(expr: sympy.Expr, precision: int) -> Any:
    if expr.is_Rational:
        return arb(fmpq(int(expr.p), int(expr.q)))
    return _CONSTANTS[expr]()


@lru_cache(maxsize=4096)
def _constant(expr: sympy.Expr, precision: int) -> Any:
    return Program(expr).jet(arb(0), 0)[0]


def constant(expr: sympy.Expr) -> Any:
    """A ball around a constant expression, at the current precision."""
    return _constant(expr, flint.ctx.prec)
