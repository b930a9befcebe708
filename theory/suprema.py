"""Certified suprema of the derivatives of an activation function."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import sympy

from theory.activation_errors import CertificationError, UnboundedDerivativeError

if TYPE_CHECKING:
    from theory.activations import ActivationFunction, Supremum

_S = sympy.sqrt
_KNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "tanh": (1, 1, 4 / (3 * _S(3)), 2),
    "sigmoid": (1, sympy.Rational(1, 4), 1 / (6 * _S(3)), sympy.Rational(1, 8)),
    "softplus": (sympy.oo, 1, sympy.Rational(1, 4), 1 / (6 * _S(3))),
    "erf": (
        1,
        2 / _S(sympy.pi),
        2 * _S(2) * sympy.exp(-sympy.Rational(1, 2)) / _S(sympy.pi),
        4 / _S(sympy.pi),
    ),
    "sin": (1, 1, 1, 1),
    "square": (sympy.oo, sympy.oo, 2, 0),
    "identity": (sympy.oo, 1, 0, 0),
}


def supremum(function: ActivationFunction, order: int) -> Supremum:
    """The supremum of |sigma^(order)| over the real line."""
    from theory.activations import Supremum

    if function.name not in _KNOWN:
        msg = f"sup of derivative {order} of {function.name} is not known"
        raise CertificationError(msg)
    exact = sympy.sympify(_KNOWN[function.name][order])
    if exact is sympy.oo:
        msg = f"the supremum of derivative {order} of {function.name} is infinite"
        raise UnboundedDerivativeError(msg)
    if exact.is_Rational:
        value = Fraction(int(exact.p), int(exact.q))
        return Supremum(value, value, exact)
    scale = 10**20
    low = int(sympy.floor(exact.evalf(40) * scale))
    return Supremum(Fraction(low, scale), Fraction(low + 1, scale), exact)
