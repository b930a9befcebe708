"""Bounds on the statistics of a graph's nodes: equal to them at the centre, recursions on the ball.

As :mod:`theory.derive.layers` does for dense layers: on the ball of radius R, mu_n bounds how far
the value of node n moves and G_n how far delta^n does, each from its neighbours by the rule of the
node between them.
"""

from __future__ import annotations

from fractions import Fraction

from theory import kernel
from theory.derive.graph_bench import GraphDerivation
from theory.derive.graphs import learn_links
from theory.derive.tactics import at_most, bound_norm, chain, hole, rearranged, rewrite, use
from theory.graph_terms import block_of, contraction_constant, link_constant
from theory.kernel import Judgement
from theory.lemmas import (
    INDEX,
    INPUT_X,
    POINT_P,
    POINT_Q,
    A,
    U,
    V,
    real_variable,
    space_variable,
    vector_variable,
)
from theory.terms import (
    ONE,
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
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    RADIUS,
    curvature,
    lipschitz,
    parameters,
    sigma,
    symbol,
)


def at_centre(d: GraphDerivation) -> None:
    """Define s, b, x, q at the centre where the bound needs them, and g for a ball."""
    for node in d.nodes("bilinear"):
        _learn_statistic("own_norm", node, d)
        if d.sources[d.parent(node)]:
            _learn_statistic("node_norm", node, d)
            _learn_statistic("mixed_norm", node, d)
    for node in range(d.shape.last + 1):
        if d.sources[node] and d.bar:
            _learn_statistic("g", node, d)
        if d.sources[node] and d.shape.kinds[node] == "pointwise":
            _learn_statistic("q", node, d)


def statistic(name: str, node: int, d: GraphDerivation) -> Term:
    """The symbol of a statistic at the centre; the norm of a map depends on no input."""
    if name == "node_norm":
        return symbol(name, node, CENTRE)
    return symbol(name, node, CENTRE, d.at)


def _learn_statistic(name: str, node: int, d: GraphDerivation) -> None:
    formula = eq(statistic(name, node, d), d.shape.definition(name, node, CENTRE, d.at))
    d.definitions.append(formula)
    d.learn(kernel.symmetry(kernel.hypothesis(formula)))


# -- the ball: values -----------------------------------------------------------------------------


def on_ball(d: GraphDerivation) -> None:
    """Learn bounds on the norms at every point of the ball, from the statistics at the centre."""
    at_centre(d)
    learn_links(d)
    for node in range(d.shape.last + 1):
        if d.shape.kinds[node] == "bilinear":
            _move_map(node, d)
            _move_own(node, d)
        _move_value(node, d)
    for node in range(d.shape.last, 0, -1):
        if d.sources[node]:
            _move_signal(node, d)
    for node in d.nodes("bilinear"):
        if d.sources[d.parent(node)]:
            _move_mixed(node, d)


def _bar(name: str, node: int, d: GraphDerivation) -> Term:
    return symbol(name, node, CENTRE, d.at)


def _shifted(far: Term, near: Term, kind: str, d: GraphDerivation) -> Judgement:
    """``|far| <= |near| + |far - near|`` with both parts bounded."""
    split = plus(near, minus(far, near))
    h = hole(far)
    start = kernel.congruence(norm(h, kind), {h: kernel.by_form(far, split)})
    return chain(start, bound_norm(split, d.known, kind))


def _move_map(node: int, d: GraphDerivation) -> None:
    """``|A - A0| <= tau R`` and ``|A| <= s_bar = s + tau R``."""
    p = d.parent(node)
    far, near = (d.shape.map(node, q) for q in (d.point, CENTRE))
    moved = d.rule("node_map_distance", node, bind={POINT_Q: CENTRE})
    inside = kernel.hypothesis(kernel.in_ball(d.point, CENTRE, RADIUS))
    h = real_variable("?")
    tau = contraction_constant(node)
    d.learn(chain(moved, kernel.monotone(mul(tau, h), {h: inside})))
    if not d.sources[p]:
        return
    value = add(statistic("node_norm", node, d), mul(tau, RADIUS))
    meaning = d.define("node_norm_bar", (node,), value)
    named = d.named(_shifted(far, near, "2", d), meaning)
    d.learn(named, f"node_norm_bar:{node}", f"the map of node {node} on the ball")


def _move_own(node: int, d: GraphDerivation) -> None:
    """``|B| <= b_bar = b + tau mu_p``, and ``|Pi (theta - theta_0)| <= R``."""
    p = d.parent(node)
    far, near = (d.shape.own(node, q, d.at) for q in (d.point, CENTRE))
    moved = d.rule("own_distance", node, bind={POINT_Q: CENTRE})
    tau = contraction_constant(node)
    h = real_variable("?")
    gap = d.known[norm(minus(d.value(p), d.value(p, CENTRE)))]
    d.learn(chain(moved, kernel.monotone(mul(tau, h), {h: gap})))
    value = statistic("own_norm", node, d)
    if d.sources[p]:
        value = add(value, mul(tau, _bar("move", p, d)))
    named = d.named(_shifted(far, near, "2", d), d.define("own_norm_bar", (node,), value))
    title = f"the derivative of node {node} by its own weights on the ball"
    d.learn(named, f"own_norm_bar:{node}", title)
    d.learn(projection_bound(node, d))
    step = minus(parameters(d.point), parameters(CENTRE))
    d.known[norm(step)] = kernel.hypothesis(kernel.in_ball(d.point, CENTRE, RADIUS))


def projection_bound(node: int, d: GraphDerivation) -> Judgement:
    """``|Pi_n| <= 1``, from ``Pi_n Pi_n' = I``."""
    projection = block_of(node)
    own = d.rule("graph_coordinates", node, node)
    h = hole(own.conclusion.args[0])
    unit = kernel.congruence(norm(h), {h: own})
    one = use("identity", bind={space_variable("r"): projection.rows})
    square = at_most(chain(kernel.symmetry(use("gram", bind={A: projection})), unit, one))
    s = real_variable("?s")
    root = kernel.monotone(power(s, Fraction(1, 2)), {s: square})
    tidy = kernel.by_form(norm(projection), root.conclusion.args[0])
    return rearranged(chain(tidy, root), ONE)


def _move_mixed(node: int, d: GraphDerivation) -> None:
    """``|sum_k delta_k T_k| <= x_bar = min(x + tau G, tau g_bar)``."""
    far, near = (d.shape.mixed(node, q, d.at) for q in (d.point, CENTRE))
    deltas = [d.delta(node, q) for q in (d.point, CENTRE)]
    names = (vector_variable(n, d.shape.space(node)) for n in "cd")
    moved = d.rule("form_distance", node, bind=dict(zip(names, deltas, strict=True)))
    tau = contraction_constant(node)
    h = real_variable("?")
    gap = d.known[norm(minus(*deltas))]
    d.learn(chain(moved, kernel.monotone(mul(tau, h), {h: gap})))
    own = statistic("mixed_norm", node, d)
    value = own if _still(node, d) else add(own, mul(tau, _bar("G", node, d)))
    first = rearranged(at_most(_shifted(far, near, "2", d)), value)
    covector = {vector_variable("c", d.shape.space(node)): deltas[0]}
    through = d.rule("form_bound", node, bind=covector)
    size = d.known[norm(deltas[0])]
    second = chain(through, kernel.monotone(mul(tau, h), {h: size}))
    bound = _smaller(first, second)
    named = d.named(bound, d.define("mixed_norm_bar", (node,), bound.conclusion.args[1]))
    title = f"the mixed derivative by W^{node} and the value below it on the ball"
    d.learn(named, f"mixed_norm_bar:{node}", title)


def _sides(name: str, node: int, d: GraphDerivation) -> dict[Term, Judgement]:
    """A lemma at the point and at the centre, by holes for the two left sides."""
    rules = [d.rule(name, node, point=p) for p in (d.point, CENTRE)]
    return {hole(r.conclusion.args[0], f"?{i}"): r for i, r in enumerate(rules)}


def _move_value(node: int, d: GraphDerivation) -> None:
    """Learn that the value of a node stays, or by how much it moves, and how large it is then."""
    if not d.sources[node]:
        _stays(node, d)
        return
    if d.shape.kinds[node] == "pointwise":
        bound = _moved_pointwise(node, d)
    else:
        moved = _difference(node, d)
        h = hole(moved.conclusion.args[0])
        start = kernel.congruence(norm(h), {h: moved})
        bound = chain(start, bound_norm(moved.conclusion.args[1], d.known))
    named = d.named(bound, d.define("move", (node,), _movement(node, d)))
    d.learn(named, f"mu:{node}", f"movement of the value of node {node}")


def _stays(node: int, d: GraphDerivation) -> None:
    """A node with no weights below it has the same value everywhere."""
    far, near = d.value(node), d.value(node, CENTRE)
    same = d.still[node] = _same(node, d)
    h = hole(far)
    gap = rearranged(kernel.congruence(minus(h, near), {h: same}), make("zero", far.rows, far.cols))
    spot = hole(gap.conclusion.args[0])
    nothing = bound_norm(gap.conclusion.args[1], d.known)
    d.learn(chain(kernel.congruence(norm(spot), {spot: gap}), nothing))


def _same(node: int, d: GraphDerivation) -> Judgement:
    """alpha^n = alpha^n_0, from the same of the parents."""
    kind = d.shape.kinds[node]
    if kind == "input":
        bind = {POINT_P: d.point, POINT_Q: CENTRE, INPUT_X: d.at}
        return use("input", bind=bind, given=[d.fact("input")])
    here, there = (d.rule(f"node_{kind}", node, point=p) for p in (d.point, CENTRE))
    parents = d.shape.parents[node]
    holes = {hole(d.value(p), f"?{p}"): d.still[p] for p in parents}
    spots = dict(zip(dict.fromkeys(parents), holes, strict=True))
    if kind == "pointwise":
        template = sigma(node, 0, spots[parents[0]])
    else:
        template = plus(*(dot(d.shape.link(node, j), spots[p]) for j, p in enumerate(parents)))
    return chain(here, kernel.congruence(template, holes), kernel.symmetry(there))


def _difference(node: int, d: GraphDerivation) -> Judgement:
    """alpha^n - alpha^n_0 from those of the parents, for a bilinear or a linear node."""
    kind = d.shape.kinds[node]
    holes = _sides(f"node_{kind}", node, d)
    difference = kernel.congruence(minus(*holes), holes)
    gaps = {p: minus(d.value(p), d.value(p, CENTRE)) for p in d.shape.parents[node]}
    if kind == "linear":
        parts = [dot(d.shape.link(node, j), gaps[p]) for j, p in enumerate(d.shape.parents[node])]
        return rearranged(difference, plus(*parts))
    p = d.parent(node)
    new, old = (d.shape.map(node, q) for q in (d.point, CENTRE))
    turned = d.rule("own_step", node, bind={POINT_Q: CENTRE})
    t = hole(turned.conclusion.args[0], "?t")
    if d.sources[p]:
        return rewrite(difference, plus(t, dot(new, gaps[p])), {t: turned})
    h = hole(d.value(p))
    kept = minus(dot(new, h), dot(old, d.value(p, CENTRE)))
    return rewrite(rewrite(difference, kept, {h: d.still[p]}), t, {t: turned})


def _moved_pointwise(node: int, d: GraphDerivation) -> Judgement:
    """The mean value theorem for the node's value, and for its slopes."""
    p = d.parent(node)
    far, near = d.value(p), d.value(p, CENTRE)
    gap = d.known[norm(minus(far, near))]
    holes = _sides("node_pointwise", node, d)
    start = kernel.congruence(norm(minus(*holes)), holes)
    h = real_variable("?")
    bind = {INDEX: node, U: far, V: near}
    value = use("mean_value", 0, bind=bind, given=[d.fact("bounded", node, 1)])
    bound = chain(start, value, kernel.monotone(mul(lipschitz(node), h), {h: gap}))
    slopes = use("mean_value", 1, bind=bind, given=[d.fact("bounded", node, 2)])
    d.learn(chain(slopes, kernel.monotone(mul(curvature(node), h), {h: gap})))
    return bound


def _movement(node: int, d: GraphDerivation) -> Term:
    """mu_n: ``b R + s_bar mu_p``, ``lambda mu_p``, or ``sum_j ell_j mu_j``."""
    parents = d.shape.parents[node]
    moving = [p for p in parents if d.sources[p]]
    match d.shape.kinds[node]:
        case "bilinear":
            (p,) = parents
            value = mul(statistic("own_norm", node, d), RADIUS)
            if not moving:
                return value
            return add(value, mul(_bar("node_norm_bar", node, d), _bar("move", p, d)))
        case "pointwise":
            return mul(lipschitz(node), _bar("move", parents[0], d))
    slots = enumerate(parents)
    return add(*(mul(link_constant(node, j), _bar("move", p, d)) for j, p in slots if p in moving))


# -- the ball: the back-propagated signal ---------------------------------------------------------


def _still(node: int, d: GraphDerivation) -> bool:
    """Whether delta^n does not move: above it are fixed maps only."""
    return all(
        d.shape.kinds[child] == "linear" and _still(child, d) for child, _ in d.shape.children(node)
    )


def _move_signal(node: int, d: GraphDerivation) -> None:
    """Learn G_n, and from it g_bar_n and, for a pointwise node, q_bar_n on the ball."""
    moved = _signal_difference(node, d)
    h = hole(moved.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: moved})
    bound = chain(start, bound_norm(moved.conclusion.args[1], d.known))
    if _still(node, d):
        d.learn(bound)
    else:
        named = d.named(bound, d.define("G", (node,), _signal_movement(node, d)))
        d.learn(named, f"G:{node}", f"movement of the back-propagated signal at node {node}")
    _signal_norm(node, d)
    if d.shape.kinds[node] == "pointwise":
        gap = minus(d.delta(node), d.delta(node, CENTRE))
        d.learn(chain(use("max_at_most_two", bind={V: gap}), d.known[norm(gap)]))
        _signal_max(node, d)


def _signal_difference(node: int, d: GraphDerivation) -> Judgement:
    """delta^n - delta^n_0 from those of the children."""
    if node == d.shape.last:
        rules = [d.rule("signal_output", point=p) for p in (d.point, CENTRE)]
        holes = {hole(r.conclusion.args[0], f"?{i}"): r for i, r in enumerate(rules)}
        far = d.delta(node)
        difference = kernel.congruence(minus(*holes), holes)
        return rearranged(difference, make("zero", far.rows, far.cols))
    holes = _sides("signal_node", node, d)
    difference = kernel.congruence(minus(*holes), holes)
    parts: list[Term] = []
    for child, slot in d.shape.children(node):
        parts += _through(node, child, slot, d)
    return rearranged(difference, plus(*parts))


def _through(node: int, child: int, slot: int, d: GraphDerivation) -> list[Term]:
    """What a child adds to ``delta^n - delta^n_0``."""
    far, near = d.delta(child), d.delta(child, CENTRE)
    gap = minus(far, near)
    match d.shape.kinds[child]:
        case "bilinear":
            new, old = (d.shape.map(child, p) for p in (d.point, CENTRE))
            return [dot(transpose(minus(new, old)), near), dot(transpose(new), gap)]
        case "pointwise":
            slopes = [sigma(child, 1, d.value(node, p)) for p in (d.point, CENTRE)]
            bent = make("diag", minus(*slopes))
            hoelder = use("diagonal_two", bind={U: minus(*slopes), V: near})
            known = [d.known[norm(minus(*slopes))], d.known[norm(near, "inf")]]
            spots = {real_variable(f"?{i}"): k for i, k in enumerate(known)}
            d.learn(chain(hoelder, kernel.monotone(mul(*spots), spots)))
            return [dot(bent, near), dot(make("diag", slopes[0]), gap)]
    return [dot(transpose(d.shape.link(child, slot)), gap)]


def _signal_movement(node: int, d: GraphDerivation) -> Term:
    """G_n: over the children ``tau R g + s_bar G``, ``beta mu_n q + lambda G``, ``ell G``."""
    terms: list[Term] = []
    for child, slot in d.shape.children(node):
        own = [] if _still(child, d) else [_bar("G", child, d)]
        match d.shape.kinds[child]:
            case "bilinear":
                terms.append(mul(contraction_constant(child), RADIUS, statistic("g", child, d)))
                terms += [mul(_bar("node_norm_bar", child, d), g) for g in own]
            case "pointwise":
                size = (curvature(child), _bar("move", node, d), statistic("q", child, d))
                terms.append(mul(*size))
                terms += [mul(lipschitz(child), g) for g in own]
            case _:
                terms += [mul(link_constant(child, slot), g) for g in own]
    return add(*terms)


def _moved_by(name: str, node: int, d: GraphDerivation) -> Term:
    own = statistic(name, node, d)
    return own if _still(node, d) else add(own, _bar("G", node, d))


def _signal_norm(node: int, d: GraphDerivation) -> None:
    """``|delta^n| <= g_bar_n = min(g_n + G_n, sum over children of (step) g_bar)``."""
    far, near = d.delta(node), d.delta(node, CENTRE)
    bound = rearranged(at_most(_shifted(far, near, "2", d)), _moved_by("g", node, d))
    if node < d.shape.last:
        bound = _smaller(bound, _propagated(node, d))
    named = d.named(bound, d.define("g_bar", (node,), bound.conclusion.args[1]))
    d.learn(named, f"g_bar:{node}", f"back-propagated norm of node {node} on the ball")


def _propagated(node: int, d: GraphDerivation) -> Judgement:
    """``|delta^n|`` at the point from the signals of the children there."""
    rule = d.rule("signal_node", node)
    h = hole(rule.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: rule})
    bound = chain(start, bound_norm(rule.conclusion.args[1], d.known))
    terms = []
    for child, slot in d.shape.children(node):
        match d.shape.kinds[child]:
            case "bilinear":
                size = _bar("node_norm_bar", child, d)
            case "pointwise":
                size = lipschitz(child)
            case _:
                size = link_constant(child, slot)
        terms.append(mul(size, _bar("g_bar", child, d)))
    return rearranged(at_most(bound), add(*terms))


def _smaller(first: Judgement, second: Judgement) -> Judgement:
    """From c <= a and c <= b: c <= min(a, b)."""
    target, left = first.conclusion.args
    right = second.conclusion.args[1]
    bind = {real_variable(n): t for n, t in zip("abc", (left, right, target), strict=True)}
    return use("min_intro", bind=bind, given=[at_most(first), at_most(second)])


def _signal_max(node: int, d: GraphDerivation) -> None:
    """``|delta^n|_inf <= q_bar_n = min(q_n + G_n, g_bar_n)``."""
    far, near = d.delta(node), d.delta(node, CENTRE)
    moved = rearranged(at_most(_shifted(far, near, "inf", d)), _moved_by("q", node, d))
    through = chain(use("max_at_most_two", bind={V: far}), d.known[norm(far)])
    bound = _smaller(moved, through)
    named = d.named(bound, d.define("q_bar", (node,), bound.conclusion.args[1]))
    d.learn(named, f"q_bar:{node}", f"back-propagated maximum of node {node} on the ball")


__all__ = ["at_centre", "on_ball", "statistic"]
