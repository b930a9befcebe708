"""Level ``operators`` on the ball: what is measured whole at the centre, and how far it moves.

The blocks of the Hessian at a point of the ball are products around ``C = B' S`` and ``N = D B``
there (:mod:`theory.derive.products`).  Each is bounded twice.  Once from what stands at the centre:
``B - B0`` by X, ``diag(sigma'' delta)`` less that of the centre by U and V, so that the third
derivative of the activations enters.  Once as at the level ``layers``, for radii at which
everything has moved.  The smaller bound counts, block by block; at R = 0 it is that of the centre.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.curvature import CurvatureOnBall, bent_weights, form_below
from theory.derive.layers import (
    bar,
    mean_value,
    place_statistic,
    smaller,
    statistic,
)
from theory.derive.pointwise import Zero, scale_of
from theory.derive.products import Operators
from theory.derive.second_order import movement_by_operators, pair
from theory.derive.sharp_ball import on_sharp_ball
from theory.derive.tactics import at_most, bound_norm, chain, hole, rearranged, use
from theory.derive.workbench import Derivation, Which
from theory.kernel import Judgement
from theory.lemmas import A, U, V, real_variable
from theory.terms import (
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
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    RADIUS,
    READOUT,
    activation,
    bend,
    between,
    curvature,
    lipschitz,
    pair_definition,
    pair_operator,
    preactivation,
    sigma,
    signal,
    slope,
    symbol,
    third,
    weights,
    width,
)


def with_operators_on_ball(d: Derivation) -> None:
    """Define all statistics at the centre; learn the layers' bounds on the ball."""
    for index in range(2, d.depth + 1):
        pushed = dot(slope(index, CENTRE, d.at), signal(index, CENTRE, d.at))
        place_statistic("h", index, norm(pushed), d)
    for low in range(1, d.depth + 1):
        for high in range(low, d.depth + 1):
            _measured("C", low, high, d)
            if high < d.depth or d.readout == "trained":
                _measured("N", high, low, d)
            if high > low:
                for name in ("n", "w", "b"):
                    _measured(name, high, low, d)
    d.sharper = movement_by_operators
    on_sharp_ball(d)


def _measured(name: str, row: int, col: int, d: Derivation) -> None:
    value = pair_definition(name, row, col, d.depth, CENTRE, d.at)
    formula = eq(symbol(name, row, col, CENTRE, d.at), value)
    d.definitions.append(formula)
    d.learn(kernel.symmetry(kernel.hypothesis(formula)))


# -- the blocks of the Hessian --------------------------------------------------------------------


class OperatorsOnBall(Operators):
    """Blocks of the Hessian at a point of the ball, around C and N there."""

    def prepare(self, zero: Zero) -> None:
        """Bound what the blocks are products of."""
        super().prepare(zero)
        d = self.d
        CurvatureOnBall(d).bound_forms()
        for index in range(1, d.depth + 1):
            self._learn_turn(index)
            self._learn_bend(index)
            if index > 1:
                self._learn_push(index)
            for which in range(index - 1, 0, -1):
                self._learn_jacobian(index, which)
                self._learn_bent(index, which)
        for index in range(1, d.depth + (d.readout == "trained")):
            for which in range(1, index + 1):
                self._learn_reach(index, which)
        base = dict(d.known)
        for low in range(1, d.depth + 1):
            for high in range(low, d.depth + 1):
                self._learn_curvature(low, high, base)

    def size(self, row: Which, col: Which) -> Term:
        """As at the centre, each quantity with a bar."""
        d = self.d

        def scale(which: int) -> Term:
            known = d.known[norm(activation(which - 1, d.point, d.at))]
            return scale_of(known, width(which - 1))

        low = int(row)
        if col == READOUT:
            return mul(scale(low), pair("N_bar", d.depth, low, d), inv_root(width(d.depth)))
        high = int(col)
        curved = mul(scale(low), scale(high), pair("C_bar", low, high, d))
        if low == high:
            return curved
        reach = pair("N_bar", high - 1, low, d)
        pushed = bar("h_bar", high, d)
        return add(curved, mul(pushed, scale(low), reach, inv_root(width(high - 1))))

    # -- slopes and curvatures of a layer ---------------------------------------------------------

    def _slopes(self, index: int, order: int = 1) -> Term:
        """Sigma'(z) - sigma'(z0), or of another order."""
        d = self.d
        far, near = (preactivation(index, p, d.at) for p in (d.point, CENTRE))
        return minus(sigma(index, order, far), sigma(index, order, near))

    def _learn_turn(self, index: int) -> None:
        """Learn ``|sigma''(z) - sigma''(z0)| <= gamma Z``, and for the maximum and the slopes."""
        d = self.d
        far, near = (preactivation(index, p, d.at) for p in (d.point, CENTRE))
        mean = mean_value(2, index, far, near, d)
        h = real_variable("?")
        gap = d.known[norm(minus(far, near))]
        d.learn(chain(mean, kernel.monotone(mul(third(index), h), {h: gap})))
        for order in (1, 2):
            moved = self._slopes(index, order)
            d.learn(chain(use("max_at_most_two", bind={V: moved}), d.known[norm(moved)]))

    def _turned(self, index: int, order: int, known: dict[Term, Judgement]) -> Term:
        """``diag(sigma^(j)(z) - sigma^(j)(z0)) delta0``, its norm learned by Hoelder."""
        moved, near = self._slopes(index, order), signal(index, CENTRE, self.d.at)
        product = dot(make("diag", moved), near)
        first = use("diagonal_two", bind={U: moved, V: near})
        parts = [known[norm(moved)], known[norm(near, "inf")]]
        spots = {real_variable(f"?{i}"): p for i, p in enumerate(parts)}
        known[norm(product)] = chain(first, kernel.monotone(mul(*spots), spots))
        return product

    def _still(self, index: int) -> bool:
        """Whether the signal of the layer does not move at all."""
        return index == self.d.depth and self.d.readout == "fixed"

    def _gap(self, index: int) -> Term:
        """``sigma''(z) delta - sigma''(z0) delta0``, the movement of a layer's curvature."""
        d = self.d
        return minus(*(bend(index, p, d.at).args[0] for p in (d.point, CENTRE)))

    def _learn_bend(self, index: int) -> None:
        """U_l and V_l: ``beta G + gamma Z q``, in the Euclidean and in the maximum norm."""
        d = self.d
        gap = self._gap(index)
        far, near = (signal(index, p, d.at) for p in (d.point, CENTRE))
        second = make("diag", sigma(index, 2, preactivation(index, d.point, d.at)))
        split = plus(dot(second, minus(far, near)), self._turned(index, 2, d.known))
        h = hole(gap)
        turned = mul(third(index), bar("Z", index, d), statistic("q", index, d))
        largest = "G" if index == d.depth else "Q"
        for kind, name, moved in (("2", "U", "G"), ("inf", "V", largest)):
            start = kernel.congruence(norm(h, kind), {h: kernel.by_form(gap, split)})
            terms = [] if self._still(index) else [mul(curvature(index), bar(moved, index, d))]
            bound = chain(start, bound_norm(split, d.known, kind))
            named = d.named(bound, d.define(name, (index,), add(*terms, turned)))
            words = "curvature" if kind == "2" else "largest curvature"
            d.learn(named, f"{name}:{index}", f"movement of the {words} of layer {index}")

    def _learn_push(self, index: int) -> None:
        """``|D delta| <= h_bar = min(h + beta Z q + lambda G, lambda g_bar)``."""
        d = self.d
        far, near = (signal(index, p, d.at) for p in (d.point, CENTRE))
        pushed, old = (dot(slope(index, p, d.at), signal(index, p, d.at)) for p in _points(d))
        rest = dot(slope(index, d.point, d.at), minus(far, near))
        split = plus(old, self._turned(index, 1, d.known), rest)
        h = hole(pushed)
        start = kernel.congruence(norm(h), {h: kernel.by_form(pushed, split)})
        turned = mul(curvature(index), bar("Z", index, d), statistic("q", index, d))
        terms = [statistic("h", index, d), turned]
        if not self._still(index):
            terms.append(mul(lipschitz(index), bar("G", index, d)))
        first = rearranged(at_most(chain(start, bound_norm(split, d.known))), add(*terms))
        through = mul(lipschitz(index), bar("g_bar", index, d))
        other = rearranged(at_most(bound_norm(pushed, dict(d.known))), through)
        self._name(smaller(first, other), "h_bar", (index,), "signal through the slopes")

    def _name(self, bound: Judgement, name: str, tags: tuple[int, ...], words: str) -> None:
        d = self.d
        named = d.named(bound, d.define(name, tags, bound.conclusion.args[1]))
        layers = " and ".join(map(str, tags))
        d.learn(named, f"{name}:{','.join(map(str, tags))}", f"{words}, layer {layers}")

    # -- Jacobians between layers -----------------------------------------------------------------

    def _moved(self, index: int, which: int) -> Term:
        """``B_{l,k} - B0_{l,k}``."""
        return minus(*(between(index, which, p, self.d.at) for p in _points(self.d)))

    def _scaled_rows(self, vector: Term, matrix: Term) -> Judgement:
        """``|diag(v) A| <= |v| |A|_{2,inf}`` with both known."""
        d = self.d
        first = use("scaled_rows", bind={V: vector, A: matrix})
        parts = [d.known[norm(vector)], d.known[norm(matrix, "2inf")]]
        spots = {real_variable(f"?{i}"): p for i, p in enumerate(parts)}
        return chain(first, kernel.monotone(mul(*spots), spots))

    def _learn_jacobian(self, index: int, which: int) -> None:
        """X_{l,k} and n_bar_{l,k}."""
        d, below, at = self.d, index - 1, self.d.at
        new, old = weights(index, d.point), weights(index, CENTRE)
        slopes = slope(below, d.point, at)
        turn = make("diag", self._slopes(below))
        scale = inv_root(width(below))
        rho = mul(RADIUS, scale)
        if which == below:
            parts = [dot(minus(new, old), slopes), dot(old, turn)]
            self._turned_columns(old, turn)
            sizes = [
                mul(rho, lipschitz(below)),
                mul(statistic("u", index, d), curvature(below), bar("Z", below, d)),
            ]
        else:
            low = between(below, which, CENTRE, at)
            d.learn(self._scaled_rows(turn.args[0], low))
            parts = [
                dot(minus(new, old), slopes, between(below, which, d.point, at)),
                dot(old, dot(turn, low)),
                dot(old, slopes, self._moved(below, which)),
            ]
            strength = statistic("s", index, d)
            turned = mul(curvature(below), bar("Z", below, d), pair("w", below, which, d))
            sizes = [
                mul(rho, lipschitz(below), pair("n_bar", below, which, d)),
                mul(strength, turned),
                mul(strength, lipschitz(below), pair("X", below, which, d)),
            ]
        moved, value = self._moved(index, which), make("scale", scale, plus(*parts))
        h = hole(moved)
        start = kernel.congruence(norm(h), {h: kernel.by_form(moved, value)})
        bound = rearranged(at_most(chain(start, bound_norm(value, d.known))), add(*sizes))
        self._name(bound, "X", (index, which), "movement of the Jacobian")
        self._learn_whole(index, which)

    def _turned_columns(self, old: Term, turn: Term) -> None:
        """Learn ``|W0 diag(v)| <= |W0'|_{2,inf} |v|``, from the transpose."""
        d = self.d
        product, other = dot(old, turn), dot(turn, transpose(old))
        h = hole(product)
        same = kernel.by_form(product, transpose(other))
        rows = self._scaled_rows(turn.args[0], transpose(old))
        d.learn(
            chain(kernel.congruence(norm(h), {h: same}), use("transpose", bind={A: other}), rows)
        )

    def _learn_whole(self, index: int, which: int) -> None:
        """``|B_{l,k}| <= n_bar = min(n + X, s_bar lambda n_bar_{l-1,k})``."""
        d, below = self.d, index - 1
        whole, old = (between(index, which, p, d.at) for p in _points(d))
        split = plus(old, self._moved(index, which))
        h = hole(whole)
        start = kernel.congruence(norm(h), {h: kernel.by_form(whole, split)})
        first = rearranged(
            at_most(chain(start, bound_norm(split, d.known))),
            add(pair("n", index, which, d), pair("X", index, which, d)),
        )
        factors = [weights(index, d.point), slope(below, d.point, d.at)]
        sizes = [bar("s_bar", index, d), lipschitz(below)]
        if which < below:
            factors.append(between(below, which, d.point, d.at))
            sizes.append(pair("n_bar", below, which, d))
        value = make("scale", inv_root(width(below)), dot(*factors))
        start = kernel.congruence(norm(h), {h: kernel.by_form(whole, value)})
        through = chain(start, bound_norm(value, dict(d.known)))
        other = rearranged(at_most(through), mul(*sizes))
        self._name(smaller(first, other), "n_bar", (index, which), "the Jacobian between layers")

    def _learn_bent(self, index: int, which: int) -> None:
        """``|diag(sigma'' delta) B0_{l,k}| <= b_bar = b + U w``."""
        d = self.d
        low = between(index, which, CENTRE, d.at)
        product = dot(bend(index, d.point, d.at), low)
        moved = dot(make("diag", self._gap(index)), low)
        d.learn(self._scaled_rows(self._gap(index), low))
        split = plus(dot(bend(index, CENTRE, d.at), low), moved)
        h = hole(product)
        start = kernel.congruence(norm(h), {h: kernel.by_form(product, split)})
        size = add(pair("b", index, which, d), mul(bar("U", index, d), pair("w", index, which, d)))
        bound = rearranged(at_most(chain(start, bound_norm(split, d.known))), size)
        self._name(bound, "b_bar", (index, which), "curvature and the Jacobian of the centre")

    def _learn_reach(self, index: int, which: int) -> None:
        """``|D B_{l,k}| <= N_bar = min(N + beta Z w + lambda X, lambda n_bar)``."""
        d = self.d
        whole, old = (pair_operator("N", index, which, d.depth, p, d.at) for p in _points(d))
        turn, slopes = make("diag", self._slopes(index)), slope(index, d.point, d.at)
        turned = mul(curvature(index), bar("Z", index, d))
        if which == index:
            parts, sizes, through = [turn], [turned], lipschitz(index)
        else:
            low = between(index, which, CENTRE, d.at)
            d.learn(self._scaled_rows(turn.args[0], low))
            parts = [dot(turn, low), dot(slopes, self._moved(index, which))]
            sizes = [
                mul(turned, pair("w", index, which, d)),
                mul(lipschitz(index), pair("X", index, which, d)),
            ]
            through = mul(lipschitz(index), pair("n_bar", index, which, d))
        h = hole(whole)
        start = kernel.congruence(norm(h), {h: kernel.by_form(whole, plus(old, *parts))})
        bound = at_most(chain(start, bound_norm(plus(old, *parts), d.known)))
        first = rearranged(bound, add(pair("N", index, which, d), *sizes))
        other = rearranged(at_most(bound_norm(whole, dict(d.known))), through)
        self._name(
            smaller(first, other), "N_bar", (index, which), "the Jacobian of the activations"
        )

    # -- curvature --------------------------------------------------------------------------------

    def _learn_curvature(self, low: int, high: int, base: dict[Term, Judgement]) -> None:
        """``|B' S| <= C_bar``, the smaller of two bounds."""
        d = self.d
        whole = pair_operator("C", low, high, d.depth, d.point, d.at)
        found = []
        for parts in (self._from_centre(low, high), self._from_layers(low, high)):
            value = plus(*(operator for operator, _ in parts))
            size = add(*(size for _, size in parts))
            h = hole(whole)
            start = kernel.congruence(norm(h), {h: kernel.by_form(whole, value)})
            bound = chain(start, bound_norm(value, dict(base)))
            found.append(rearranged(at_most(bound), size))
        self._name(smaller(*found), "C_bar", (low, high), "the curvature of the output")

    def _from_centre(self, low: int, high: int) -> list[tuple[Term, Term]]:
        """C of the centre, and for each layer how its curvature and the Jacobians move."""
        d = self.d
        old = pair_operator("C", low, high, d.depth, CENTRE, d.at)
        parts = [(old, pair("C", low, high, d))]
        for index in range(high, d.depth + 1):
            parts += self._changes(index, low, high)
        return parts

    def _changes(self, index: int, low: int, high: int) -> list[tuple[Term, Term]]:
        """``B' diag(b) B - B0' diag(b0) B0`` of one layer, term by term."""
        d = self.d
        gap, bent = make("diag", self._gap(index)), bend(index, d.point, d.at)
        if index == low == high:
            return [(gap, bar("V", index, d))]
        curved = mul(curvature(index), bar("q_bar", index, d))
        left, moved = between(index, low, CENTRE, d.at), self._moved(index, low)
        moves = pair("X", index, low, d)
        turned = transpose(dot(gap, left))
        turns = mul(bar("U", index, d), pair("w", index, low, d))
        if index == high:
            return [(turned, turns), (dot(transpose(moved), bent), mul(moves, curved))]
        right, other = between(index, high, CENTRE, d.at), self._moved(index, high)
        others = pair("X", index, high, d)
        return [
            (dot(turned, right), mul(turns, pair("n", index, high, d))),
            (
                dot(transpose(dot(bent, left)), other),
                mul(pair("b_bar", index, low, d), others),
            ),
            (
                dot(transpose(moved), dot(bent, right)),
                mul(moves, pair("b_bar", index, high, d)),
            ),
            (dot(transpose(moved), bent, other), mul(moves, curved, others)),
        ]

    def _from_layers(self, low: int, high: int) -> list[tuple[Term, Term]]:
        """The same curvature layer by layer, with t_bar and y_bar."""
        d = self.d

        def down(index: int, which: int) -> tuple[list[Term], list[Term]]:
            """B_{l-1,k} and its bound; nothing where it is the identity."""
            if index - 1 == which:
                return [], []
            own = between(index - 1, which, d.point, d.at)
            return [own], [pair("n_bar", index - 1, which, d)]

        parts = []
        for index in range(high, d.depth + 1):
            bent = bend(index, d.point, d.at)
            if index == low:
                parts.append((bent, mul(curvature(index), bar("q_bar", index, d))))
                continue
            scale = inv_root(width(index - 1))
            left, first = down(index, low)
            front = [transpose(t) for t in left]
            if index == high:
                inner = dot(*front, transpose(bent_weights(index, d)))
                size = mul(bar("t_bar", index, d), *first)
                parts.append((make("scale", scale, inner), size))
                continue
            right, second = down(index, high)
            inner = dot(*front, form_below(index, d), *right)
            size = mul(bar("y_bar", index, d), *first, *second)
            parts.append((make("scale", mul(scale, scale), inner), size))
        return parts


def _points(d: Derivation) -> tuple[Term, Term]:
    return d.point, CENTRE


__all__ = ["OperatorsOnBall", "with_operators_on_ball"]
