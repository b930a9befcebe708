"""Chain rules, mean values and Taylor: the calculus that proofs rest on."""

from __future__ import annotations

from fractions import Fraction

from theory.lemmas.base import (
    INDEX,
    INPUT_X,
    POINT_P,
    POINT_Q,
    Schema,
    U,
    V,
    fact,
    lemma,
    real_variable,
    require,
    vector_variable,
)
from theory.lemmas.networks import readout_point
from theory.terms import (
    PARAMS,
    Term,
    dot,
    eq,
    inv_root,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    shift,
    transpose,
)
from theory.vocabulary import (
    READOUT,
    activation,
    block,
    curvature,
    gradient,
    hessian,
    layer,
    lipschitz,
    output,
    parameters,
    preactivation,
    readout_weights,
    sigma,
    squared,
    third,
    weights,
    width,
)

# -- chain rules ----------------------------------------------------------------------------------

CALCULUS = "Magnus and Neudecker, Matrix Differential Calculus, 3rd ed., 2019"


@lemma(
    "jacobian_dense",
    "product rule for a layer bilinear in weights and input",
    r"\partial z^l=\bigl((I\otimes\alpha^{l-1\,\top})\Pi_l+W^l\,\partial\alpha^{l-1}\bigr)"
    r"/\sqrt{m_{l-1}}",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_dense() -> Schema:
    below = shift(INDEX, -1)
    lower = activation(below, POINT_P, INPUT_X)
    own = dot(make("kron", make("id", layer(INDEX)), transpose(lower)), block(INDEX, INDEX))
    rest = dot(weights(INDEX, POINT_P), make("jac", lower, POINT_P))
    left = make("jac", preactivation(INDEX, POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(below)), plus(own, rest))
    return Schema((fact("dense", INDEX),), eq(left, right))


@lemma(
    "jacobian_pointwise",
    "chain rule for a pointwise activation",
    r"\partial\,\sigma(z)=\mathrm{diag}(\sigma'(z))\,\partial z",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_pointwise() -> Schema:
    left = make("jac", sigma(INDEX, 0, V), POINT_P)
    right = dot(make("diag", sigma(INDEX, 1, V)), make("jac", V, POINT_P))
    return Schema((fact("smooth", INDEX),), eq(left, right))


@lemma(
    "jacobian_input",
    "the input has no derivative by the parameters",
    r"\partial\alpha^0=0",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_input() -> Schema:
    left = make("jac", activation(0, POINT_P, INPUT_X), POINT_P)
    return Schema((fact("input"),), eq(left, make("zero", layer(0), PARAMS)))


@lemma(
    "jacobian_readout",
    "product rule for the linear readout",
    r"\partial f=\bigl(\alpha^{L\,\top}\Pi_v+v^\top\partial\alpha^L\bigr)/\sqrt{m_L}"
    r"\ \text{(first term: readout trained)}",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_readout(readout: str) -> Schema:
    top = activation(INDEX, POINT_P, INPUT_X)
    vector = readout_weights(INDEX, readout_point(readout))
    terms = [dot(transpose(vector), make("jac", top, POINT_P))]
    if readout == "trained":
        terms.insert(0, dot(transpose(top), block(READOUT, INDEX)))
    left = make("jac", output(POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(INDEX)), plus(*terms))
    return Schema((fact("readout", readout, INDEX),), eq(left, right))


@lemma(
    "hessian_dense",
    "second product rule for a layer bilinear in weights and input",
    r"\langle c,\partial^2z^l\rangle=\bigl(\langle W^{l\top}c,\partial^2\alpha^{l-1}\rangle"
    r"+X+X^\top\bigr)/\sqrt{m_{l-1}},\ X=\Pi_l^\top(c\otimes I)\,\partial\alpha^{l-1}",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_dense() -> Schema:
    below = shift(INDEX, -1)
    lower = activation(below, POINT_P, INPUT_X)
    covector = vector_variable("c", layer(INDEX))
    cross = dot(
        transpose(block(INDEX, INDEX)),
        make("kron", covector, make("id", layer(below))),
        make("jac", lower, POINT_P),
    )
    inner = make("hess", dot(transpose(weights(INDEX, POINT_P)), covector), lower, POINT_P)
    left = make("hess", covector, preactivation(INDEX, POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(below)), plus(inner, cross, transpose(cross)))
    return Schema((fact("dense", INDEX),), eq(left, right))


@lemma(
    "hessian_pointwise",
    "second chain rule for a pointwise activation",
    r"\langle c,\partial^2\sigma(z)\rangle=(\partial z)^\top\mathrm{diag}(\sigma''(z)c)"
    r"\,\partial z+\langle\mathrm{diag}(\sigma'(z))c,\partial^2z\rangle",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_pointwise() -> Schema:
    covector = vector_variable("c")
    jacobian = make("jac", V, POINT_P)
    bend = make("diag", dot(make("diag", sigma(INDEX, 2, V)), covector))
    inner = make("hess", dot(make("diag", sigma(INDEX, 1, V)), covector), V, POINT_P)
    left = make("hess", covector, sigma(INDEX, 0, V), POINT_P)
    right = plus(dot(transpose(jacobian), bend, jacobian), inner)
    return Schema((fact("smooth", INDEX),), eq(left, right))


@lemma(
    "hessian_input",
    "the input has no second derivative by the parameters",
    r"\langle c,\partial^2\alpha^0\rangle=0",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_input() -> Schema:
    left = make("hess", vector_variable("c", layer(0)), activation(0, POINT_P, INPUT_X), POINT_P)
    return Schema((fact("input"),), eq(left, make("zero", PARAMS, PARAMS)))


@lemma(
    "hessian_readout",
    "second product rule for the linear readout",
    r"\partial^2f=\bigl(\langle v,\partial^2\alpha^L\rangle+X+X^\top\bigr)/\sqrt{m_L},\ "
    r"X=\Pi_v^\top\partial\alpha^L\ \text{(readout trained; else }X=0)",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_readout(readout: str) -> Schema:
    top = activation(INDEX, POINT_P, INPUT_X)
    vector = readout_weights(INDEX, readout_point(readout))
    terms = [make("hess", vector, top, POINT_P)]
    if readout == "trained":
        cross = dot(transpose(block(READOUT, INDEX)), make("jac", top, POINT_P))
        terms += [cross, transpose(cross)]
    right = make("scale", inv_root(width(INDEX)), plus(*terms))
    return Schema((fact("readout", readout, INDEX),), eq(hessian(POINT_P, INPUT_X), right))


# -- mean values ----------------------------------------------------------------------------------

RUDIN = "Rudin, Principles of Mathematical Analysis, 3rd ed., 1976"


@lemma(
    "slope_bound",
    "the supremum of the first derivative",
    r"\|\sigma_l'(v)\|_\infty\le\lambda_l",
    "definition of the constant",
    "LZB20",
)
def _slope_bound() -> Schema:
    left = norm(sigma(INDEX, 1, V), "inf")
    return Schema((fact("bounded", INDEX, 1),), le(left, lipschitz(INDEX)))


@lemma(
    "curvature_bound",
    "the supremum of the second derivative",
    r"\|\sigma_l''(v)\|_\infty\le\beta_l",
    "definition of the constant",
    "LZB20",
)
def _curvature_bound() -> Schema:
    left = norm(sigma(INDEX, 2, V), "inf")
    return Schema((fact("bounded", INDEX, 2),), le(left, curvature(INDEX)))


@lemma(
    "mean_value",
    "mean value theorem, entry by entry",
    r"\|\sigma_l^{(j)}(u)-\sigma_l^{(j)}(v)\|\le\sup|\sigma_l^{(j+1)}|\,\|u-v\|",
    f"{RUDIN}, Theorem 5.10",
    "Rudin1976",
)
def _mean_value(order: int) -> Schema:
    require(order in (0, 1, 2))
    constant = (lipschitz, curvature, third)[int(order)](INDEX)
    left = norm(minus(sigma(INDEX, order, U), sigma(INDEX, order, V)))
    return Schema((fact("bounded", INDEX, order + 1),), le(left, mul(constant, norm(minus(U, V)))))


@lemma(
    "second_order",
    "Taylor's theorem, entry by entry",
    r"\|\sigma_l(u)-\sigma_l(v)-\mathrm{diag}(\sigma_l'(v))(u-v)\|"
    r"\le\tfrac12\sup|\sigma_l''|\,\|u-v\|^2",
    f"{RUDIN}, Theorem 5.15",
    "Rudin1976",
)
def _second_order() -> Schema:
    gap = minus(U, V)
    linear = dot(make("diag", sigma(INDEX, 1, V)), gap)
    rest = minus(minus(sigma(INDEX, 0, U), sigma(INDEX, 0, V)), linear)
    bound = mul(make("rat", Fraction(1, 2)), curvature(INDEX), squared(norm(gap)))
    return Schema((fact("bounded", INDEX, 2),), le(norm(rest), bound))


def _on_ball(point: Term, centre: Term) -> tuple[tuple[Term, ...], Term, Term]:
    """Premises: f is C^2, its Hessian norm is at most epsilon on the ball, the point is in it."""
    radius, epsilon = real_variable("R"), real_variable("epsilon")
    bound = le(norm(hessian(make("point", "*"), INPUT_X)), epsilon)
    distance = norm(minus(parameters(point), parameters(centre)))
    premises = (
        fact("twice_differentiable", INPUT_X),
        make("ball", "*", centre, radius, bound),
        le(distance, radius),
    )
    return premises, epsilon, distance


@lemma(
    "gradient_mean_value",
    "mean value inequality for the gradient on a ball",
    r"\|\nabla f(\theta)-\nabla f(\theta_0)\|\le\sup_B\|\nabla^2f\|\,\|\theta-\theta_0\|",
    f"{RUDIN}, Theorem 9.19",
    "Rudin1976",
)
def _gradient_mean_value() -> Schema:
    premises, epsilon, distance = _on_ball(POINT_P, POINT_Q)
    moved = minus(gradient(POINT_P, INPUT_X), gradient(POINT_Q, INPUT_X))
    return Schema(premises, le(norm(moved), mul(epsilon, distance)))


@lemma(
    "taylor",
    "Taylor's theorem with integral remainder on a ball",
    r"|f(\theta)-f(\theta_0)-\nabla f(\theta_0)\cdot(\theta-\theta_0)|\le\tfrac12\sup_B"
    r"\|\nabla^2f\|\,\|\theta-\theta_0\|^2",
    f"{RUDIN}, Exercise 9.30",
    "Rudin1976",
)
def _taylor() -> Schema:
    premises, epsilon, distance = _on_ball(POINT_P, POINT_Q)
    step = minus(parameters(POINT_P), parameters(POINT_Q))
    linear = dot(make("jac", output(POINT_Q, INPUT_X), POINT_Q), step)
    rest = plus(
        output(POINT_P, INPUT_X), make("neg", output(POINT_Q, INPUT_X)), make("neg", linear)
    )
    bound = mul(make("rat", Fraction(1, 2)), epsilon, squared(distance))
    return Schema(premises, le(norm(rest), bound))
