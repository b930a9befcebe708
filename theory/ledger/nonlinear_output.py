"""A9: a non-linear output layer, ``phi(f)`` in place of f, is no longer nearly linear.

Source: Liu, Zhu and Belkin 2020, Section 4.
"""

from __future__ import annotations

from theory.derive import outer
from theory.derive.workbench import Claim
from theory.theorem import Theorem
from theory.theorems import LZB20
from theory.vocabulary import INPUT, POINT

CITATION = f"{LZB20}, Section 4"
REMARK = (
    "The gradient norm of a wide network is of order 1 and its Hessian norm vanishes: so with a "
    "linear output the Hessian vanishes, and behind phi with phi''(f) not 0 it does not."
)


def identity() -> Theorem:
    """``H~ = phi'(f) H + phi''(f) grad f grad f'``."""
    judgement = outer.identity(POINT, INPUT)
    return Theorem(
        "LZB20/A9-identity",
        "the exact Hessian of a network with a non-linear output",
        judgement,
        CITATION,
        "LZB20",
        claims=(Claim("identity", "the Hessian behind a non-linear output", judgement),),
    )


def upper() -> Theorem:
    """``|H~| <= |phi'(f)| |H| + |phi''(f)| |grad f|^2``."""
    judgement, claims = outer.upper(POINT, INPUT)
    return Theorem(
        "LZB20/A9-upper",
        "the Hessian norm of a network with a non-linear output, from above",
        judgement,
        CITATION,
        "LZB20",
        claims=tuple(claims),
    )


def lower() -> Theorem:
    """``|phi''(f)| |grad f|^2 <= |H~| + |phi'(f)| |H|``: H~ does not vanish when H does."""
    judgement, claims = outer.lower(POINT, INPUT)
    return Theorem(
        "LZB20/A9",
        "a non-linear output keeps the Hessian norm away from zero",
        judgement,
        CITATION,
        "LZB20",
        claims=tuple(claims),
        remarks=(REMARK,),
        below=True,
    )
