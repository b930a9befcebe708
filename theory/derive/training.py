"""A11 and A12: gradient descent on the square loss near a kernel that stays away from singular.

With r = F - y the residual, K = J J' >= mu on a ball: ``|grad L|^2 >= mu |r|^2`` (PL*); a step
eta <= 1/beta gives ``|r+|^2 + eta |grad L|^2 <= |r|^2``; so the loss falls by 1 - eta mu, and
``sqrt(mu) |theta - theta_0| + 2 |r|`` never grows, which keeps the iterates within
``2 |r_0| / sqrt(mu)`` of the start.

Source: Liu, Zhu and Belkin 2020, Section 5; the constants are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from theory import kernel
from theory.derive.tactics import (
    Known,
    at_most,
    bound_norm,
    chain,
    hole,
    raised,
    rearranged,
    reflexive,
    restated,
    use,
)
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import (
    INDEX,
    INPUT_X,
    KAPPA,
    POINT_P,
    POINT_Q,
    A,
    V,
    fact,
    operator_variable,
    real_variable,
    space_variable,
)
from theory.lemmas.reals import W, X, Y, Z
from theory.lemmas.training import CENTRE_C, ETA, STAR, sample
from theory.terms import (
    ONE,
    PARAMS,
    SCALAR,
    ZERO,
    Arg,
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
    power,
    rat,
    root,
    shift,
    substitute,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    OUTER,
    RADIUS,
    SAMPLE_SPACE,
    SAMPLES,
    descent_formula,
    kernel_matrix,
    loss,
    loss_bend,
    loss_gradient,
    output,
    outputs,
    outputs_jacobian,
    parameters,
    rate_power,
    residual,
    sigma,
    squared,
    symbol,
)

MU, MU_INVERSE, STEP, RATE, SLOPE, BEND, SMOOTHNESS = (
    symbol(n)
    for n in ("mu", "mu_inverse", "step_size", "rate", "slope_sup", "bend_sup", "smoothness")
)
N = real_variable("?n")


def iterate(number: int) -> Term:
    """The point after some steps; theta_0 is the centre of the ball."""
    return CENTRE if number == 0 else make("point", f"theta{number}")


def on_ball(formula: Term) -> Judgement:
    """The hypothesis that a formula about the point * holds on the ball."""
    return kernel.hypothesis(make("ball", "*", CENTRE, RADIUS, formula))


def small_slope() -> Judgement:
    """``|J| <= Gamma`` on the ball."""
    return on_ball(le(norm(outputs_jacobian(STAR)), SLOPE))


def small_bend() -> Judgement:
    """``|sum_i r_i H_i| <= B`` on the ball."""
    return on_ball(le(norm(loss_bend(STAR)), BEND))


def conditioned() -> Judgement:
    """``mu <= lambda_min(K)`` on the ball."""
    return on_ball(le(MU, norm(kernel_matrix(STAR), "min")))


@dataclass
class Training:
    """The workbench: lines for the reader and the one definition.

    Attributes:
        definitions: ``beta = Gamma^2 + B``.
        claims: lines, in order.
    """

    claims: list[Claim] = field(default_factory=list)
    definitions: list[Term] = field(
        default_factory=lambda: [eq(SMOOTHNESS, add(squared(SLOPE), BEND))]
    )

    def claim(self, label: str, title: str, judgement: Judgement) -> Judgement:
        """Show a line to the reader."""
        self.claims.append(Claim(label, title, judgement))
        return judgement


# -- at one point of the ball ---------------------------------------------------------------------


def polyak(point: Term, inside: Judgement) -> Judgement:
    """PL*: ``mu |r|^2 <= |grad L|^2`` at a point of the ball.

    Args:
        point: the point.
        inside: that it is in the ball.
    """
    least = kernel.cut(kernel.ball_elim(conditioned(), point), inside)
    r = residual(point)
    gram = use("least_gram", bind={A: outputs_jacobian(point), V: r})
    return chain(kernel.monotone(mul(N, squared(norm(r))), {N: least}), gram)


def polyak_loss(point: Term) -> Judgement:
    """PL* in terms of the loss: ``2 mu L <= |grad L|^2`` for a point in the ball."""
    inside = kernel.hypothesis(kernel.in_ball(point, CENTRE, RADIUS))
    found = polyak(point, inside)
    return restated(found, mul(rat(2), MU, loss(point)), squared(norm(loss_gradient(point))))


def _slope(point: Term, inside: Judgement) -> Judgement:
    """``|grad L| <= Gamma |r|``."""
    steep = kernel.cut(kernel.ball_elim(small_slope(), point), inside)
    known: Known = {
        norm(outputs_jacobian(point)): steep,
        norm(residual(point)): reflexive(norm(residual(point))),
    }
    return bound_norm(loss_gradient(point), known)


def smooth_loss(d: Training) -> Judgement:
    """The Hessian of the loss is at most beta on the ball."""
    between = make("point", "between")
    row = outputs_jacobian(between)
    known: Known = {
        norm(row): kernel.ball_elim(small_slope(), between),
        norm(loss_bend(between)): kernel.ball_elim(small_bend(), between),
    }
    whole = plus(dot(transpose(row), row), loss_bend(between))
    bound = rearranged(bound_norm(whole, known), add(squared(SLOPE), BEND))
    meaning = kernel.symmetry(kernel.hypothesis(d.definitions[0]))
    return kernel.ball_intro(chain(bound, meaning), between, CENTRE, RADIUS)


def _step_condition() -> Judgement:
    """``eta beta <= 1``."""
    return kernel.hypothesis(le(mul(STEP, SMOOTHNESS), ONE))


def _steep_step(d: Training) -> Judgement:
    """``eta Gamma^2 <= 1``."""
    smaller = kernel.at_most_by_form(squared(SLOPE), add(squared(SLOPE), BEND))
    named = chain(smaller, kernel.symmetry(kernel.hypothesis(d.definitions[0])))
    return chain(kernel.monotone(mul(STEP, N), {N: named}), _step_condition())


def _root_mu(point: Term, inside: Judgement) -> Judgement:
    """``sqrt(mu) <= Gamma``."""
    k, row = kernel_matrix(point), outputs_jacobian(point)
    least = kernel.cut(kernel.ball_elim(conditioned(), point), inside)
    steep = kernel.cut(kernel.ball_elim(small_slope(), point), inside)
    size = chain(use("least_at_most", bind={A: k}), use("gram", bind={A: row}))
    squares = chain(least, size, kernel.monotone(squared(N), {N: steep}))
    return rearranged(kernel.monotone(root(N), {N: squares}), SLOPE)


# -- one step -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """What one step of gradient descent gives.

    Attributes:
        inside: the next point is in the ball.
        fallen: ``|r+|^2 + eta |g|^2 <= |r|^2``.
        rate: ``|r+|^2 <= kappa |r|^2``.
        invariant: ``sqrt(mu) |theta+ - theta_0| + 2 |r+| <= 2 |r_0|``.
    """

    inside: Judgement
    fallen: Judgement
    rate: Judgement
    invariant: Judgement


def distance(point: Term) -> Term:
    """``|theta - theta_0|``."""
    return norm(minus(parameters(point), parameters(CENTRE)))


def potential(point: Term) -> Term:
    """``sqrt(mu) |theta - theta_0| + 2 |r|``."""
    return add(mul(root(MU), distance(point)), mul(rat(2), norm(residual(point))))


def start() -> tuple[Judgement, Judgement]:
    """The first point is in the ball, and its potential is ``2 |r_0|``."""
    gap = minus(parameters(CENTRE), parameters(CENTRE))
    zero = make("zero", PARAMS, SCALAR)
    h = hole(gap)
    still = chain(
        kernel.congruence(norm(h), {h: kernel.by_form(gap, zero)}),
        use("zero", bind={space_variable("r"): PARAMS, space_variable("c"): SCALAR}),
    )
    inside = chain(still, kernel.at_most_by_form(ZERO, RADIUS))
    r = mul(rat(2), norm(residual(CENTRE)))
    whole = kernel.congruence(add(mul(root(MU), N), r), {N: still})
    return inside, kernel.weaken(rearranged(whole, r))


def advance(point: Term, after: Term, inside: Judgement, invariant: Judgement, d: Training) -> Step:
    """One step from a point of the ball whose potential is at most ``2 |r_0|``."""
    short = _short_step(point, inside, d)
    moved = _moved(point, after)
    within = _stays(point, after, moved, short, invariant)
    fallen = _fallen(point, after, inside, within, d)
    polyak_here = polyak(point, inside)
    return Step(
        within,
        fallen,
        _contracts(point, after, fallen, polyak_here),
        chain(_kept(point, after, moved, short, fallen, polyak_here), invariant),
    )


def _short_step(point: Term, inside: Judgement, d: Training) -> Judgement:
    """``sqrt(mu) eta |g| <= |r|``: the step is short."""
    g, r = norm(loss_gradient(point)), norm(residual(point))
    a, b = real_variable("?a"), real_variable("?b")
    grown = kernel.monotone(mul(a, STEP, b), {a: _root_mu(point, inside), b: _slope(point, inside)})
    paid = raised(grown, mul(N, r), {N: _steep_step(d)})
    return restated(paid, mul(root(MU), STEP, g), r)


def _moved(point: Term, after: Term) -> Judgement:
    """``sqrt(mu) |theta+ - theta_0| <= sqrt(mu) |theta - theta_0| + sqrt(mu) eta |g|``."""
    here = kernel.hypothesis(descent_formula(point, after))
    h = hole(parameters(after))
    gap = minus(parameters(point), parameters(CENTRE))
    g = loss_gradient(point)
    value = plus(gap, make("neg", make("scale", STEP, g)))
    placed = rearranged(kernel.congruence(minus(h, parameters(CENTRE)), {h: here}), value)
    k = hole(value)
    known: Known = {norm(t): reflexive(norm(t)) for t in (gap, g)}
    size = chain(kernel.congruence(norm(k), {k: placed}), bound_norm(value, known))
    scaled = kernel.monotone(mul(root(MU), N), {N: size})
    return rearranged(scaled, add(mul(root(MU), norm(gap)), mul(root(MU), STEP, norm(g))))


def _stays(
    point: Term, after: Term, moved: Judgement, short: Judgement, invariant: Judgement
) -> Judgement:
    """The next point is in the ball: ``|theta+ - theta_0| <= 2 |r_0| / sqrt(mu) <= R``."""
    before = mul(root(MU), distance(point))
    r = norm(residual(point))
    reached = chain(moved, kernel.monotone(add(before, N), {N: short}))
    half = kernel.at_most_by_form(add(before, r), potential(point))
    total = chain(reached, half, invariant)
    length = _length(after, total)
    reach = kernel.hypothesis(radius_formula())
    return chain(rearranged(length, reach.conclusion.args[0]), reach)


def _length(point: Term, total: Judgement) -> Judgement:
    """``|theta - theta_0| <= 2 |r_0| / sqrt(mu)`` from the same times sqrt(mu)."""
    scaled = kernel.monotone(mul(root(MU_INVERSE), N), {N: total})
    unit = kernel.hypothesis(eq(mul(MU, MU_INVERSE), ONE))
    one = rearranged(kernel.congruence(root(N), {N: unit}), ONE)
    d = distance(point)
    whole = kernel.congruence(mul(N, d), {N: kernel.symmetry(one)})
    return chain(
        kernel.by_form(d, mul(ONE, d)),
        whole,
        kernel.by_form(whole.conclusion.args[1], scaled.conclusion.args[0]),
        scaled,
    )


def radius_formula() -> Term:
    """``2 |r_0| / sqrt(mu) <= R``."""
    return le(mul(rat(2), norm(residual(CENTRE)), root(MU_INVERSE)), RADIUS)


def _fallen(
    point: Term, after: Term, inside: Judgement, within: Judgement, d: Training
) -> Judgement:
    """``|r+|^2 + eta |g|^2 <= |r|^2``: the descent lemma with ``eta beta <= 1``."""
    bind: dict[Term, Arg] = {
        POINT_P: point,
        POINT_Q: after,
        CENTRE_C: CENTRE,
        INPUT_X: SAMPLES,
        ETA: STEP,
        real_variable("R"): RADIUS,
        real_variable("beta"): SMOOTHNESS,
    }
    given = [
        kernel.hypothesis(fact("twice_differentiable", SAMPLES)),
        smooth_loss(d),
        inside,
        within,
        kernel.hypothesis(descent_formula(point, after)),
    ]
    lemma = use("descent", bind=bind, given=given)
    g = squared(norm(loss_gradient(point)))
    half = mul(rat(1, 2), STEP, g)
    template = add(loss(point), mul(rat(1, 2), STEP, g, N))
    least = raised(lemma, template, {N: _step_condition()})
    both = restated(least, add(half, add(loss(after), half)), add(half, loss(point)))
    bare = use("cancel", bind={Z: half, X: add(loss(after), half), Y: loss(point)}, given=[both])
    doubled = kernel.monotone(mul(rat(2), N), {N: bare})
    ends = [squared(norm(residual(p))) for p in (after, point)]
    return restated(doubled, add(ends[0], mul(STEP, g)), ends[1])


def _rate() -> Judgement:
    """``kappa + eta mu = 1``."""
    return kernel.hypothesis(eq(add(RATE, mul(STEP, MU)), ONE))


def _contracts(point: Term, after: Term, fallen: Judgement, polyak_here: Judgement) -> Judgement:
    """``|r+|^2 <= kappa |r|^2``."""
    new, old = (squared(norm(residual(p))) for p in (after, point))
    part = mul(STEP, MU, old)
    grown = kernel.monotone(add(new, mul(STEP, N)), {N: polyak_here})
    whole = kernel.congruence(mul(N, old), {N: kernel.symmetry(_rate())})
    total = chain(grown, rearranged(fallen, mul(ONE, old)), whole)
    both = restated(total, add(part, new), add(part, mul(RATE, old)))
    return use("cancel", bind={Z: part, X: new, Y: mul(RATE, old)}, given=[both])


def _kept(
    point: Term,
    after: Term,
    moved: Judgement,
    short: Judgement,
    fallen: Judgement,
    polyak_here: Judgement,
) -> Judgement:
    """``sqrt(mu) |theta+ - theta_0| + 2 |r+| <= sqrt(mu) |theta - theta_0| + 2 |r|``."""
    old, new = norm(residual(point)), norm(residual(after))
    g = norm(loss_gradient(point))
    path = mul(root(MU), STEP, g)
    spent = add(path, mul(rat(2), new))
    steep = restated(kernel.monotone(root(N), {N: polyak_here}), mul(root(MU), old), g)
    product = kernel.monotone(add(mul(STEP, g, N), mul(rat(2), old, new)), {N: steep})
    means = use("geometric_mean", bind={X: old, Y: new})
    gain = mul(STEP, squared(g))
    middle = kernel.monotone(add(gain, N), {N: means})
    last = kernel.monotone(add(squared(old), N), {N: fallen})
    total = chain(
        restated(product, mul(old, spent), middle.conclusion.args[0]),
        rearranged(middle, last.conclusion.args[0]),
        rearranged(last, mul(old, mul(rat(2), old))),
    )
    fewer = _fewer(old, new, gain, fallen)
    a, b = real_variable("?a"), real_variable("?b")
    small = rearranged(
        kernel.monotone(add(a, mul(rat(2), b)), {a: short, b: fewer}), mul(rat(3), old)
    )
    paid = use(
        "cancel_factor",
        bind={Z: old, X: spent, Y: mul(rat(2), old), W: rat(3)},
        given=[total, small],
    )
    before = mul(root(MU), distance(point))
    grown = kernel.monotone(add(N, mul(rat(2), new)), {N: moved})
    kept = kernel.monotone(add(before, N), {N: paid})
    return chain(rearranged(grown, kept.conclusion.args[0]), rearranged(kept, potential(point)))


def one_step(point: Term, after: Term, d: Training) -> Judgement:
    """The potential does not grow in a step between two points of the ball, any two."""
    inside, within = (kernel.hypothesis(kernel.in_ball(p, CENTRE, RADIUS)) for p in (point, after))
    short, moved = _short_step(point, inside, d), _moved(point, after)
    fallen = _fallen(point, after, inside, within, d)
    d.claim("fallen:1", "the residual falls in step 1", fallen)
    result = _kept(point, after, moved, short, fallen, polyak(point, inside))
    return d.claim("potential:1", "the way of 1 steps is paid for", result)


def _fewer(old: Term, new: Term, gain: Term, fallen: Judgement) -> Judgement:
    """``|r+| <= |r|``."""
    squares = chain(kernel.at_most_by_form(squared(new), add(squared(new), gain)), fallen)
    return restated(kernel.monotone(root(N), {N: squares}), new, old)


# -- many steps -----------------------------------------------------------------------------------


def descend(steps: int, d: Training) -> tuple[Judgement, Judgement, Judgement]:
    """What a number of steps gives.

    Returns:
        ``L_T <= kappa^T L_0``; ``sqrt(mu) |theta_T - theta_0| + 2 |r_T| <= 2 |r_0|``; and that the
        last point is in the ball.
    """
    inside, invariant = start()
    r0 = squared(norm(residual(CENTRE)))
    total: Judgement | None = None
    for number in range(1, steps + 1):
        point, after = iterate(number - 1), iterate(number)
        step = advance(point, after, inside, invariant, d)
        d.claim(f"inside:{number}", f"the point after step {number} is in the ball", step.inside)
        d.claim(f"fallen:{number}", f"the residual falls in step {number}", step.fallen)
        d.claim(f"rate:{number}", f"the loss contracts in step {number}", step.rate)
        d.claim(f"potential:{number}", f"the way of {number} steps is paid for", step.invariant)
        inside, invariant = step.inside, step.invariant
        if total is None:
            total = step.rate
        else:
            grown = kernel.monotone(mul(RATE, N), {N: total})
            total = rearranged(chain(step.rate, grown), mul(power(RATE, number), r0))
    if total is None:
        msg = "needs at least one step"
        raise kernel.KernelError(msg)
    halves = kernel.monotone(mul(rat(1, 2), N), {N: total})
    factor = RATE if steps == 1 else power(RATE, steps)
    last = restated(halves, loss(iterate(steps)), mul(factor, loss(CENTRE)))
    return last, invariant, inside


# -- any number of steps --------------------------------------------------------------------------

TIME, LAST = make("index", "t", 0), make("index", "T", 0)
BEFORE, AFTER = make("point", "p"), make("point", "q")


def after_steps(steps: Arg, formula: Term) -> Term:
    """A formula about the point * to which so many steps from the centre lead."""
    return make("after", "*", steps, CENTRE, SAMPLES, formula)


@dataclass(frozen=True)
class Descent:
    """What holds after t steps, for every t up to a symbolic number T.

    Attributes:
        potential: ``sqrt(mu) |theta_t - theta_0| + 2 |r_t| <= 2 |r_0|``.
        rate: ``L(theta_t) <= kappa^t L(theta_0)``.
        distance: ``|theta_t - theta_0| <= 2 |r_0| / sqrt(mu)``.
    """

    potential: Judgement
    rate: Judgement
    distance: Judgement


def descend_forever(d: Training) -> Descent:
    """Any number of steps, by induction on their number.

    That the iterates stay in the ball is no induction hypothesis of its own: the potential says
    so.
    """
    _, begun = start()
    paid = le(potential(STAR), mul(rat(2), norm(residual(CENTRE))))
    before = kernel.hypothesis(substitute(paid, {STAR: BEFORE}))
    inside = _within(BEFORE, before)
    step = advance(BEFORE, AFTER, inside, before, d)
    d.claim("inside:p", "a point whose way is paid for is in the ball", inside)
    d.claim("fallen:p", "the residual falls in a step from it", step.fallen)
    d.claim("rate:p", "the loss contracts in a step from it", step.rate)
    d.claim("potential:p", "the way of the step is paid for", step.invariant)
    earlier = kernel.hypothesis(after_steps(shift(TIME, -1), paid))
    potentials = kernel.induction(
        "t",
        LAST,
        kernel.descent_start(begun, CENTRE, SAMPLES, paid),
        kernel.descent_step(step.invariant, BEFORE, AFTER, earlier),
    )
    d.claim("potential", "the way of any number of steps is paid for", potentials)
    here = kernel.range_back(kernel.hypothesis(make("range", TIME, 1, LAST)))
    known = kernel.cut(kernel.forall_elim(potentials, shift(TIME, -1)), here)
    rate = d.claim("rate", "the loss after any number of steps", _all_rates(step, known))
    gone = _all_distances(step, known)
    d.claim("distance", "the distance after any number of steps", gone)
    return Descent(potentials, rate, gone)


def _within(point: Term, invariant: Judgement) -> Judgement:
    """A point whose potential is at most ``2 |r_0|`` is in the ball."""
    reach = kernel.hypothesis(radius_formula())
    length = _length(point, _paid(point, invariant))
    return chain(rearranged(length, reach.conclusion.args[0]), reach)


def _paid(point: Term, invariant: Judgement) -> Judgement:
    """``sqrt(mu) |theta - theta_0| <= 2 |r_0|``, part of the potential."""
    part = kernel.at_most_by_form(mul(root(MU), distance(point)), potential(point))
    return chain(part, invariant)


def _all_rates(step: Step, known: Judgement) -> Judgement:
    """``L(theta_t) <= kappa^t L(theta_0)``, from the potential after t - 1 steps."""
    claim = le(loss(STAR), mul(rate_power(TIME), loss(CENTRE)))
    still = kernel.congruence(mul(N, loss(CENTRE)), {N: kernel.symmetry(use("rate_start"))})
    base = kernel.weaken(chain(kernel.by_form(loss(CENTRE), mul(ONE, loss(CENTRE))), still))
    earlier = substitute(claim, {TIME: shift(TIME, -1)})
    before = kernel.hypothesis(substitute(earlier, {STAR: BEFORE}))
    halves = kernel.monotone(mul(rat(1, 2), N), {N: step.rate})
    fallen = restated(halves, loss(AFTER), mul(RATE, loss(BEFORE)))
    more = use("rate_step", bind={INDEX: TIME})
    named = kernel.congruence(mul(N, loss(CENTRE)), {N: kernel.symmetry(more)})
    grown = raised(fallen, mul(RATE, N), {N: before})
    found = chain(rearranged(grown, named.conclusion.args[0]), named)
    return kernel.induction(
        "t",
        LAST,
        kernel.descent_start(base, CENTRE, SAMPLES, substitute(claim, {TIME: 0})),
        kernel.descent_step(
            found, BEFORE, AFTER, known, kernel.hypothesis(after_steps(shift(TIME, -1), earlier))
        ),
    )


def _all_distances(step: Step, known: Judgement) -> Judgement:
    """``|theta_t - theta_0| <= 2 |r_0| / sqrt(mu)``, from the potential after t - 1 steps."""
    bound = mul(rat(2), norm(residual(CENTRE)), root(MU_INVERSE))
    claim = le(distance(STAR), bound)
    _, begun = start()
    base = rearranged(_length(CENTRE, _paid(CENTRE, begun)), bound)
    found = rearranged(_length(AFTER, _paid(AFTER, step.invariant)), bound)
    return kernel.induction(
        "t",
        LAST,
        kernel.descent_start(base, CENTRE, SAMPLES, claim),
        kernel.descent_step(found, BEFORE, AFTER, known),
    )


# -- how far --------------------------------------------------------------------------------------


def _moved_outputs(point: Term) -> Judgement:
    """``|F - F0| <= Gamma |theta - theta_0|`` for a point of the ball."""
    bind: dict[Term, Arg] = {
        POINT_P: point,
        CENTRE_C: CENTRE,
        INPUT_X: SAMPLES,
        real_variable("R"): RADIUS,
        real_variable("c"): SLOPE,
    }
    given = [
        kernel.hypothesis(fact("twice_differentiable", SAMPLES)),
        small_slope(),
        kernel.hypothesis(kernel.in_ball(point, CENTRE, RADIUS)),
    ]
    return use("samples_mean_value", bind=bind, given=given)


def least_distance(point: Term) -> Judgement:
    """``|r_0| <= |r| + Gamma |theta - theta_0|`` for a point of the ball."""
    gap = minus(outputs(point), outputs(CENTRE))
    value = plus(residual(point), make("neg", gap))
    known: Known = {
        norm(residual(point)): reflexive(norm(residual(point))),
        norm(gap): _moved_outputs(point),
    }
    h = hole(value)
    same = kernel.by_form(residual(CENTRE), value)
    return chain(kernel.congruence(norm(h), {h: same}), bound_norm(value, known))


def halved_distance(point: Term) -> Judgement:
    """``|r_0| / (2 Gamma) <= |theta - theta_0|`` where the residual has halved."""
    first = norm(residual(CENTRE))
    half = mul(rat(1, 2), first)
    fallen = kernel.hypothesis(le(norm(residual(point)), half))
    way = mul(SLOPE, distance(point))
    both = raised(least_distance(point), add(N, way), {N: fallen})
    apart = restated(both, add(half, half), add(half, way))
    gone = use("cancel", bind={Z: half, X: half, Y: way}, given=[apart])
    inverse = symbol("slope_inverse")
    scaled = kernel.monotone(mul(inverse, N), {N: gone})
    unit = kernel.hypothesis(eq(mul(SLOPE, inverse), ONE))
    one = kernel.congruence(mul(N, distance(point)), {N: unit})
    end = rearranged(chain(rearranged(scaled, one.conclusion.args[0]), one), distance(point))
    return chain(kernel.by_form(mul(half, inverse), end.conclusion.args[0]), end)


def bend_bound(count: int, point: Term) -> Judgement:
    """``|sum_i r_i H_i| <= sqrt(n) |r| max_i |H_i|``."""
    r = residual(point)
    covector = make("var", "c", "op", r.rows, SCALAR)
    first = use(
        "sample_hessians",
        count,
        bind={covector: r, POINT_P: point},
        given=[kernel.hypothesis(fact("samples", SAMPLES, *map(sample, range(1, count + 1))))],
    )
    total, largest = first.conclusion.args[1].args
    wide = use("one_at_most_two", bind={V: r})
    grown = kernel.monotone(mul(N, largest), {N: wide})
    if total is not norm(r, "1"):
        msg = f"the lemma gave {first.conclusion}"
        raise kernel.KernelError(msg)
    return rearranged(chain(first, grown), mul(*wide.conclusion.args[1].args, largest))


def loss_hessian_bound(count: int, point: Term) -> Judgement:
    """``|J'J + sum_i r_i H_i| <= |J|^2 + sqrt(n) |r| max_i |H_i|``."""
    row = outputs_jacobian(point)
    whole = plus(dot(transpose(row), row), loss_bend(point))
    known: Known = {
        norm(row): reflexive(norm(row)),
        norm(loss_bend(point)): bend_bound(count, point),
    }
    bound = bound_norm(whole, known)
    rest = known[norm(loss_bend(point))].conclusion.args[1]
    return rearranged(at_most(bound), add(squared(norm(row)), rest))


# -- behind a non-linear output, and multiples ----------------------------------------------------


def outer_kernel(point: Term) -> Judgement:
    """``rho^2 lambda_min(K) <= lambda_min(K~)`` for phi(F), rho = min |phi'(F)|."""
    f = outputs(point)
    rule = use(
        "jacobian_pointwise",
        bind={INDEX: OUTER, POINT_P: point, V: f},
        given=[kernel.hypothesis(fact("smooth", OUTER))],
    )
    slopes = make("diag", sigma(OUTER, 1, f))
    k = kernel_matrix(point)
    bind: dict[Term, Arg] = {
        operator_variable(f"A{i}", f"s{i - 1}", f"s{i}"): term
        for i, term in enumerate((slopes, k, slopes), 1)
    }
    least = use("least_product", 3, bind=bind)
    h = hole(rule.conclusion.args[0])
    outer = kernel.congruence(norm(dot(h, transpose(h)), "min"), {h: rule})
    same = kernel.by_form(least.conclusion.args[1], outer.conclusion.args[1])
    rho = norm(slopes, "min")
    left = mul(squared(rho), norm(k, "min"))
    total = chain(least, same, kernel.symmetry(outer))
    return restated(total, left, outer.conclusion.args[0])


def multiple_hessian(point: Term, at: Term) -> Judgement:
    """The Hessian of kappa f is kappa times that of f."""
    f = output(point, at)
    covector = operator_variable("c", "r", SCALAR)
    bind: dict[Term, Arg] = {V: f, POINT_P: point, KAPPA: KAPPA, covector: make("id", SCALAR)}
    return use("hessian_multiple", bind=bind)


def multiple_kernel(point: Term, at: Term, other: Term) -> Judgement:
    """The kernel of kappa f is kappa^2 times that of f."""
    rules, rows = {}, []
    for name, where in (("?x", at), ("?z", other)):
        f = output(point, where)
        rule = use("jacobian_multiple", bind={V: f, POINT_P: point, KAPPA: KAPPA})
        rules[hole(rule.conclusion.args[0], name)] = rule
        rows.append(make("jac", f, point))
    left, right = rules
    both = kernel.congruence(dot(left, transpose(right)), rules)
    value = make("scale", squared(KAPPA), dot(rows[0], transpose(rows[1])))
    return rearranged(both, value)


def multiple_distance(point: Term) -> Judgement:
    """For kappa F: ``|kappa F0 - y| <= |kappa F - y| + kappa Gamma |theta - theta_0|``."""
    moved = _moved_outputs(point)
    gap = minus(outputs(point), outputs(CENTRE))
    labels = make("op", "labels", SAMPLE_SPACE, SCALAR, SAMPLES)
    here, there = (minus(make("scale", KAPPA, outputs(p)), labels) for p in (point, CENTRE))
    value = plus(here, make("neg", make("scale", KAPPA, gap)))
    known: Known = {norm(here): reflexive(norm(here)), norm(gap): moved}
    h = hole(value)
    same = kernel.congruence(norm(h), {h: kernel.by_form(there, value)})
    bound = chain(same, bound_norm(value, known))
    return rearranged(bound, add(norm(here), mul(KAPPA, SLOPE, distance(point))))


__all__ = [
    "Descent",
    "Training",
    "advance",
    "after_steps",
    "bend_bound",
    "descend",
    "descend_forever",
    "halved_distance",
    "least_distance",
    "loss_hessian_bound",
    "multiple_distance",
    "multiple_hessian",
    "multiple_kernel",
    "one_step",
    "outer_kernel",
    "polyak_loss",
]
