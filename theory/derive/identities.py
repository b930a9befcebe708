"""The assembly recursion and the exact Hessian identity, for a symbolic layer index.

Row B4 of the ledger and theory.md, section 3.  Both are proved from the chain rule lemmas, by
induction on the layer, for networks of any depth at once; a concrete depth is an instance.
"""

from __future__ import annotations

from functools import cache

from theory import kernel
from theory.derive.tactics import chain, hole, rearranged, rewrite, use
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P, V, fact, vector_variable
from theory.terms import Arg, Term, dot, inv_root, make, plus, shift, transpose
from theory.vocabulary import (
    INPUT,
    READOUT,
    activation,
    block,
    layer,
    preactivation,
    sigma,
    signal,
    slope,
    weights,
    width,
)

LAYER = make("index", "l", 0)
DEPTH = make("index", "L", 0)


def jacobian(index: Arg, point: Term, at: Term) -> Term:
    """dz^l/dtheta, from the parameters to layer l."""
    return make("jac", preactivation(index, point, at), point)


def curvature_term(index: Arg, point: Term, at: Term, delta: Term | None = None) -> Term:
    """J_l' diag(sigma''(z^l) delta^l) J_l, an operator on the parameters.

    Here and below, ``delta`` is the signal that arrives at alpha^l, by default that of the output.
    """
    arrives = delta or signal(index, point, at)
    bend = dot(make("diag", sigma(index, 2, preactivation(index, point, at))), arrives)
    j = jacobian(index, point, at)
    return dot(transpose(j), make("diag", bend), j)


def cross_term(index: Arg, point: Term, at: Term, delta: Term | None = None) -> Term:
    """Pi_l' (D^l delta^l (x) I) dalpha^{l-1}, before division by sqrt(m_{l-1})."""
    below = shift(index, -1)
    arrives = delta or signal(index, point, at)
    lifted = make("kron", dot(slope(index, point, at), arrives), make("id", layer(below)))
    return dot(
        transpose(block(index, index)), lifted, make("jac", activation(below, point, at), point)
    )


def layer_term(index: Arg, point: Term, at: Term, delta: Term | None = None) -> Term:
    """What layer l adds to the Hessian: curvature plus cross terms."""
    cross = cross_term(index, point, at, delta)
    scale = inv_root(width(shift(index, -1)))
    return plus(
        curvature_term(index, point, at, delta), make("scale", scale, plus(cross, transpose(cross)))
    )


def jacobian_of_activation(index: Arg, point: Term, at: Term) -> Judgement:
    """dalpha^l = D^l dz^l, under ``pointwise`` and ``smooth`` at l."""
    z = preactivation(index, point, at)
    meaning = activation_meaning(index, point, at)
    h = hole(z)
    inside = kernel.congruence(make("jac", h, point), {h: meaning})
    rule = use(
        "jacobian_pointwise",
        bind={LAYER: index, POINT_P: point, V: z},
        given=[kernel.hypothesis(fact("smooth", index))],
    )
    return chain(inside, rule)


def activation_meaning(index: Arg, point: Term, at: Term) -> Judgement:
    """alpha^l = sigma_l(z^l), under ``pointwise`` at l."""
    return use(
        "activation",
        bind={LAYER: index, POINT_P: point, INPUT_X: at},
        given=[kernel.hypothesis(fact("pointwise", index))],
    )


def _bent(index: Arg, covector: Term, point: Term, at: Term) -> Judgement:
    """``<c, d2 alpha^l>`` by the chain rule, under ``pointwise`` and ``smooth`` at l."""
    z = preactivation(index, point, at)
    h = hole(z)
    meaning = activation_meaning(index, point, at)
    inside = kernel.congruence(make("hess", covector, h, point), {h: meaning})
    bind = {LAYER: index, POINT_P: point, V: z, vector_variable("c"): covector}
    smooth = kernel.hypothesis(fact("smooth", index))
    return chain(inside, use("hessian_pointwise", bind=bind, given=[smooth]))


def recursion(index: Arg, covector: Term, point: Term, at: Term) -> Judgement:
    """One step of the assembly recursion (B4), for the Hessian of ``c . alpha^l``.

    ``<c, d2 alpha^l> = J_l' diag(sigma'' c) J_l
    + (<W^l' D^l c, d2 alpha^{l-1}> + X + X') / sqrt(m_{l-1})``, under ``pointwise``, ``smooth`` and
    ``dense`` at l.

    Source: Liu, Zhu and Belkin 2022, Section 3 (the recursion over layers).
    """
    outer = _bent(index, covector, point, at)
    return chain(outer, _through_weights(outer.conclusion.args[1], index, point, at))


def _through_weights(term: Term, index: Arg, point: Term, at: Term) -> Judgement:
    """Rewrite the last summand ``<c, d2 z^l>`` by the product rule of the dense layer."""
    curved, inner = term.args
    rule = dense_rule(inner.args[0], index, point, at)
    h = hole(inner)
    return kernel.congruence(plus(curved, h), {h: rule})


def dense_rule(covector: Term, index: Arg, point: Term, at: Term) -> Judgement:
    """``<c, d2 z^l>`` by the product rule, under ``dense`` at l: B4 for one neuron when c = e_k.

    Source: Liu, Zhu and Belkin 2022, Section 3.
    """
    bind = {LAYER: index, POINT_P: point, INPUT_X: at, vector_variable("c", layer(LAYER)): covector}
    return use("hessian_dense", bind=bind, given=[kernel.hypothesis(fact("dense", index))])


def assembly(index: Arg, covector: Term, point: Term, at: Term) -> Judgement:
    """B4: the Hessian of ``c . z^{l+1}`` from Jacobians and Hessians of layer l, symbolic in l.

    ``<c, d2 z^{l+1}> = (J_l' diag(sigma'' W' c) J_l + <D^l W' c, d2 z^l> + X + X') / sqrt(m_l)``.

    Source: Liu, Zhu and Belkin 2022, Section 3; theory.md, row B4.
    """
    above = shift(index, 1)
    first = dense_rule(covector, above, point, at)
    inner = dot(transpose(weights(above, point)), covector)
    bent = _bent(index, inner, point, at)
    scale, (_, cross, crossed) = (
        first.conclusion.args[1].args[0],
        (first.conclusion.args[1].args[1].args),
    )
    spot = hole(bent.conclusion.args[0])
    return rewrite(first, make("scale", scale, plus(spot, cross, crossed)), {spot: bent})


def _claim(index: Arg, point: Term, at: Term) -> Term:
    """<delta^l, d2 alpha^l> = sum over k = 1..l of what layer k adds."""
    left = make("hess", signal(index, point, at), activation(index, point, at), point)
    body = layer_term(make("index", "k", 0), point, at)
    return make("eq", left, make("osum", "k", 1, index, body))


def _base(point: Term, at: Term) -> Judgement:
    claim = _claim(0, point, at)
    bind = {POINT_P: point, INPUT_X: at, vector_variable("c", layer(0)): signal(0, point, at)}
    nothing = use("hessian_input", bind=bind, given=[kernel.hypothesis(fact("input"))])
    return rearranged(nothing, claim.args[1])


def _step(point: Term, at: Term) -> Judgement:
    """From the claim at l-1, the claim at l."""
    below = shift(LAYER, -1)
    delta, lower = signal(LAYER, point, at), activation(below, point, at)
    unfolded = recursion(LAYER, delta, point, at)
    definition = use(
        "signal_below",
        bind={LAYER: LAYER, POINT_P: point, INPUT_X: at},
        given=[
            kernel.hypothesis(fact("dense", LAYER)),
            kernel.hypothesis(fact("pointwise", LAYER)),
        ],
    )
    c = hole(signal(below, point, at))
    grouped = plus(layer_term(LAYER, point, at), make("hess", c, lower, point))
    folded = rewrite(unfolded, grouped, {c: kernel.symmetry(definition)})
    before = kernel.hypothesis(_claim(below, point, at))
    h = hole(before.conclusion.args[0])
    summed = rewrite(folded, plus(layer_term(LAYER, point, at), h), {h: before})
    total = _claim(LAYER, point, at).args[1]
    split = kernel.symmetry(kernel.sum_last(total, DEPTH))
    return chain(rearranged(summed, split.conclusion.args[0]), split)


def _for_all(name: str) -> Term:
    return make("forall", "l", 1, DEPTH, fact(name, LAYER))


@cache
def signal_identity() -> Judgement:
    """For all l in 0..L: ``<delta^l, d2 alpha^l> = sum_{k<=l} (layer k's terms)``, by induction."""
    point, at = POINT_P, INPUT_X
    step = _step(point, at)
    by = [
        kernel.forall_elim(kernel.hypothesis(_for_all(n)), LAYER)
        for n in ("dense", "pointwise", "smooth")
    ]
    step = kernel.cut(step, *by)
    return kernel.induction("l", DEPTH, _base(point, at), step)


def signal_identity_at(depth: int, point: Term, at: Term) -> Judgement:
    """The identity at the top layer of a network of the given depth, from its layers' facts."""
    general = kernel.instance(signal_identity(), {DEPTH: depth, POINT_P: point, INPUT_X: at})
    cases = [
        kernel.forall_intro(
            "l",
            1,
            fact(n, LAYER),
            [kernel.hypothesis(fact(n, i)) for i in range(1, depth + 1)],
        )
        for n in ("dense", "pointwise", "smooth")
    ]
    return kernel.cut(kernel.forall_elim(general, depth), *cases)


def hessian_identity(depth: int, readout: str, point: Term, at: Term = INPUT) -> Judgement:
    """The exact Hessian of a dense network of the given depth.

    ``H = sum_l [J_l' diag(delta^l sigma''(z^l)) J_l + (X_l + X_l')/sqrt(m_{l-1})]``, and for a
    trained readout ``+ (Y + Y')/sqrt(m_L)`` with ``Y = Pi_v' dalpha^L``.

    Args:
        depth: number of hidden layers L.
        readout: ``trained`` or ``fixed``.
        point: where.
        at: the input.

    Returns:
        The judgement ``H = sum_{k=1}^L (...) [+ readout terms]``, the sum over k kept as a sum.

    Source: theory.md, section 3, from the chain rule (LZB22, Section 3).
    """
    premise = kernel.hypothesis(fact("readout", readout, depth))
    bind = {LAYER: depth, POINT_P: point, INPUT_X: at}
    top = use("hessian_readout", readout, bind=bind, given=[premise])
    meaning = kernel.symmetry(use("signal_top", readout, bind=bind, given=[premise]))
    delta, alpha = signal(depth, point, at), activation(depth, point, at)
    rest = _readout_terms(depth, readout, point, at)
    c = hole(delta)
    folded = rewrite(top, plus(make("hess", c, alpha, point), *rest), {c: meaning})
    inner = signal_identity_at(depth, point, at)
    h = hole(inner.conclusion.args[0])
    return rewrite(folded, plus(h, *rest) if rest else h, {h: inner})


def _readout_terms(depth: int, readout: str, point: Term, at: Term) -> list[Term]:
    if readout == "fixed":
        return []
    cross = dot(transpose(block(READOUT, depth)), make("jac", activation(depth, point, at), point))
    return [make("scale", inv_root(width(depth)), plus(cross, transpose(cross)))]


__all__ = [
    "assembly",
    "cross_term",
    "curvature_term",
    "hessian_identity",
    "jacobian",
    "jacobian_of_activation",
    "layer_term",
    "recursion",
    "signal_identity",
    "signal_identity_at",
]
