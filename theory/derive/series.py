"""Likely bounds on the Hessian of any graph at a random centre, forwards, by a matrix series.

The weights v of the last node are independent of everything below, where
``H = sum_k v_k A_k + X + X'`` is a Gaussian matrix series (Tropp 2015, Theorem 4.1.1) whose
coefficients A_k are the Hessians of the neurons it sees.  What it needs is the norm of these
stacked, ``|second^p|``, and that of the Jacobian.  Both follow forwards from the norms of the
nodes' maps and values, with

    bilinear   ``T_n = s T_p + (omega + chi) J_p``,   ``J_n^2 = (tau |alpha^p|)^2 + (s J_p)^2``,
    pointwise  ``T_n = lambda T_p + beta J_p^2``,     ``J_n = lambda J_p``.

T and J are O(1), and the last node divides by the root of the width.  No back-propagated signal is
needed, so that nothing is conditioned on, and no width is too small.

Source: Zhu, Liu and Belkin 2022, Section 3.1 (recursion and matrix series).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from theory import kernel
from theory.derive.apriori import Event
from theory.derive.graph_bench import GraphDerivation, GraphError
from theory.derive.graph_layers import projection_bound
from theory.derive.graphs import learn_links, node_jacobian, require_alive
from theory.derive.tactics import (
    at_most,
    bound_norm,
    chain,
    hole,
    rearranged,
    reflexive,
    root_of_dimension,
    use,
)
from theory.kernel import Judgement
from theory.lemmas import INDEX, INPUT_X, POINT_P, V, real_variable, schema, vector_variable
from theory.lemmas.series import second
from theory.terms import ZERO, Term, add, dot, make, mul, norm, root
from theory.vocabulary import CENTRE, FAILURE, hessian, sigma, squared


@dataclass
class SeriesDerivation(GraphDerivation):
    """The workbench at a random centre.

    Attributes:
        laws: how the weights of each node are drawn.
        bounded: the pointwise nodes whose activation is bounded.
        full: the nodes whose norm is bounded as that of a Gaussian matrix, not as a series.
        parts: into how many parts the allowed probability is cut.
        events: what has been used, in order.
    """

    laws: Mapping[int, str] = field(default_factory=dict)
    bounded: frozenset[int] = frozenset()
    full: frozenset[int] = frozenset()
    parts: int = 1
    events: list[Event] = field(default_factory=list)

    @property
    def tags(self) -> tuple[Term, ...]:
        """What an abbreviation depends on besides its node; not on a random centre."""
        return (self.at,)

    def event(self, lemma: str, node: int, *parameters: int | str) -> Judgement:
        """An event as a hypothesis, with an equal share."""
        full = (self.code, *parameters, 1, self.parts)
        given = [self.fact(*p.args) for p in schema(lemma, full).premises]
        found = use(lemma, *full, bind={INPUT_X: self.at}, given=given)
        share, formula = found.conclusion.args
        self.events.append(Event(lemma, "", node, formula, share, found))
        return kernel.hypothesis(formula)

    def name(self, name: str, node: int, bound: Judgement, title: str) -> None:
        """Name a bound by an abbreviation of its right side, and remember it."""
        found = at_most(bound)
        defined = self.define(name, (node,), found.conclusion.args[1])
        self.learn(self.named(found, defined), f"{name}:{node}", title)


def events_of(d: SeriesDerivation) -> int:
    """How many events the derivation needs: one for the series, and one or two for each node."""
    inner = [n for n in d.nodes("bilinear") if n != d.shape.last]
    return 1 + len(inner) + sum(bool(d.sources[d.parent(n)]) for n in inner)


def series_bound(d: SeriesDerivation) -> Judgement:
    """``likely(delta, |H| <= ...)`` for the graph.

    Raises:
        GraphError: the last node has no weights, or an inner one has weights that are not drawn.
    """
    _require(d)
    d.parts = events_of(d)
    _start(d)
    for node in range(1, d.shape.last):
        _map(node, d)
        _value(node, d)
        _jacobian(node, d)
        _second(node, d)
    bound = _output(d)
    spent = add(*(e.share for e in d.events))
    budget = kernel.by_form(spent, FAILURE)
    return kernel.likely_intro(bound, budget, [e.judgement for e in d.events])


def _require(d: SeriesDerivation) -> None:
    require_alive(d)
    last = d.shape.last
    if last not in d.laws:
        msg = (
            f"the output, node {last} ({d.shape.kinds[last]}), has no weights of its own that are "
            "drawn: the matrix series needs a readout; end the network with one"
        )
        raise GraphError(msg)
    for node, law in d.laws.items():
        if node != last and (d.shape.kinds[node] != "bilinear" or law == "sign"):
            msg = f"the weights of node {node} must be trained and standard normal at the centre"
            raise GraphError(msg)


def _start(d: SeriesDerivation) -> None:
    """What holds of the input, of fixed maps and forms."""
    _links(d)
    d.learn(use("input_scale", bind={POINT_P: CENTRE, INPUT_X: d.at}, given=[d.fact("input")]))
    for bound in (node_jacobian(0, d), d.rule("second_input")):
        value = bound.conclusion.args[0]
        h = hole(value)
        zero = bound_norm(bound.conclusion.args[1], d.known)
        d.learn(chain(kernel.congruence(norm(h), {h: bound}), zero))
    nothing = d.known[norm(make("jac", d.value(0), CENTRE))]
    d.learn(chain(d.rule("gradients_bound", 0), nothing))


def _links(d: SeriesDerivation) -> None:
    """The bounds on the fixed maps; not on a readout that is drawn, whose norm is random."""
    if d.shape.kinds[d.shape.last] != "linear":
        learn_links(d)
        return
    for node in d.nodes("linear"):
        if node != d.shape.last:
            for slot in range(len(d.shape.parents[node])):
                d.learn(d.rule("link_bound", node, slot))


def _map(node: int, d: SeriesDerivation) -> None:
    if d.shape.kinds[node] != "bilinear":
        return
    d.learn(projection_bound(node, d))
    d.learn(d.rule("form_in_bound", node))
    d.learn(d.rule("form_own_bound", node))
    if not d.sources[d.parent(node)]:
        d.learn(reflexive(norm(d.shape.map(node, CENTRE))))  # it meets zero alone
    else:
        title = f"the map of node {node}"
        if node in d.full:
            d.name("node_hat", node, d.event("node_norm_likely", node, node), title)
        else:
            law = d.laws[node]
            d.name("node_hat", node, d.event("node_norm_series", node, node, law), title)


def _below(judgement: Judgement, d: SeriesDerivation, target: Term) -> Judgement:
    """The right side with one norm replaced by what is known to bound it."""
    h = real_variable("?")
    value = judgement.conclusion.args[1]
    template = make(value.head, *(_replaced(a, target, h) for a in value.args))
    return chain(judgement, kernel.monotone(template, {h: d.known[target]}))


def _replaced(term: object, old: Term, new: Term) -> object:
    if term is old:
        return new
    if isinstance(term, Term) and term.head in ("add", "mul", "pow"):
        return make(term.head, *(_replaced(a, old, new) for a in term.args))
    return term


def _value(node: int, d: SeriesDerivation) -> None:
    """``|alpha^n|``, from that of the parents."""
    kind, title = d.shape.kinds[node], f"the value of node {node}"
    if kind == "bilinear":
        event = d.event("node_value_likely", node, node, d.laws[node])
        d.name("value_hat", node, _below(event, d, norm(d.value(d.parent(node)))), title)
        _own(node, d)
        return
    rule = d.rule(f"node_{kind}", node)
    h = hole(rule.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: rule})
    inside = rule.conclusion.args[1]
    if kind == "linear":
        d.name("value_hat", node, chain(start, bound_norm(inside, d.known)), title)
        return
    d.name("value_hat", node, chain(start, _activated(node, d)), title)


def _activated(node: int, d: SeriesDerivation) -> Judgement:
    """``|sigma(v)|`` by the growth of sigma, and by its supremum where it has one."""
    vector = d.value(d.parent(node))
    bind = {INDEX: node, V: vector}
    grown = use("value_size", bind=bind, given=[d.fact("bounded", node, 1)])
    grown = _below(grown, d, norm(vector))
    if node not in d.bounded:
        return grown
    flat = use("value_bound", bind=bind, given=[d.fact("bounded", node, 0)])
    whole = sigma(node, 0, vector)
    first = root_of_dimension(whole)
    h = real_variable("?")
    size = first.conclusion.args[1].args[0]
    flat = chain(first, kernel.monotone(mul(size, h), {h: flat}))
    names = dict(
        zip(
            (real_variable(n) for n in "abc"),
            (flat.conclusion.args[1], grown.conclusion.args[1], norm(whole)),
            strict=True,
        )
    )
    return use("min_intro", bind=names, given=[at_most(flat), at_most(grown)])


def _own(node: int, d: SeriesDerivation) -> None:
    """``|B^n| <= tau |alpha^p|``."""
    found = d.rule("own_bound", node)
    d.learn(_below(found, d, norm(d.value(d.parent(node)))))


def _jacobian(node: int, d: SeriesDerivation) -> None:
    title = f"the Jacobian of node {node}"
    if d.shape.kinds[node] == "bilinear":
        d.name("jacobian_hat", node, _split(node, d), title)
    else:
        _by_identity(node_jacobian(node, d), "jacobian_hat", node, title, d)
    spread = d.rule("gradients_bound", node)
    size = norm(make("jac", d.value(node), CENTRE))
    d.learn(chain(spread, d.known[size]))


def _split(node: int, d: SeriesDerivation) -> Judgement:
    """``|d alpha^n|`` from its two parts, which see different weights."""
    own, below = (real_variable(n) for n in ("?o", "?b"))
    found = d.rule("jacobian_split", node)
    inner = dot(d.shape.map(node, CENTRE), make("jac", d.value(d.parent(node)), CENTRE))
    parts = {own: d.known[norm(d.shape.own(node, CENTRE, d.at))], below: bound_norm(inner, d.known)}
    bound = chain(found, kernel.monotone(root(add(squared(own), squared(below))), parts))
    if d.sources[d.parent(node)]:
        return bound
    return rearranged(bound, parts[own].conclusion.args[1])


def _by_identity(found: Judgement, name: str, node: int, title: str, d: SeriesDerivation) -> None:
    """Bound the norm of the left side of an identity by that of its right side, and name it."""
    left, right = found.conclusion.args
    h = hole(left)
    start = kernel.congruence(norm(h), {h: found})
    bound = chain(start, bound_norm(right, d.known))
    if right.head == "zero":
        d.learn(bound)
        return
    d.name(name, node, rearranged(bound, _tidy(bound.conclusion.args[1])), title)


def _tidy(value: Term) -> Term:
    """Without the ones and zeros that projections and the input leave."""
    if value.head == "add":
        parts = [t for t in map(_tidy, value.args) if not _is(t, 0)]
        return add(*parts)
    if value.head == "mul":
        factors = [_tidy(a) for a in value.args]
        if any(_is(f, 0) for f in factors):
            return ZERO
        return mul(*(f for f in factors if not _is(f, 1)))
    return value


def _is(term: Term, number: int) -> bool:
    return term.head == "rat" and bool(term.args[0] == number)


def _second(node: int, d: SeriesDerivation) -> None:
    kind = d.shape.kinds[node]
    premises = [d.fact("graph", d.code)]
    if kind == "pointwise":
        premises.append(d.fact("smooth", node))
    bind = {POINT_P: d.point, INPUT_X: d.at}
    found = use(f"second_{kind}", d.code, node, bind=bind, given=premises)
    _by_identity(found, "second_hat", node, f"the second derivatives of node {node}", d)


def _output(d: SeriesDerivation) -> Judgement:
    """``|H|``: the series, and the cross terms of a readout that is trained."""
    last = d.shape.last
    kind = d.shape.kinds[last]
    (parent,) = d.shape.parents[last]
    covector = d.shape.covector
    top = d.rule("hessian_output")
    inner = d.rule(
        f"hessian_{kind}", last, bind={vector_variable("c", d.shape.space(last)): covector}
    )
    total = chain(top, inner)
    law = d.laws[last]
    event = d.event("output_series", last, law)
    d.learn(_below(event, d, norm(second(d.shape, parent, CENTRE, d.at))))
    if kind == "bilinear":
        _cross(covector, d)
    h = hole(hessian(CENTRE, d.at))
    start = kernel.congruence(norm(h), {h: total})
    bound = chain(start, bound_norm(total.conclusion.args[1], d.known))
    bound = rearranged(bound, _tidy(bound.conclusion.args[1]))
    return d.learn(at_most(bound), "H", "the Hessian")


def _cross(covector: Term, d: SeriesDerivation) -> None:
    """``|sum_k e_k T^N_k| <= tau``."""
    last = d.shape.last
    d.learn(projection_bound(last, d))
    bind = {vector_variable("c", d.shape.space(last)): covector}
    found = d.rule("form_bound", last, bind=bind)
    d.learn(_below(found, d, _unit(covector, d)))


def _unit(covector: Term, d: SeriesDerivation) -> Term:
    d.learn(d.rule("covector_unit"))
    return norm(covector)


__all__ = ["SeriesDerivation", "events_of", "series_bound"]
