"""Lemmas about functions with a single value: what is special about one dimension."""

from __future__ import annotations

from theory.lemmas.base import POINT_P, Schema, lemma, operator_variable
from theory.lemmas.calculus import CALCULUS
from theory.terms import SCALAR, eq, make

ONE_VALUE = operator_variable("b", SCALAR, SCALAR)
FUNCTION = operator_variable("y", SCALAR, SCALAR)


@lemma(
    "scalar_diagonal",
    "the diagonal matrix of one number",
    r"\mathrm{diag}(b)=b,\ b\in\mathbb R",
    "definition",
    "HornJohnson2013",
)
def _scalar_diagonal() -> Schema:
    return Schema((), eq(make("diag", ONE_VALUE), ONE_VALUE))


@lemma(
    "scalar_hessian",
    "the Hessian of a function with one value, times a number",
    r"\langle b,\partial^2y\rangle=b\,\partial^2y,\ b\in\mathbb R",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _scalar_hessian() -> Schema:
    plain = make("hess", make("id", SCALAR), FUNCTION, POINT_P)
    return Schema(
        (), eq(make("hess", ONE_VALUE, FUNCTION, POINT_P), make("kron", ONE_VALUE, plain))
    )
