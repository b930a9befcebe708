"""Lemmas about the model on all of parameter space, and along the lines of its gradient."""

from __future__ import annotations

from theory.lemmas.base import (
    INPUT_X,
    KAPPA,
    POINT_P,
    POINT_Q,
    Schema,
    fact,
    lemma,
    real_variable,
    require,
)
from theory.lemmas.calculus import CALCULUS, RUDIN
from theory.terms import PARAMS, SCALAR, Term, dot, eq, le, make, minus, mul, norm, transpose
from theory.vocabulary import gradient, hessian, output, parameters

STAR = make("point", "*")


def everywhere(formula: Term) -> Term:
    """The formula for all points ``*``."""
    return make("everywhere", "*", formula)


@lemma(
    "constant_gradient_norm",
    "derivative of a constant gradient norm",
    r"\|\nabla f\|=c\ \text{everywhere}\Rightarrow \nabla^2f\,\nabla f=0",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _constant_gradient_norm() -> Schema:
    constant = eq(norm(gradient(STAR, INPUT_X)), real_variable("c"))
    product = dot(hessian(POINT_P, INPUT_X), gradient(POINT_P, INPUT_X))
    premises = (fact("twice_differentiable", INPUT_X), everywhere(constant))
    return Schema(premises, eq(product, make("zero", PARAMS, SCALAR)))


@lemma(
    "gradient_line",
    "a gradient line is straight where the Hessian does not see the gradient",
    r"\nabla^2f\,\nabla f=0\ \text{everywhere},\ \theta=\theta_0\pm t\nabla f(\theta_0)\Rightarrow "
    r"f(\theta)=f(\theta_0)\pm t\,\|\nabla f(\theta_0)\|^2",
    "Coddington and Levinson, Theory of Ordinary Differential Equations, 1955, Chapter 1",
    "CoddingtonLevinson1955",
)
def _gradient_line(way: str) -> Schema:
    """The solution of x' = grad f(x) has x'' = H grad f = 0: it is straight, and unique."""
    require(way in ("up", "down"))
    zero = make("zero", PARAMS, SCALAR)
    still = eq(dot(hessian(STAR, INPUT_X), gradient(STAR, INPUT_X)), zero)
    high, low = (POINT_P, POINT_Q) if way == "up" else (POINT_Q, POINT_P)
    start = gradient(POINT_Q, INPUT_X)
    moved = eq(minus(parameters(high), parameters(low)), make("scale", KAPPA, start))
    gain = minus(output(high, INPUT_X), output(low, INPUT_X))
    premises = (fact("twice_differentiable", INPUT_X), everywhere(still), moved)
    return Schema(premises, eq(gain, make("scale", KAPPA, dot(transpose(start), start))))


@lemma(
    "constant_gradient",
    "derivative of a constant gradient",
    r"\nabla f=\nabla f(\theta_0)\ \text{everywhere}\Rightarrow\nabla^2f=0",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _constant_gradient() -> Schema:
    constant = eq(gradient(STAR, INPUT_X), gradient(POINT_Q, INPUT_X))
    premises = (fact("twice_differentiable", INPUT_X), everywhere(constant))
    return Schema(premises, eq(hessian(POINT_P, INPUT_X), make("zero", PARAMS, PARAMS)))


@lemma(
    "output_mean_value",
    "mean value inequality for the output on a ball",
    r"|f(\theta)-f(\theta_0)|\le\sup_B\|\nabla f\|\,\|\theta-\theta_0\|",
    f"{RUDIN}, Theorem 9.19",
    "Rudin1976",
)
def _output_mean_value() -> Schema:
    radius, bound = real_variable("R"), real_variable("c")
    distance = norm(minus(parameters(POINT_P), parameters(POINT_Q)))
    premises = (
        fact("twice_differentiable", INPUT_X),
        make("ball", "*", POINT_Q, radius, le(norm(gradient(STAR, INPUT_X)), bound)),
        le(distance, radius),
    )
    moved = minus(output(POINT_P, INPUT_X), output(POINT_Q, INPUT_X))
    return Schema(premises, le(norm(moved), mul(bound, distance)))
