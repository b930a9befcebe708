"""A1: a tangent kernel that is constant on all of parameter space belongs to a linear model.

The walk: a constant gradient norm c makes gradient lines straight, so f grows by t c^2 along them;
f is c-Lipschitz; going up from one point and down from another, far out, their gradients g and g'
satisfy 2 c^2 <= c |g + g'|; the parallelogram law leaves g = g'.

Source: Liu, Zhu and Belkin 2020, Proposition 2.1; the proof is theory.md's, row A1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from theory import kernel
from theory.derive.corollaries import kernel_change
from theory.derive.tactics import (
    Known,
    bound_norm,
    chain,
    hole,
    rearranged,
    reflexive,
    restated,
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
    real_variable,
    space_variable,
)
from theory.lemmas.globally import STAR, everywhere
from theory.lemmas.reals import X, Y, Z
from theory.terms import (
    PARAMS,
    SCALAR,
    ZERO,
    Term,
    add,
    dot,
    eq,
    make,
    minus,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    INPUT,
    OTHER,
    POINT,
    RADIUS,
    gradient,
    hessian,
    output,
    parameters,
    squared,
)

TIME = real_variable("t")
HIGH, LOW = make("point", "high"), make("point", "low")


def kernel_at(point: Term, at: Term = INPUT) -> Term:
    """K(x, x) at a point."""
    return dot(transpose(gradient(point, at)), gradient(point, at))


def constant_kernel(at: Term = INPUT) -> Judgement:
    """The hypothesis that K(x, x) is everywhere what it is at the centre."""
    return kernel.hypothesis(everywhere(eq(kernel_at(STAR, at), kernel_at(CENTRE, at))))


def smooth(at: Term = INPUT) -> Judgement:
    """The hypothesis that f is C^2."""
    return kernel.hypothesis(fact("twice_differentiable", at))


@dataclass
class Constancy:
    """The lines of the proof so far."""

    claims: list[Claim] = field(default_factory=list)

    def claim(self, label: str, title: str, judgement: Judgement) -> Judgement:
        """Show a line to the reader."""
        self.claims.append(Claim(label, title, judgement))
        return judgement


# -- the gradient norm is constant ----------------------------------------------------------------


def _norm_squared(point: Term) -> Judgement:
    """``|K| = |grad f|^2`` at a point."""
    g = gradient(point, INPUT)
    row = transpose(g)
    gram = use("gram", bind={A: row})
    turned = use("transpose", bind={A: g})
    n = real_variable("?n")
    square = kernel.congruence(squared(n), {n: turned})
    start = kernel.by_form(norm(dot(row, g)), norm(dot(row, transpose(row))))
    return chain(start, gram, square)


def gradient_norm(point: Term) -> Judgement:
    """``|grad f(p)| = |grad f(theta_0)|`` at any point."""
    same = kernel.everywhere_elim(constant_kernel(), point)
    h = hole(kernel_at(point))
    norms = kernel.congruence(norm(h), {h: same})
    squares = chain(kernel.symmetry(_norm_squared(point)), norms, _norm_squared(CENTRE))
    n = real_variable("?n")
    roots = kernel.congruence(root(n), {n: squares})
    return restated(roots, norm(gradient(point, INPUT)), norm(gradient(CENTRE, INPUT)))


def unseen_gradient(d: Constancy) -> Judgement:
    """``H grad f = 0`` everywhere."""
    length = kernel.everywhere_intro(gradient_norm(HIGH), HIGH)
    d.claim("length", "the length of the gradient", length)
    bind = {POINT_P: HIGH, INPUT_X: INPUT, real_variable("c"): norm(gradient(CENTRE, INPUT))}
    at_point = use("constant_gradient_norm", bind=bind, given=[smooth(), length])
    return d.claim(
        "unseen",
        "the Hessian does not see the gradient",
        kernel.everywhere_intro(at_point, HIGH),
    )


# -- far out on two gradient lines ----------------------------------------------------------------


def _gain(way: str, far: Term, near: Term, value: Term, unseen: Judgement) -> Judgement:
    """What f gains along a gradient line, the far point being at the given parameters."""
    g = gradient(near, INPUT)
    there = kernel.hypothesis(eq(parameters(far), value))
    h = hole(parameters(far))
    spot = minus(h, parameters(near)) if way == "up" else minus(parameters(near), h)
    moved = rearranged(kernel.congruence(spot, {h: there}), make("scale", TIME, g))
    bind = {POINT_P: far, POINT_Q: near, INPUT_X: INPUT, KAPPA: TIME}
    gain = use("gradient_line", way, bind=bind, given=[smooth(), unseen, moved])
    same = kernel.everywhere_elim(constant_kernel(), near)
    k = hole(kernel_at(near))
    return rewrite(gain, make("scale", TIME, k), {k: same})


def _lipschitz(length: Judgement) -> Judgement:
    """``|f(high) - f(low)| <= c |theta(high) - theta(low)|``, the ball just reaching the point."""
    point = make("point", "between")
    distance = norm(minus(parameters(HIGH), parameters(LOW)))
    slope = kernel.weaken(kernel.everywhere_elim(length, point))
    ball = kernel.ball_intro(slope, point, LOW, distance)
    bind = {
        POINT_P: HIGH,
        POINT_Q: LOW,
        INPUT_X: INPUT,
        real_variable("R"): distance,
        real_variable("c"): slope.conclusion.args[1],
    }
    inside = kernel.at_most_by_form(distance, distance)
    return use("output_mean_value", bind=bind, given=[smooth(), ball, inside])


def far_apart(point: Term, other: Term, d: Constancy) -> Judgement:
    """``2 c^2 <= c |g + g'|`` for the gradients at two points."""
    unseen = unseen_gradient(d)
    length = d.claims[0].judgement
    g, other_g = gradient(point, INPUT), gradient(other, INPUT)
    up = plus(parameters(point), make("scale", TIME, g))
    down = minus(parameters(other), make("scale", TIME, other_g))
    gains = [
        _gain("up", HIGH, point, up, unseen),
        _gain("down", LOW, other, down, unseen),
    ]
    d.claim("up", "the output far up a gradient line", gains[0])
    d.claim("down", "the output far down another", gains[1])
    grown = d.claim("growth", "the output grows in proportion", _growth(gains, point, other))
    lipschitz = d.claim("lipschitz", "the output is Lipschitz", _lipschitz(length))
    reach = d.claim("reach", "the two lines part in proportion", _reach(up, down, point, other))
    c = norm(gradient(CENTRE, INPUT))
    a, b = real_variable("?a"), real_variable("?b")
    far = chain(lipschitz, kernel.monotone(mul(c, b), {b: reach}))
    start = norm(minus(output(point, INPUT), output(other, INPUT)))
    total = chain(grown, kernel.monotone(add(start, a), {a: far}))
    apart = norm(minus(parameters(point), parameters(other)))
    left = add(ZERO, mul(TIME, mul(rat(2), squared(c))))
    right = add(add(start, mul(c, apart)), mul(TIME, mul(c, norm(plus(g, other_g)))))
    compared = restated(total, left, right)
    freed = kernel.witness(kernel.witness(compared, HIGH, up), LOW, down)
    d.claim("far", "at all distances", freed)
    return d.claim("apart", "far out", kernel.archimedean(freed, TIME))


def _growth(gains: list[Judgement], point: Term, other: Term) -> Judgement:
    """``2 t c^2 <= |f(point) - f(other)| + |f(high) - f(low)|``."""
    start = minus(output(point, INPUT), output(other, INPUT))
    end = minus(output(HIGH, INPUT), output(LOW, INPUT))
    both = plus(*(g.conclusion.args[0] for g in gains))
    holes = {hole(both, f"?{i}"): g for i, g in enumerate(gains)}
    values = kernel.congruence(plus(*holes), holes)
    twice = make("scale", mul(rat(2), TIME), kernel_at(CENTRE))
    gained = kernel.symmetry(rearranged(values, twice))
    value = plus(make("neg", start), end)
    shown = rearranged(gained, value)
    h = hole(twice)
    norms = kernel.congruence(norm(h), {h: shown})
    size = chain(
        use("homogeneity", "2", bind={KAPPA: mul(rat(2), TIME), A: kernel_at(CENTRE)}),
        _times(mul(rat(2), TIME), _norm_squared(CENTRE)),
    )
    known: Known = {norm(t): reflexive(norm(t)) for t in (start, end)}
    return chain(kernel.symmetry(size), norms, bound_norm(value, known))


def _times(factor: Term, equation: Judgement) -> Judgement:
    n = real_variable("?n")
    return kernel.congruence(mul(factor, n), {n: equation})


def _reach(up: Term, down: Term, point: Term, other: Term) -> Judgement:
    """``|theta(high) - theta(low)| <= |theta(point) - theta(other)| + t |g + g'|``."""
    places = {
        hole(parameters(HIGH), "?high"): kernel.hypothesis(eq(parameters(HIGH), up)),
        hole(parameters(LOW), "?low"): kernel.hypothesis(eq(parameters(LOW), down)),
    }
    sums = plus(gradient(point, INPUT), gradient(other, INPUT))
    apart = minus(parameters(point), parameters(other))
    value = plus(apart, make("scale", TIME, sums))
    moved = rearranged(kernel.congruence(minus(*places), places), value)
    h = hole(value)
    known: Known = {norm(t): reflexive(norm(t)) for t in (apart, sums)}
    return chain(kernel.congruence(norm(h), {h: moved}), bound_norm(value, known))


# -- the two gradients are one --------------------------------------------------------------------


def same_gradient(point: Term, other: Term, d: Constancy) -> Judgement:
    """``grad f(point) = grad f(other)``."""
    g, other_g = gradient(point, INPUT), gradient(other, INPUT)
    c = norm(gradient(CENTRE, INPUT))
    apart = norm(minus(g, other_g))
    far = far_apart(point, other, d)
    n = real_variable("?n")
    squares = kernel.monotone(squared(n), {n: far})
    law = use("parallelogram", bind={U: g, V: other_g})
    ends = {
        real_variable("?g"): gradient_norm(point),
        real_variable("?h"): gradient_norm(other),
    }
    lengths = kernel.congruence(mul(rat(2), add(*map(squared, ends))), ends)
    balance = _times(squared(c), chain(law, lengths))
    fourth = mul(rat(4), power(c, 4))
    gap = mul(squared(c), squared(apart))
    widened = kernel.monotone(add(n, gap), {n: squares})
    both = restated(
        chain(
            widened,
            rearranged(
                kernel.by_form(widened.conclusion.args[1], balance.conclusion.args[0]),
                balance.conclusion.args[0],
            ),
            balance,
        ),
        add(fourth, gap),
        add(fourth, ZERO),
    )
    none = use("cancel", bind={Z: fourth, X: gap, Y: ZERO}, given=[both])
    small = restated(kernel.monotone(root(n), {n: none}), mul(c, apart), ZERO)
    d.claim("gap", "the gap between the gradients, times their length", small)
    nothing = d.claim("zero", "the gap between the gradients", _gap(point, other, small, ends))
    zero = use(
        "definite",
        bind={A: minus(g, other_g), space_variable("r"): PARAMS, space_variable("c"): SCALAR},
        given=[nothing],
    )
    h = hole(g)
    shifted = kernel.congruence(plus(h, other_g), {h: zero})
    return d.claim("same", "one gradient everywhere", restated(shifted, g, other_g))


def _gap(point: Term, other: Term, small: Judgement, ends: dict[Term, Judgement]) -> Judgement:
    """From ``c |g - g'| <= 0``: ``|g - g'| <= 0``, as |g - g'| <= 2 c."""
    g, other_g = gradient(point, INPUT), gradient(other, INPUT)
    value = minus(g, other_g)
    known: Known = {norm(g): gradient_norm(point), norm(other_g): gradient_norm(other)}
    length = bound_norm(value, known)
    n = real_variable("?n")
    square = kernel.monotone(mul(norm(value), n), {n: length})
    doubled = kernel.monotone(mul(rat(2), n), {n: small})
    product = chain(
        kernel.by_form(squared(norm(value)), square.conclusion.args[0]),
        rearranged(square, doubled.conclusion.args[0]),
        rearranged(doubled, ZERO),
    )
    return restated(kernel.monotone(root(n), {n: product}), norm(value), ZERO)


# -- the model is linear --------------------------------------------------------------------------


def vanishing_hessian(d: Constancy) -> Judgement:
    """``H = 0`` everywhere, from a constant kernel."""
    same = same_gradient(POINT, CENTRE, d)
    constant = kernel.everywhere_intro(same, POINT)
    bind = {POINT_P: POINT, POINT_Q: CENTRE, INPUT_X: INPUT}
    flat = use("constant_gradient", bind=bind, given=[smooth(), constant])
    return d.claim("A1", "the Hessian", kernel.everywhere_intro(flat, POINT))


def _no_hessian(flat: Judgement, point: Term) -> Judgement:
    """``|H| <= 0`` from ``H = 0`` at a point."""
    h = hole(flat.conclusion.args[0])
    zero = use("zero", bind={space_variable("r"): PARAMS, space_variable("c"): PARAMS})
    return kernel.weaken(chain(kernel.congruence(norm(h), {h: flat}), zero))


def linear(d: Constancy) -> Judgement:
    """``f(theta) = f(theta_0) + grad f(theta_0) . (theta - theta_0)``, from a constant kernel."""
    flat = vanishing_hessian(d)
    between = make("point", "between")
    none = _no_hessian(kernel.everywhere_elim(flat, between), between)
    distance = norm(minus(parameters(POINT), parameters(CENTRE)))
    ball = kernel.ball_intro(none, between, CENTRE, distance)
    bind = {
        POINT_P: POINT,
        POINT_Q: CENTRE,
        INPUT_X: INPUT,
        real_variable("R"): distance,
        real_variable("epsilon"): ZERO,
    }
    inside = kernel.at_most_by_form(distance, distance)
    rest = rearranged(use("taylor", bind=bind, given=[smooth(), ball, inside]), ZERO)
    d.claim("taylor", "the distance from the linearization", rest)
    gap = rest.conclusion.args[0].args[1]
    zero = use(
        "definite",
        bind={A: gap, space_variable("r"): SCALAR, space_variable("c"): SCALAR},
        given=[rest],
    )
    line = plus(
        output(CENTRE, INPUT),
        dot(
            make("jac", output(CENTRE, INPUT), CENTRE),
            minus(parameters(POINT), parameters(CENTRE)),
        ),
    )
    h = hole(gap)
    shifted = kernel.congruence(plus(h, line), {h: zero})
    result = restated(shifted, output(POINT, INPUT), line)
    return d.claim("linear", "the model is its linearization", result)


def converse(d: Constancy) -> Judgement:
    """On a ball, from ``H = 0``: ``K(x, z; theta) = K(x, z; theta_0)``."""
    between = make("point", "between")
    balls = []
    for at in (INPUT, OTHER):
        nothing = eq(hessian(STAR, at), make("zero", PARAMS, PARAMS))
        flat = kernel.hypothesis(make("ball", "*", CENTRE, RADIUS, nothing))
        none = _no_hessian(kernel.ball_elim(flat, between), between)
        balls.append(kernel.ball_intro(none, between, CENTRE, RADIUS))
    change, claims = kernel_change(*balls)
    d.claims += claims
    rest = rearranged(change, ZERO)
    gap = rest.conclusion.args[0].args[1]
    zero = use(
        "definite",
        bind={A: gap, space_variable("r"): SCALAR, space_variable("c"): SCALAR},
        given=[rest],
    )
    kernels = [dot(transpose(gradient(p, INPUT)), gradient(p, OTHER)) for p in (POINT, CENTRE)]
    h = hole(gap)
    shifted = kernel.congruence(plus(h, kernels[1]), {h: zero})
    return d.claim("converse", "the tangent kernel", restated(shifted, *kernels))


__all__ = ["Constancy", "converse", "linear", "same_gradient", "vanishing_hessian"]
