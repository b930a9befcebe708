"""Lemmas about general layers ``alpha^l = phi_l(w^l, alpha^{l-1})`` and their partial derivatives.

A partial derivative by the own weights is taken by all parameters theta, through w^l alone, with
alpha^{l-1} held fixed: an operator from the parameters.  So layers may have weights of any shape.
"""

from __future__ import annotations

from theory.lemmas.base import (
    INDEX,
    INPUT_X,
    POINT_P,
    Schema,
    fact,
    lemma,
    real_variable,
    require,
    vector_variable,
)
from theory.lemmas.calculus import CALCULUS
from theory.terms import dot, eq, le, make, plus, shift, transpose
from theory.vocabulary import activation, layer, partial, signal

COVECTOR = vector_variable("c", layer(INDEX))


@lemma(
    "general_jacobian",
    "chain rule for a general layer",
    r"\partial\alpha^l=\partial_w\alpha^l+\partial_\alpha\alpha^l\,\partial\alpha^{l-1}",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _general_jacobian() -> Schema:
    here, lower = (activation(i, POINT_P, INPUT_X) for i in (INDEX, shift(INDEX, -1)))
    own, through = (partial(by, INDEX, POINT_P, INPUT_X) for by in ("dw", "da"))
    right = plus(own, dot(through, make("jac", lower, POINT_P)))
    return Schema((fact("general", INDEX),), eq(make("jac", here, POINT_P), right))


@lemma(
    "general_hessian",
    "second chain rule for a general layer",
    r"\langle c,\partial^2\alpha^l\rangle=\langle c,\partial^2_{ww}\alpha^l\rangle+X+X^\top"
    r"+(\partial\alpha^{l-1})^\top\langle c,\partial^2_{\alpha\alpha}\alpha^l\rangle"
    r"\partial\alpha^{l-1}+\langle(\partial_\alpha\alpha^l)^\top c,\partial^2\alpha^{l-1}\rangle,"
    r"\ X=\langle c,\partial^2_{w\alpha}\alpha^l\rangle\,\partial\alpha^{l-1}",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _general_hessian() -> Schema:
    here, lower = (activation(i, POINT_P, INPUT_X) for i in (INDEX, shift(INDEX, -1)))
    through, *second = (partial(by, INDEX, POINT_P, INPUT_X) for by in ("da", "dww", "dwa", "daa"))
    own, mixed, bent = (make("contract", COVECTOR, t) for t in second)
    below = make("jac", lower, POINT_P)
    cross = dot(mixed, below)
    inner = make("hess", dot(transpose(through), COVECTOR), lower, POINT_P)
    right = plus(own, cross, transpose(cross), dot(transpose(below), bent, below), inner)
    return Schema((fact("general", INDEX),), eq(make("hess", COVECTOR, here, POINT_P), right))


@lemma(
    "general_signal",
    "definition of the back-propagated signal through a general layer",
    r"\delta^{l-1}=(\partial_\alpha\alpha^l)^\top\delta^l",
    "chain rule",
    "LZB20",
)
def _general_signal() -> Schema:
    above = dot(transpose(partial("da", INDEX, POINT_P, INPUT_X)), signal(INDEX, POINT_P, INPUT_X))
    return Schema((fact("general", INDEX),), eq(signal(shift(INDEX, -1), POINT_P, INPUT_X), above))


@lemma(
    "max_upper",
    "a maximum is an upper bound",
    r"a_i\le\max(a_1,\dots,a_n)",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _max_upper(count: int, which: int) -> Schema:
    require(type(count) is int, type(which) is int, count >= 2, 1 <= which <= count)
    numbers = [real_variable(f"a{i}") for i in range(1, count + 1)]
    return Schema((), le(numbers[which - 1], make("max", *numbers)))
