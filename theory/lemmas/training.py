"""Lemmas about gradient descent on the square loss, and about least singular values."""

from __future__ import annotations

from fractions import Fraction

from theory.lemmas.base import (
    HORN,
    INDEX,
    INPUT_X,
    KAPPA,
    POINT_P,
    POINT_Q,
    A,
    Schema,
    V,
    fact,
    lemma,
    operator_variable,
    real_variable,
    require,
)
from theory.lemmas.calculus import CALCULUS, RUDIN
from theory.terms import (
    Term,
    add,
    dot,
    eq,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    rat,
    root,
    shift,
    transpose,
)
from theory.vocabulary import (
    hessian,
    loss,
    loss_bend,
    loss_gradient,
    outputs,
    outputs_jacobian,
    parameters,
    rate_power,
    squared,
    symbol,
)

CENTRE_C = make("point", "c")
STAR = make("point", "*")
ETA = real_variable("eta")


def loss_hessian(point: Term, at: Term) -> Term:
    """``J'J + sum_i (F - y)_i H_i``, the Hessian of the square loss."""
    row = outputs_jacobian(point, at)
    return plus(dot(transpose(row), row), loss_bend(point, at))


def _inside(point: Term, radius: Term) -> Term:
    return le(norm(minus(parameters(point), parameters(CENTRE_C))), radius)


@lemma(
    "descent",
    "one step of gradient descent on the square loss, where its Hessian is bounded",
    r"\theta^+=\theta-\eta g\Rightarrow \mathcal L(\theta^+)+\eta\|g\|^2"
    r"\le\mathcal L(\theta)+\tfrac12\beta\eta^2\|g\|^2,\ g=\nabla\mathcal L(\theta)",
    "Nesterov, Introductory Lectures on Convex Optimization, 2004, Lemma 1.2.3",
    "Nesterov2004",
)
def _descent() -> Schema:
    radius, beta = real_variable("R"), real_variable("beta")
    slope = loss_gradient(POINT_P, INPUT_X)
    size = squared(norm(slope))
    premises = (
        fact("twice_differentiable", INPUT_X),
        make("ball", "*", CENTRE_C, radius, le(norm(loss_hessian(STAR, INPUT_X)), beta)),
        _inside(POINT_P, radius),
        _inside(POINT_Q, radius),
        eq(parameters(POINT_Q), minus(parameters(POINT_P), make("scale", ETA, slope))),
    )
    before = add(loss(POINT_P, INPUT_X), mul(rat(Fraction(1, 2)), beta, squared(ETA), size))
    return Schema(premises, le(add(loss(POINT_Q, INPUT_X), mul(ETA, size)), before))


@lemma(
    "samples_mean_value",
    "mean value inequality for the outputs on a training set",
    r"\|F(\theta)-F(\theta_0)\|\le\sup_B\|\partial F\|\,\|\theta-\theta_0\|",
    f"{RUDIN}, Theorem 9.19",
    "Rudin1976",
)
def _samples_mean_value() -> Schema:
    radius, bound = real_variable("R"), real_variable("c")
    distance = norm(minus(parameters(POINT_P), parameters(CENTRE_C)))
    premises = (
        fact("twice_differentiable", INPUT_X),
        make("ball", "*", CENTRE_C, radius, le(norm(outputs_jacobian(STAR, INPUT_X)), bound)),
        le(distance, radius),
    )
    moved = minus(outputs(POINT_P, INPUT_X), outputs(CENTRE_C, INPUT_X))
    return Schema(premises, le(norm(moved), mul(bound, distance)))


@lemma(
    "sample_hessians",
    "a combination of the Hessians of the outputs on n samples",
    r"\bigl\|\sum_ic_i\nabla^2f(x_i)\bigr\|\le\|c\|_1\max_i\|\nabla^2f(x_i)\|",
    f"{HORN}, Definition 5.1.1",
    "HornJohnson2013",
)
def _sample_hessians(count: int) -> Schema:
    require(type(count) is int, count >= 1)
    covector = operator_variable("c", outputs(POINT_P, INPUT_X).rows, make("scalar"))
    inputs = [sample(i) for i in range(1, count + 1)]
    each = [norm(hessian(POINT_P, at)) for at in inputs]
    largest = each[0] if count == 1 else make("max", *each)
    whole = make("hess", covector, outputs(POINT_P, make("input", "X")), POINT_P)
    premise = fact("samples", make("input", "X"), *inputs)
    return Schema((premise,), le(norm(whole), mul(norm(covector, "1"), largest)))


def sample(number: int) -> Term:
    """The input of one sample of the training set X."""
    return make("input", f"X{number}")


@lemma(
    "one_at_most_two",
    "Cauchy-Schwarz for the sum of absolute values",
    r"\|v\|_1\le\sqrt n\,\|v\|,\ v\in\mathbb R^n",
    f"{HORN}, Section 5.4",
    "HornJohnson2013",
)
def _one_at_most_two() -> Schema:
    return Schema((), le(norm(V, "1"), mul(root(make("dim", V.rows)), norm(V))))


@lemma(
    "rate_start",
    "no step contracts nothing",
    r"\kappa^0=1",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _rate_start() -> Schema:
    return Schema((), eq(rate_power(0), rat(1)))


@lemma(
    "rate_step",
    "each step contracts once more",
    r"\kappa^t=\kappa\,\kappa^{t-1}",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _rate_step() -> Schema:
    before = mul(symbol("rate"), rate_power(shift(INDEX, -1)))
    return Schema((), eq(rate_power(INDEX), before))


# -- least singular values ------------------------------------------------------------------------


@lemma(
    "least_gram",
    "the least eigenvalue of a Gram matrix",
    r"\sigma_{\min}(AA^\top)\,\|v\|^2\le\|A^\top v\|^2",
    f"{HORN}, Theorem 4.2.2",
    "HornJohnson2013",
)
def _least_gram() -> Schema:
    small = norm(dot(A, transpose(A)), "min")
    return Schema((), le(mul(small, squared(norm(V))), squared(norm(dot(transpose(A), V)))))


@lemma(
    "least_at_most",
    "the least singular value is at most the largest",
    r"\sigma_{\min}(A)\le\|A\|",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _least_at_most() -> Schema:
    return Schema((), le(norm(A, "min"), norm(A)))


@lemma(
    "least_product",
    "least singular values of a product",
    r"\sigma_{\min}(A_1)\cdots\sigma_{\min}(A_n)\le\sigma_{\min}(A_1\cdots A_n)",
    f"{HORN}, Section 7.3",
    "HornJohnson2013",
)
def _least_product(count: int) -> Schema:
    require(type(count) is int, count >= 2)
    spaces = [f"s{i}" for i in range(count + 1)]
    terms = [operator_variable(f"A{i}", spaces[i - 1], spaces[i]) for i in range(1, count + 1)]
    return Schema((), le(mul(*(norm(t, "min") for t in terms)), norm(dot(*terms), "min")))


# -- a model that is multiplied by a number -------------------------------------------------------


@lemma(
    "jacobian_multiple",
    "the Jacobian of a multiple",
    r"\partial(\kappa y)=\kappa\,\partial y",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_multiple() -> Schema:
    left = make("jac", make("scale", KAPPA, V), POINT_P)
    return Schema((), eq(left, make("scale", KAPPA, make("jac", V, POINT_P))))


@lemma(
    "hessian_multiple",
    "the Hessian of a multiple",
    r"\langle c,\partial^2(\kappa y)\rangle=\kappa\,\langle c,\partial^2y\rangle",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_multiple() -> Schema:
    covector = operator_variable("c", "r", make("scalar"))
    left = make("hess", covector, make("scale", KAPPA, V), POINT_P)
    return Schema((), eq(left, make("scale", KAPPA, make("hess", covector, V, POINT_P))))
