"""A1: the tangent kernel is constant just where the model is linear in its parameters.

Source: Liu, Zhu and Belkin 2020, Proposition 2.1.
"""

from __future__ import annotations

import sympy

from theory.derive import constancy
from theory.theorem import Theorem
from theory.theorems import LZB20
from theory.vocabulary import RADIUS

CITATION = f"{LZB20}, Proposition 2.1"
ON_A_BALL = (
    "On a ball only the converse holds: f(w) = |w - p|, p outside the ball, has the constant "
    "kernel 1 and the Hessian (I - u u') / |w - p|, u = grad f, which is not 0."
)


def linear_if_constant() -> Theorem:
    """A kernel constant on all of parameter space makes the model its linearization."""
    d = constancy.Constancy()
    judgement = constancy.linear(d)
    return Theorem(
        "LZB20/A1",
        "a model whose tangent kernel is constant everywhere is linear",
        judgement,
        CITATION,
        "LZB20",
        claims=tuple(d.claims),
        remarks=(ON_A_BALL,),
    )


def flat_if_constant() -> Theorem:
    """A kernel constant on all of parameter space makes the Hessian zero."""
    d = constancy.Constancy()
    judgement = constancy.vanishing_hessian(d)
    return Theorem(
        "LZB20/A1-hessian",
        "a model whose tangent kernel is constant everywhere has no Hessian",
        judgement,
        CITATION,
        "LZB20",
        claims=tuple(d.claims),
        remarks=(ON_A_BALL,),
    )


def constant_if_linear() -> Theorem:
    """On a ball a model without Hessian has a constant tangent kernel."""
    d = constancy.Constancy()
    judgement = constancy.converse(d)
    return Theorem(
        "LZB20/A1-converse",
        "a linear model has a constant tangent kernel, on any ball",
        judgement,
        CITATION,
        "LZB20",
        claims=tuple(d.claims),
        radius=sympy.Symbol(RADIUS.args[0], nonnegative=True),
    )


def counterexample(dimension: int = 2) -> tuple[sympy.Expr, tuple[sympy.Symbol, ...]]:
    """``f(w) = |w - p|``, p = (1, 0, ..., 0), on a ball around 0 of radius below 1, and w.

    Its kernel is the constant 1 there, and its Hessian is not 0: on a ball, a constant kernel does
    not make a model linear.

    Args:
        dimension: of the parameters, at least 2 (in one dimension f is linear on the ball).

    Raises:
        ValueError: when the dimension is less than 2.
    """
    if dimension < 2:
        msg = f"dimension {dimension}: |w - p| is linear beside p on a line; needs 2 or more"
        raise ValueError(msg)
    w = sympy.symbols(f"w1:{dimension + 1}", real=True)
    shifted = (w[0] - 1, *w[1:])
    return sympy.sqrt(sum(s**2 for s in shifted)), w
