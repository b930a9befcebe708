"""Likely bounds on the layer statistics at a random centre: nothing is measured but |x|.

theory.md, section 3.  Forward, from layer to layer: mu_l is the activation scale at infinite width
and nu_l how far the true one may be from it; slopes concentrate around their mean square.
Backward: delta^l is, given z^{l+1}, a part along alpha^l and a fresh Gaussian part.  The first is
as large as ``y_{l+1} = z^{l+1} . D^{l+1} delta^{l+1}``, which is O(1) where Cauchy and Schwarz give
sqrt(m); so each layer costs its root mean square slope instead of lambda (1 + 1).

Each lemma with a probability gives one event, which enters the derivation as a hypothesis; at the
end the union bound (:func:`theory.kernel.likely_intro`) discharges them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from theory import kernel
from theory.derive.tactics import (
    INDEX,
    at_most,
    bound_norm,
    chain,
    hole,
    rearranged,
    restated,
    use,
)
from theory.derive.workbench import Claim, Derivation
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P, V, real_variable, schema
from theory.lemmas.gaussian import least_size, times
from theory.terms import (
    ONE,
    Term,
    add,
    inv_root,
    le,
    make,
    mul,
    norm,
    power,
    rat,
    root,
)
from theory.vocabulary import (
    CENTRE,
    FAILURE,
    activation,
    ceiling,
    curvature,
    floor,
    input_scale,
    lipschitz,
    origin,
    preactivation,
    quantile,
    root_mean_square,
    share,
    squared,
    symbol,
    tail,
    width,
)

H = real_variable("?")


@dataclass(frozen=True)
class Event:
    """One event of an a-priori theorem.

    Attributes:
        lemma: the lemma by which it is likely.
        kind: how a signal is weighted: ``plain``, ``slope`` or ``curve``; empty where it is not.
        layer: the layer it is about.
        formula: what happens.
        share: the part of the allowed probability of failure that it may use up.
        judgement: ``facts |- likely(share, formula)``.
    """

    lemma: str
    kind: str
    layer: int
    formula: Term
    share: Term
    judgement: Judgement


Key = tuple[str, str, int]


def plan(depth: int, ball: bool, bounded: Sequence[bool]) -> list[Key]:
    """The events (lemma, kind, layer) that the derivation needs.

    Args:
        depth: number of hidden layers.
        ball: whether it is about a ball.
        bounded: for each hidden layer whether its activation is taken as a bounded one.
    """
    hidden, upper = range(1, depth), range(2, depth + 1)
    found: list[Key] = [("gaussian_matrix", "", i) for i in upper if ball]
    for i in hidden:
        if bounded[i - 1]:
            found += [("squares_above", "", i), ("squares_below", "", i)]
        else:
            found += [("activation_above", "", i), ("activation_below", "", i)]
            found += [("activation_largest", "", i)]
    sloped = upper if ball else range(1, depth + 1)
    found += [("slopes_above", "", i) for i in sloped if depth > 1]
    found += [("sloped_matrix", "", i) for i in upper if not ball]
    found += [("preactivation_norm", "", i) for i in upper]
    for i in range(depth, 0, -1):
        top = "_top" if i == depth else ""
        if i > 1:
            found += [("alignment" + top, "", i), ("signal_norm" + top, "slope", i)]
        if ball:
            found += [("signal_norm" + top, "plain", i), ("signal_largest" + top, "plain", i)]
        else:
            found += [("signal_largest" + top, "curve", i)]
    return found


@dataclass
class Apriori:
    """The derivation of likely bounds.

    Attributes:
        d: the workbench, at a random centre.
        law: ``gaussian`` or ``sign``: of the entries of the readout.
        ball: whether s, a, g, q are wanted, instead of a, r, h, c.
        bounded: for each hidden layer whether its activation is taken as a bounded one.
        shares: for each event how many parts of the allowed probability it gets.
        events: what has been used, in order.
    """

    d: Derivation
    law: str
    ball: bool
    bounded: Sequence[bool]
    shares: Mapping[Key, int]
    events: list[Event] = field(default_factory=list)
    near: dict[int, tuple[Judgement, Judgement]] = field(default_factory=dict)
    floors: dict[int, Judgement] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """How many parts the allowed probability is cut into."""
        return sum(self.shares.values())

    # -- events -----------------------------------------------------------------------------------

    def event(self, lemma: str, layer: int, kind: str = "") -> tuple[Judgement, Term]:
        """An event as a hypothesis, and its share."""
        top = lemma.endswith("_top")
        part = self.shares[lemma, kind, layer]
        backward = lemma.startswith(("signal", "alignment"))
        where = () if top else (layer,)
        kinds = (kind,) if kind else ()
        network = (self.d.depth, *([self.d.readout] if backward else []), self.law)
        parameters = (*kinds, *where, *network, part, self.parts)
        given = [self.d.fact(*p.args) for p in schema(lemma, parameters).premises]
        bind = {INPUT_X: self.d.at}
        found = use(lemma, *parameters, bind=bind, given=given)
        p, formula = found.conclusion.args
        self.events.append(Event(lemma, kind, layer, formula, p, found))
        return kernel.hypothesis(formula), p

    def union(self, conclusion: Judgement) -> Judgement:
        """The union bound over all events, which must be those that the conclusion rests on."""
        unused = [e for e in self.events if e.formula not in conclusion.hypotheses]
        if unused or len(self.events) != len(self.shares):
            msg = f"the plan has {len(self.shares)} events; {len(unused)} are not used: {unused}"
            raise kernel.KernelError(msg)
        spent = add(*(e.share for e in self.events))
        budget = kernel.by_form(spent, FAILURE)
        return kernel.likely_intro(conclusion, budget, [e.judgement for e in self.events])

    # -- small tools ------------------------------------------------------------------------------

    def hat(self, name: str, layer: int) -> Term:
        """The abbreviation of a likely bound."""
        return symbol(name, layer, *self.d.tags)

    def scale(self, layer: int) -> Term:
        """The likely bound on a_l; rho for the input."""
        return self.hat("a_hat", layer) if layer else input_scale(self.d.at)

    def learn(self, name: str, layer: int, bound: Judgement, value: Term, title: str) -> None:
        """Name a bound by defining its value, and show it."""
        named = self.d.named(bound, self.d.define(name, (layer,), value))
        self.d.learn(named, f"{name}:{layer}", title)

    def enlarged(self, judgement: Judgement) -> Judgement:
        """The right side with every norm and moment in it replaced by its known bound."""
        holes: dict[Term, Judgement] = {}
        template = self._template(judgement.conclusion.args[1], holes)
        return chain(judgement, kernel.monotone(template, holes)) if holes else judgement

    def _template(self, term: Term, holes: dict[Term, Judgement]) -> Term:
        known = self.d.known.get(term)
        if known is None and term.head == "norm":
            known = bound_norm(term.args[1], self.d.known, term.args[0])
        if known is not None:
            spot = real_variable(f"?{len(holes)}")
            holes[spot] = known
            return spot
        if term.head in ("add", "mul"):
            return make(term.head, *(self._template(a, holes) for a in term.args))
        if term.head == "pow" and term.args[1] > 0:
            return make("pow", self._template(term.args[0], holes), term.args[1])
        return term

    # -- forward ----------------------------------------------------------------------------------

    def forward(self) -> None:
        """From the input to the pre-activations of the top layer."""
        d = self.d
        start = use("input_scale", bind={POINT_P: CENTRE, INPUT_X: d.at}, given=[d.fact("input")])
        d.learn(start)
        for layer in range(1, d.depth + 1):
            if layer > 1:
                if self.ball:
                    self._weights(layer)
                self._preactivation(layer)
                if not self.ball:
                    self._sloped(layer)
            if layer > 1 or (d.depth > 1 and not self.ball):
                self._slopes(layer)
            if layer < d.depth:
                self._moment(layer, 0)
                d.define("a_mid", (layer,), self._middle(layer))
                if self.bounded[layer - 1]:
                    self._bounded(layer)
                else:
                    self._above(layer)
                    self._below(layer)
                    self._largest(layer)

    def _below_scale(self, layer: int) -> Term:
        """a_{l-1} as a term."""
        return mul(norm(activation(layer - 1, CENTRE, self.d.at)), inv_root(width(layer - 1)))

    def _moment(self, layer: int, order: int) -> Term:
        """Learn that the root mean square at a_{l-1} is at most that at mu_{l-1} plus a little.

        Returns:
            The bound.
        """
        d, below = self.d, self._below_scale(layer)
        moment = root_mean_square(layer, order, below)
        if layer == 1:
            same = rearranged_scale(d.known[norm(activation(0, CENTRE, d.at))], below)
            found = kernel.congruence(root_mean_square(1, order, H), {H: same})
        else:
            middle, away = self.hat("a_mid", layer - 1), self.hat("a_gap", layer - 1)
            found = self._close(layer, order, below, middle, away, self.near[layer - 1])
        d.learn(found)
        return found.conclusion.args[1] if found.conclusion.args[0] is moment else moment

    def _close(
        self,
        layer: int,
        order: int,
        left: Term,
        right: Term,
        away: Term,
        near: tuple[Judgement, Judgement],
    ) -> Judgement:
        """Root mean squares of an activation at two scales that are at most ``away`` apart."""
        bind = {real_variable(n): t for n, t in zip("abh", (left, right, away), strict=True)}
        fact = self.d.fact("bounded", layer, order + 1)
        return use("rms_lipschitz", order, bind={INDEX: layer, **bind}, given=[fact, *near])

    def _moved(self, layer: int, order: int) -> Term:
        """The constant times nu_{l-1}, or nothing for the first layer."""
        constant = lipschitz(layer) if order == 0 else curvature(layer)
        return mul(constant, self.hat("a_gap", layer - 1))

    def _typical(self, layer: int, order: int) -> Term:
        """The root mean square at mu_{l-1}, and what nu_{l-1} adds."""
        if layer == 1:
            return root_mean_square(1, order, input_scale(self.d.at))
        middle = root_mean_square(layer, order, self.hat("a_mid", layer - 1))
        return add(middle, self._moved(layer, order))

    def _weights(self, layer: int) -> None:
        event, p = self.event("gaussian_matrix", layer)
        below = inv_root(width(layer - 1))
        value = add(ONE, mul(add(root(width(layer)), tail(p)), below))
        self._scaled("s_hat", layer, event, value, layer - 1, f"the weights of layer {layer}")

    def _scaled(
        self, name: str, layer: int, bound: Judgement, value: Term, dimension: int, title: str
    ) -> None:
        """Name a bound ``c sqrt(dimension)`` by defining c."""
        d = self.d
        meaning = d.define(name, (layer,), value)
        size = root(width(dimension))
        named = kernel.congruence(mul(H, size), {H: kernel.symmetry(meaning)})
        found = chain(rearranged(at_most(bound), named.conclusion.args[0]), named)
        d.learn(found, f"{name}:{layer}", title)

    def _preactivation(self, layer: int) -> None:
        event, p = self.event("preactivation_norm", layer)
        value = mul(self.scale(layer - 1), add(root(width(layer)), tail(p)))
        self.learn("z_hat", layer, self.enlarged(event), value, f"pre-activations of layer {layer}")

    def _slopes(self, layer: int) -> None:
        self._moment(layer, 1)
        event, p = self.event("slopes_above", layer)
        spread = mul(rat(1, 2), squared(lipschitz(layer)), root(width(layer)), tail(p))
        typical = mul(width(layer), squared(self._typical(layer, 1)))
        value = root(add(typical, spread))
        self.learn("d_hat", layer, self.enlarged(event), value, f"slopes of layer {layer}")

    def _sloped(self, layer: int) -> None:
        event, p = self.event("sloped_matrix", layer)
        steep = mul(lipschitz(layer - 1), add(root(width(layer)), tail(p)))
        value = mul(add(self.hat("d_hat", layer - 1), steep), inv_root(width(layer - 1)))
        title = f"weights of layer {layer} behind the slopes of layer {layer - 1}"
        self._scaled("r_hat", layer, self.enlarged(event), value, layer - 1, title)

    def _above(self, layer: int) -> None:
        event, p = self.event("activation_above", layer)
        noise = mul(lipschitz(layer), self.scale(layer - 1), tail(p), inv_root(width(layer)))
        terms = [self._mu(layer), *([self._moved(layer, 0)] if layer > 1 else []), noise]
        moved = self._with_mu(self.enlarged(event), layer)
        title = f"activation scale of layer {layer}"
        self._scaled("a_hat", layer, moved, add(*terms), layer, title)

    def _mu(self, layer: int) -> Term:
        return self.hat("a_mid", layer)

    def _middle(self, layer: int) -> Term:
        """What mu_l stands for."""
        return root_mean_square(layer, 0, self._mu(layer - 1) if layer > 1 else self.scale(0))

    def _meaning(self, symbol_: Term) -> Judgement:
        """The definition of an abbreviation."""
        return kernel.hypothesis(next(f for f in self.d.definitions if f.args[0] is symbol_))

    def _with_mu(self, bound: Judgement, layer: int) -> Judgement:
        """Write mu_l for the root mean square that it abbreviates on the right side."""
        meaning = self._meaning(self._mu(layer))
        moment = meaning.conclusion.args[1]
        template = replaced(bound.conclusion.args[1], moment, H)
        named = kernel.congruence(template, {H: kernel.symmetry(meaning)})
        return chain(bound, named)

    def _below(self, layer: int) -> None:
        """nu_l, and that a_l and mu_l are at most nu_l apart."""
        d, size = self.d, inv_root(width(layer))
        event, p = self.event("activation_below", layer)
        noise = mul(lipschitz(layer), self.scale(layer - 1), add(tail(p), ONE), size)
        value = add(self._moved(layer, 0), noise) if layer > 1 else noise
        away = d.define("a_gap", (layer,), value)
        own = mul(norm(activation(layer, CENTRE, d.at)), size)
        upper = self._within(layer, own, away)
        lower = self._reached(layer, own, event, away)
        self.near[layer] = (upper, lower)
        d.claims.append(Claim(f"above:{layer}", f"activation scale of layer {layer}", upper))
        d.claims.append(Claim(f"below:{layer}", f"activation scale of layer {layer}", lower))
        self._floor(layer, own, lower)

    def _within(self, layer: int, own: Term, away: Judgement) -> Judgement:
        """a_l <= mu_l + nu_l."""
        d = self.d
        known = d.known[norm(activation(layer, CENTRE, d.at))]
        small = rearranged_scale(known, own)
        opened = chain(small, self._meaning(self.scale(layer)))
        if self.bounded[layer - 1]:
            return opened  # a_hat is mu + nu there
        room = add(self._mu(layer), away.conclusion.args[1])
        wider = chain(opened, kernel.at_most_by_form(opened.conclusion.args[1], room))
        named = kernel.congruence(add(self._mu(layer), H), {H: kernel.symmetry(away)})
        return chain(wider, named)

    def _reached(self, layer: int, own: Term, event: Judgement, away: Judgement) -> Judgement:
        """mu_l <= a_l + nu_l, from the event that bounds the root mean square by the norm."""
        size = inv_root(width(layer))
        moment = root_mean_square(layer, 0, self._below_scale(layer))
        first = self._from_middle(layer)
        grown = self._noise_enlarged(event)
        scaled = kernel.monotone(mul(H, size), {H: grown})
        reached = chain(kernel.by_form(moment, scaled.conclusion.args[0]), scaled)
        template = replaced(first.conclusion.args[1], moment, H)
        total = chain(first, kernel.monotone(template, {H: reached}))
        final = rearranged(total, add(own, away.conclusion.args[1]))
        return chain(final, kernel.congruence(add(own, H), {H: kernel.symmetry(away)}))

    def _from_middle(self, layer: int) -> Judgement:
        """mu_l is at most the root mean square at a_{l-1}, plus what nu_{l-1} adds."""
        below = self._below_scale(layer)
        start = self._meaning(self._mu(layer))
        if layer == 1:
            return chain(start, kernel.symmetry(self.d.known[root_mean_square(1, 0, below)]))
        near = self.near[layer - 1][::-1]
        middle, gap = self._mu(layer - 1), self.hat("a_gap", layer - 1)
        return chain(start, self._close(layer, 0, middle, below, gap, near))

    def _noise_enlarged(self, event: Judgement) -> Judgement:
        """The event with a_{l-1} in its second summand replaced by its bound; the norm is kept."""
        kept, noise = event.conclusion.args[1].args
        holes: dict[Term, Judgement] = {}
        template = add(kept, self._template(noise, holes))
        return chain(event, kernel.monotone(template, holes))

    def _room(self, layer: int) -> Judgement:
        """The hypothesis that the width is large enough: floor_l + nu_l <= mu_l."""
        return kernel.hypothesis(le(add(floor(layer), self.hat("a_gap", layer)), self._mu(layer)))

    def _floor(self, layer: int, own: Term, lower: Judgement) -> None:
        """floor_l sqrt(m_l) <= |alpha^l|, by the hypothesis floor_l + nu_l <= mu_l."""
        d, least, away = self.d, floor(layer), self.hat("a_gap", layer)
        room = self._room(layer)
        below = cancelled(chain(room, lower), away, least, own)
        scaled = kernel.monotone(mul(H, root(width(layer))), {H: below})
        size = norm(activation(layer, CENTRE, d.at))
        reach = rearranged(scaled, size)
        d.claims.append(Claim(f"floor:{layer}", f"activations of layer {layer}, from below", reach))
        self.floors[layer] = reach

    # -- forward, bounded activations -------------------------------------------------------------

    def _bounded(self, layer: int) -> None:
        """a_l, nu_l and the floor by Hoeffding's inequality for squares."""
        d = self.d
        above, p = self.event("squares_above", layer)
        below, q = self.event("squares_below", layer)
        if p is not q:
            msg = f"the two events about the squares of layer {layer} need equal shares"
            raise kernel.KernelError(msg)
        size, spread = inv_root(width(layer)), mul(squared(ceiling(layer)), tail(p))
        gap = mul(rat(1, 4), spread, power(floor(layer), -1), size)
        away = d.define("a_gap", (layer,), add(self._moved(layer, 0), gap) if layer > 1 else gap)
        room = self._room_for_gap(layer, gap, away)
        own = mul(norm(activation(layer, CENTRE, d.at)), size)
        self._bounded_above(layer, above, room, away)
        lower = self._bounded_below(layer, below, room, own, away)
        self.near[layer] = (self._within(layer, own, away), lower)
        for label, j in zip(("above", "below"), self.near[layer], strict=True):
            d.claims.append(Claim(f"{label}:{layer}", f"activation scale of layer {layer}", j))
        self._floor(layer, own, lower)
        self._ceiling(layer)

    def _room_for_gap(self, layer: int, gap: Term, away: Judgement) -> Judgement:
        """``(floor_l + gap) sqrt(m_l)`` is at most sqrt(m_l) times the root mean square."""
        moment = root_mean_square(layer, 0, self._below_scale(layer))
        reached = chain(self._room(layer), self._from_middle(layer))
        opened = kernel.congruence(add(floor(layer), H), {H: away})
        found = chain(kernel.symmetry(opened), reached)
        if layer > 1:
            moved = self._moved(layer, 0)
            found = cancelled(found, moved, add(floor(layer), gap), moment)
        scaled = kernel.monotone(mul(root(width(layer)), H), {H: found})
        least = least_size(layer, 1)
        return restated(scaled, add(least, self._root_gap(layer)), scaled.conclusion.args[1])

    def _root_gap(self, layer: int) -> Term:
        """What the lemmas on roots allow: half the spread over the least size."""
        p = share(self.shares["squares_below", "", layer], self.parts)
        spread = mul(rat(1, 2), squared(ceiling(layer)), root(width(layer)), tail(p))
        return mul(rat(1, 2), spread, power(least_size(layer, 1), -1))

    def _roots(self, lemma: str, layer: int, event: Judgement, room: Judgement) -> Judgement:
        left, right = event.conclusion.args
        squares = (right.args[0].args[0], left.args[0])
        x, y = squares if lemma == "root_above" else squares[::-1]
        bind = {real_variable(n): t for n, t in zip("xys", (x, y, right.args[1]), strict=True)}
        return use(lemma, layer, bind=bind, given=[event, room])

    def _bounded_above(
        self, layer: int, event: Judgement, room: Judgement, away: Judgement
    ) -> None:
        least = least_size(layer, 1)
        below = chain(kernel.at_most_by_form(least, room.conclusion.args[0]), room)
        bound = self._roots("root_above", layer, event, below)
        moment, gap = bound.conclusion.args[1].args
        holes: dict[Term, Judgement] = {}
        grown = chain(bound, kernel.monotone(add(self._template(moment, holes), gap), holes))
        moved = self._with_mu(grown, layer)
        opened = add(self._mu(layer), away.conclusion.args[1])
        named = kernel.congruence(
            mul(add(self._mu(layer), H), root(width(layer))), {H: kernel.symmetry(away)}
        )
        found = chain(rearranged(moved, mul(opened, root(width(layer)))), named)
        value = add(self._mu(layer), self.hat("a_gap", layer))
        self._scaled("a_hat", layer, found, value, layer, f"activation scale of layer {layer}")

    def _bounded_below(
        self, layer: int, event: Judgement, room: Judgement, own: Term, away: Judgement
    ) -> Judgement:
        """mu_l <= a_l + nu_l."""
        found = self._roots("root_below", layer, event, room)
        size = inv_root(width(layer))
        moment = root_mean_square(layer, 0, self._below_scale(layer))
        scaled = kernel.monotone(mul(H, size), {H: found})
        reached = chain(kernel.by_form(moment, scaled.conclusion.args[0]), scaled)
        first = self._from_middle(layer)
        template = replaced(first.conclusion.args[1], moment, H)
        total = chain(first, kernel.monotone(template, {H: reached}))
        final = rearranged(total, add(own, away.conclusion.args[1]))
        return chain(final, kernel.congruence(add(own, H), {H: kernel.symmetry(away)}))

    def _ceiling(self, layer: int) -> None:
        d = self.d
        place = {INDEX: layer, POINT_P: CENTRE, INPUT_X: d.at}
        meaning = use("activation", bind=place, given=[d.fact("pointwise", layer)])
        spot = hole(meaning.conclusion.args[0])
        start = kernel.congruence(norm(spot, "inf"), {spot: meaning})
        vector = preactivation(layer, CENTRE, d.at)
        fact = d.fact("bounded", layer, 0)
        d.learn(chain(start, use("value_bound", bind={INDEX: layer, V: vector}, given=[fact])))

    def _largest(self, layer: int) -> None:
        event, p = self.event("activation_largest", layer)
        reach = mul(lipschitz(layer), self.scale(layer - 1), _reach(p, layer))
        value = add(origin(layer), reach)
        title = f"largest activation of layer {layer}"
        self.learn("A_hat", layer, self.enlarged(event), value, title)

    # -- backward ---------------------------------------------------------------------------------

    def backward(self) -> None:
        """From the readout down."""
        for layer in range(self.d.depth, 0, -1):
            if layer > 1:
                self._aligned(layer)
                self._signal("signal_norm", "slope", "h_hat", layer)
            if self.ball:
                self._signal("signal_norm", "plain", "g_hat", layer)
                self._signal("signal_largest", "plain", "q_hat", layer)
            else:
                self._signal("signal_largest", "curve", "c_hat", layer)

    def _aligned(self, layer: int) -> None:
        top = layer == self.d.depth
        event, p = self.event("alignment_top" if top else "alignment", layer)
        tilt = mul(lipschitz(layer), self.hat("z_hat", layer))
        reach = quantile(p) if not top or self.law == "gaussian" else tail(mul(rat(1, 2), p))
        fresh = mul(tilt, reach, inv_root(width(layer)))
        value = fresh if top else add(self._carried(tilt, layer, 1), mul(self._push(layer), fresh))
        title = f"the back-propagated signal of layer {layer} along its pre-activations"
        bound = self.enlarged(event if top else self._divided(event, layer, 1))
        self.learn("y_hat", layer, bound, value, title)

    def _push(self, layer: int) -> Term:
        return self.hat("h_hat", layer + 1)

    def _carried(self, factor: Term, layer: int, order: int) -> Term:
        """What comes along alpha^l: a factor times y_{l+1} over the least size of alpha^l."""
        along = self.hat("y_hat", layer + 1)
        least = power(floor(layer), -order), power(width(layer), Fraction(-order, 2))
        return times(factor, along, *least)

    def _divided(self, event: Judgement, layer: int, order: int) -> Judgement:
        """From ``x y <= a + x b``: ``y <= a / least + b``, x being |alpha^l| or its square."""
        (x, y), (a, rest) = event.conclusion.args[0].args, event.conclusion.args[1].args
        b = rest.args[1]
        bind = {real_variable(n): t for n, t in zip("xyab", (x, y, a, b), strict=True)}
        least = self.floors[layer]
        if order == 2:
            least = kernel.monotone(squared(H), {H: least})
        return use("divide", layer, order, bind=bind, given=[event, least])

    def _signal(self, lemma: str, kind: str, name: str, layer: int) -> None:
        """h, g, c or q of a layer."""
        top = layer == self.d.depth
        event, p = self.event(lemma + ("_top" if top else ""), layer, kind)
        steep = {"plain": ONE, "slope": lipschitz(layer), "curve": curvature(layer)}[kind]
        size = self.hat("d_hat", layer) if kind == "slope" else root(width(layer))
        largest = lemma == "signal_largest"
        reach = _reach(p, layer) if self.law == "gaussian" or not top else ONE
        fresh = times(steep, reach) if largest else add(size, times(steep, tail(p)))
        fresh = times(fresh, inv_root(width(layer)))
        order = 2 if largest else 1
        bound = self.enlarged(event if top else self._divided(event, layer, order))
        if top:
            value = fresh
        else:
            high = ceiling(layer) if self.bounded[layer - 1] else self.hat("A_hat", layer)
            weight = times(steep, high) if largest else steep
            value = add(self._carried(weight, layer, order), mul(self._push(layer), fresh))
        self.learn(name, layer, bound, value, f"{TITLES[name]} of layer {layer}")


TITLES = {
    "h_hat": "back-propagated norm through the slopes",
    "g_hat": "back-propagated norm",
    "c_hat": "curvature as the output sees it",
    "q_hat": "back-propagated maximum",
}


def _reach(p: Term, layer: int) -> Term:
    """What the largest of m_l normal variables exceeds with probability at most p."""
    return quantile(mul(p, power(width(layer), -1)))


def rearranged_scale(known: Judgement, own: Term) -> Judgement:
    """From ``|alpha| = c sqrt(m)`` or ``<=``: ``|alpha| / sqrt(m)`` against c."""
    factor = own.args[1]
    template = mul(H, factor)
    if known.conclusion.head == "eq":
        scaled = kernel.congruence(template, {H: known})
    else:
        scaled = kernel.monotone(template, {H: known})
    return rearranged(scaled, known.conclusion.args[1].args[0])


def cancelled(judgement: Judgement, common: Term, left: Term, right: Term) -> Judgement:
    """From ``common + left <= common + right``, in some form: ``left <= right``."""
    bind = {real_variable(n): t for n, t in zip("zxy", (common, left, right), strict=True)}
    given = restated(judgement, add(common, left), add(common, right))
    return use("cancel", bind=bind, given=[given])


def replaced(term: Term, old: Term, new: Term) -> Term:
    """The real term with one subterm replaced everywhere."""
    if term is old:
        return new
    if term.head in ("add", "mul", "max", "min"):
        return make(term.head, *(replaced(a, old, new) for a in term.args))
    if term.head == "pow":
        return make("pow", replaced(term.args[0], old, new), term.args[1])
    return term


__all__ = ["Apriori", "Event", "plan"]
