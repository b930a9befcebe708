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
from theory.terms import (
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    mul,
    norm,
    plus,
    root,
    shift,
    transpose,
)
from theory.vocabulary import (
    activation,
    layer,
    partial,
    preactivation,
    sigma,
    signal,
    weights,
    width,
)

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
    "dense_partials",
    "the partial derivatives of a dense layer",
    r"\|\partial_w\alpha\|\le c_1a,\ \|\partial_\alpha\alpha\|\le c_1s,\ "
    r"\|\partial_{ww}\alpha\|_{2,2,1}\le c_2a^2,\ \|\partial_{w\alpha}\alpha\|_{2,2,1}\le c_2as+"
    r"c_1\sqrt{m_l/m_{l-1}},\ \|\partial_{\alpha\alpha}\alpha\|_{2,2,1}\le c_2s^2"
    r"\ \text{with }c_k=\|\sigma^{(k)}(z)\|_\infty",
    "Liu, Zhu and Belkin 2020, Section 3.3",
    "LZB20",
)
def _dense_partials(by: str) -> Schema:
    """Of ``sigma(W a / sqrt(m))``: each slice has rank one, up to the term V b of W's derivative.

    ``sum_k |c_k (Ax)_k (Bz)_k| <= |c|_inf |Ax| |Bz|``, and ``sum_k |(Vb)_k| <= sqrt(m_l) |V| |b|``.
    """
    require(by in ("dw", "da", "dww", "dwa", "daa"))
    below = shift(INDEX, -1)
    z = preactivation(INDEX, POINT_P, INPUT_X)
    first, second = (norm(sigma(INDEX, k, z), "inf") for k in (1, 2))
    scale = inv_root(width(below))
    sizes = {
        "w": mul(norm(activation(below, POINT_P, INPUT_X)), scale),
        "a": mul(norm(weights(INDEX, POINT_P)), scale),
    }
    kind = "2" if len(by) == 2 else "221"
    bound: Term = mul(first if len(by) == 2 else second, *(sizes[letter] for letter in by[1:]))
    if by == "dwa":
        bound = add(bound, mul(first, root(width(INDEX)), scale))
    premises = (fact("dense", INDEX), fact("pointwise", INDEX), fact("smooth", INDEX))
    return Schema(premises, le(norm(partial(by, INDEX, POINT_P, INPUT_X), kind), bound))


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
