"""The exact Hessian of any graph of elementary maps, and its bound at a point.

theory.md, section 3, for every architecture at once.  From the output down, each node hands
``<delta^n, d2 alpha^n>`` on to its parents and leaves behind what it bends itself::

    H = sum_{pointwise n} J_p' diag(sigma''(alpha^p) delta^n) J_p
        + sum_{bilinear n} (X_n + X_n'),   X_n = Pi_n' (sum_k delta^n_k T^n_k) J_p,

with p the parent of n and ``J_p = dalpha^p``.  The bound follows as for dense layers: P_{n,k} for
the Jacobian blocks, M_{k,k'} for those of the Hessian, and the norm of the matrix M.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from theory import kernel
from theory.derive.graph_bench import GraphDerivation, GraphError
from theory.derive.tactics import (
    at_most,
    bound_norm,
    chain,
    hole,
    joined_blocks,
    rearranged,
    rewrite,
    use,
)
from theory.derive.workbench import Claim
from theory.graph_terms import block_of, link_constant
from theory.kernel import Judgement
from theory.lemmas import INDEX, INPUT_X, POINT_P, A, V, operator_variable, vector_variable
from theory.terms import PARAMS, Arg, Term, add, dot, make, mul, norm, plus, transpose
from theory.vocabulary import CENTRE, curvature, hessian, lipschitz, sigma, symbol

# -- the exact Hessian ----------------------------------------------------------------------------


def require_alive(d: GraphDerivation) -> None:
    """Refuse a graph with a node that the output does not depend on.

    Raises:
        GraphError: naming the first such node.
    """
    used = {d.shape.last}
    for node in range(d.shape.last, 0, -1):
        if node not in used:
            msg = (
                f"node {node} ({d.shape.kinds[node]}) does not reach the output, node "
                f"{d.shape.last}; leave it out of the network"
            )
            raise GraphError(msg)
        used |= set(d.shape.parents[node])


def hessian_identity(d: GraphDerivation) -> Judgement:
    """``H`` as the sum of what every node bends, at the derivation's point.

    Source: theory.md, section 3; Zhu, Liu and Belkin 2022, Section 3.1 (the recursion).
    """
    require_alive(d)
    last = d.shape.last
    top = d.rule("hessian_output")
    c = hole(d.delta(last))
    named = kernel.congruence(
        make("hess", c, d.value(last), d.point), {c: kernel.symmetry(d.rule("signal_output"))}
    )
    total = chain(top, named)
    done: list[Term] = []
    pending: dict[int, list[Term]] = {last: [d.delta(last)]}
    for node in range(last, 0, -1):
        rest = [
            make("hess", covector, d.value(n), d.point)
            for n, covectors in pending.items()
            if n != node
            for covector in covectors
        ]
        if node != last:
            total = _collected(node, total, [*done, *rest], d)
        del pending[node]
        total = _expanded(node, total, done, rest, pending, d)
    d.claims.append(Claim(f"identity{d.bar}", "the exact Hessian", total))
    return total


def _collected(node: int, total: Judgement, others: list[Term], d: GraphDerivation) -> Judgement:
    """Join what the children handed on: their covectors add up to delta^n."""
    meaning = kernel.symmetry(d.rule("signal_node", node))
    c = hole(d.delta(node))
    template = plus(*others, make("hess", c, d.value(node), d.point))
    return rewrite(total, template, {c: meaning})


def _expanded(
    node: int,
    total: Judgement,
    done: list[Term],
    rest: list[Term],
    pending: dict[int, list[Term]],
    d: GraphDerivation,
) -> Judgement:
    """Unfold ``<delta^n, d2 alpha^n>`` by the node's rule; what reaches the input vanishes."""
    rule = _second_rule(node, d)
    h = hole(rule.conclusion.args[0])
    total = rewrite(total, plus(*done, *rest, h), {h: rule})
    right = rule.conclusion.args[1]
    terms = right.args if right.head == "plus" else (right,)
    done += [term for term in terms if term.head != "hess"]
    inner = [term for term in terms if term.head == "hess"]
    ended = [term for term in inner if term.args[1] is d.value(0)]
    for term in inner:
        if term not in ended:
            pending.setdefault(term.args[1].args[3], []).append(term.args[0])
    if not ended:
        return total
    holes = {hole(term, f"?{i}"): _ended(term, d) for i, term in enumerate(ended)}
    kept = [*done, *rest, *(term for term in inner if term not in ended)]
    total = rewrite(total, plus(*kept, *holes), holes)
    return rearranged(total, plus(*kept) if kept else make("zero", PARAMS, PARAMS))


def _ended(term: Term, d: GraphDerivation) -> Judgement:
    """``<c, d2 alpha^0> = 0``: the input does not depend on the parameters."""
    bind = {**_place(d), **_covector(0, term.args[0], d)}
    return use("hessian_input", bind=bind, given=[d.fact("input")])


def _place(d: GraphDerivation) -> dict[Term, Arg]:
    return {POINT_P: d.point, INPUT_X: d.at}


def _covector(node: int, value: Term, d: GraphDerivation) -> dict[Term, Arg]:
    """The value for the covector of a lemma about a node."""
    return {vector_variable("c", d.shape.space(node)): value}


def _second_rule(node: int, d: GraphDerivation) -> Judgement:
    """``<delta^n, d2 alpha^n>`` by the rule of the node."""
    delta = d.delta(node)
    kind = d.shape.kinds[node]
    if kind != "pointwise":
        return d.rule(f"hessian_{kind}", node, bind=_covector(node, delta, d))
    below = d.value(d.parent(node))
    h = hole(below)
    meaning = d.rule("node_pointwise", node)
    inside = kernel.congruence(make("hess", delta, h, d.point), {h: meaning})
    place: dict[Term, Arg] = {INDEX: node, POINT_P: d.point, V: below}
    bent = use(
        "hessian_pointwise",
        bind={**place, vector_variable("c"): delta},
        given=[d.fact("smooth", node)],
    )
    return chain(inside, bent)


# -- Jacobian blocks ------------------------------------------------------------------------------


def node_jacobian(node: int, d: GraphDerivation) -> Judgement:
    """dalpha^n in terms of the Jacobians of its parents."""
    match d.shape.kinds[node]:
        case "input":
            return use("jacobian_input", bind=_place(d), given=[d.fact("input")])
        case "bilinear":
            return d.rule("jacobian_bilinear", node)
        case "linear":
            return d.rule("jacobian_linear", node)
    below = d.value(d.parent(node))
    h = hole(below)
    inside = kernel.congruence(make("jac", h, d.point), {h: d.rule("node_pointwise", node)})
    bind = {INDEX: node, POINT_P: d.point, V: below}
    return chain(inside, use("jacobian_pointwise", bind=bind, given=[d.fact("smooth", node)]))


def jacobian_block(node: int, which: int, d: GraphDerivation) -> Term:
    """dalpha^n/dW^k as an operator."""
    return dot(make("jac", d.value(node), d.point), transpose(block_of(which)))


def split_jacobian(node: int, which: int, d: GraphDerivation) -> Judgement:
    """dalpha^n/dW^k from those of the parents; zero where no path leads from k to n."""
    known = d.jacobians.get((node, which))
    if known is not None:
        return known
    full = node_jacobian(node, d)
    h = hole(full.conclusion.args[0])
    placed = kernel.congruence(dot(h, transpose(block_of(which))), {h: full})
    holes: dict[Term, Judgement] = {}
    parts = [
        dot(step, _or_zero(p, which, holes, d)) for p, step in steps_from_parents(node, d).items()
    ]
    if d.shape.kinds[node] == "bilinear":
        parts.insert(0, dot(d.shape.own(node, d.point, d.at), _pair(node, which, holes, d)))
    value = _jacobian_value(node, which, d)
    if holes:
        placed = rewrite(placed, plus(*parts), holes)
    found = d.jacobians[node, which] = rearranged(placed, value)
    if value.head == "zero" and node:
        title = f"alpha^{node} does not depend on W^{which}"
        d.claims.append(Claim(f"zero{d.bar}:{node},{which}", title, found))
    return found


def steps_from_parents(node: int, d: GraphDerivation) -> dict[int, Term]:
    """For each parent the derivative of the node's value by the parent's."""
    parents = d.shape.parents[node]
    match d.shape.kinds[node]:
        case "input":
            return {}
        case "bilinear":
            return {parents[0]: d.shape.map(node, d.point)}
        case "pointwise":
            return {parents[0]: make("diag", sigma(node, 1, d.value(parents[0])))}
    found: dict[int, Term] = {}
    for slot, p in enumerate(parents):
        own = d.shape.link(node, slot)
        found[p] = plus(found[p], own) if p in found else own
    return found


def _or_zero(node: int, which: int, holes: dict[Term, Judgement], d: GraphDerivation) -> Term:
    """A Jacobian block, or a hole where it is known to vanish."""
    if which in d.sources[node]:
        return jacobian_block(node, which, d)
    known = split_jacobian(node, which, d)
    spot = hole(known.conclusion.args[0], f"j{node},{which}")
    holes[spot] = known
    return spot


def _pair(row: int, col: int, holes: dict[Term, Judgement], d: GraphDerivation) -> Term:
    """A hole for ``Pi_k Pi_k'^T``, the identity or zero."""
    known = d.pairs.get((row, col))
    if known is None:
        known = d.pairs[row, col] = d.rule("graph_coordinates", row, col)
    spot = hole(known.conclusion.args[0], f"q{row},{col}")
    holes[spot] = known
    return spot


def _jacobian_value(node: int, which: int, d: GraphDerivation) -> Term:
    """What dalpha^n/dW^k equals."""
    if which == node:
        return d.shape.own(node, d.point, d.at)
    parts = [
        dot(step, jacobian_block(p, which, d))
        for p, step in steps_from_parents(node, d).items()
        if which in d.sources[p]
    ]
    return plus(*parts) if parts else make("zero", d.shape.space(node), block_of(which).rows)


def bound_jacobian(node: int, which: int, d: GraphDerivation) -> Term:
    """Define P_{n,k}, show that it bounds dalpha^n/dW^k, and return it; k has a path to n."""
    target = norm(jacobian_block(node, which, d))
    name = symbol(f"reach{d.bar}", node, which, CENTRE, d.at)
    if target in d.known:
        return name
    sources = [p for p in steps_from_parents(node, d) if which in d.sources[p]]
    below = {p: bound_jacobian(p, which, d) for p in sources}
    value = split_jacobian(node, which, d)
    h = hole(jacobian_block(node, which, d))
    start = kernel.congruence(norm(h), {h: value})
    bound = chain(start, bound_norm(value.conclusion.args[1], d.known))
    definition = d.define(f"reach{d.bar}", (node, which), _reach(node, which, below, d))
    title = f"the Jacobian of alpha^{node} by W^{which}"
    d.learn(d.named(bound, definition), f"reach{d.bar}:{node},{which}", title)
    return name


def _reach(node: int, which: int, below: dict[int, Term], d: GraphDerivation) -> Term:
    """P_{n,k}: b_n for the node's own weights, else the parents' through the node."""
    if which == node:
        return size_of(norm(d.shape.own(node, d.point, d.at)), d)
    return add(*(mul(size, below[p]) for p, size in _step_sizes(node, d) if p in below))


def _step_sizes(node: int, d: GraphDerivation) -> list[tuple[int, Term]]:
    """For each parent the bound on the derivative of the node's value by the parent's."""
    parents = d.shape.parents[node]
    match d.shape.kinds[node]:
        case "bilinear":
            return [(parents[0], size_of(norm(d.shape.map(node, d.point)), d))]
        case "pointwise":
            return [(parents[0], lipschitz(node))]
    return [(p, link_constant(node, slot)) for slot, p in enumerate(parents)]


def size_of(target: Term, d: GraphDerivation) -> Term:
    """What is known to bound a norm."""
    bound: Term = d.known[target].conclusion.args[1]
    return bound


# -- Hessian blocks -------------------------------------------------------------------------------


def bend(node: int, d: GraphDerivation) -> Term:
    """diag(sigma''(alpha^p) delta^n) of a pointwise node n with parent p."""
    bent = make("diag", sigma(node, 2, d.value(d.parent(node))))
    return make("diag", dot(bent, d.delta(node)))


def mixed(node: int, d: GraphDerivation) -> Term:
    """sum_k delta^n_k T^n_k of a bilinear node n, from the parent's value to the weights."""
    return d.shape.mixed(node, d.point, d.at)


def hessian_block(row: int, col: int, d: GraphDerivation) -> Term:
    """Pi_k H Pi_k'^T."""
    return dot(block_of(row), hessian(d.point, d.at), transpose(block_of(col)))


def block_identity(
    row: int, col: int, identity: Judgement, value: Term, d: GraphDerivation
) -> Judgement:
    """Pi_k H Pi_k'^T (k before k') as the sum of its non-zero terms, which ``value`` is."""
    h = hole(hessian(d.point, d.at))
    left, right = block_of(row), transpose(block_of(col))
    placed = kernel.congruence(dot(left, h, right), {h: identity})
    holes: dict[Term, Judgement] = {}
    terms: list[Term] = []
    for node in d.nodes("bilinear", "pointwise"):
        p = d.parent(node)
        if d.shape.kinds[node] == "pointwise":
            sides = [_or_zero(p, w, holes, d) for w in (row, col)]
            terms.append(dot(transpose(sides[0]), bend(node, d), sides[1]))
            continue
        right_side = dot(_pair(row, node, holes, d), mixed(node, d), _or_zero(p, col, holes, d))
        left_side = dot(
            transpose(_or_zero(p, row, holes, d)),
            transpose(mixed(node, d)),
            _pair(node, col, holes, d),
        )
        terms += [right_side, left_side]
    if not terms:
        return rearranged(placed, value)
    return rearranged(rewrite(placed, plus(*terms), holes), value)


def _bending(row: int, col: int, d: GraphDerivation) -> list[int]:
    """The pointwise nodes whose parents depend on both blocks of weights."""
    return [n for n in d.nodes("pointwise") if {row, col} <= d.sources[d.parent(n)]]


def _crossing(row: int, col: int, d: GraphDerivation) -> bool:
    """Whether the later block's node has the earlier one below it."""
    return row != col and row in d.sources[d.parent(col)]


def curvature_terms(row: int, col: int, d: GraphDerivation) -> list[Term]:
    """What the pointwise nodes add to a block: ``(dalpha^p/dW^k)' diag(..) dalpha^p/dW^k'``."""
    terms = []
    for node in _bending(row, col, d):
        j, k = (jacobian_block(d.parent(node), w, d) for w in (row, col))
        terms.append(dot(transpose(j), bend(node, d), k))
    return terms


def cross_terms(row: int, col: int, d: GraphDerivation) -> list[Term]:
    """What the later block's node adds to a block as a product: one term, or none."""
    if not _crossing(row, col, d):
        return []
    below = jacobian_block(d.parent(col), row, d)
    return [dot(transpose(below), transpose(mixed(col, d)))]


def no_block(row: int, col: int) -> Term:
    """The block of two nodes that do not meet."""
    return make("zero", block_of(row).rows, block_of(col).rows)


Entry: TypeAlias = Callable[[int, int, GraphDerivation], tuple[Term, Term]]
"""(k, k', derivation) -> the block in the form whose norm is bounded, and the bound M_{k,k'}."""


def by_statistics(row: int, col: int, d: GraphDerivation) -> tuple[Term, Term]:
    """Each term of a block by itself, from the statistics of the nodes."""
    terms = [*curvature_terms(row, col, d), *cross_terms(row, col, d)]
    return plus(*terms) if terms else no_block(row, col), _block_bound(row, col, d)


def _block_bound(row: int, col: int, d: GraphDerivation) -> Term:
    """M_{k,k'}: ``sum beta q P P`` over the nodes that bend, and ``x P`` for the cross term."""
    terms = []
    for node in _bending(row, col, d):
        reach = [bound_jacobian(d.parent(node), w, d) for w in (row, col)]
        delta = size_of(norm(d.delta(node), "inf"), d)
        terms.append(mul(curvature(node), delta, *reach))
    if _crossing(row, col, d):
        below = bound_jacobian(d.parent(col), row, d)
        terms.append(mul(size_of(norm(mixed(col, d)), d), below))
    return add(*terms)


def learn_links(d: GraphDerivation) -> None:
    """The bounds on the fixed maps."""
    for node in d.nodes("linear"):
        for slot in range(len(d.shape.parents[node])):
            d.learn(d.rule("link_bound", node, slot))


def bound_hessian(d: GraphDerivation, entry: Entry = by_statistics) -> Judgement:
    """``|H| <= |M|`` at the derivation's point, from what it knows of the nodes there."""
    identity = hessian_identity(d)
    learn_links(d)
    names = d.shape.weighted
    entries: dict[tuple[int, int], Term] = {}
    for i, row in enumerate(names):
        for j in range(i, len(names)):
            entries[i, j] = entries[j, i] = _bound_block(row, names[j], identity, entry, d)
    size = len(names)
    whole = operator_variable("A", PARAMS, PARAMS)
    first = d.rule("graph_block_norm", bind={whole: hessian(d.point, d.at)})
    total = joined_blocks(first, d.known, [entries[i, j] for i in range(size) for j in range(size)])
    return d.learn(total, f"H{d.bar}", "the Hessian")


def _bound_block(row: int, col: int, identity: Judgement, form: Entry, d: GraphDerivation) -> Term:
    """Bound one block and its mirror image; return the bound."""
    terms, size = form(row, col, d)
    value = block_identity(row, col, identity, terms, d)
    target = hessian_block(row, col, d)
    h = hole(target)
    start = kernel.congruence(norm(h), {h: value})
    bound = chain(start, bound_norm(value.conclusion.args[1], d.known))
    if value.conclusion.args[1].head == "zero":
        bound, entry = at_most(bound), size
        d.learn(bound)
    else:
        definition = d.define(f"M{d.bar}", (row, col), size)
        bound, entry = d.named(bound, definition), definition.conclusion.args[0]
        title = f"the block of the Hessian for W^{row} and W^{col}"
        d.learn(bound, f"M{d.bar}:{row},{col}", title)
    if row != col:
        mirror = hessian_block(col, row, d)
        spot = hole(mirror)
        flipped = kernel.by_form(mirror, transpose(target))
        swapped = kernel.congruence(norm(spot), {spot: flipped})
        d.learn(chain(swapped, use("transpose", bind={A: target}), bound))
    return entry


__all__ = [
    "Entry",
    "bend",
    "bound_hessian",
    "bound_jacobian",
    "by_statistics",
    "cross_terms",
    "curvature_terms",
    "hessian_identity",
    "learn_links",
    "mixed",
    "no_block",
    "size_of",
    "split_jacobian",
]
