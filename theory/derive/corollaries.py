"""A2, A3, A4, A5: what a small Hessian gives, the one-hidden-layer case, and why it is small."""

from __future__ import annotations

from theory import kernel
from theory.derive.identities import hessian_identity
from theory.derive.tactics import (
    INDEX,
    Known,
    bound_norm,
    chain,
    hole,
    rearranged,
    rewrite,
    use,
)
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import (
    INPUT_X,
    KAPPA,
    POINT_P,
    POINT_Q,
    A,
    U,
    V,
    fact,
    operator_variable,
    real_variable,
    space_variable,
    vector_variable,
)
from theory.terms import (
    SCALAR,
    Arg,
    Term,
    add,
    dot,
    inv_root,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    power,
    rat,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    INPUT,
    OTHER,
    POINT,
    RADIUS,
    activation,
    block,
    gradient,
    hessian,
    layer,
    preactivation,
    readout_weights,
    sigma,
    squared,
    tolerance,
    width,
)

Result = tuple[Judgement, list[Claim]]


def hessian_on_ball(at: Term) -> Judgement:
    """The hypothesis that the Hessian norm is at most epsilon on the ball, at an input."""
    bound = le(norm(hessian(make("point", "*"), at)), tolerance(at))
    return kernel.hypothesis(make("ball", "*", CENTRE, RADIUS, bound))


def _inside() -> Judgement:
    return kernel.hypothesis(kernel.in_ball(POINT, CENTRE, RADIUS))


def _calculus(name: str, at: Term, ball: Judgement) -> Judgement:
    """The mean value or Taylor lemma at an input, from a bound on the ball."""
    epsilon = ball.conclusion.args[3].args[1]
    bind: dict[Term, Arg] = {
        POINT_P: POINT,
        POINT_Q: CENTRE,
        INPUT_X: at,
        real_variable("R"): RADIUS,
        real_variable("epsilon"): epsilon,
    }
    given = [kernel.hypothesis(fact("twice_differentiable", at)), ball, _inside()]
    return use(name, bind=bind, given=given)


# -- A2: the tangent kernel -----------------------------------------------------------------------


def gradient_movement(at: Term, ball: Judgement) -> Judgement:
    """``|grad f - grad f0| <= epsilon R`` on the ball."""
    moved = _calculus("gradient_mean_value", at, ball)
    epsilon = ball.conclusion.args[3].args[1]
    h = real_variable("?")
    return chain(moved, kernel.monotone(mul(epsilon, h), {h: _inside()}))


def tangent_kernel(point: Term) -> Term:
    """K(x, z) at a point."""
    return dot(transpose(gradient(point, INPUT)), gradient(point, OTHER))


def kernel_change(left: Judgement, right: Judgement) -> Result:
    """A2: how far the tangent kernel moves on the ball.

    ``|K(theta) - K(theta0)| <= R (e_z |grad f0(x)| + e_x |grad f0(z)|) + e_x e_z R^2``.

    Args:
        left: ``|H| <= e_x`` on the ball, for the input x.
        right: ``|H| <= e_z`` on the ball, for the input z.

    Source: Liu, Zhu and Belkin 2020, Proposition 2.3 (small Hessian norm implies small change of
    the tangent kernel).
    """
    moves = {at: gradient_movement(at, b) for at, b in ((INPUT, left), (OTHER, right))}
    old = {at: gradient(CENTRE, at) for at in moves}
    gap = {at: minus(gradient(POINT, at), old[at]) for at in moves}
    known: Known = {norm(gap[at]): move for at, move in moves.items()}
    for at in moves:
        known[norm(old[at])] = kernel.by_form(norm(old[at]), norm(old[at]))
    parts = [(old[INPUT], gap[OTHER]), (gap[INPUT], old[OTHER]), (gap[INPUT], gap[OTHER])]
    value = plus(*(dot(transpose(a), b) for a, b in parts))
    difference = minus(tangent_kernel(POINT), tangent_kernel(CENTRE))
    h = hole(difference)
    start = kernel.congruence(norm(h), {h: kernel.by_form(difference, value)})
    bound = chain(start, bound_norm(value, known))
    e_x, e_z = (b.conclusion.args[3].args[1] for b in (left, right))
    final = add(
        mul(RADIUS, add(mul(e_z, norm(old[INPUT])), mul(e_x, norm(old[OTHER])))),
        mul(e_x, e_z, squared(RADIUS)),
    )
    result = rearranged(bound, final)
    claims = [
        Claim(f"gradient:{at.args[0]}", f"movement of the gradient at {at.args[0]}", move)
        for at, move in moves.items()
    ]
    return result, [*claims, Claim("K", "the change of the tangent kernel", result)]


# -- A3: linearization ----------------------------------------------------------------------------


def linearization(ball: Judgement) -> Result:
    """A3: ``|f - f_lin| <= epsilon |theta - theta0|^2 / 2`` on the ball.

    Source: Liu, Zhu and Belkin 2020, Section 2.1 (Taylor with Lagrange remainder).
    """
    result = _calculus("taylor", INPUT, ball)
    return result, [Claim("taylor", "the distance from the linearization", result)]


def linearization_radius(ball: Judgement) -> Result:
    """A3 with the distance replaced by the radius: ``|f - f_lin| <= epsilon R^2 / 2``."""
    result, claims = linearization(ball)
    epsilon = ball.conclusion.args[3].args[1]
    h = real_variable("?")
    template = mul(rat(1, 2), epsilon, squared(h))
    wider = chain(result, kernel.monotone(template, {h: _inside()}))
    return wider, [*claims, Claim("lin", "the distance from the linearization, by R", wider)]


# -- A4: one hidden layer, exactly ----------------------------------------------------------------


def one_layer_hessian() -> Result:
    """A4: ``|H| = |sigma''(z) v|_inf |x|^2 / (d sqrt(m))`` for one hidden layer, fixed readout.

    Source: Liu, Zhu and Belkin 2020, Section 3.1 (equation 8: the Hessian is block diagonal).
    """
    point, at = CENTRE, INPUT
    identity = hessian_identity(1, "fixed", point, at)
    outer, bend, lifted = _one_layer_factors(point, at)
    factors = _one_layer_jacobian(point, at)
    j = factors.conclusion.args[0]
    h = hole(j)
    scale = inv_root(width(0))
    zero_cross = use(
        "jacobian_input", bind=_place(0, point, at), given=[kernel.hypothesis(fact("input"))]
    )
    c = hole(zero_cross.conclusion.args[0], "c")
    top = use(
        "signal_top",
        "fixed",
        bind=_place(1, point, at),
        given=[kernel.hypothesis(fact("readout", "fixed", 1))],
    )
    s = hole(top.conclusion.args[0], "s")
    template = _one_layer_template(h, c, s, scale, point, at)
    unfolded = rewrite(identity, template, {h: factors, c: zero_cross, s: top})
    total = make(
        "scale",
        mul(inv_root(width(0)), inv_root(width(0)), inv_root(width(1))),
        dot(transpose(block(1, 1)), dot(transpose(lifted), bend, lifted), block(1, 1)),
    )
    exact = rearranged(unfolded, total)
    return _one_layer_norm(exact, outer, bend, lifted)


def _place(index: int, point: Term, at: Term) -> dict[Term, Arg]:
    return {INDEX: index, POINT_P: point, INPUT_X: at}


def _one_layer_factors(point: Term, at: Term) -> tuple[Term, Term, Term]:
    x = activation(0, point, at)
    bend = make(
        "diag",
        dot(make("diag", sigma(1, 2, preactivation(1, point, at))), readout_weights(1, None)),
    )
    return x, bend, make("kron", make("id", layer(1)), transpose(x))


def _one_layer_jacobian(point: Term, at: Term) -> Judgement:
    """dz^1 = (I (x) x') Pi_1 / sqrt(d)."""
    rule = use(
        "jacobian_dense", bind=_place(1, point, at), given=[kernel.hypothesis(fact("dense", 1))]
    )
    own, rest = rule.conclusion.args[1].args[1].args
    still = use(
        "jacobian_input", bind=_place(0, point, at), given=[kernel.hypothesis(fact("input"))]
    )
    h = hole(rest.args[1])
    scale = inv_root(width(0))
    split = rewrite(rule, make("scale", scale, plus(own, dot(rest.args[0], h))), {h: still})
    return rearranged(split, make("scale", scale, own))


def _one_layer_template(j: Term, c: Term, s: Term, scale: Term, point: Term, at: Term) -> Term:
    """The identity at depth 1 with holes for the Jacobian, the input's Jacobian, the signal."""
    second = make("diag", sigma(1, 2, preactivation(1, point, at)))
    first = make("diag", sigma(1, 1, preactivation(1, point, at)))
    lift = make("kron", dot(first, s), make("id", layer(0)))
    cross = dot(transpose(block(1, 1)), lift, c)
    return plus(
        dot(transpose(j), make("diag", dot(second, s)), j),
        make("scale", scale, plus(cross, transpose(cross))),
    )


def _one_layer_norm(exact: Judgement, x: Term, bend: Term, lifted: Term) -> Result:
    """The norm of the exact Hessian: projections drop out, the Kronecker product factors."""
    scale = exact.conclusion.args[1].args[0]
    middle = dot(transpose(lifted), bend, lifted)
    h = hole(exact.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: exact})
    inner = exact.conclusion.args[1].args[1]
    pulled = use("homogeneity", "2", bind={KAPPA: scale, A: inner})
    sandwich = use(
        "isometry",
        1,
        "fixed",
        bind={operator_variable("A", middle.rows, middle.cols): middle},
        given=[kernel.hypothesis(fact("parameters", 1, "fixed"))],
    )
    product = _factored(middle, bend, x)
    n = real_variable("?n")
    rest = chain(sandwich, product)
    scaled = kernel.congruence(mul(scale, n), {n: rest})
    total = chain(start, pulled, rearranged(scaled, scaled.conclusion.args[1]))
    curved = bend.args[0]
    final = mul(inv_root(width(1)), norm(curved, "inf"), squared(norm(x)), power(width(0), -1))
    result = rearranged(total, final)
    return result, [
        Claim("identity", "the Hessian of one hidden layer", exact),
        Claim("norm", "its norm", result),
    ]


def _factored(middle: Term, bend: Term, x: Term) -> Judgement:
    """``|(I (x) x) C (I (x) x')| = |c|_inf |x|^2`` by the mixed product, for C = diag(c)."""
    unit = make("id", layer(1))
    one = make("id", SCALAR)
    first = _mixed(unit, x, bend, one)
    second = _mixed(dot(unit, bend), dot(x, one), unit, transpose(x))
    parts = (make("kron", unit, x), make("kron", bend, one), make("kron", unit, transpose(x)))
    regrouped = kernel.by_form(middle, dot(dot(parts[0], parts[1]), parts[2]))
    f = hole(first.conclusion.args[0])
    joined = kernel.congruence(dot(f, parts[2]), {f: first})
    whole = chain(regrouped, joined, second)
    tidy = rearranged(whole, make("kron", bend, dot(x, transpose(x))))
    h = hole(middle)
    start = kernel.congruence(norm(h), {h: tidy})
    other = operator_variable("B", "r2", "c2")
    split = use("kronecker", bind={A: bend, other: dot(x, transpose(x))})
    curved = use("diagonal", bind={V: bend.args[0]})
    gram = use("gram", bind={A: x})
    a, b = real_variable("?a"), real_variable("?b")
    return chain(start, split, kernel.congruence(mul(a, b), {a: curved, b: gram}))


def _mixed(a: Term, b: Term, c: Term, d: Term) -> Judgement:
    bind: dict[Term, Arg] = {
        operator_variable("A", "r", "k"): a,
        operator_variable("C", "k", "c"): c,
        operator_variable("B", "r2", "k2"): b,
        operator_variable("D", "k2", "c2"): d,
    }
    return use("mixed_product", bind=bind)


# -- A5: why: the gradient sees a 2-norm, the Hessian an infinity-norm ----------------------------


def contraction() -> Result:
    """A5: ``|sum_k u_k T_k| <= |u|_inf |T|_{2,2,1}``.

    Source: Liu, Zhu and Belkin 2020, Section 3 (the (2,2,1)-norm).
    """
    left, right, out = (space_variable(s) for s in ("i", "j", "r"))
    tensor = operator_variable("T", out, make("tensor", left, right))
    x, z = vector_variable("x", left), vector_variable("z", right)
    weights = vector_variable("u", out)
    summed = make("contract", weights, tensor)
    schematic = operator_variable(
        "T", "r", make("tensor", space_variable("i"), space_variable("j"))
    )
    bind: dict[Term, Arg] = {
        schematic: tensor,
        vector_variable("x", "i"): x,
        vector_variable("z", "j"): z,
        V: weights,
    }
    meaning = use("contraction", bind=bind)
    h = hole(meaning.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: meaning})
    values = dot(tensor, make("kron", x, z))
    hoelder = use("hoelder", bind={U: weights, V: values})
    grouped = kernel.congruence(
        norm(h), {h: kernel.by_form(meaning.conclusion.args[1], hoelder.conclusion.args[0].args[1])}
    )
    size = use(
        "tensor_norm",
        bind={schematic: tensor, vector_variable("x", "i"): x, vector_variable("z", "j"): z},
    )
    n = real_variable("?n")
    grown = kernel.monotone(mul(norm(weights, "inf"), n), {n: size})
    chained = chain(start, grouped, hoelder, grown)
    constant = mul(norm(weights, "inf"), norm(tensor, "221"))
    pointwise = rearranged(chained, mul(constant, norm(x), norm(z)))
    result = kernel.spectral(pointwise, x, z)
    if result.conclusion is not le(norm(summed), constant):
        msg = f"A5 came out as {result.conclusion}"
        raise kernel.KernelError(msg)
    return result, [
        Claim("pointwise", "the bilinear form of the sum", pointwise),
        Claim("A5", "the norm of the sum", result),
    ]


__all__ = [
    "contraction",
    "hessian_on_ball",
    "kernel_change",
    "linearization",
    "linearization_radius",
    "one_layer_hessian",
    "tangent_kernel",
]
