"""Lemmas about non-negative reals, and about vectors of Euclidean space, that no rule gives."""

from __future__ import annotations

from theory.lemmas.base import HORN, A, Schema, U, V, lemma, real_variable, space_variable
from theory.terms import ZERO, add, eq, le, make, minus, mul, norm, plus, rat
from theory.vocabulary import squared

W, X, Y, Z = (real_variable(n) for n in "wxyz")
HARDY = "Hardy, Littlewood and Polya, Inequalities, 1934"


@lemma(
    "cancel",
    "cancelling a summand",
    r"z+x\le z+y\Rightarrow x\le y",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _cancel() -> Schema:
    return Schema((le(add(Z, X), add(Z, Y)),), le(X, Y))


@lemma(
    "parallelogram",
    "the parallelogram law",
    r"\|u-v\|^2+\|u+v\|^2=2\|u\|^2+2\|v\|^2",
    f"{HORN}, Section 5.1",
    "HornJohnson2013",
)
def _parallelogram() -> Schema:
    left = add(squared(norm(minus(U, V))), squared(norm(plus(U, V))))
    return Schema((), eq(left, mul(rat(2), add(squared(norm(U)), squared(norm(V))))))


@lemma(
    "definite",
    "only zero has the norm zero",
    r"\|A\|\le0\Rightarrow A=0",
    f"{HORN}, Definition 5.1.1",
    "HornJohnson2013",
)
def _definite() -> Schema:
    zero = make("zero", space_variable("r"), space_variable("c"))
    return Schema((le(norm(A), ZERO),), eq(A, zero))


@lemma(
    "cancel_factor",
    "cancelling a factor",
    r"zx\le zy,\ x\le wz\Rightarrow x\le y",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _cancel_factor() -> Schema:
    """Where z is 0, so is x."""
    return Schema((le(mul(Z, X), mul(Z, Y)), le(X, mul(W, Z))), le(X, Y))


@lemma(
    "geometric_mean",
    "the inequality of the arithmetic and the geometric mean",
    r"2xy\le x^2+y^2",
    f"{HARDY}, Theorem 9",
    "HardyLittlewoodPolya1934",
)
def _geometric_mean() -> Schema:
    return Schema((), le(mul(rat(2), X, Y), add(squared(X), squared(Y))))
