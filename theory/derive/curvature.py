"""Level ``layers``: the curvature terms of a block by norms that keep the weights together.

A curvature term ``J' diag(sigma''(z^l) delta^l) J``, ``J = W^l D^{l-1} J_{l-1} / sqrt(m_{l-1})``,
is a form on the layer below.  Its matrix ``X' diag(sigma'' delta) X / m_{l-1}``, X = W^l D^{l-1},
has a far smaller norm than s^2 lambda^2 beta q: the signs of delta cancel, and few of its entries
are as large as their maximum.  At the centre that norm is measured (y_l, and t_l where one factor
stands at layer l itself).  On a ball ``diag(delta) W`` is followed from its norm e_l at the centre.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.layers import bar, place_statistic, scaled_definition, with_slopes
from theory.derive.pointwise import (
    Part,
    Zero,
    bend_size,
    block_sum,
    bound_jacobians,
    jacobian_block,
    push_size,
    scale_of,
    sloped_weights,
)
from theory.derive.products import rewrite_to
from theory.derive.tactics import bound_norm, chain, hole, rearranged, use
from theory.derive.workbench import Derivation, Which
from theory.kernel import Judgement
from theory.lemmas import U, V
from theory.terms import (
    Term,
    add,
    dot,
    inv_root,
    make,
    mul,
    norm,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    READOUT,
    bend,
    curvature,
    lipschitz,
    preactivation,
    sigma,
    signal,
    slope,
    symbol,
    weights,
    width,
)


def with_curvature(d: Derivation) -> None:
    """Define a, r, h, c and t, y at the centre and learn what they say of the norms there."""
    with_slopes(d)
    for index in range(2, d.depth + 1):
        below = width(index - 1)
        curved = bent_weights(index, d)
        place_statistic("t", index, norm(curved), d, below)
        place_statistic("y", index, norm(form_below(index, d)), d, below, below)


def bent_weights(index: int, d: Derivation) -> Term:
    """diag(sigma'' delta) W D, the weights of a layer between curvature and slopes."""
    return dot(bend(index, d.point, d.at), *sloped_weights(index, d).args)


def form_below(index: int, d: Derivation) -> Term:
    """D W' diag(sigma'' delta) W D, what layer l adds to the curvature by z^{l-1}."""
    own = transpose(weights(index, d.point))
    return dot(slope(index - 1, d.point, d.at), own, bent_weights(index, d))


class Curvature:
    """Blocks of the Hessian with their curvature terms kept together one layer down."""

    def __init__(self, d: Derivation) -> None:
        """For a derivation that knows the norms of what stands between two Jacobians."""
        self.d = d

    def prepare(self, zero: Zero) -> None:
        """Bound the Jacobians by P_{l,k}."""
        bound_jacobians(self.d, zero)

    def value(self, row: Which, col: Which, value: Judgement) -> Judgement:
        """The block with the Jacobians above its own layers unfolded by one layer."""
        if col == READOUT:
            return value
        holes: dict[Term, Judgement] = {}

        def jac(index: int, which: Which) -> Term:
            step = self.d.steps[index, which]
            if index == which:
                return jacobian_block(index, which, self.d)
            spot = hole(step.conclusion.args[0], f"f{index},{which}")
            holes[spot] = step
            return spot

        def term(index: int, which: Which) -> Term:
            middle = bend(index, self.d.point, self.d.at)
            return dot(transpose(jac(index, which)), middle, jac(index, col))

        def low(index: int, which: Which) -> Term:
            return jacobian_block(index, which, self.d)

        template = block_sum(row, col, self.d, low, term)
        final = block_sum(row, col, self.d, low, self._form(int(row), int(col)))
        return rewrite_to(value, template, holes, final)

    def _form(self, row: int, col: int) -> Part:
        d = self.d

        def form(index: int, _: Which) -> Term:
            left = jacobian_block(index - 1, row, d) if index > row else None
            right = jacobian_block(index - 1, col, d) if index > col else None
            scale = inv_root(width(index - 1))
            if left is None:
                own = jacobian_block(index, row, d)
                return dot(transpose(own), bend(index, d.point, d.at), own)
            if right is None:
                own = jacobian_block(index, col, d)
                inner = dot(transpose(left), transpose(bent_weights(index, d)), own)
                return make("scale", scale, inner)
            inner = dot(transpose(left), form_below(index, d), right)
            return make("scale", mul(scale, scale), inner)

        return form

    def size(self, row: Which, col: Which) -> Term:
        """M_{kk'}: the curvature of each layer from k' on, and the cross term."""
        d = self.d
        low, high = int(row), int(col) if col != READOUT else d.depth

        def path(index: int, which: int) -> Term:
            return symbol(f"P{d.bar}", index, which, CENTRE, d.at)

        if col == READOUT:
            return mul(lipschitz(d.depth), path(d.depth, low), inv_root(width(d.depth)))
        terms = []
        for index in range(high, d.depth + 1):
            if index == low:
                terms.append(mul(*bend_size(index, d), path(index, low), path(index, low)))
            elif index == high:
                terms.append(mul(*self._half_size(index), path(index - 1, low), path(index, high)))
            else:
                both = path(index - 1, low), path(index - 1, high)
                terms.append(mul(*self._whole_size(index), *both))
        if low != high:
            reach = (lipschitz(high - 1), path(high - 1, low), inv_root(width(high - 1)))
            terms.append(mul(*push_size(high, d), *reach))
        return add(*terms)

    def _half_size(self, index: int) -> tuple[Term, ...]:
        return (symbol("t", index, CENTRE, self.d.at),)

    def _whole_size(self, index: int) -> tuple[Term, ...]:
        return (symbol("y", index, CENTRE, self.d.at),)


class CurvatureOnBall(Curvature):
    """The same at any point of a ball, by ``diag(sigma'')`` and ``diag(delta) W``."""

    def prepare(self, zero: Zero) -> None:
        """Bound the Jacobians and the forms between them."""
        super().prepare(zero)
        self.bound_forms()

    def bound_forms(self) -> None:
        """Name what bounds the forms between two Jacobians, from layer 2 on."""
        for index in range(2, self.d.depth + 1):
            self._bound_forms(index)

    def _bound_forms(self, index: int) -> None:
        """Name what bounds the two forms: t_bar and y_bar."""
        d, below = self.d, width(index - 1)
        half = mul(curvature(index), bar("e_bar", index, d), lipschitz(index - 1))
        strength = scale_of(d.known[norm(weights(index, d.point))], below)
        whole = mul(bar("t_bar", index, d), strength, lipschitz(index - 1))
        split = self._split(index)
        framed = dot(transpose(bent_weights(index, d)), sloped_weights(index, d))
        same = kernel.by_form(form_below(index, d), framed)
        for name, form, size, dimensions in (
            ("t_bar", split, half, (below,)),
            ("y_bar", same, whole, (below, below)),
        ):
            operator, value = form.conclusion.args
            h = hole(operator)
            start = kernel.congruence(norm(h), {h: form})
            bound = chain(start, bound_norm(value, d.known))
            named = scaled_definition(name, index, size, dimensions, bound, d)
            d.learn(named, f"{name}:{index}", f"{_NAMES[name]} of layer {index} on the ball")

    def _split(self, index: int) -> Judgement:
        """``diag(sigma'' delta) W D = diag(sigma'') (diag(delta) W) D``."""
        d = self.d
        second = sigma(index, 2, preactivation(index, d.point, d.at))
        delta = signal(index, d.point, d.at)
        product = use("diagonal_product", bind={U: second, V: delta})
        h = hole(product.conclusion.args[0])
        own, slopes = sloped_weights(index, d).args
        step = kernel.congruence(dot(h, own, slopes), {h: product})
        seen = dot(make("diag", delta), own)
        return rearranged(step, dot(make("diag", second), seen, slopes))

    def _half_size(self, index: int) -> tuple[Term, ...]:
        return (bar("t_bar", index, self.d),)

    def _whole_size(self, index: int) -> tuple[Term, ...]:
        return (bar("y_bar", index, self.d),)


_NAMES = {"t_bar": "curvature and weights", "y_bar": "curvature by the layer below"}

__all__ = ["Curvature", "CurvatureOnBall", "with_curvature"]
