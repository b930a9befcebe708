"""The Hessian of every neuron of every layer, for a symbolic layer (LZB22, Section 3; row B5).

For a covector c of layer n + 1, such as c = e_k for one neuron, ``chi^k = B^{n+1,k}' c`` is the
signal that arrives at alpha^k.  By induction on the layer

    <c, d2 z^{n+1}> = sum_{k=1}^n (layer k's terms with the signal chi^k) + (X + X') / sqrt(m_n),

and from a bound J_k on the Jacobian of alpha^k, by another induction, a bound on its norm.
"""

from __future__ import annotations

from functools import cache

from theory import kernel
from theory.derive.identities import (
    dense_rule,
    jacobian,
    jacobian_of_activation,
    layer_term,
    recursion,
)
from theory.derive.indexed import STEP, over, term_by_term, triangle
from theory.derive.tactics import (
    Known,
    at_most,
    bound_norm,
    chain,
    hole,
    raised,
    rearranged,
    reflexive,
    rewrite,
    use,
)
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P, fact, vector_variable
from theory.lemmas.networks import TARGET
from theory.terms import (
    Arg,
    Term,
    add,
    dot,
    inv_root,
    make,
    mul,
    norm,
    plus,
    rat,
    shift,
    transpose,
)
from theory.vocabulary import (
    activation,
    block,
    curvature,
    layer,
    lipschitz,
    squared,
    symbol,
    transfer,
    weights,
    width,
)

ABOVE = shift(TARGET, 1)
COVECTOR = vector_variable("c", layer(ABOVE))
HERE: dict[Term, Arg] = {POINT_P: POINT_P, INPUT_X: INPUT_X}
SUMMED = make("index", "k", 0)


def arriving(index: Arg) -> Term:
    """chi^k, the signal of the covector at alpha^k."""
    return dot(transpose(transfer(ABOVE, index, POINT_P, INPUT_X)), COVECTOR)


def _alpha(index: Arg) -> Term:
    return activation(index, POINT_P, INPUT_X)


def for_layers(name: str, *tags: int) -> Term:
    """A fact about every layer 1, ..., n."""
    return make("forall", "l", 1, TARGET, fact(name, STEP, *tags))


def _facts(*names: tuple[str, int] | str) -> list[Judgement]:
    """Facts about layer l, from the hypothesis that they hold of all layers up to n."""
    pairs = [(n,) if isinstance(n, str) else n for n in names]
    return [kernel.forall_elim(kernel.hypothesis(for_layers(*p)), STEP) for p in pairs]


# -- the identity ---------------------------------------------------------------------------------


def _term(index: Arg) -> Term:
    return layer_term(index, POINT_P, INPUT_X, arriving(index))


def _claim(index: Arg) -> Term:
    left = make("hess", arriving(index), _alpha(index), POINT_P)
    return make("eq", left, make("osum", "k", 1, index, _term(SUMMED)))


def _arrives_below() -> Judgement:
    """``W^l' D^l chi^l / sqrt(m_{l-1}) = chi^{l-1}``, the left side under the transpose."""
    bind: dict[Term, Arg] = {STEP: STEP, TARGET: TARGET, **HERE}
    given = [kernel.hypothesis(fact(n, STEP)) for n in ("dense", "pointwise")]
    given.append(kernel.hypothesis(make("range", STEP, 1, TARGET)))
    return _arrival(use("transfer_below", bind=bind, given=given))


def _arrival(rule: Judgement) -> Judgement:
    h = hole(rule.conclusion.args[0])
    return kernel.symmetry(kernel.congruence(dot(transpose(h), COVECTOR), {h: rule}))


def _step() -> Judgement:
    """From the claim at l-1, the claim at l."""
    below = shift(STEP, -1)
    unfolded = recursion(STEP, arriving(STEP), POINT_P, INPUT_X)
    own = _term(STEP)
    c = hole(arriving(below))
    grouped = plus(own, make("hess", c, _alpha(below), POINT_P))
    folded = rewrite(unfolded, grouped, {c: _arrives_below()})
    before = kernel.hypothesis(_claim(below))
    h = hole(before.conclusion.args[0])
    summed = rewrite(folded, plus(own, h), {h: before})
    split = kernel.symmetry(kernel.sum_last(_claim(STEP).args[1], TARGET))
    return chain(rearranged(summed, split.conclusion.args[0]), split)


@cache
def neuron_identity() -> Judgement:
    """``<c, d2 z^{n+1}> = sum_{k=1}^n (...) + (X + X') / sqrt(m_n)``, by induction."""
    bind = {**HERE, vector_variable("c", layer(0)): arriving(0)}
    nothing = use("hessian_input", bind=bind, given=[kernel.hypothesis(fact("input"))])
    base = rearranged(nothing, _claim(0).args[1])
    step = kernel.cut(_step(), *_facts("dense", "pointwise", "smooth"))
    everywhere = kernel.induction("l", TARGET, base, step)
    below = kernel.cut(
        kernel.forall_elim(everywhere, TARGET), kernel.range_intro(TARGET, 0, TARGET)
    )
    dense = kernel.hypothesis(fact("dense", ABOVE))
    first = dense_rule(COVECTOR, ABOVE, POINT_P, INPUT_X)
    rule = use("transfer_top", bind={STEP: ABOVE, **HERE}, given=[dense])
    rest = top_term()
    c = hole(arriving(TARGET))
    template = plus(make("hess", c, _alpha(TARGET), POINT_P), rest)
    folded = rewrite(first, template, {c: _arrival(rule)})
    h = hole(below.conclusion.args[0])
    return rewrite(folded, plus(h, rest), {h: below})


def top_term() -> Term:
    """(X + X') / sqrt(m_n), X = Pi' (c (x) I) dalpha^n of the weights of layer n + 1."""
    lifted = make("kron", COVECTOR, make("id", layer(TARGET)))
    cross = dot(transpose(block(ABOVE, ABOVE)), lifted, make("jac", _alpha(TARGET), POINT_P))
    return make("scale", inv_root(width(TARGET)), plus(cross, transpose(cross)))


# -- bounds ---------------------------------------------------------------------------------------


def size(index: Arg) -> Term:
    """J_l, the bound on the Jacobian of alpha^l."""
    return symbol("J", index, POINT_P, INPUT_X)


def reach(index: Arg) -> Term:
    """(|alpha^{l-1}| + |W^l| J_{l-1}) / sqrt(m_{l-1}), the bound on the Jacobian of z^l."""
    below = shift(index, -1)
    carried = mul(norm(weights(index, POINT_P)), size(below))
    return mul(add(norm(_alpha(below)), carried), inv_root(width(below)))


def _projection(index: Arg) -> Judgement:
    return use(
        "block_projection", bind={STEP: index}, given=[kernel.hypothesis(fact("dense", index))]
    )


def _through_layer(below: Judgement) -> Judgement:
    """``|dz^l| <= (|alpha^{l-1}| + |W^l| J_{l-1}) / sqrt(m_{l-1})``."""
    dense = kernel.hypothesis(fact("dense", STEP))
    rule = use("jacobian_dense", bind={STEP: STEP, **HERE}, given=[dense])
    h = hole(rule.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: rule})
    under, own = _alpha(shift(STEP, -1)), weights(STEP, POINT_P)
    known: Known = {norm(t): reflexive(norm(t)) for t in (under, own)}
    known[norm(block(STEP, STEP))] = _projection(STEP)
    known[below.conclusion.args[0]] = below
    bound = bound_norm(rule.conclusion.args[1], known)
    return rearranged(at_most(chain(start, bound)), reach(STEP))


@cache
def jacobian_bound() -> Judgement:
    """For all l in 0..n: ``|dalpha^l| <= J_l``."""
    below = shift(STEP, -1)

    def left(index: Arg) -> Term:
        return norm(make("jac", _alpha(index), POINT_P))

    before = kernel.hypothesis(make("le", left(below), size(below)))
    through = _through_layer(before)
    slopes = jacobian_of_activation(STEP, POINT_P, INPUT_X)
    h = hole(slopes.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: slopes})
    z = jacobian(STEP, POINT_P, INPUT_X)
    bound = chain(start, bound_norm(slopes.conclusion.args[1], {norm(z): through}))
    finite = kernel.hypothesis(fact("bounded", STEP, 1))
    meaning = use("jacobian_size", bind={STEP: STEP, **HERE}, given=[finite])
    step = chain(rearranged(bound, meaning.conclusion.args[1]), kernel.symmetry(meaning))
    step = kernel.cut(step, *_facts("dense", "pointwise", "smooth", ("bounded", 1)))
    still = use("jacobian_input", bind=HERE, given=[kernel.hypothesis(fact("input"))])
    spot = hole(still.conclusion.args[0])
    nothing = kernel.congruence(norm(spot), {spot: still})
    empty = bound_norm(still.conclusion.args[1], {})
    start = use("jacobian_size_input", bind=HERE)
    base = kernel.weaken(chain(nothing, empty, kernel.symmetry(start)))
    return kernel.induction("l", TARGET, base, step)


def summand(index: Arg) -> Term:
    """``beta_k |chi^k|_inf P_k^2 + 2 lambda_k |chi^k| J_{k-1} / sqrt(m_{k-1})``."""
    below = shift(index, -1)
    bend = mul(curvature(index), norm(arriving(index), "inf"), squared(reach(index)))
    slopes = mul(rat(2), lipschitz(index), norm(arriving(index)), size(below))
    return add(bend, mul(slopes, inv_root(width(below))))


def _layer_bound(index: Term) -> Judgement:
    """``|layer l's terms| <= summand``, for 1 <= l <= n."""
    here = kernel.hypothesis(make("range", index, 1, TARGET))
    earlier = kernel.forall_elim(jacobian_bound(), shift(index, -1))
    earlier = kernel.cut(earlier, kernel.range_back(here))
    known: Known = {earlier.conclusion.args[0]: earlier}
    through = _through_layer(earlier)
    known[through.conclusion.args[0]] = through
    known[norm(block(index, index))] = _projection(index)
    chi = arriving(index)
    known |= {norm(chi, kind): reflexive(norm(chi, kind)) for kind in ("2", "inf")}
    bound = rearranged(at_most(bound_norm(_term(index), known)), summand(index))
    return kernel.cut(bound, *_facts("dense", ("bounded", 1), ("bounded", 2)))


@cache
def neuron_bound() -> Judgement:
    """``|<c, d2 z^{n+1}>| <= sum_{k=1}^n (summand) + 2 |c| J_n / sqrt(m_n)``."""
    identity = neuron_identity()
    h = hole(identity.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: identity})
    total, rest = identity.conclusion.args[1].args
    spread = triangle(total, TARGET)
    bodies = (norm(_term(SUMMED)), summand(SUMMED))
    each = term_by_term("rsum", bodies, _layer_bound, top=TARGET, name="k")
    top = kernel.forall_elim(jacobian_bound(), TARGET)
    top = kernel.cut(top, kernel.range_intro(TARGET, 0, TARGET))
    known: Known = {norm(total): chain(spread, each), norm(COVECTOR): reflexive(norm(COVECTOR))}
    known[norm(block(ABOVE, ABOVE))] = _projection(ABOVE)
    known[top.conclusion.args[0]] = top
    bound = chain(start, bound_norm(plus(total, rest), known))
    last = mul(rat(2), norm(COVECTOR), size(TARGET), inv_root(width(TARGET)))
    return rearranged(at_most(bound), add(over("rsum", summand(SUMMED), TARGET, "k"), last))


__all__ = ["arriving", "jacobian_bound", "neuron_bound", "neuron_identity", "raised"]
