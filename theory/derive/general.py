"""A6: layers of any kind, ``alpha^l = phi_l(w^l, alpha^{l-1})``, with the constants derived.

From ``d2 f = sum_l delta^l . {d2_ww phi_l[V, V] + 2 d2_wa phi_l[V, d alpha] + d2_aa phi_l[d alpha,
d alpha]}``: each three-tensor is contracted with a back-propagated signal, which A5 bounds by the
signal's maximum norm; the derivatives it meets are sums over the layers below.

Source: Liu, Zhu and Belkin 2020, Theorem 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from theory import kernel
from theory.derive.corollaries import contraction
from theory.derive.tactics import (
    Known,
    at_most,
    bound_norm,
    chain,
    hole,
    largest_of,
    raised,
    rearranged,
    rewrite,
    use,
)
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import (
    INDEX,
    INPUT_X,
    POINT_P,
    A,
    fact,
    operator_variable,
    real_variable,
    space_variable,
    vector_variable,
)
from theory.terms import (
    ONE,
    Arg,
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
    transpose,
)
from theory.vocabulary import (
    INPUT,
    POINT,
    READOUT,
    activation,
    block,
    hessian,
    layer,
    partial,
    signal,
    squared,
    symbol,
    width,
)


@dataclass
class General:
    """The workbench for general layers.

    Attributes:
        depth: number of hidden layers L.
        readout: ``trained`` or ``fixed``.
        point: where.
        at: the input.
        definitions: the abbreviations, each from earlier ones.
        claims: lines for the reader.
        chains: bounds of d alpha^l by sums over the layers below.
    """

    depth: int
    readout: str
    point: Term = POINT
    at: Term = INPUT
    definitions: list[Term] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    chains: dict[int, Judgement] = field(default_factory=dict)
    maxima: dict[str, dict[Term, Judgement]] = field(default_factory=dict)
    sums: dict[int, Judgement] = field(default_factory=dict)

    def named(self, name: str, *tags: Arg) -> Term:
        """The symbol of a quantity at this point and input."""
        return symbol(name, *tags, self.point, self.at)

    def define(self, name: str, tags: tuple[Arg, ...], value: Term) -> Judgement:
        """Introduce an abbreviation."""
        formula = eq(self.named(name, *tags), value)
        self.definitions.append(formula)
        return kernel.hypothesis(formula)

    def largest(self, name: str, numbers: Sequence[Term]) -> None:
        """Define a symbol as the maximum of some numbers; each is at most it."""
        value, each = largest_of(numbers)
        back = kernel.symmetry(self.define(name, (), value))
        found = self.maxima.setdefault(name, {})
        found |= {number: chain(below, back) for number, below in each.items()}

    def claim(self, label: str, title: str, judgement: Judgement) -> Judgement:
        """Show a line to the reader."""
        self.claims.append(Claim(label, title, judgement))
        return judgement

    def part(self, by: str, index: int) -> Term:
        """A partial derivative of a layer."""
        return partial(by, index, self.point, self.at)

    def moved(self, index: int) -> Term:
        """The Jacobian d alpha^l."""
        return make("jac", activation(index, self.point, self.at), self.point)

    def place(self, index: int) -> dict[Term, Arg]:
        """Bindings of a network lemma's layer, point and input."""
        return {INDEX: index, POINT_P: self.point, INPUT_X: self.at}

    def layer_fact(self, index: int) -> Judgement:
        """The hypothesis that a layer is a general one."""
        return kernel.hypothesis(fact("general", index))


# -- definitions ----------------------------------------------------------------------------------


def _define(d: General) -> None:
    """lambda, S_l and the three maxima Q."""
    layers = range(1, d.depth + 1)
    own = {top: norm(d.part("dw", top)) for top in layers}
    if d.depth > 1:
        d.largest("lipschitz", [norm(d.part("da", top)) for top in layers[1:]])
    for top in range(1, d.depth + (d.readout == "trained")):
        terms = [_power_of(d, top - k) for k in range(1, top + 1)]
        d.sums[top] = d.define("S", (top,), add(*terms))
    d.largest("Q_inf", [norm(signal(top, d.point, d.at), "inf") for top in layers])
    if d.readout == "trained":
        d.largest("Q_L", list(own.values()))
    second = [norm(d.part("dww", top), "221") for top in layers]
    second += [_mixed(d, k, top) for top in layers for k in range(1, top)]
    second += [
        _bent(d, j, k, top) for top in layers for k in range(1, top) for j in range(1, k + 1)
    ]
    d.largest("Q_221", second)


def _power_of(d: General, exponent: int) -> Term:
    """A power of lambda."""
    value = d.named("lipschitz")
    return ONE if exponent == 0 else value if exponent == 1 else power(value, exponent)


def _mixed(d: General, low: int, high: int) -> Term:
    """``|d_w alpha^k| |d2_wa alpha^l|``."""
    return mul(norm(d.part("dw", low)), norm(d.part("dwa", high), "221"))


def _bent(d: General, first: int, second: int, high: int) -> Term:
    """``|d_w alpha^j| |d_w alpha^k| |d2_aa alpha^l|``, j <= k."""
    lower = [norm(d.part("dw", i)) for i in sorted((first, second))]
    return mul(*lower, norm(d.part("daa", high), "221"))


# -- derivatives of the layers --------------------------------------------------------------------


def _still(d: General) -> Judgement:
    """The input does not move: d alpha^0 = 0."""
    bind: dict[Term, Arg] = {POINT_P: d.point, INPUT_X: d.at}
    return use("jacobian_input", bind=bind, given=[kernel.hypothesis(fact("input"))])


def _chain_rule(index: int, d: General) -> Judgement:
    """``|d alpha^l| <= sum_{k<=l} lambda^{l-k} |d_w alpha^k|``, with equality for l = 1."""
    rule = use("general_jacobian", bind=d.place(index), given=[d.layer_fact(index)])
    own, through = d.part("dw", index), d.part("da", index)
    if index == 1:
        h = hole(d.moved(0))
        alone = rewrite(rule, plus(own, dot(through, h)), {h: _still(d)})
        rule = rearranged(alone, own)
        n = hole(d.moved(1))
        return kernel.congruence(norm(n), {n: rule})
    known: Known = {
        norm(own): kernel.by_form(norm(own), norm(own)),
        norm(through): d.maxima["lipschitz"][norm(through)],
        norm(d.moved(index - 1)): d.chains[index - 1],
    }
    n = hole(d.moved(index))
    start = kernel.congruence(norm(n), {n: rule})
    found = chain(start, bound_norm(rule.conclusion.args[1], known))
    terms = [
        norm(d.part("dw", k)) if k == index else mul(_power_of(d, index - k), norm(d.part("dw", k)))
        for k in range(1, index + 1)
    ]
    return rearranged(found, add(*terms))


def _met(factor: Term, products: dict[tuple[int, ...], Term], d: General, index: int) -> Judgement:
    """A product of sums over the layers below, times a norm, by powers of S_{l-1} and Q_{2,2,1}.

    ``factor`` is ``|d alpha^{l-1}|^n |T|``, and each product of norms in it is at most Q_{2,2,1}.
    """
    below = index - 1
    count = len(next(iter(products)))
    n = real_variable("?n")
    times = mul(*[n] * count, factor)
    start = kernel.monotone(times, {n: d.chains[below]})
    spots = {key: real_variable(f"?{'_'.join(map(str, key))}") for key in products}
    terms = [
        mul(*(_power_of(d, below - k) for k in key), spots[tuple(sorted(key))])
        for key in _tuples(below, count)
    ]
    bounds = {spots[key]: d.maxima["Q_221"][value] for key, value in products.items()}
    grown = raised(start, add(*terms), bounds)
    total = d.sums[below]
    name = total.conclusion.args[0]
    s = hole(name)
    named = kernel.congruence(mul(*[s] * count, d.named("Q_221")), {s: kernel.symmetry(total)})
    tidy = rearranged(grown, named.conclusion.args[0])
    result = chain(tidy, named)
    return rearranged(result, mul(power(name, count) if count > 1 else name, d.named("Q_221")))


def _tuples(below: int, count: int) -> list[tuple[int, ...]]:
    layers = range(1, below + 1)
    return [(k,) for k in layers] if count == 1 else [(j, k) for j in layers for k in layers]


# -- the Hessian ----------------------------------------------------------------------------------


def _contracted(weights: Term, tensor: Term) -> Judgement:
    """A5: ``|sum_k u_k T_k| <= |u|_inf |T|_{2,2,1}``."""
    general, _ = contraction()
    left, right, out = (space_variable(s) for s in ("i", "j", "r"))
    spaces = tensor.cols.args
    bind: dict[Term, Arg] = {
        left: spaces[0],
        right: spaces[1],
        out: tensor.rows,
        operator_variable("T", out, make("tensor", left, right)): tensor,
        vector_variable("u", out): weights,
    }
    return kernel.instance(general, bind)


def _share(index: int, d: General) -> tuple[Term, Judgement]:
    """What layer l adds to the Hessian, and a bound ``(1 + S_{l-1})^2 Q_inf Q_{2,2,1}``."""
    delta = signal(index, d.point, d.at)
    own = make("contract", delta, d.part("dww", index))
    q_inf, q = d.named("Q_inf"), d.named("Q_221")
    largest = d.maxima["Q_inf"][norm(delta, "inf")]
    flat = _grown(_contracted(delta, d.part("dww", index)), largest, d)
    if index == 1:
        return own, d.claim("layer:1", "what layer 1 adds to the Hessian", flat)
    below = index - 1
    moved = d.moved(below)
    cross = dot(make("contract", delta, d.part("dwa", index)), moved)
    bent = dot(transpose(moved), make("contract", delta, d.part("daa", index)), moved)
    total = plus(own, cross, transpose(cross), bent)
    mixed = _met(
        norm(d.part("dwa", index), "221"),
        {(k,): _mixed(d, k, index) for k in range(1, index)},
        d,
        index,
    )
    second = _met(
        norm(d.part("daa", index), "221"),
        {(j, k): _bent(d, j, k, index) for k in range(1, index) for j in range(1, k + 1)},
        d,
        index,
    )
    d.claim(f"mixed:{index}", f"the mixed derivative of layer {index}", mixed)
    d.claim(f"second:{index}", f"the second derivative of layer {index} by its input", second)
    s = d.sums[below].conclusion.args[0]
    known: Known = {
        norm(own): flat,
        norm(cross): _product(cross, mixed, largest, d),
        norm(bent): _product(bent, second, largest, d),
    }
    result = rearranged(bound_norm(total, known), mul(squared(add(ONE, s)), q, q_inf))
    return total, d.claim(f"layer:{index}", f"what layer {index} adds to the Hessian", result)


def _grown(found: Judgement, largest: Judgement, d: General) -> Judgement:
    """From ``|..| <= |delta|_inf |d2_ww alpha^l|`` to ``Q_{2,2,1} Q_inf``."""
    delta, tensor = found.conclusion.args[1].args
    a, b = real_variable("?a"), real_variable("?b")
    grown = kernel.monotone(mul(a, b), {a: largest, b: d.maxima["Q_221"][tensor]})
    if grown.conclusion.args[0] is not mul(delta, tensor):
        msg = f"A5 gave {found.conclusion}"
        raise kernel.KernelError(msg)
    return rearranged(chain(found, grown), mul(d.named("Q_221"), d.named("Q_inf")))


def _product(term: Term, met: Judgement, largest: Judgement, d: General) -> Judgement:
    """The norm of a contracted tensor between derivatives: A5, then what the derivatives meet."""
    known: Known = {}
    for factor in term.args:
        if factor.head == "contract":
            known[norm(factor)] = _contracted(*factor.args)
        elif factor.head == "jac":
            known[norm(factor)] = kernel.by_form(norm(factor), norm(factor))
    first = bound_norm(term, known)
    a, b = real_variable("?a"), real_variable("?b")
    return raised(first, mul(a, b), {a: largest, b: met})


def _descend(d: General) -> tuple[Judgement, list[Judgement]]:
    """``<delta^L, d2 alpha^L>`` as a sum over the layers, and the bounds of the summands."""
    top = signal(d.depth, d.point, d.at)
    start = make("hess", top, activation(d.depth, d.point, d.at), d.point)
    so_far = kernel.by_form(start, start)
    shares: list[Term] = []
    bounds: list[Judgement] = []
    for index in range(d.depth, 0, -1):
        step = _unfolded(index, d)
        h = hole(step.conclusion.args[0])
        so_far = rewrite(so_far, plus(*shares, h), {h: step})
        share, size = _share(index, d)
        shares.append(share)
        bounds.append(size)
        below = make(
            "hess",
            signal(index - 1, d.point, d.at),
            activation(index - 1, d.point, d.at),
            d.point,
        )
        so_far = rearranged(so_far, plus(*shares, below))
    bind: dict[Term, Arg] = {
        POINT_P: d.point,
        INPUT_X: d.at,
        vector_variable("c", layer(0)): signal(0, d.point, d.at),
    }
    nothing = use("hessian_input", bind=bind, given=[kernel.hypothesis(fact("input"))])
    h = hole(nothing.conclusion.args[0])
    total = rewrite(so_far, plus(*shares, h), {h: nothing})
    return rearranged(total, plus(*shares)), bounds


def _unfolded(index: int, d: General) -> Judgement:
    """One layer of ``<delta^l, d2 alpha^l>``, the signal below put for its meaning."""
    bind = {
        **d.place(index),
        vector_variable("c", layer(INDEX)): signal(index, d.point, d.at),
    }
    rule = use("general_hessian", bind=bind, given=[d.layer_fact(index)])
    meaning = use("general_signal", bind=d.place(index), given=[d.layer_fact(index)])
    *own, inner = rule.conclusion.args[1].args
    c = hole(inner.args[0])
    folded = rewrite(
        rule, plus(*own, make("hess", c, *inner.args[1:])), {c: kernel.symmetry(meaning)}
    )
    if index > 1:
        return folded
    h = hole(d.moved(0), "?j")
    own_part, cross, _, bent, lower = folded.conclusion.args[1].args
    crossed = dot(cross.args[0], h)
    template = plus(
        own_part,
        crossed,
        transpose(crossed),
        dot(transpose(h), bent.args[1], h),
        lower,
    )
    return rearranged(rewrite(folded, template, {h: _still(d)}), plus(own_part, lower))


# -- the theorem ----------------------------------------------------------------------------------


def bound(d: General) -> Judgement:
    """``|H| <= C_1 Q_{2,2,1} Q_inf + C_2 Q_L / sqrt(m_L)``, the last term for a trained readout."""
    _define(d)
    for index in range(1, d.depth + (d.readout == "trained")):
        d.chains[index] = d.claim(
            f"chain:{index}", f"the derivative of layer {index}", _chain_rule(index, d)
        )
    exact, bounds = _descend(d)
    whole = _with_readout(exact, d)
    d.claim("identity", "the Hessian, layer by layer", whole)
    value = whole.conclusion.args[1]
    shares = list(exact.conclusion.args[1].args) if d.depth > 1 else [exact.conclusion.args[1]]
    known: Known = {norm(s): b for s, b in zip(shares, bounds, strict=True)}
    parts = value.args if value.head == "plus" else (value,)
    if d.readout == "trained":
        known[norm(parts[-1])] = _readout_bound(parts[-1], d)
    h = hole(value)
    found = chain(kernel.congruence(norm(h), {h: whole}), bound_norm(value, known))
    return _with_constants(found, d)


def _with_readout(exact: Judgement, d: General) -> Judgement:
    """The Hessian of f from that of alpha^L."""
    premise = kernel.hypothesis(fact("readout", d.readout, d.depth))
    bind = d.place(d.depth)
    top = use("hessian_readout", d.readout, bind=bind, given=[premise])
    meaning = kernel.symmetry(use("signal_top", d.readout, bind=bind, given=[premise]))
    delta, alpha = (make_at(d.depth, d.point, d.at) for make_at in (signal, activation))
    rest = []
    if d.readout == "trained":
        cross = dot(transpose(block(READOUT, d.depth)), d.moved(d.depth))
        rest = [make("scale", inv_root(width(d.depth)), plus(cross, transpose(cross)))]
    c = hole(delta)
    folded = rewrite(top, plus(make("hess", c, alpha, d.point), *rest), {c: meaning})
    h = hole(exact.conclusion.args[0])
    inside = rewrite(folded, plus(h, *rest), {h: exact})
    shares = exact.conclusion.args[1].args if d.depth > 1 else (exact.conclusion.args[1],)
    return rearranged(inside, plus(*shares, *rest))


def _readout_bound(term: Term, d: General) -> Judgement:
    """``|X + X'| / sqrt(m_L) <= 2 S_L Q_L / sqrt(m_L)``, X = Pi_v' d alpha^L."""
    projection = block(READOUT, d.depth)
    pair = use(
        "coordinates",
        d.depth,
        "trained",
        READOUT,
        READOUT,
        given=[kernel.hypothesis(fact("parameters", d.depth, "trained"))],
    )
    h = hole(pair.conclusion.args[0])
    square = chain(
        kernel.symmetry(use("gram", bind={A: projection})),
        kernel.congruence(norm(h), {h: pair}),
        use("identity", bind={space_variable("r"): projection.rows}),
    )
    n = real_variable("?n")
    one = kernel.monotone(root(n), {n: square})
    small = chain(
        kernel.by_form(norm(projection), root(squared(norm(projection)))),
        rearranged(one, rat(1)),
    )
    spots = [real_variable(f"?{k}") for k in range(1, d.depth + 1)]
    terms = [mul(_power_of(d, d.depth - k), s) for k, s in enumerate(spots, 1)]
    own = {s: d.maxima["Q_L"][norm(d.part("dw", k))] for k, s in enumerate(spots, 1)}
    grown = raised(d.chains[d.depth], add(*terms), own)
    total = d.sums[d.depth]
    s = hole(total.conclusion.args[0])
    named = kernel.congruence(mul(s, d.named("Q_L")), {s: kernel.symmetry(total)})
    reach = chain(rearranged(grown, named.conclusion.args[0]), named)
    d.claim("reach", "the derivative of the last layer", reach)
    known: Known = {norm(projection): small, norm(d.moved(d.depth)): reach}
    return bound_norm(term, known)


def _with_constants(found: Judgement, d: General) -> Judgement:
    """The bound with the constants C_1 and C_2 named."""
    sums = [squared(add(ONE, d.sums[low].conclusion.args[0])) for low in range(1, d.depth)]
    first = d.define("C_1", (), add(ONE, *sums))
    products = [mul(d.named("Q_221"), d.named("Q_inf"))]
    holes = {real_variable("?1"): kernel.symmetry(first)}
    constants = [first]
    if d.readout == "trained":
        constants.append(d.define("C_2", (), mul(rat(2), d.sums[d.depth].conclusion.args[0])))
        products.append(mul(d.named("Q_L"), inv_root(width(d.depth))))
        holes[real_variable("?2")] = kernel.symmetry(constants[1])
    template = add(*(mul(h, p) for h, p in zip(holes, products, strict=True)))
    named = kernel.congruence(template, holes)
    result = chain(rearranged(at_most(found), named.conclusion.args[0]), named)
    final = add(
        *(mul(c.conclusion.args[0], *p.args) for c, p in zip(constants, products, strict=True))
    )
    result = rearranged(result, final)
    expected = le(norm(hessian(d.point, d.at)), final)
    if result.conclusion is not expected:
        msg = f"A6 came out as {result.conclusion}"
        raise kernel.KernelError(msg)
    return d.claim("A6", "the norm of the Hessian", result)


__all__ = ["General", "bound"]
