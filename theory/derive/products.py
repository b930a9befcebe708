"""Level ``operators``: the blocks of the Hessian by operators that are measured whole.

With ``dz^l/dW^k = B_{l,k} (I (x) alpha^{k-1}') / sqrt(m_{k-1})``, B_{l,k} = dz^l/dz^k, the
curvature terms of the block (k, k') add up, before any norm is taken, to

    (I (x) alpha^{k-1}) B_{k',k}' S_{k'} (I (x) alpha^{k'-1}') / sqrt(m_{k-1} m_{k'-1}),

S_l = d^2 f/(dz^l)^2 the curvature of the output as a function of one layer's pre-activations. Its
norm is a_{k-1} a_{k'-1} C_{k,k'}; nothing is lost at a bottleneck, where the norms of the factors
are large and that of their product is not.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.layers import place_statistic
from theory.derive.pointwise import (
    Zero,
    block_sum,
    jacobian_block,
    layer_jacobian,
    lift,
    scale_of,
    split_block,
)
from theory.derive.tactics import hole, rearranged, rewrite
from theory.derive.workbench import Derivation, Which
from theory.kernel import Judgement
from theory.lemmas import blocks
from theory.terms import Term, add, dot, eq, inv_root, make, mul, norm, plus, transpose
from theory.vocabulary import (
    CENTRE,
    READOUT,
    activation,
    between,
    layer,
    pair_operator,
    signal,
    slope,
    symbol,
    width,
)


def with_operators(d: Derivation) -> None:
    """Define a, h, N, C at the centre and learn what they say of the norms there."""
    for index in range(d.depth):
        place_statistic("a", index, norm(activation(index, CENTRE, d.at)), d, width(index))
    for index in range(2, d.depth + 1):
        pushed = dot(slope(index, CENTRE, d.at), signal(index, CENTRE, d.at))
        place_statistic("h", index, norm(pushed), d)
    for row in range(1, d.depth + 1):
        for col in range(row, d.depth + 1):
            _measured("C", row, col, d)
    top = d.depth + (d.readout == "trained")
    for row in range(1, top):
        for col in range(1, row + 1):
            _measured("N", row, col, d)


def _measured(name: str, row: int, col: int, d: Derivation) -> None:
    value = norm(pair_operator(name, row, col, d.depth, CENTRE, d.at))
    formula = eq(symbol(name, row, col, CENTRE, d.at), value)
    d.definitions.append(formula)
    d.learn(kernel.symmetry(kernel.hypothesis(formula)))


class Operators:
    """Blocks of the Hessian as products around the operators that are measured."""

    def __init__(self, d: Derivation) -> None:
        """For a derivation that knows N and C (:func:`with_operators`)."""
        self.d = d
        self.factors: dict[tuple[int, int], Judgement] = {}

    def prepare(self, zero: Zero) -> None:
        """Show ``dz^l/dW^k = B_{l,k} (I (x) alpha') / sqrt(m)`` for k <= l <= L."""
        for index in range(1, self.d.depth + 1):
            full = layer_jacobian(index, self.d)
            for which in blocks(self.d.depth, "fixed"):
                if isinstance(which, int) and which <= index:
                    below = zero.get((index - 1, which))
                    step = split_block(index, which, full, below, self.d)
                    self.factors[index, which] = self._factored(index, which, step)

    def _factored(self, index: int, which: int, step: Judgement) -> Judgement:
        d = self.d
        value = make(
            "scale",
            inv_root(width(which - 1)),
            dot(between(index, which, d.point, d.at), self._input(which)),
        )
        if index > which:
            h = hole(jacobian_block(index - 1, which, d))
            scale, inner = step.conclusion.args[1].args
            template = make("scale", scale, dot(*inner.args[:-1], h))
            step = rewrite(step, template, {h: self.factors[index - 1, which]})
        return rearranged(step, value)

    def _input(self, which: int) -> Term:
        """I (x) alpha^{k-1}', which takes changes of W^k to changes of z^k."""
        below = transpose(activation(which - 1, self.d.point, self.d.at))
        return make("kron", make("id", layer(which)), below)

    def value(self, row: Which, col: Which, value: Judgement) -> Judgement:
        """The block with its Jacobians factored and its curvature terms added up."""
        d = self.d
        holes: dict[Term, Judgement] = {}

        def jac(index: int, which: Which) -> Term:
            factor = self.factors[index, int(which)]
            spot = hole(factor.conclusion.args[0], f"f{index},{which}")
            holes[spot] = factor
            return spot

        template = block_sum(row, col, d, jac)
        return rewrite_to(value, template, holes, self._sum(int(row), col))

    def _sum(self, row: int, col: Which) -> Term:
        d = self.d
        if col == READOUT:
            return self._seen(d.depth, row, d.depth, None)
        high = int(col)
        scale = mul(inv_root(width(row - 1)), inv_root(width(high - 1)))
        curved = pair_operator("C", row, high, d.depth, d.point, d.at)
        whole = dot(transpose(self._input(row)), curved, self._input(high))
        curvature = make("scale", scale, whole)
        if row == high:
            return curvature
        return plus(curvature, self._seen(high - 1, row, high - 1, lift(high, d)))

    def _seen(self, index: int, row: int, below: int, outer: Term | None) -> Term:
        """``(outer B_{l,k} (I (x) alpha'))' / sqrt(m_l m_{k-1})``, the cross terms."""
        d = self.d
        inner = [pair_operator("N", index, row, d.depth, d.point, d.at), self._input(row)]
        product = dot(*inner) if outer is None else dot(outer, *inner)
        scale = mul(inv_root(width(below)), inv_root(width(row - 1)))
        return make("scale", scale, transpose(product))

    def size(self, row: Which, col: Which) -> Term:
        """``a a' C_{k,k'} + h_{k'} a N_{k'-1,k} / sqrt(m_{k'-1})``; for v ``a N/sqrt(m_L)``."""
        d = self.d

        def scale(which: int) -> Term:
            known = d.known[norm(activation(which - 1, d.point, d.at))]
            return scale_of(known, width(which - 1))

        low = int(row)
        if col == READOUT:
            reach = symbol("N", d.depth, low, CENTRE, d.at)
            return mul(scale(low), reach, inv_root(width(d.depth)))
        high = int(col)
        curvature = mul(scale(low), scale(high), symbol("C", low, high, CENTRE, d.at))
        if low == high:
            return curvature
        pushed = symbol("h", high, CENTRE, d.at)
        reach = symbol("N", high - 1, low, CENTRE, d.at)
        return add(curvature, mul(pushed, scale(low), reach, inv_root(width(high - 1))))


def rewrite_to(
    judgement: Judgement, template: Term, holes: dict[Term, Judgement], value: Term
) -> Judgement:
    """Replace equals on the right side, and bring it into another form."""
    return rearranged(rewrite(judgement, template, holes), value)


__all__ = ["Operators", "rewrite_to", "with_operators"]
