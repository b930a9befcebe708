"""Activation functions as SymPy expressions, with certified suprema of their derivatives.

Every theorem here speaks of lambda = sup|sigma'| and beta = sup|sigma''| over the whole real line.
``ActivationFunction.sup`` encloses such a supremum between two rational numbers by ball arithmetic,
tails included (``theory.activations.suprema``), and gives the exact value where one is proved. A
function that is not twice continuously differentiable is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import sympy

from theory.activations.errors import (
    ActivationError,
    CertificationError,
    NotSmoothError,
    UnboundedDerivativeError,
)
from theory.grammar import GrammarError, T, parse

__all__ = [
    "ACTIVATIONS",
    "ActivationError",
    "ActivationFunction",
    "CertificationError",
    "NotSmoothError",
    "Supremum",
    "T",
    "UnboundedDerivativeError",
    "activation",
    "registered",
]

MAX_ORDER: Final = 3
ORDER_NAMES: Final = ("sup|σ|", "sup|σ'|", "sup|σ''|", "sup|σ'''|")


@dataclass(frozen=True)
class Supremum:
    """A supremum of |sigma^(k)| over the real line: lower <= sup <= upper, certainly.

    Attributes:
        lower: a rational lower bound, rounded down.
        upper: a rational upper bound, rounded up.
        exact: the value itself, where it is proved; else None.
        declared: the upper bound was declared by the user and is trusted, not proved.
    """

    lower: Fraction
    upper: Fraction
    exact: sympy.Expr | None = None
    declared: bool = False

    def __float__(self) -> float:
        """The upper bound as a float, rounded up."""
        value = float(self.upper)
        return value if Fraction(value) >= self.upper else math.nextafter(value, math.inf)


_HALF = sympy.Rational(1, 2)
_EXPRESSIONS: Final[dict[str, sympy.Expr]] = {
    "tanh": sympy.tanh(T),
    "sigmoid": 1 / (1 + sympy.exp(-T)),
    "softplus": sympy.log(1 + sympy.exp(T)),
    "erf": sympy.erf(T),
    "sin": sympy.sin(T),
    "gelu": T * (1 + sympy.erf(T / sympy.sqrt(2))) / 2,
    "gelu_tanh": T
    * (1 + sympy.tanh(sympy.sqrt(2 / sympy.pi) * (T + sympy.Rational(44715, 10**6) * T**3)))
    / 2,
    "silu": T / (1 + sympy.exp(-T)),
    "square": T**2,
    "identity": T,
}
_ALIASES: Final = {"swish": "silu", "linear": "identity"}
_INSTEAD: Final[dict[str, str]] = {
    "relu": "softplus, gelu or silu",
    "leakyrelu": "t/10 + 9*log(1 + exp(t))/10 (a leaky softplus)",
    "prelu": "t/10 + 9*log(1 + exp(t))/10 (a leaky softplus)",
    "relu6": "sigmoid or tanh",
    "abs": "t*tanh(t) or sqrt(1 + t^2)",
    "hardtanh": "tanh",
    "hardsigmoid": "sigmoid",
    "hardswish": "silu",
    "elu": "softplus or gelu (elu' has a corner at 0 unless alpha = 1, elu'' jumps even then)",
    "selu": "softplus or gelu",
    "celu": "softplus or gelu",
    "softsign": "tanh or t/sqrt(1 + t^2) (t/(1 + |t|) has a jump in its second derivative at 0)",
    "sign": "tanh",
    "step": "sigmoid",
    "heaviside": "sigmoid",
    "softshrink": "t - tanh(t)",
    "hardshrink": "t - tanh(t)",
    "threshold": "softplus",
}
"""Names of common functions that are not C^2, and what to use for each."""
_ROUGH_NODES: Final = (
    sympy.Abs,
    sympy.Max,
    sympy.Min,
    sympy.sign,
    sympy.floor,
    sympy.ceiling,
    sympy.Heaviside,
    sympy.Piecewise,
    sympy.Mod,
    sympy.DiracDelta,
)


@dataclass(frozen=True, init=False, repr=False)
class ActivationFunction:
    """A twice continuously differentiable function of one real variable.

    Two functions are equal when name, expression and declared bounds are.

    Args:
        name: how it is called in messages; a registered name stands only for its own expression.
        expr: a SymPy expression in one symbol, whatever that symbol is called.
        bounds: numbers the user vouches for, where no enclosure can be found:
            ``{1: 2}`` declares sup|sigma'| <= 2. Keys 0 to 3. Each is refused if a point
            disproves it, and is otherwise trusted and marked as declared.

    Raises:
        ActivationError: more than one symbol, an unknown kind of function, a bad name or bound.
        NotSmoothError: the function is not C^2 on the real line.
    """

    name: str
    expr: sympy.Expr
    bounds: tuple[tuple[int, sympy.Rational], ...] = field(default=())

    def __init__(
        self, name: str, expr: sympy.Expr, bounds: Mapping[int, Any] | None = None
    ) -> None:
        clean = _normal_form(expr)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            msg = f"an activation needs a printable name, not {name!r}"
            raise ActivationError(msg)
        if _EXPRESSIONS.get(_ALIASES.get(name, name), clean) != clean or _plain(name) in _INSTEAD:
            msg = f"the name {name!r} is taken; choose another for {clean}"
            raise ActivationError(msg)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "expr", clean)
        object.__setattr__(self, "bounds", _declared(bounds or {}))
        if clean not in _EXPRESSIONS.values():  # the tests check those
            _check_smooth(clean, bool(self.bounds))

    def __repr__(self) -> str:
        return f"ActivationFunction({self.name!r}, {self.expr})"

    @property
    def at_zero(self) -> sympy.Expr:
        """sigma(0), exactly."""
        return sympy.simplify(self.expr.subs(T, 0))

    @property
    def latex(self) -> str:
        """LaTeX of sigma(t)."""
        return str(sympy.latex(self.expr))

    def derivative(self, order: int) -> sympy.Expr:
        """The derivative of the given order, an expression in ``T``; order 0 is sigma itself."""
        return _derivative(self.expr, _checked_order(order, limit=20))

    def sup(self, order: int) -> Supremum:
        """Enclose the supremum of |sigma^(order)| over the real line.

        Args:
            order: 0, 1, 2 or 3.

        Raises:
            UnboundedDerivativeError: it is infinite; the message names which constant.
            CertificationError: it could be neither enclosed nor shown to be infinite; declare a
                bound if one is known.
        """
        return _supremum(self, _checked_order(order, limit=MAX_ORDER))


def _checked_order(order: int, *, limit: int) -> int:
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= limit:
        msg = f"the order of a derivative is a whole number from 0 to {limit}, not {order!r}"
        raise ActivationError(msg)
    return order


@lru_cache(maxsize=1024)
def _derivative(expr: sympy.Expr, order: int) -> sympy.Expr:
    return expr if order == 0 else sympy.diff(_derivative(expr, order - 1), T)


def _declared(bounds: Mapping[int, Any]) -> tuple[tuple[int, sympy.Rational], ...]:
    pairs: list[tuple[int, sympy.Rational]] = []
    for order, bound in sorted(bounds.items()):
        rational = isinstance(bound, int | Fraction | sympy.Rational)
        if not rational or isinstance(bound, bool) or bound < 0:
            msg = (
                f"a declared bound is a rational number >= 0, such as Fraction(3, 2), not {bound!r}"
            )
            raise ActivationError(msg)
        value = sympy.Rational(bound.numerator, bound.denominator)
        pairs.append((_checked_order(order, limit=MAX_ORDER), value))
    return tuple(pairs)


def _normal_form(expr: Any) -> sympy.Expr:
    """The expression in ``T``, with exact numbers, rebuilt so that equal ones are identical."""
    if not isinstance(expr, sympy.Expr):
        msg = f"an activation is a name or a SymPy expression in one symbol, not {expr!r}"
        raise ActivationError(msg)
    symbols = sorted(expr.free_symbols, key=str)
    if len(symbols) > 1:
        names = ", ".join(map(str, symbols))
        msg = f"{expr} has the symbols {names}; an activation is a function of one, usually t"
        raise ActivationError(msg)
    for symbol in symbols:
        # SymPy turns |x| into x for a positive x, and all of R is meant here.
        if symbol not in (sympy.Symbol(symbol.name), sympy.Symbol(symbol.name, real=True)):
            msg = (
                f"the symbol {symbol} in {expr} carries assumptions; an activation is a function "
                f"on the whole real line: write it in Symbol({symbol.name!r}, real=True)"
            )
            raise ActivationError(msg)
    clean = _rebuild(expr, dict.fromkeys(symbols, T))
    _refuse_rough(clean)
    return clean


def _refuse_rough(expr: sympy.Expr) -> None:
    nodes = (
        type(node).__name__
        for node in sympy.preorder_traversal(expr)
        if isinstance(node, _ROUGH_NODES)
    )
    for name in nodes:
        msg = (
            f"{expr} contains {name}, which is not twice continuously differentiable (C^2), and "
            "every bound here needs sup|σ''|; use a smooth function instead, such as softplus, "
            "gelu, tanh, t*tanh(t) or sqrt(1 + t^2)"
        )
        raise NotSmoothError(msg)


def _rebuild(expr: sympy.Expr, renamed: Mapping[sympy.Symbol, sympy.Symbol]) -> sympy.Expr:
    if expr.is_Symbol:
        return renamed[expr]
    if expr.is_Float:  # a decimal stands for the decimal that was meant: 0.1 is 1/10
        return sympy.Rational(str(float(expr)))
    return expr.func(*(_rebuild(arg, renamed) for arg in expr.args)) if expr.args else expr


@lru_cache(maxsize=1024)
def _check_smooth(expr: sympy.Expr, trust_tails: bool) -> None:
    from theory.activations.suprema import check_smooth

    check_smooth(expr, trust_tails=trust_tails)


@lru_cache(maxsize=1024)
def _supremum(function: ActivationFunction, order: int) -> Supremum:
    from theory.activations.suprema import supremum

    return supremum(function, order)


def registered(function: ActivationFunction) -> bool:
    """Whether the name alone stands for this function."""
    return ACTIVATIONS.get(function.name) == function


def activation(spec: str | sympy.Expr | ActivationFunction) -> ActivationFunction:
    """The activation function that a name, an expression or a text stands for.

    Args:
        spec: a name of ``ACTIVATIONS`` (or "swish", "linear"), a SymPy expression in one symbol,
            a text in the grammar of ``theory.grammar`` (never evaluated), or an
            ``ActivationFunction``.

    Raises:
        NotSmoothError: a known function that is not C^2; the message says what to use instead.
        ActivationError: no such name, or not an expression.

    >>> activation("tanh").derivative(1)
    1 - tanh(t)**2
    >>> activation("tanh").sup(1).exact
    1
    """
    if isinstance(spec, ActivationFunction):
        return spec
    if not isinstance(spec, str):
        return _from_expression(spec)
    name = spec.strip()
    if name in ACTIVATIONS or name in _ALIASES:
        return ACTIVATIONS[_ALIASES.get(name, name)]
    instead = _INSTEAD.get(_plain(name))
    if instead is not None:
        msg = (
            f"{spec} is not twice continuously differentiable (C^2), and every bound here needs "
            f"sup|σ''|; use {instead} instead"
        )
        raise NotSmoothError(msg)
    if name.isidentifier() and name != T.name:
        known = ", ".join(ACTIVATIONS)
        msg = f"unknown activation {spec!r}; known: {known}; or an expression such as t/(1 + t^2)"
        raise ActivationError(msg)
    try:
        return _from_expression(parse(name))
    except GrammarError as error:
        known = ", ".join(ACTIVATIONS)
        msg = f"{spec!r} is neither an activation's name ({known}) nor an expression in t: {error}"
        raise ActivationError(msg) from error


def _plain(name: str) -> str:
    """LeakyReLU, leaky-relu and leaky_relu are one name."""
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


@lru_cache(maxsize=256)
def _from_expression(expr: sympy.Expr) -> ActivationFunction:
    clean = _normal_form(expr)
    for known in ACTIVATIONS.values():
        if known.expr == clean:
            return known
    return ActivationFunction(str(clean), clean)


ACTIVATIONS: Final[dict[str, ActivationFunction]] = {
    name: ActivationFunction(name, expr) for name, expr in _EXPRESSIONS.items()
}
"""The registered activation functions, by name."""
