"""Bounds on the layer statistics: equal to them at the centre, a recursion on the ball.

theory.md, section 3.  At the centre s, a, g, q are what they are defined to be.  On the ball of
radius R each is replaced by its worst case, from how far pre-activations (Z), activations (E) and
the back-propagated signal (G) can move.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.tactics import at_most, bound_norm, chain, hole, rearranged, rewrite, use
from theory.derive.workbench import Derivation
from theory.kernel import Judgement
from theory.lemmas import POINT_P, POINT_Q, U, V, real_variable
from theory.terms import (
    ZERO,
    Arg,
    Term,
    add,
    dot,
    eq,
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
    READOUT,
    WEIGHT_STATISTICS,
    activation,
    curvature,
    definition,
    input_scale,
    lipschitz,
    preactivation,
    readout_weights,
    sigma,
    signal,
    slope,
    symbol,
    weights,
    width,
)


def at_centre(d: Derivation) -> None:
    """Define s, a, g, q at the centre and learn what they say of the norms there."""
    for index in range(1, d.depth + 1):
        if index > 1 or d.bar:
            place_statistic("s", index, norm(weights(index, CENTRE)), d, width(index - 1))
    for index in range(d.depth):
        place_statistic("a", index, norm(activation(index, CENTRE, d.at)), d, width(index))
    for index in range(1, d.depth + 1):
        place_statistic("g", index, norm(signal(index, CENTRE, d.at)), d)
        place_statistic("q", index, norm(signal(index, CENTRE, d.at), "inf"), d)


def with_slopes(d: Derivation) -> None:
    """Define a, r, h, c at the centre: the statistics that keep each neuron's own slope."""
    for index in range(d.depth):
        place_statistic("a", index, norm(activation(index, CENTRE, d.at)), d, width(index))
    for index in range(1, d.depth + 1):
        if index > 1:
            sloped = dot(weights(index, CENTRE), slope(index - 1, CENTRE, d.at))
            place_statistic("r", index, norm(sloped), d, width(index - 1))
        delta = signal(index, CENTRE, d.at)
        bend = make("diag", sigma(index, 2, preactivation(index, CENTRE, d.at)))
        place_statistic("h", index, norm(dot(slope(index, CENTRE, d.at), delta)), d)
        place_statistic("c", index, norm(dot(bend, delta), "inf"), d)


def statistic(name: str, index: int, d: Derivation) -> Term:
    """The symbol of a layer statistic at the centre; s and u do not depend on the input.

    At a random centre that of its likely bound, and rho for the scale of the input.
    """
    if d.random:
        return input_scale(d.at) if (name, index) == ("a", 0) else bar(f"{name}_hat", index, d)
    tags = () if name in WEIGHT_STATISTICS else (d.at,)
    return symbol(name, index, CENTRE, *tags)


def place_statistic(name: str, index: int, target: Term, d: Derivation, *dimensions: Term) -> None:
    """Define a statistic at the centre; learn that a norm is it times the dimensions' roots."""
    value = definition(name, index, CENTRE, d.at)
    formula = eq(statistic(name, index, d), value)
    d.definitions.append(formula)
    meaning = kernel.hypothesis(formula)
    if not dimensions:
        d.learn(kernel.symmetry(meaning))
        return
    h = real_variable("?")
    scaled = kernel.congruence(mul(h, *map(root, dimensions)), {h: kernel.symmetry(meaning)})
    d.learn(chain(kernel.by_form(target, scaled.conclusion.args[0]), scaled))


# -- the ball -------------------------------------------------------------------------------------


def on_ball(d: Derivation) -> None:
    """Learn bounds on the norms at every point of the ball, from the statistics at the centre.

    At a random centre their likely bounds are known already.
    """
    if not d.random:
        at_centre(d)
    move_forward(d)
    _learn_movement(d.depth, *top_signal_movement(d), d)
    for index in range(d.depth - 1, 0, -1):
        _move_signal(index, d)


def move_forward(d: Derivation) -> None:
    """Learn how far weights, pre-activations, activations and slopes move."""
    weights_on_ball(d)
    inputs_on_ball(d)
    for index in range(1, d.depth + 1):
        move_preactivation(index, d)
        move_activation(index, d)


def bar(name: str, index: int, d: Derivation) -> Term:
    """The symbol of a quantity of the ball, at the input of the derivation."""
    return symbol(name, index, *d.tags)


def define(name: str, index: int, value: Term, d: Derivation) -> Judgement:
    """Define ``name_index`` as the value."""
    return d.define(name, (index,), value)


def block_moves(which: int | str, d: Derivation) -> Judgement:
    """One block of parameters moves at most R."""
    place = {**d.place(0), POINT_Q: CENTRE}
    bind = {k: v for k, v in place.items() if k.head == "point"}
    moved = use(
        "block_distance",
        d.depth,
        d.readout,
        which,
        bind=bind,
        given=[d.fact("parameters", d.depth, d.readout)],
    )
    return chain(moved, kernel.hypothesis(kernel.in_ball(d.point, CENTRE, RADIUS)))


def shifted(far: Term, near: Term, kind: str, d: Derivation) -> Judgement:
    """``|far| <= |near| + |far - near|`` with both parts bounded."""
    split = plus(near, minus(far, near))
    h = hole(far)
    start = kernel.congruence(norm(h, kind), {h: kernel.by_form(far, split)})
    return chain(start, bound_norm(split, d.known, kind))


def scaled_definition(
    name: str,
    index: int,
    value: Term,
    dimensions: tuple[Term, ...],
    bound: Judgement,
    d: Derivation,
) -> Judgement:
    """Name the bound ``c * sqrt(dimension) ...`` by defining c."""
    meaning = define(name, index, value, d)
    h = real_variable("?")
    scaled = kernel.congruence(mul(h, *map(root, dimensions)), {h: kernel.symmetry(meaning)})
    return chain(rearranged(at_most(bound), scaled.conclusion.args[0]), scaled)


def weights_on_ball(d: Derivation) -> None:
    for index in range(1, d.depth + 1):
        far, near = weights(index, d.point), weights(index, CENTRE)
        d.learn(block_moves(index, d))
        if index == 1 and d.random:
            continue  # nothing rests on the norm of the first layer's weights
        value = add(statistic("s", index, d), mul(RADIUS, inv_root(width(index - 1))))
        bound = shifted(far, near, "2", d)
        named = scaled_definition("s_bar", index, value, (width(index - 1),), bound, d)
        d.learn(named, f"s_bar:{index}", f"the weights of layer {index} on the ball")


def inputs_on_ball(d: Derivation) -> None:
    """The input does not move."""
    far, near = activation(0, d.point, d.at), activation(0, CENTRE, d.at)
    same = use("input", bind={**d.place(0), POINT_Q: CENTRE}, given=[d.fact("input")])
    h = hole(far)
    d.learn(chain(kernel.congruence(norm(h), {h: same}), d.known[norm(near)]))
    still = rewrite(
        kernel.congruence(minus(h, near), {h: same}), make("zero", far.rows, far.cols), {}
    )
    spot = hole(far)
    moved = kernel.congruence(norm(spot), {spot: still})
    d.learn(chain(moved, bound_norm(still.conclusion.args[1], d.known)))


def both_points(
    name: str, *parameters: str, index: int, given: list[Judgement], d: Derivation
) -> dict[Term, Judgement]:
    """A lemma of a layer at the point and at the centre, each with a hole for its left side."""
    found = {}
    for i, point in enumerate((d.point, CENTRE)):
        bind = {k: (point if k.head == "point" else v) for k, v in d.place(index).items()}
        meaning = use(name, *parameters, bind=bind, given=given)
        found[hole(meaning.conclusion.args[0], f"?{i}")] = meaning
    return found


def _moved_through(index: int, d: Derivation) -> Judgement:
    """Z - z0 = ((W - W0) alpha0 + W (alpha - alpha0)) / sqrt(m_{l-1})."""
    holes = both_points("preactivation", index=index, given=[d.fact("dense", index)], d=d)
    difference = kernel.congruence(minus(*holes), holes)
    old = activation(index - 1, CENTRE, d.at)
    new = activation(index - 1, d.point, d.at)
    far, near = weights(index, d.point), weights(index, CENTRE)
    value = plus(dot(minus(far, near), old), dot(far, minus(new, old)))
    if index == 1 and d.random:  # the input stays, so that only the weights move
        value = dot(minus(far, near), old)
        difference = with_fixed_input(difference, far, near, d)
    return rearranged(difference, make("scale", inv_root(width(index - 1)), value))


def with_fixed_input(difference: Judgement, far: Term, near: Term, d: Derivation) -> Judgement:
    """z^1 - z0^1 with alpha^0 at the centre for alpha^0 at the point."""
    same = use("input", bind={**d.place(0), POINT_Q: CENTRE}, given=[d.fact("input")])
    new, old = same.conclusion.args
    h, scale = hole(new), inv_root(width(0))
    template = minus(make("scale", scale, dot(far, h)), make("scale", scale, dot(near, old)))
    return rewrite(difference, template, {h: same})


def move_preactivation(index: int, d: Derivation) -> None:
    """``|z - z0| <= Z_l = R a_{l-1} + s_bar_l E_{l-1}``, or less where the blocks share R."""
    moved = _moved_through(index, d)
    if d.shared:
        bound = _shared_movement(index, moved, d)
        if index > 1 and d.sharper is not None:
            bound = smaller(bound, d.sharper(index, d))
        named = d.named(bound, define("Z", index, bound.conclusion.args[1], d))
        d.learn(named, f"Z:{index}", f"movement of the pre-activations of layer {index}")
        return
    h = hole(moved.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: moved})
    bound = chain(start, bound_norm(moved.conclusion.args[1], d.known))
    value = mul(RADIUS, statistic("a", index - 1, d))
    if index > 1:
        value = add(value, mul(bar("s_bar", index, d), bar("E", index - 1, d)))
    named = d.named(bound, define("Z", index, value, d))
    d.learn(named, f"Z:{index}", f"movement of the pre-activations of layer {index}")


def _shared_movement(index: int, moved: Judgement, d: Derivation) -> Judgement:
    """``|z - z0| <= R sqrt(K_{l,1}^2 + ... + K_{l,l}^2)``.

    K_{l,l} = a_{l-1} and K_{l,k} = s_bar_l lambda_{l-1} K_{l-1,k}: W^k moves z^l by K_{l,k} times
    its own distance, and the squares of these distances add up to at most R^2.
    """
    parts = []
    parts_of = [norm(t) for t in (weights(index, d.point), *_below(index, d))]
    known = {size: d.known[size] for size in parts_of if size in d.known}
    own = norm(minus(weights(index, d.point), weights(index, CENTRE)))
    known[own] = kernel.by_form(own, own)
    if index > 1:
        gap = minus(*(activation(index - 1, p, d.at) for p in (d.point, CENTRE)))
        known[norm(gap)] = _activation_movement(index - 1, d.movements[index - 1], d)
    for which in range(1, index + 1):
        value = statistic("a", index - 1, d)
        if which < index:
            value = mul(bar("s_bar", index, d), lipschitz(index - 1), _reach(index - 1, which, d))
        parts.append(d.define("K", (index, which), value))
    h = hole(moved.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: moved})
    bound = chain(start, bound_norm(moved.conclusion.args[1], known))
    distances = [distance_of(which, d) for which in range(1, index + 1)]
    holes = {real_variable(f"?{i}"): kernel.symmetry(p) for i, p in enumerate(parts)}
    total = add(*(mul(spot, size) for spot, size in zip(holes, distances, strict=True)))
    step = kernel.congruence(total, holes)
    d.movements[index] = chain(rearranged(at_most(bound), step.conclusion.args[0]), step)
    return chain(
        d.movements[index], share_distance([_reach(index, k, d) for k in range(1, index + 1)], d)
    )


def _below(index: int, d: Derivation) -> list[Term]:
    """What z^l rests on below: alpha^{l-1} at the centre, and of the input its movement."""
    old = activation(index - 1, CENTRE, d.at)
    return [old] if index > 1 else [old, minus(activation(0, d.point, d.at), old)]


def _reach(index: int, which: int, d: Derivation) -> Term:
    return symbol("K", index, which, *d.tags)


def distance_of(which: int, d: Derivation) -> Term:
    """``|W^k - W0^k|``."""
    return norm(minus(weights(which, d.point), weights(which, CENTRE)))


def share_distance(factors: list[Term], d: Derivation) -> Judgement:
    """``sum_k c_k |W^k - W0^k| <= R sqrt(sum_k c_k^2)``."""
    bind: dict[Term, Arg] = {real_variable(f"kappa{k}"): c for k, c in enumerate(factors, 1)}
    bind |= {POINT_P: d.point, POINT_Q: CENTRE}
    facts = [d.fact("parameters", d.depth, d.readout)]
    split = use("shared_distance", d.depth, d.readout, len(factors), bind=bind, given=facts)
    reach = split.conclusion.args[1].args[0]
    size = mul(RADIUS, reach if len(factors) > 1 else factors[0])
    h = real_variable("?")
    inside = kernel.hypothesis(kernel.in_ball(d.point, CENTRE, RADIUS))
    return rearranged(chain(split, kernel.monotone(mul(reach, h), {h: inside})), size)


def _activation_movement(index: int, gap: Judgement, d: Derivation) -> Judgement:
    """``|alpha - alpha0| <= lambda_l r`` from ``|z - z0| <= r``."""
    far, near = (preactivation(index, p, d.at) for p in (d.point, CENTRE))
    holes = both_points("activation", index=index, given=[d.fact("pointwise", index)], d=d)
    start = kernel.congruence(norm(minus(*holes)), holes)
    mean = mean_value(0, index, far, near, d)
    h = real_variable("?")
    return chain(start, mean, kernel.monotone(mul(lipschitz(index), h), {h: gap}))


def move_activation(index: int, d: Derivation) -> None:
    """``|alpha - alpha0| <= E_l = lambda_l Z_l``, the scale and the slope with it."""
    far, near = (preactivation(index, p, d.at) for p in (d.point, CENTRE))
    gap = d.known[norm(minus(far, near))]
    h = real_variable("?")
    bound = _activation_movement(index, gap, d)
    meaning = define("E", index, mul(lipschitz(index), bar("Z", index, d)), d)
    d.learn(d.named(bound, meaning), f"E:{index}", f"movement of the activations of layer {index}")
    slopes = mean_value(1, index, far, near, d)
    d.learn(chain(slopes, kernel.monotone(mul(curvature(index), h), {h: gap})))
    if index < d.depth:
        alpha, old = activation(index, d.point, d.at), activation(index, CENTRE, d.at)
        value = add(statistic("a", index, d), mul(bar("E", index, d), inv_root(width(index))))
        named = scaled_definition(
            "a_bar", index, value, (width(index),), shifted(alpha, old, "2", d), d
        )
        d.learn(named, f"a_bar:{index}", f"activation scale of layer {index} on the ball")


def mean_value(order: int, index: int, far: Term, near: Term, d: Derivation) -> Judgement:
    bind = {k: v for k, v in d.place(index).items() if k.head == "index"}
    return use(
        "mean_value",
        order,
        bind={**bind, U: far, V: near},
        given=[d.fact("bounded", index, order + 1)],
    )


# -- the back-propagated signal -------------------------------------------------------------------


def signal_parts(index: int, d: Derivation) -> tuple[Term, Term]:
    """Delta^l at the point of the ball and at the centre."""
    return signal(index, d.point, d.at), signal(index, CENTRE, d.at)


def top_signal_movement(d: Derivation) -> tuple[Judgement, Term]:
    """How far the signal at the readout moves.

    ``|delta^L - delta0^L| <= R / sqrt(m_L)`` for a trained readout, 0 for a fixed one.
    """
    premise = d.fact("readout", d.readout, d.depth)
    holes = both_points("signal_top", d.readout, index=d.depth, given=[premise], d=d)
    difference = kernel.congruence(minus(*holes), holes)
    if d.readout == "trained":
        d.learn(block_moves(READOUT, d))
        gap = minus(readout_weights(d.depth, d.point), readout_weights(d.depth, CENTRE))
        value = make("scale", inv_root(width(d.depth)), gap)
        size = mul(RADIUS, inv_root(width(d.depth)))
    else:
        far, _ = signal_parts(d.depth, d)
        value, size = make("zero", far.rows, far.cols), ZERO
    return rearranged(difference, value), size


def _learn_movement(index: int, moved: Judgement, size: Term, d: Derivation) -> None:
    """Learn G_l, and from it the bounds g_bar_l and q_bar_l on the ball."""
    h = hole(moved.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: moved})
    bound = chain(start, bound_norm(moved.conclusion.args[1], d.known))
    learn_distance(index, bound, size, d)
    far, near = signal_parts(index, d)
    gap = minus(far, near)
    d.learn(chain(use("max_at_most_two", bind={V: gap}), d.known[norm(gap)]))
    signal_norm(index, d)
    signal_max(index, d)


def learn_distance(index: int, bound: Judgement, size: Term, d: Derivation) -> None:
    """Learn G_l, the bound on how far the signal moves; nothing where it does not."""
    if size is ZERO:
        d.learn(rearranged(bound, ZERO))
        return
    named = d.named(bound, define("G", index, size, d))
    d.learn(named, f"G:{index}", f"movement of the back-propagated signal of layer {index}")


def moved_by(index: int, name: str, d: Derivation) -> Term:
    """g_l + G_l or q_l + G_l; without G_l where the signal does not move."""
    still = index == d.depth and d.readout == "fixed"
    own = statistic(name, index, d)
    return own if still else add(own, bar("G", index, d))


def signal_norm(index: int, d: Derivation) -> None:
    """``|delta^l| <= g_bar_l = min(g_l + G_l, lambda_{l+1} s_bar_{l+1} g_bar_{l+1})``."""
    far, near = signal_parts(index, d)
    bound = rearranged(at_most(shifted(far, near, "2", d)), moved_by(index, "g", d))
    if index < d.depth:
        other = _propagated(index, d)
        bound = smaller(bound, other)
    named = d.named(bound, define("g_bar", index, bound.conclusion.args[1], d))
    d.learn(named, f"g_bar:{index}", f"back-propagated norm of layer {index} on the ball")


def _propagated(index: int, d: Derivation) -> Judgement:
    """``|delta^l| <= lambda_{l+1} s_bar_{l+1} g_bar_{l+1}`` at the point."""
    above = index + 1
    rule = use(
        "signal_below",
        bind=d.place(above),
        given=[d.fact("dense", above), d.fact("pointwise", above)],
    )
    h = hole(rule.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: rule})
    bound = chain(start, bound_norm(rule.conclusion.args[1], d.known))
    value = mul(lipschitz(above), bar("s_bar", above, d), bar("g_bar", above, d))
    return rearranged(at_most(bound), value)


def smaller(first: Judgement, second: Judgement) -> Judgement:
    """From c <= a and c <= b: c <= min(a, b)."""
    target, left = first.conclusion.args
    right = second.conclusion.args[1]
    bind = {real_variable(n): t for n, t in zip("abc", (left, right, target), strict=True)}
    return use("min_intro", bind=bind, given=[at_most(first), at_most(second)])


def signal_max(
    index: int, d: Derivation, size: Term | None = None, other: Judgement | None = None
) -> None:
    """``|delta^l|_inf <= q_bar_l = min(q_l + G_l, g_bar_l)``, or with Q_l for G_l.

    Args:
        index: the layer.
        d: the derivation.
        size: what bounds the movement; by default q_l + G_l.
        other: another bound, which joins the minimum.
    """
    far, near = signal_parts(index, d)
    size = moved_by(index, "q", d) if size is None else size
    moved = rearranged(at_most(shifted(far, near, "inf", d)), size)
    through = chain(use("max_at_most_two", bind={V: far}), d.known[norm(far)])
    bound = smaller(moved, through)
    if other is not None:
        bound = smaller(bound, other)
    named = d.named(bound, define("q_bar", index, bound.conclusion.args[1], d))
    d.learn(named, f"q_bar:{index}", f"back-propagated maximum of layer {index} on the ball")


def _move_signal(index: int, d: Derivation) -> None:
    """G_l = lambda R g / sqrt(m_l) + beta s_bar Z q + lambda s_bar G, all of layer l+1."""
    above = index + 1
    layer_facts = [d.fact("dense", above), d.fact("pointwise", above)]
    holes = both_points("signal_below", index=above, given=layer_facts, d=d)
    difference = kernel.congruence(minus(*holes), holes)
    far, near = signal_parts(above, d)
    new, old = weights(above, d.point), weights(above, CENTRE)
    slopes = [sigma(above, 1, preactivation(above, p, d.at)) for p in (d.point, CENTRE)]
    bent = dot(make("diag", minus(*slopes)), near)
    value = plus(
        dot(transpose(minus(new, old)), slope(above, CENTRE, d.at), near),
        dot(transpose(new), bent),
        dot(transpose(new), slope(above, d.point, d.at), minus(far, near)),
    )
    moved = rearranged(difference, make("scale", inv_root(width(index)), value))
    hoelder = use("diagonal_two", bind={U: minus(*slopes), V: near})
    parts = [d.known[norm(minus(*slopes))], d.known[norm(near, "inf")]]
    spots = {real_variable(f"?{i}"): p for i, p in enumerate(parts)}
    d.learn(chain(hoelder, kernel.monotone(mul(*spots), spots)))
    _learn_movement(index, moved, _movement(index, d), d)


def _movement(index: int, d: Derivation) -> Term:
    above = index + 1
    strength = bar("s_bar", above, d)
    terms = [
        mul(lipschitz(above), RADIUS, statistic("g", above, d), inv_root(width(index))),
        mul(curvature(above), strength, bar("Z", above, d), statistic("q", above, d)),
    ]
    if above < d.depth or d.readout == "trained":
        terms.append(mul(lipschitz(above), strength, bar("G", above, d)))
    return add(*terms)


__all__ = [
    "at_centre",
    "bar",
    "block_moves",
    "both_points",
    "define",
    "distance_of",
    "learn_distance",
    "move_forward",
    "moved_by",
    "on_ball",
    "place_statistic",
    "scaled_definition",
    "share_distance",
    "shifted",
    "signal_max",
    "signal_norm",
    "signal_parts",
    "smaller",
    "statistic",
    "top_signal_movement",
    "with_fixed_input",
    "with_slopes",
]
