"""A6 for a graph whose nodes form layers: convolutions, skips around a layer, dense layers.

Layer l takes ``alpha^{l-1}`` through fixed maps to a node n with weights and a pointwise node p,
and may add ``alpha^{l-1}`` itself: ``alpha^l = E sigma(A^n L alpha^{l-1}) + F alpha^{l-1}``.  Its
partial derivatives are ``E D B^n Pi_n`` and ``E D A^n L + F``; contracted with the signal at p its
second ones are

    ww: (B Pi)' diag(sigma'' delta^p) B Pi
    wa: (B Pi)' diag(sigma'' delta^p) A L + Pi' (sum_k delta^n_k T^n_k) L
    aa: (A L)' diag(sigma'' delta^p) A L

so that everything A6 takes a maximum of is bounded by b, s, q and the constants of the nodes, with
nothing assumed about the layers beyond what the graph is.  The (2,2,1)-norm of ``T^n`` enters as
``sqrt(dim) tau_n``, from ``|v| <= sqrt(dim) |v|_inf``.

Source: Liu, Zhu and Belkin 2020, Theorem 3.1; Section 3 (convolutional networks, ResNets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from theory import kernel
from theory.derive.graph_bench import GraphDerivation, GraphError
from theory.derive.graph_layers import at_centre, projection_bound, statistic
from theory.derive.graphs import hessian_identity, learn_links, node_jacobian
from theory.derive.tactics import (
    at_most,
    bound_norm,
    chain,
    hole,
    largest_of,
    raised,
    rearranged,
    rewrite,
    root_of_dimension,
    use,
)
from theory.derive.workbench import Claim
from theory.graph_terms import Shape, contraction_constant, link_constant
from theory.kernel import Judgement
from theory.lemmas import real_variable, space_variable, vector_variable
from theory.terms import (
    ONE,
    PARAMS,
    ZERO,
    Term,
    add,
    dot,
    make,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
)
from theory.vocabulary import CENTRE, curvature, lipschitz, squared, symbol

N = real_variable("?n")


@dataclass(frozen=True)
class GraphLayer:
    """One layer of a graph.

    Attributes:
        below: the node whose value is the layer's input.
        entries: the fixed maps between it and the weights, in order.
        weighted: the node n with the weights.
        bent: the pointwise node p.
        top: the node whose value is the layer's; p itself where nothing is added.
    """

    below: int
    entries: tuple[int, ...]
    weighted: int
    bent: int
    top: int


def layers_of(shape: Shape) -> tuple[list[GraphLayer], list[int]]:
    """The layers of a graph from the input on, and the nodes after the last one.

    Raises:
        GraphError: the nodes do not form layers, naming where and what is needed.
    """
    found: list[GraphLayer] = []
    below = 0
    while True:
        layer, rest = _layer_above(below, shape)
        if layer is None:
            break
        found.append(layer)
        below = layer.top
    if not found:
        msg = "the graph has no layer: no node with weights is followed by an activation"
        raise GraphError(msg)
    return found, rest


def _layer_above(below: int, shape: Shape) -> tuple[GraphLayer | None, list[int]]:
    """The layer whose input is a node; where there is none, the nodes that follow it."""
    skips = [n for n, _ in shape.children(below) if len(shape.parents[n]) == 2]
    path: list[int] = []
    here = below
    while nexts := [n for n, _ in shape.children(here) if n not in skips]:
        if len(nexts) > 1 or len(shape.parents[nexts[0]]) > 1:
            raise _no_layer(nexts[-1], shape)
        here = nexts[0]
        path.append(here)
        if shape.kinds[here] == "pointwise":
            return _closed(below, path, skips, shape), []
    if skips or sum(shape.kinds[n] == "bilinear" for n in path) > 1:
        raise _no_layer(path[-1] if path else below, shape)
    return None, path


def _closed(below: int, path: list[int], skips: list[int], shape: Shape) -> GraphLayer:
    """The layer of a path from its input to its activation."""
    weights = [n for n in path if shape.kinds[n] == "bilinear"]
    if weights != path[-2:-1]:
        raise _no_layer(path[-1], shape)
    *entries, weighted, bent = path
    if not skips:
        return GraphLayer(below, tuple(entries), weighted, bent, bent)
    (top, *others) = skips
    if others or set(shape.parents[top]) != {below, bent} or len(shape.children(bent)) != 1:
        raise _no_layer(top, shape)
    return GraphLayer(below, tuple(entries), weighted, bent, top)


def _no_layer(node: int, shape: Shape) -> GraphError:
    return GraphError(
        f"node {node} ({shape.kinds[node]}) is not part of a layer: A6 needs layers one after the "
        "other, each of fixed maps, one node with weights and an activation, with or without a "
        "skip around all of it, and after the last one fixed maps and a readout"
    )


@dataclass
class Layered(GraphDerivation):
    """The workbench for a graph of layers.

    Attributes:
        sums: the definition of S_l.
        maxima: for each maximum Q, that a number in it is at most it.
        chains: for each layer a bound on its Jacobian by a sum over the layers below.
    """

    sums: dict[int, Judgement] = field(default_factory=dict)
    maxima: dict[str, dict[Term, Judgement]] = field(default_factory=dict)
    chains: dict[int, Judgement] = field(default_factory=dict)

    def largest(self, name: str, numbers: Sequence[Term]) -> None:
        """Define a symbol as the maximum of some numbers; each is at most it."""
        value, each = largest_of(numbers)
        back = kernel.symmetry(self.define(name, (), value))
        found = self.maxima.setdefault(name, {})
        found |= {number: chain(below, back) for number, below in each.items()}

    def hat(self, name: str, *tags: int) -> Term:
        """The symbol of a quantity of A6, as statistics bound it."""
        return symbol(f"{name}_hat", *tags, *self.tags)

    def moved(self, node: int) -> Term:
        """The Jacobian of a node's value."""
        return make("jac", self.value(node), self.point)


@dataclass(frozen=True)
class Sizes:
    """What the statistics say of one layer's partial derivatives.

    Attributes:
        own: bounds ``|d_w alpha^l|``.
        through: bounds ``|d_alpha alpha^l|``.
        second: bounds the contracted second derivatives ww, wa, aa over ``|delta^p|_inf``.
        signal: the symbol q of the layer.
    """

    own: Term
    through: Term
    second: tuple[Term, Term, Term]
    signal: Term


def sizes_of(layer: GraphLayer, d: Layered, *, first: bool) -> Sizes:
    """The bounds of one layer; the first one's input does not move."""
    n, p = layer.weighted, layer.bent
    outer, skip = _links(layer, d.shape)
    entry = [link_constant(e, 0) for e in layer.entries]
    b = statistic("own_norm", n, d)
    s = ZERO if first else mul(statistic("node_norm", n, d), *entry)
    wide = mul(root(make("dim", d.shape.space(n))), contraction_constant(n), *entry)
    slope, bend = lipschitz(p), curvature(p)
    through = ZERO if first else add(mul(*outer, slope, s), *skip)
    mixed = ZERO if first else add(mul(bend, b, s), mul(slope, wide))
    second = (mul(bend, squared(b)), mixed, ZERO if first else mul(bend, squared(s)))
    return Sizes(mul(*outer, slope, b), through, second, statistic("q", p, d))


def _links(layer: GraphLayer, shape: Shape) -> tuple[list[Term], list[Term]]:
    """The constants of the maps E and F; none where nothing is added."""
    if layer.top == layer.bent:
        return [], []
    slot = shape.parents[layer.top].index(layer.bent)
    return [link_constant(layer.top, slot)], [link_constant(layer.top, 1 - slot)]


# -- definitions ----------------------------------------------------------------------------------


def _power_of(d: Layered, exponent: int) -> Term:
    value = d.hat("lipschitz")
    return ONE if exponent == 0 else value if exponent == 1 else power(value, exponent)


def _define(sizes: Sequence[Sizes], d: Layered, *, trained: bool) -> None:
    """lambda, S_l and the maxima Q, from the statistics."""
    if len(sizes) > 1:
        d.largest("lipschitz_hat", [s.through for s in sizes[1:]])
    for top in range(1, len(sizes) + trained):
        terms = [_power_of(d, top - k) for k in range(1, top + 1)]
        d.sums[top] = d.define("S_hat", (top,), add(*terms))
    d.largest("Q_inf_hat", [s.signal for s in sizes])
    if trained:
        d.largest("Q_L_hat", [s.own for s in sizes])
    numbers = [s.second[0] for s in sizes]
    for top, above in enumerate(sizes):
        numbers += [_met_product(sizes, (k,), above) for k in range(top)]
        numbers += [_met_product(sizes, (j, k), above) for k in range(top) for j in range(k + 1)]
    d.largest("Q_221_hat", numbers)


def _met_product(sizes: Sequence[Sizes], below: tuple[int, ...], above: Sizes) -> Term:
    """``own_j own_k aa_l``, or ``own_k wa_l``: a second derivative and what it meets."""
    return mul(*(sizes[k].own for k in sorted(below)), above.second[len(below)])


# -- derivatives ----------------------------------------------------------------------------------


def _learn_layer(layer: GraphLayer, d: Layered) -> None:
    """Norms along the layer in terms of that of its input's Jacobian, and of its mixed term."""
    d.learn(projection_bound(layer.weighted, d))
    below = norm(d.moved(layer.below))
    if layer.below:
        d.known[below] = kernel.by_form(below, below)
    for node in (*layer.entries, layer.weighted, layer.bent, layer.top):
        if norm(d.moved(node)) not in d.known:
            _learn_jacobian(node, d)
    _learn_mixed(layer, d)


def _learn_jacobian(node: int, d: Layered) -> None:
    """``|d alpha^n|`` by those of the parents; a map that meets an input at rest is left out."""
    rule = node_jacobian(node, d)
    for parent in dict.fromkeys(d.shape.parents[node]):
        if not d.sources[parent]:
            rule = _at_rest(rule, node, parent, d)
    h = hole(rule.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: rule})
    d.learn(chain(start, bound_norm(rule.conclusion.args[1], d.known)))


def _at_rest(rule: Judgement, node: int, parent: int, d: Layered) -> Judgement:
    """The rule without what comes from a parent that no weights move."""
    still = _still(parent, d)
    value = rule.conclusion.args[1]
    h = hole(still.conclusion.args[0])
    if d.shape.kinds[node] != "bilinear":
        placed = rewrite(rule, dot(value.args[0], h), {h: still})
        zero = make("zero", d.moved(node).rows, d.moved(node).cols)
        return rearranged(placed, zero)
    own, rest = value.args
    return rearranged(rewrite(rule, plus(own, dot(rest.args[0], h)), {h: still}), own)


def _still(node: int, d: Layered) -> Judgement:
    """``d alpha^n = 0`` of the input and of fixed maps of it."""
    rule = node_jacobian(node, d)
    return rule if node == 0 else _at_rest(rule, node, d.parent(node), d)


def _learn_mixed(layer: GraphLayer, d: Layered) -> None:
    """``|sum_k delta^n_k T^n_k| <= tau sqrt(dim) lambda q``, in place of the statistic."""
    n, p = layer.weighted, layer.bent
    delta = d.delta(n)
    rule = d.rule("signal_node", n)
    h = hole(delta)
    largest = chain(
        kernel.congruence(norm(h, "inf"), {h: rule}),
        bound_norm(rule.conclusion.args[1], d.known, "inf"),
    )
    wide = raised(
        root_of_dimension(delta), mul(root(make("dim", delta.rows)), N), {N: at_most(largest)}
    )
    covector = vector_variable("c", d.shape.space(n))
    first = d.rule("form_bound", n, bind={covector: delta})
    grown = raised(first, mul(contraction_constant(n), N), {N: wide})
    title = f"the mixed derivative of the layer of node {p}, with its signal"
    d.learn(grown, f"mixed_norm:{n}", title)


def _chain_rule(
    index: int, layers: Sequence[GraphLayer], sizes: Sequence[Sizes], d: Layered
) -> None:
    """``|d alpha^l| <= sum_{k<=l} lambda^{l-k} own_k`` (l counts from 1)."""
    layer, size = layers[index - 1], sizes[index - 1]
    target = norm(d.moved(layer.top))
    found = at_most(d.known[target])
    if index == 1:
        chained = rearranged(found, size.own)
    else:
        a, b = real_variable("?a"), real_variable("?b")
        holes = {a: d.maxima["lipschitz_hat"][size.through], b: d.chains[index - 1]}
        terms = [mul(_power_of(d, index - k), sizes[k - 1].own) for k in range(1, index)]
        grown = raised(found, add(size.own, mul(a, b)), holes)
        chained = rearranged(grown, add(*terms, size.own))
    title = f"the derivative of layer {index}"
    d.chains[index] = chained
    d.claims.append(Claim(f"chain:{index}", title, chained))


# -- the Hessian ----------------------------------------------------------------------------------


def _met(index: int, count: int, sizes: Sequence[Sizes], d: Layered) -> Judgement:
    """``|d alpha^{l-1}|^n T_l <= S_{l-1}^n Q_{2,2,1}``, T_l a second derivative of layer l."""
    below, above = index - 1, sizes[index - 1]
    start = kernel.monotone(mul(*[N] * count, above.second[count]), {N: d.chains[below]})
    pairs = list(product(range(below), repeat=count))
    spots = {key: real_variable(f"?{'_'.join(map(str, sorted(key)))}") for key in pairs}
    terms = [mul(*(_power_of(d, below - 1 - k) for k in key), spots[key]) for key in pairs]
    bounds = {spots[key]: d.maxima["Q_221_hat"][_met_product(sizes, key, above)] for key in pairs}
    grown = raised(start, add(*terms), bounds)
    total = d.sums[below]
    s = hole(total.conclusion.args[0])
    q = d.hat("Q_221")
    named = kernel.congruence(mul(*[s] * count, q), {s: kernel.symmetry(total)})
    return chain(rearranged(grown, named.conclusion.args[0]), named)


def _share(index: int, sizes: Sequence[Sizes], d: Layered) -> tuple[Term, Judgement]:
    """What layer l adds: ``q (ww + 2 j wa + j^2 aa) <= Q_inf Q_{2,2,1} (1 + S_{l-1})^2``."""
    size = sizes[index - 1]
    a, b = real_variable("?a"), real_variable("?b")
    holes = {a: d.maxima["Q_inf_hat"][size.signal], b: d.maxima["Q_221_hat"][size.second[0]]}
    q_inf, q = d.hat("Q_inf"), d.hat("Q_221")
    if index == 1:
        grown = kernel.monotone(mul(a, b), holes)
        return grown.conclusion.args[0], rearranged(grown, mul(q, q_inf))
    m, t = real_variable("?m"), real_variable("?t")
    holes |= {m: _met(index, 1, sizes, d), t: _met(index, 2, sizes, d)}
    grown = kernel.monotone(mul(a, add(b, mul(rat(2), m), t)), holes)
    s = d.sums[index - 1].conclusion.args[0]
    return grown.conclusion.args[0], rearranged(grown, mul(squared(add(ONE, s)), q, q_inf))


def _readout(
    last: int, tail: Sequence[int], sizes: Sequence[Sizes], d: Layered
) -> tuple[Term, Judgement]:
    """The trained readout's share: ``2 x l |d alpha^L| <= 2 S_L Q_L x l``."""
    factors = [link_constant(n, 0) for n in tail if d.shape.kinds[n] == "linear"]
    factors.append(statistic("mixed_norm", d.shape.last, d))
    depth = len(sizes)
    spots = [real_variable(f"?{k}") for k in range(1, depth + 1)]
    terms = [mul(_power_of(d, depth - k), s) for k, s in enumerate(spots, 1)]
    own = {s: d.maxima["Q_L_hat"][size.own] for s, size in zip(spots, sizes, strict=True)}
    grown = raised(d.chains[depth], add(*terms), own)
    total = d.sums[depth]
    s = hole(total.conclusion.args[0])
    named = kernel.congruence(mul(s, d.hat("Q_L")), {s: kernel.symmetry(total)})
    reach = chain(rearranged(grown, named.conclusion.args[0]), named)
    title = "the derivative of the last layer"
    d.claims.append(Claim("reach", title, reach))
    template = mul(rat(2), *factors, N)
    share = kernel.monotone(template, {N: reach})
    return share.conclusion.args[0], share


def layered_bound(code: str, at: Term) -> tuple[Judgement, Layered]:
    """``|H| <= C_1 Q_{2,2,1} Q_inf + C_2 Q_L x`` from the statistics of the nodes, at the centre.

    Args:
        code: the graph.
        at: the input.

    Returns:
        The judgement, and the workbench with its definitions and lines.  The last term, in which x
        is the norm of the readout's mixed derivative times what the maps before it add, is there
        where the last node is trained.

    Raises:
        GraphError: the nodes do not form layers.
    """
    d = Layered(code, CENTRE, at)
    layers, tail = layers_of(d.shape)
    trained = d.shape.kinds[d.shape.last] == "bilinear"
    if trained and tail[-1] != d.shape.last:
        raise _no_layer(d.shape.last, d.shape)
    at_centre(d)
    learn_links(d)
    identity = hessian_identity(d)
    sizes = [sizes_of(layer, d, first=not i) for i, layer in enumerate(layers)]
    _define(sizes, d, trained=trained)
    d.known[norm(d.moved(0))] = _norm_of_still(d)
    for index, layer in enumerate(layers, 1):
        _learn_layer(layer, d)
        if index < len(layers) or trained:
            _chain_rule(index, layers, sizes, d)
    below = norm(d.moved(layers[-1].top))
    if trained:
        d.learn(projection_bound(d.shape.last, d))
        d.known[below] = kernel.by_form(below, below)
    for node in tail[:-1]:
        _learn_jacobian(node, d)
    h = hole(identity.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: identity})
    total = chain(start, bound_norm(identity.conclusion.args[1], d.known))
    shares = [_share(index, sizes, d) for index in range(1, len(layers) + 1)]
    for index, (_, share) in enumerate(shares, 1):
        d.claims.append(Claim(f"layer:{index}", f"what layer {index} adds to the Hessian", share))
    if trained:
        shares.append(_readout(layers[-1].top, tail, sizes, d))
    return _with_constants(total, shares, len(layers), d, trained=trained), d


def _norm_of_still(d: Layered) -> Judgement:
    """``|d alpha^0| = 0``."""
    still = node_jacobian(0, d)
    h = hole(still.conclusion.args[0])
    spaces = dict(zip(map(space_variable, "rc"), (d.shape.space(0), PARAMS), strict=True))
    return chain(kernel.congruence(norm(h), {h: still}), use("zero", bind=spaces))


def _with_constants(
    total: Judgement,
    shares: Sequence[tuple[Term, Judgement]],
    depth: int,
    d: Layered,
    *,
    trained: bool,
) -> Judgement:
    """The bound with C_1 and C_2 named."""
    holes = {real_variable(f"?{i}"): share for i, (_, share) in enumerate(shares)}
    grown = raised(at_most(total), add(*holes), holes)
    squares = [squared(add(ONE, d.sums[low].conclusion.args[0])) for low in range(1, depth)]
    constants = [d.define("C_1_hat", (), add(ONE, *squares))]
    factors = [[d.hat("Q_221"), d.hat("Q_inf")]]
    if trained:
        last = d.sums[depth].conclusion.args[0]
        constants.append(d.define("C_2_hat", (), mul(rat(2), last)))
        _, *reach = shares[-1][0].args[:-1]  # what is left of 2 x |d alpha^L|
        factors.append([d.hat("Q_L"), *reach])
    spots = {real_variable(f"?c{i}"): kernel.symmetry(c) for i, c in enumerate(constants)}
    template = add(*(mul(c, *rest) for c, rest in zip(spots, factors, strict=True)))
    named = kernel.congruence(template, spots)
    result = chain(rearranged(grown, named.conclusion.args[0]), named)
    d.claims.append(Claim("A6", "the norm of the Hessian", result))
    return result


__all__ = ["GraphLayer", "Layered", "Sizes", "layered_bound", "layers_of", "sizes_of"]
