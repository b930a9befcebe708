"""The Hessian bound at a point, from bounds on the layer statistics there (theory.md, section 3).

The walk: bound the Jacobian blocks ``dz^l/dW^k`` by ``P_{l,k}``; read every block of the Hessian
off the exact identity; bound it by ``M_{kk'}``; join the blocks by the norm of the matrix of their
bounds.  Each abbreviation enters as a definition, each inequality as a judgement of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from theory import kernel
from theory.derive.identities import (
    hessian_identity,
    jacobian,
    jacobian_of_activation,
    signal_identity,
)
from theory.derive.tactics import (
    at_most,
    bound_norm,
    chain,
    hole,
    rearranged,
    rewrite,
    spectral_bound,
    use,
)
from theory.derive.workbench import Claim, Derivation, Which
from theory.kernel import Judgement
from theory.lemmas import A, blocks
from theory.terms import (
    ZERO,
    Term,
    add,
    dot,
    inv_root,
    make,
    mul,
    norm,
    plus,
    root,
    transpose,
)
from theory.vocabulary import (
    READOUT,
    activation,
    bend,
    block,
    curvature,
    hessian,
    layer,
    lipschitz,
    signal,
    slope,
    symbol,
    weights,
    width,
)


def jacobian_block(index: int, which: Which, d: Derivation) -> Term:
    """dz^l/dW^k as an operator: the Jacobian restricted to one block of parameters."""
    return dot(jacobian(index, d.point, d.at), transpose(block(which, d.depth)))


# -- Jacobian blocks ------------------------------------------------------------------------------


def layer_jacobian(index: int, d: Derivation) -> Judgement:
    """dz^l in terms of dz^{l-1}: the product rule with the layer below unfolded."""
    rule = use("jacobian_dense", bind=d.place(index), given=[d.fact("dense", index)])
    below = index - 1
    lower = make("jac", activation(below, d.point, d.at), d.point)
    if below == 0:
        inside = use("jacobian_input", bind=d.place(0), given=[d.fact("input")])
    else:
        inside = jacobian_of_activation(below, d.point, d.at)
    scale, (own, _) = rule.conclusion.args[1].args[0], rule.conclusion.args[1].args[1].args
    h = hole(lower)
    template = make("scale", scale, plus(own, dot(weights(index, d.point), h)))
    return rewrite(rule, template, {h: inside})


def coordinates(row: Which, col: Which, d: Derivation) -> Judgement:
    """Pi_k Pi_k'^T is the identity or zero."""
    known = d.pairs.get((row, col))
    if known is None:
        known = use(
            "coordinates",
            d.depth,
            d.readout,
            row,
            col,
            given=[d.fact("parameters", d.depth, d.readout)],
        )
        d.pairs[row, col] = known
    return known


Zero = dict[tuple[int, Which], Judgement]


def vanishing_blocks(d: Derivation) -> Zero:
    """dz^l/dW^k = 0 for k above l and for the readout: lower layers do not see higher weights."""
    zero: Zero = {}
    for index in range(1, d.depth + 1):
        full = layer_jacobian(index, d)
        for which in blocks(d.depth, d.readout):
            if which == READOUT or (isinstance(which, int) and which > index):
                below = zero.get((index - 1, which))
                vanishes = split_block(index, which, full, below, d)
                d.claims.append(
                    Claim(
                        f"zero{d.bar}:{index},{which}",
                        f"z^{index} does not depend on {_block_name(which)}",
                        vanishes,
                    )
                )
                zero[index, which] = vanishes
    return zero


def _block_name(which: Which) -> str:
    return "the readout" if which == READOUT else f"W^{which}"


def split_block(
    index: int, which: Which, full: Judgement, below: Judgement | None, d: Derivation
) -> Judgement:
    """dz^l/dW^k from dz^l: the own-weights part by orthogonality, the rest by the layer below."""
    whole = jacobian(index, d.point, d.at)
    right = transpose(block(which, d.depth))
    h = hole(whole)
    placed = kernel.congruence(dot(h, right), {h: full})
    own = coordinates(index, which, d)
    below_layer = activation(index - 1, d.point, d.at)
    lifted = make("kron", make("id", layer(index)), transpose(below_layer))
    q = hole(own.conclusion.args[0], "q")
    parts, holes = [dot(lifted, q)], {q: own}
    if index > 1:
        inner = jacobian_block(index - 1, which, d)
        j = hole(inner, "j")
        if below is not None:
            holes[j] = below
        parts.append(dot(sloped_weights(index, d), j if below is not None else inner))
    template = make("scale", inv_root(width(index - 1)), plus(*parts))
    split = rewrite(placed, template, holes)
    return rearranged(split, _block_value(index, which, d))


def _block_value(index: int, which: Which, d: Derivation) -> Term:
    """What dz^l/dW^k equals."""
    if which == READOUT or (isinstance(which, int) and which > index):
        return make("zero", layer(index), block(which, d.depth).rows)
    scale = inv_root(width(index - 1))
    if which == index:
        lower = transpose(activation(index - 1, d.point, d.at))
        return make("scale", scale, make("kron", make("id", layer(index)), lower))
    inner = jacobian_block(index - 1, which, d)
    return make("scale", scale, dot(sloped_weights(index, d), inner))


def sloped_weights(index: int, d: Derivation) -> Term:
    """W^l D^{l-1}, the weights behind the slopes of the layer below."""
    return dot(weights(index, d.point), slope(index - 1, d.point, d.at))


def bound_jacobians(d: Derivation, zero: Zero) -> None:
    """Define P_{l,k} and show that it bounds dz^l/dW^k, for k <= l <= L."""
    for index in range(1, d.depth + 1):
        full = layer_jacobian(index, d)
        for which in range(1, index + 1):
            below = zero.get((index - 1, which))
            value = split_block(index, which, full, below, d)
            d.steps[index, which] = value
            target = jacobian_block(index, which, d)
            h = hole(target)
            start = kernel.congruence(norm(h), {h: value})
            bound = chain(start, bound_norm(value.conclusion.args[1], d.known))
            definition = d.define(f"P{d.bar}", (index, which), _path(index, which, d))
            d.learn(
                d.named(bound, definition),
                f"P{d.bar}:{index},{which}",
                f"the Jacobian of z^{index} by W^{which}",
            )


def _path(index: int, which: int, d: Derivation) -> Term:
    """P_{l,k}: a_{k-1} on the diagonal; below it r_l P_{l-1,k}, or s_l lambda_{l-1} P_{l-1,k}."""
    if which == index:
        return scale_of(d.known[norm(activation(index - 1, d.point, d.at))], width(index - 1))
    below = symbol(f"P{d.bar}", index - 1, which, *d.tags)
    if d.slopes:
        return mul(scale_of(d.known[norm(sloped_weights(index, d))], width(index - 1)), below)
    strength = scale_of(d.known[norm(weights(index, d.point))], width(index - 1))
    return mul(strength, lipschitz(index - 1), below)


def scale_of(judgement: Judgement, dimension: Term) -> Term:
    """The factor c of a bound of the form ``c * sqrt(dimension)``."""
    bound = judgement.conclusion.args[1]
    if bound.head != "mul" or bound.args[1] is not root(dimension):
        msg = f"expected a bound of the form c * sqrt({dimension}), got {bound}"
        raise kernel.KernelError(msg)
    return bound.args[0]


# -- Hessian blocks -------------------------------------------------------------------------------


def unfolded_identity(d: Derivation) -> Judgement:
    """The Hessian identity with the sum written out and dalpha replaced by D dz."""
    identity = hessian_identity(d.depth, d.readout, d.point, d.at)
    d.claims.append(Claim(f"signal{d.bar}", "the assembly recursion, summed", signal_identity()))
    d.claims.append(Claim(f"identity{d.bar}", "the exact Hessian", identity))
    parts: list[Term] = []
    holes: dict[Term, Judgement] = {}
    for index in range(1, d.depth + 1):
        j = jacobian(index, d.point, d.at)
        parts.append(dot(transpose(j), _bend(index, d), j))
        lower = make("jac", activation(index - 1, d.point, d.at), d.point)
        h = hole(lower, f"?{index}")
        if index == 1:
            holes[h] = use("jacobian_input", bind=d.place(0), given=[d.fact("input")])
        else:
            holes[h] = jacobian_of_activation(index - 1, d.point, d.at)
        cross = dot(transpose(block(index, d.depth)), lift(index, d), h)
        parts.append(make("scale", inv_root(width(index - 1)), plus(cross, transpose(cross))))
    if d.readout == "trained":
        top = jacobian_of_activation(d.depth, d.point, d.at)
        h = hole(top.conclusion.args[0], "?v")
        holes[h] = top
        cross = dot(transpose(block(READOUT, d.depth)), h)
        parts.append(make("scale", inv_root(width(d.depth)), plus(cross, transpose(cross))))
    return rewrite(identity, plus(*parts), holes)


def _bend(index: int, d: Derivation) -> Term:
    return bend(index, d.point, d.at)


def lift(index: int, d: Derivation) -> Term:
    """D^l delta^l (x) I, which carries dalpha^{l-1} to the weights of layer l."""
    pushed = dot(slope(index, d.point, d.at), signal(index, d.point, d.at))
    return make("kron", pushed, make("id", layer(index - 1)))


def hessian_block(row: Which, col: Which, d: Derivation) -> Term:
    """Pi_k H Pi_k'^T."""
    whole = hessian(d.point, d.at)
    return dot(block(row, d.depth), whole, transpose(block(col, d.depth)))


def block_identity(
    row: Which,
    col: Which,
    identity: Judgement,
    zero: Zero,
    d: Derivation,
) -> Judgement:
    """Pi_k H Pi_k'^T (k before k') as the sum of its non-zero terms."""
    h = hole(hessian(d.point, d.at))
    left, right = block(row, d.depth), transpose(block(col, d.depth))
    placed = kernel.congruence(dot(left, h, right), {h: identity})
    holes: dict[Term, Judgement] = {}
    template = plus(*_block_terms(row, col, zero, holes, d))
    split = rewrite(placed, template, holes)
    return rearranged(split, block_sum(row, col, d))


def _block_terms(
    row: Which,
    col: Which,
    zero: Zero,
    holes: dict[Term, Judgement],
    d: Derivation,
) -> list[Term]:
    """All terms of a block, with holes where a factor is known to be the identity or zero."""

    def jac(index: int, which: Which) -> Term:
        known = zero.get((index, which))
        if known is None:
            return jacobian_block(index, which, d)
        spot = hole(known.conclusion.args[0], f"j{index},{which}")
        holes[spot] = known
        return spot

    def pair(i: Which, j: Which) -> Term:
        known = coordinates(i, j, d)
        spot = hole(known.conclusion.args[0], f"q{i},{j}")
        holes[spot] = known
        return spot

    terms: list[Term] = []
    for index in range(1, d.depth + 1):
        terms.append(dot(transpose(jac(index, row)), _bend(index, d), jac(index, col)))
        if index == 1:
            continue
        inner = [
            dot(lift(index, d), slope(index - 1, d.point, d.at), jac(index - 1, w))
            for w in (col, row)
        ]
        crosses = plus(dot(pair(row, index), inner[0]), dot(transpose(inner[1]), pair(index, col)))
        terms.append(make("scale", inv_root(width(index - 1)), crosses))
    if d.readout == "trained":
        inner = [dot(slope(d.depth, d.point, d.at), jac(d.depth, w)) for w in (col, row)]
        crosses = plus(
            dot(pair(row, READOUT), inner[0]), dot(transpose(inner[1]), pair(READOUT, col))
        )
        terms.append(make("scale", inv_root(width(d.depth)), crosses))
    return terms


Part = Callable[[int, Which], Term]


def block_sum(
    row: Which, col: Which, d: Derivation, jac: Part | None = None, term: Part | None = None
) -> Term:
    """What the block equals: its curvature terms, and one cross term off the diagonal.

    Args:
        row: the layer k, the lower one.
        col: the layer k', or the readout.
        d: the derivation.
        jac: what stands for ``dz^l/dW^k`` (l, k); by default itself.
        term: what stands for the curvature term of layer l (l, row); by default
            ``(dz^l/dW^k)' diag(sigma'' delta) dz^l/dW^k'``.
    """

    def part(index: int, which: Which) -> Term:
        return jac(index, which) if jac else jacobian_block(index, which, d)

    if col == READOUT:
        if row == READOUT:
            return make("zero", layer(d.depth), layer(d.depth))
        cross = dot(slope(d.depth, d.point, d.at), part(d.depth, row))
        return make("scale", inv_root(width(d.depth)), transpose(cross))
    low, high = int(row), int(col)
    terms = [
        term(i, row) if term else dot(transpose(part(i, row)), _bend(i, d), part(i, col))
        for i in range(high, d.depth + 1)
    ]
    if low != high:
        inner = dot(lift(high, d), slope(high - 1, d.point, d.at), part(high - 1, row))
        terms.append(make("scale", inv_root(width(high - 1)), transpose(inner)))
    return plus(*terms)


def _block_bound(row: Which, col: Which, d: Derivation) -> Term:
    """M_{kk'}: the block's bound from P and from beta q, lambda g (or c, h); 0 for vv."""
    if row == READOUT:
        return ZERO

    def path(index: int, which: Which) -> Term:
        return symbol(f"P{d.bar}", index, which, *d.tags)

    if col == READOUT:
        return mul(lipschitz(d.depth), path(d.depth, row), inv_root(width(d.depth)))
    low, high = int(row), int(col)

    terms = [mul(*bend_size(i, d), path(i, row), path(i, col)) for i in range(high, d.depth + 1)]
    if low != high:
        reach = (lipschitz(high - 1), path(high - 1, row), inv_root(width(high - 1)))
        terms.append(mul(*push_size(high, d), *reach))
    return add(*terms)


def bend_size(index: int, d: Derivation) -> tuple[Term, ...]:
    """The factors that bound ``|sigma''(z) delta|_inf``: beta q, or c where it was measured."""
    if d.slopes:
        return (d.known[norm(_bend(index, d).args[0], "inf")].conclusion.args[1],)
    delta = signal(index, d.point, d.at)
    return curvature(index), d.known[norm(delta, "inf")].conclusion.args[1]


def push_size(index: int, d: Derivation) -> tuple[Term, ...]:
    """The factors that bound ``|D delta|``: lambda g, or h where it was measured."""
    delta = signal(index, d.point, d.at)
    if d.slopes:
        return (d.known[norm(dot(slope(index, d.point, d.at), delta))].conclusion.args[1],)
    return lipschitz(index), d.known[norm(delta)].conclusion.args[1]


class Refinement(Protocol):
    """A sharper way to bound the blocks of the Hessian than by the statistics of each layer."""

    def prepare(self, zero: Zero) -> None:
        """Learn what the blocks' bounds rest on, the Jacobians' bounds among it."""

    def value(self, row: Which, col: Which, value: Judgement) -> Judgement:
        """The block in the form whose norm is bounded, from its general form."""

    def size(self, row: Which, col: Which) -> Term:
        """M_{kk'}: the block's bound."""


def bound_hessian(d: Derivation, refinement: Refinement | None = None) -> Judgement:
    """``|H| <= |M|`` at the derivation's point, from what it knows of the layer statistics."""
    zero = vanishing_blocks(d)
    if refinement is None:
        bound_jacobians(d, zero)
    else:
        refinement.prepare(zero)
    identity = unfolded_identity(d)
    names = blocks(d.depth, d.readout)
    entries: dict[tuple[int, int], Term] = {}
    for i, row in enumerate(names):
        for j in range(i, len(names)):
            value = block_identity(row, names[j], identity, zero, d)
            if refinement is not None and row != READOUT:
                value = refinement.value(row, names[j], value)
                size = refinement.size(row, names[j])
            else:
                size = _block_bound(row, names[j], d)
            entries[i, j] = entries[j, i] = _bound_block(row, names[j], value, size, d)
    matrix = [entries[i, j] for i in range(len(names)) for j in range(len(names))]
    total = spectral_bound(hessian(d.point, d.at), d.known, matrix, d.depth, d.readout)
    return d.learn(total, f"H{d.bar}", "the Hessian")


def _bound_block(row: Which, col: Which, value: Judgement, size: Term, d: Derivation) -> Term:
    """Bound one block and its mirror image; return the bound."""
    target = hessian_block(row, col, d)
    h = hole(target)
    start = kernel.congruence(norm(h), {h: value})
    bound = chain(start, bound_norm(value.conclusion.args[1], d.known))
    if row == col == READOUT:
        d.learn(at_most(bound))
        return ZERO
    definition = d.define(f"M{d.bar}", (row, col), size)
    bound = d.named(bound, definition)
    d.learn(bound, f"M{d.bar}:{row},{col}", f"the block of the Hessian for {row} and {col}")
    if row != col:
        mirror = hessian_block(col, row, d)
        swapped = kernel.congruence(
            norm(h_t := hole(mirror)), {h_t: kernel.by_form(mirror, transpose(target))}
        )
        d.learn(chain(swapped, use("transpose", bind={A: target}), bound))
    return definition.conclusion.args[0]


__all__ = [
    "Part",
    "Refinement",
    "Zero",
    "bend_size",
    "block_identity",
    "block_sum",
    "bound_hessian",
    "bound_jacobians",
    "coordinates",
    "hessian_block",
    "jacobian_block",
    "layer_jacobian",
    "lift",
    "push_size",
    "scale_of",
    "sloped_weights",
    "split_block",
    "unfolded_identity",
    "vanishing_blocks",
]
