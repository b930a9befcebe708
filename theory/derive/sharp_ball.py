"""Level ``layers`` on the ball: the signal followed through what the weights do to it.

As in :mod:`theory.derive.layers`, with two changes.  The signal of layer l-1 moves, where the
slopes of layer l do, by ``W' diag(delta) (sigma'(z) - sigma'(z0)) / sqrt(m_{l-1})``: its Euclidean
norm is at most e_l beta Z_l, its maximum at most p_l beta Z_l, as p_l is the largest row of that
matrix; e and p are of the order of q, but smaller by a factor, and Q_l, the movement of the
maximum, is no longer that of the Euclidean norm.  And ``diag(delta) W`` itself is followed, from
its norm e_l at the centre.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.layers import (
    at_centre,
    bar,
    both_points,
    learn_distance,
    move_forward,
    place_statistic,
    signal_max,
    signal_norm,
    signal_parts,
    smaller,
    statistic,
    top_signal_movement,
)
from theory.derive.tactics import at_most, bound_norm, chain, hole, rearranged, use
from theory.derive.workbench import Derivation
from theory.kernel import Judgement
from theory.lemmas import A, U, V, real_variable, vector_variable
from theory.terms import (
    Term,
    add,
    dot,
    inv_root,
    make,
    minus,
    mul,
    norm,
    plus,
    root,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    RADIUS,
    curvature,
    lipschitz,
    preactivation,
    sigma,
    signal,
    slope,
    weights,
    width,
)


def on_sharp_ball(d: Derivation) -> None:
    """Learn bounds on the norms at every point of the ball, from the statistics at the centre."""
    at_centre(d)
    d.shared = True
    for index in range(2, d.depth + 1):
        own, delta = weights(index, CENTRE), make("diag", signal(index, CENTRE, d.at))
        place_statistic("e", index, norm(dot(delta, own)), d, width(index - 1))
        place_statistic("p", index, norm(_seen(index, d), "2inf"), d, width(index - 1))
        place_statistic("u", index, norm(transpose(own), "2inf"), d, width(index - 1))
    move_forward(d)
    _move_top(d)
    for index in range(d.depth - 1, 0, -1):
        _move_below(index, d)
    for index in range(2, d.depth + 1):
        _weighted(index, d)


def _seen(index: int, d: Derivation) -> Term:
    """W' diag(delta) at the centre, from the slopes of layer l to the signal of layer l-1."""
    delta = make("diag", signal(index, CENTRE, d.at))
    return dot(transpose(weights(index, CENTRE)), delta)


def _move_top(d: Derivation) -> None:
    moved, size = top_signal_movement(d)
    gap = moved.conclusion.args[0]
    learn_distance(d.depth, _of_norm(moved, d), size, d)
    d.learn(chain(use("max_at_most_two", bind={V: gap}), d.known[norm(gap)]))
    signal_norm(d.depth, d)
    signal_max(d.depth, d)


def _of_norm(moved: Judgement, d: Derivation, kind: str = "2") -> Judgement:
    """A bound on the norm of the left side of an equation, from the right side."""
    h = hole(moved.conclusion.args[0])
    start = kernel.congruence(norm(h, kind), {h: moved})
    return chain(start, bound_norm(moved.conclusion.args[1], d.known, kind))


def _move_below(index: int, d: Derivation) -> None:
    """G_l and Q_l, from G_{l+1}, e_{l+1}, p_{l+1} and u_{l+1}."""
    moved = _movement(index, d)
    above = index + 1
    still = above == d.depth and d.readout == "fixed"
    scale = inv_root(width(index))
    first = mul(lipschitz(above), RADIUS, bar("g_bar", above, d), scale)
    turned = mul(curvature(above), bar("Z", above, d))
    sizes = []
    for seen, own in (("e", "s"), ("p", "u")):
        terms = [first, mul(statistic(seen, above, d), turned)]
        if not still:
            reach = mul(lipschitz(above), bar("G", above, d))
            terms.append(mul(statistic(own, above, d), reach))
        sizes.append(add(*terms))
    learn_distance(index, _of_norm(moved, d), sizes[0], d)
    _rows(moved.conclusion.args[1].args[1], d)
    named = d.named(_of_norm(moved, d, "inf"), d.define("Q", (index,), sizes[1]))
    d.learn(named, f"Q:{index}", f"movement of the largest signal of layer {index}")
    signal_norm(index, d)
    moved_size = add(statistic("q", index, d), bar("Q", index, d))
    signal_max(index, d, moved_size, _by_columns(index, d))


def _by_columns(index: int, d: Derivation) -> Judgement:
    """``|delta^l|_inf <= (u + R / sqrt(m_l)) lambda g_bar``, all of layer l+1."""
    above = index + 1
    rule = use(
        "signal_below",
        bind=d.place(above),
        given=[d.fact("dense", above), d.fact("pointwise", above)],
    )
    new, old = weights(above, d.point), weights(above, CENTRE)
    pushed = dot(slope(above, d.point, d.at), signal(above, d.point, d.at))
    still, moving = dot(transpose(old), pushed), dot(transpose(minus(new, old)), pushed)
    _by_rows(still, transpose(old), pushed, d)
    d.learn(chain(use("max_at_most_two", bind={V: moving}), bound_norm(moving, d.known)))
    split = rearranged(rule, make("scale", inv_root(width(index)), plus(still, moving)))
    columns = add(statistic("u", above, d), mul(RADIUS, inv_root(width(index))))
    size = mul(columns, lipschitz(above), bar("g_bar", above, d))
    return rearranged(at_most(_of_norm(split, d, "inf")), size)


def _movement(index: int, d: Derivation) -> Judgement:
    """Delta - delta0 of a layer, as a sum of three.

    ``((W-W0)' D delta + W0' diag(delta0) (s' - s0') + W0' D (delta - delta0)) / sqrt(m)``, where
    on the right all but m is of the layer above.
    """
    above = index + 1
    layer_facts = [d.fact("dense", above), d.fact("pointwise", above)]
    holes = both_points("signal_below", index=above, given=layer_facts, d=d)
    difference = kernel.congruence(minus(*holes), holes)
    far, near = signal_parts(above, d)
    new, old = weights(above, d.point), weights(above, CENTRE)
    slopes = [sigma(above, 1, preactivation(above, p, d.at)) for p in (d.point, CENTRE)]
    swap = use("diagonal_swap", bind={U: minus(*slopes), V: near})
    moving = slope(above, d.point, d.at)
    h = hole(near)
    scale = inv_root(width(index))

    def value(middle: Term) -> Term:
        terms = [
            dot(transpose(minus(new, old)), moving, far),
            dot(transpose(old), middle),
            dot(transpose(old), moving, minus(far, near)),
        ]
        return make("scale", scale, plus(*terms))

    step = kernel.congruence(value(h), {h: swap})
    split = chain(rearranged(difference, step.conclusion.args[0]), step)
    last = split.conclusion.args[1].args[1].args[2]
    kept = [
        dot(transpose(minus(new, old)), moving, far),
        dot(_seen(above, d), minus(*slopes)),
        last,
    ]
    d.learn(_seen_norm(above, d))
    return rearranged(split, make("scale", scale, plus(*kept)))


def _seen_norm(index: int, d: Derivation) -> Judgement:
    """``|W' diag(delta)| = e sqrt(m)``, from the transpose."""
    seen = _seen(index, d)
    other = dot(make("diag", signal(index, CENTRE, d.at)), weights(index, CENTRE))
    h = hole(seen)
    turned = kernel.congruence(norm(h), {h: kernel.by_form(seen, transpose(other))})
    return chain(turned, use("transpose", bind={A: other}), d.known[norm(other)])


def _rows(total: Term, d: Derivation) -> None:
    """Learn the maximum norm of each summand of the movement of a signal."""
    moving, seen, last = total.args
    through = use("max_at_most_two", bind={V: moving})
    d.learn(chain(through, bound_norm(moving, d.known)))
    matrix, vector = seen.args
    _by_rows(seen, matrix, vector, d)
    matrix, *rest = last.args
    _by_rows(last, matrix, dot(*rest), d)


def _by_rows(product: Term, matrix: Term, vector: Term, d: Derivation) -> None:
    if norm(matrix, "2inf") not in d.known:  # the signal above does not move: any bound will do
        through = use("max_at_most_two", bind={V: product})
        d.learn(chain(through, bound_norm(product, d.known)))
        return
    bound = use("row_norm", bind={A: matrix, vector_variable("v", "c"): vector})
    h = hole(product)
    start = kernel.congruence(norm(h, "inf"), {h: kernel.by_form(product, dot(matrix, vector))})
    parts = [d.known[norm(matrix, "2inf")], bound_norm(vector, d.known)]
    spots = {real_variable(f"?{i}"): at_most(p) for i, p in enumerate(parts)}
    d.learn(chain(start, bound, kernel.monotone(mul(*spots), spots)))


def _weighted(index: int, d: Derivation) -> None:
    """``|diag(delta) W| <= e_bar sqrt(m)``, e_bar = min(e + R q/sqrt(m) + s_bar Q, s_bar q_bar)."""
    far, near = signal_parts(index, d)
    new, old = weights(index, d.point), weights(index, CENTRE)
    seen = dot(make("diag", far), new)
    parts = [
        dot(make("diag", near), old),
        dot(make("diag", near), minus(new, old)),
        dot(make("diag", minus(far, near)), new),
    ]
    h = hole(seen)
    start = kernel.congruence(norm(h), {h: kernel.by_form(seen, plus(*parts))})
    split = chain(start, bound_norm(plus(*parts), d.known))
    strength = bar("s_bar", index, d)
    below = width(index - 1)
    moved = mul(RADIUS, statistic("q", index, d), inv_root(below))
    terms = [statistic("e", index, d), moved]
    if index < d.depth:
        terms.append(mul(strength, bar("Q", index, d)))
    elif d.readout == "trained":
        terms.append(mul(strength, bar("G", index, d)))
    through = bound_norm(seen, dict(d.known))
    sizes = [add(*terms), mul(strength, bar("q_bar", index, d))]
    h = real_variable("?")
    scaled = [
        rearranged(kernel.monotone(mul(h, inv_root(below)), {h: at_most(bound)}), size)
        for bound, size in zip((split, through), sizes, strict=True)
    ]
    named = d.named(smaller(*scaled), d.define("e_bar", (index,), make("min", *sizes)))
    grown = kernel.monotone(mul(h, root(below)), {h: named})
    bound = chain(kernel.by_form(norm(seen), grown.conclusion.args[0]), grown)
    d.learn(bound, f"e_bar:{index}", f"weights and signal of layer {index} on the ball")


__all__ = ["on_sharp_ball"]
