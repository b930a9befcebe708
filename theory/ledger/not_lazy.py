"""A12: the parameters move a distance of order one; a multiple kappa f moves 1/kappa as far.

Source: Liu, Zhu and Belkin 2020, Section 1 and Section 6 (contrast with lazy training).
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from theory.derive import training
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.theorem import Theorem
from theory.theorems import LZB20
from theory.vocabulary import INPUT, OTHER, POINT, RADIUS

CITATION = f"{LZB20}, Section 6"
BALL = sympy.Symbol(RADIUS.args[0], nonnegative=True)


def _theorem(name: str, title: str, judgement: Judgement, *, ball: bool = False) -> Theorem:
    return Theorem(
        name,
        title,
        judgement,
        CITATION,
        "LZB20",
        claims=(Claim("A12", title, judgement),),
        radius=BALL if ball else None,
        quantity="distance" if ball else "",
    )


def least_distance() -> Theorem:
    """``|r_0| <= |r| + Gamma |theta - theta_0|``: what the residual falls by is moved for."""
    title = "how far the parameters must move for the residual to fall"
    return _theorem("LZB20/A12", title, training.least_distance(POINT), ball=True)


def halved() -> Theorem:
    """``|r_0| / (2 Gamma) <= |theta - theta_0|`` where the residual has halved: not lazy."""
    title = "where the residual has halved the parameters have moved"
    theorem = _theorem("LZB20/A12-floor", title, training.halved_distance(POINT), ball=True)
    return replace(theorem, below=True)


def multiple_distance() -> Theorem:
    """For kappa f the same fall of the residual needs 1/kappa of the distance."""
    title = "how far the parameters of a multiple must move for its residual to fall"
    judgement = training.multiple_distance(POINT)
    return _theorem("LZB20/A12-multiple", title, judgement, ball=True)


def multiple_hessian() -> Theorem:
    """The Hessian of kappa f is kappa times that of f."""
    judgement = training.multiple_hessian(POINT, INPUT)
    return _theorem("LZB20/A12-hessian", "the Hessian of a multiple of the model", judgement)


def multiple_kernel() -> Theorem:
    """The kernel of kappa f is kappa^2 times that of f."""
    judgement = training.multiple_kernel(POINT, INPUT, OTHER)
    return _theorem("LZB20/A12-kernel", "the tangent kernel of a multiple of the model", judgement)
