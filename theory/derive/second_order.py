"""How far pre-activations move, to second order: their Jacobians between layers at the centre.

To first order W^k moves z^l through ``B0_{l,k}``, the product of all weights and slopes between,
whose measured norm n_{l,k} is far below the product of their norms; what the activations move
beyond their slopes at the centre is of second order.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.layers import (
    bar,
    both_points,
    distance_of,
    share_distance,
    statistic,
    with_fixed_input,
)
from theory.derive.pointwise import scale_of
from theory.derive.tactics import at_most, bound_norm, chain, hole, rearranged, rewrite, use
from theory.derive.workbench import Derivation
from theory.kernel import Judgement
from theory.lemmas import U, V, real_variable
from theory.terms import Term, add, dot, inv_root, make, minus, mul, norm, plus, rat
from theory.vocabulary import (
    CENTRE,
    activation,
    between,
    curvature,
    preactivation,
    slope,
    squared,
    step_down,
    symbol,
    weights,
    width,
)


def pair(name: str, row: int, col: int, d: Derivation) -> Term:
    """The symbol of a quantity of two layers, at the centre or on the ball."""
    return symbol(name, row, col, CENTRE, d.at)


def movement_by_operators(index: int, d: Derivation) -> Judgement:
    """``|z - z0| <= R sqrt(sum_k (n_{l,k} a_bar_{k-1})^2) + sum_k n_{l,k} s_k beta Z_{k-1}^2 / 2``.

    By ``z - z0 = sum_k B0_{l,k} ((W^k - W0^k) alpha^{k-1} + W0^k rest^{k-1}) / sqrt(m_{k-1})``,
    rest what the activations move beyond their slopes at the centre.
    """
    moved = _unfolded(index, d)
    known = dict(d.known)
    for which in range(1, index + 1):
        own = distance_of(which, d)
        known[own] = kernel.by_form(own, own)
    for below in range(1, index):
        known[norm(_rest(below, d))] = _rest_norm(below, d)
    value = moved.conclusion.args[1]
    h = hole(moved.conclusion.args[0])
    bound = chain(kernel.congruence(norm(h), {h: moved}), bound_norm(value, known))
    factors, rests = [], []
    for which in range(1, index + 1):
        reach = (pair("n", index, which, d),) if which < index else ()
        size = scale_of(d.known[norm(activation(which - 1, d.point, d.at))], width(which - 1))
        factors.append(mul(*reach, size))
        if which > 1:
            turned = (curvature(which - 1), squared(bar("Z", which - 1, d)))
            rests.append(mul(rat(1, 2), *reach, statistic("s", which, d), *turned))
    shared = share_distance(factors, d)
    spot = real_variable("?")
    bound = rearranged(at_most(bound), add(shared.conclusion.args[0], *rests))
    return chain(bound, kernel.monotone(add(spot, *rests), {spot: shared}))


def _unfolded(index: int, d: Derivation) -> Judgement:
    """Z - z0 as a sum over the layers k of what happens there, carried up by B0_{l,k}."""
    holes = both_points("preactivation", index=index, given=[d.fact("dense", index)], d=d)
    difference = kernel.congruence(minus(*holes), holes)
    parts = _sources(index, d)
    if index == 1:
        matrices = (weights(1, d.point), weights(1, CENTRE))
        return rearranged(with_fixed_input(difference, *matrices, d), parts[0])
    below = _unfolded(index - 1, d)
    gap = hole(below.conclusion.args[0])
    template = plus(*parts, dot(step_down(index, CENTRE, d.at), gap))
    carried = [
        _carried(index, which, part, d)
        for which in range(1, index + 1)
        for part in _sources(which, d)
    ]
    return rearranged(rewrite(difference, template, {gap: below}), plus(*carried))


def _sources(index: int, d: Derivation) -> list[Term]:
    """What moves z^l by its own weights, and by what layer l-1 moves beyond its slopes."""
    scale = inv_root(width(index - 1))
    far, near = weights(index, d.point), weights(index, CENTRE)
    place = CENTRE if index == 1 else d.point  # the input does not move
    own = make("scale", scale, dot(minus(far, near), activation(index - 1, place, d.at)))
    if index == 1:
        return [own]
    return [own, make("scale", scale, dot(near, _rest(index - 1, d)))]


def _carried(index: int, which: int, part: Term, d: Derivation) -> Term:
    """A source at layer k, carried up to layer l."""
    if which == index:
        return part
    scale, product = part.args
    return make("scale", scale, dot(between(index, which, CENTRE, d.at), *product.args))


def _rest(index: int, d: Derivation) -> Term:
    """``alpha - alpha0 - D0 (z - z0)``."""
    far, near = (activation(index, p, d.at) for p in (d.point, CENTRE))
    gap = minus(*(preactivation(index, p, d.at) for p in (d.point, CENTRE)))
    return minus(minus(far, near), dot(slope(index, CENTRE, d.at), gap))


def _rest_norm(index: int, d: Derivation) -> Judgement:
    """``|rest| <= beta Z^2 / 2``."""
    far, near = (preactivation(index, p, d.at) for p in (d.point, CENTRE))
    holes = both_points("activation", index=index, given=[d.fact("pointwise", index)], d=d)
    linear = dot(slope(index, CENTRE, d.at), minus(far, near))
    start = kernel.congruence(norm(minus(minus(*holes), linear)), holes)
    place = {k: v for k, v in d.place(index).items() if k.head == "index"}
    given = [d.fact("bounded", index, 2)]
    taylor = use("second_order", bind={**place, U: far, V: near}, given=given)
    h = real_variable("?")
    template = mul(rat(1, 2), curvature(index), squared(h))
    return chain(start, taylor, kernel.monotone(template, {h: d.known[norm(minus(far, near))]}))


__all__ = ["movement_by_operators", "pair"]
