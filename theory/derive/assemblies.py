"""Assemblies of independent sub-models: their Hessian and gradient, exactly (LZB22, Section 2).

``f = eta sum_{i=1}^m v_i g_i(w_i; x)`` for a symbolic number m of sub-models with parameters of
their own.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.indexed import STEP, at_least_all, at_most_all, over, term_by_term
from theory.derive.tactics import at_most, bound_norm, chain, hole, reflexive, use
from theory.kernel import Judgement
from theory.lemmas import (
    INDEX,
    INPUT_X,
    POINT_P,
    fact,
    operator_variable,
    real_variable,
    vector_variable,
)
from theory.lemmas.assemblies import COUNT, MEMBERS, PART
from theory.terms import ONE, PARAMS, Arg, Term, dot, eq, make, mul, norm, power, root, transpose
from theory.vocabulary import (
    CENTRE,
    FAILURE,
    INPUT,
    PARTS,
    POINT,
    gradient,
    hessian,
    part_block,
    part_gradient,
    part_hessian,
    part_weight,
    squared,
    symbol,
)

ETA = symbol("eta")
WHOLE = hessian(POINT, INPUT)
SLOPE = gradient(POINT, INPUT)
HERE: dict[Term, Arg] = {POINT_P: POINT, INPUT_X: INPUT}
ASSEMBLY = kernel.hypothesis(fact("assembly", COUNT))
SIGNS = kernel.hypothesis(fact("signs", COUNT))


def _in_range(index: Term) -> Judgement:
    return kernel.hypothesis(make("range", index, 1, COUNT))


def for_each(name: str, index: Arg, *tags: object) -> Judgement:
    """A fact about one sub-model, from the hypothesis that it holds of all."""
    formula = make("forall", "i", 1, COUNT, fact(name, PART, *tags))
    return kernel.forall_elim(kernel.hypothesis(formula), index)


def hessian_size(index: Arg) -> Term:
    """``|v_i| |H(g_i)|``."""
    return mul(norm(part_weight(index)), norm(part_hessian(index, POINT, INPUT)))


def gradient_size(index: Arg) -> Term:
    """``|v_i| |grad g_i|``."""
    return mul(norm(part_weight(index)), norm(part_gradient(index, POINT, INPUT)))


def _block_size(name: str, index: Term) -> Judgement:
    """``|Pi_i H Pi_i'| = eta |v_i| |Pi_i H(g_i) Pi_i'|``, or the same for gradients."""
    rule = use(name, bind={INDEX: index, COUNT: COUNT, **HERE}, given=[ASSEMBLY, _in_range(index)])
    left, right = rule.conclusion.args
    h = hole(left)
    start = kernel.congruence(norm(h), {h: rule})
    kron = right.args[1]
    kappa = {make("var", "kappa", "real"): ETA, operator_variable("A"): kron}
    out = use("homogeneity", "2", bind=kappa)
    both = {operator_variable("A"): kron.args[0], operator_variable("B", "r2", "c2"): kron.args[1]}
    r = real_variable("?")
    inner = kernel.congruence(mul(ETA, r), {r: use("kronecker", bind=both)})
    return chain(start, out, inner)


def block_hessian(index: Term) -> Judgement:
    """``|Pi_i H Pi_i'| = eta |v_i| |Pi_i H(g_i) Pi_i'|``."""
    return _block_size("assembly_hessian", index)


def block_gradient(index: Term) -> Judgement:
    """``|Pi_i grad f| = eta |v_i| |Pi_i grad g_i|``."""
    return _block_size("assembly_gradient", index)


def hessian_norm() -> Judgement:
    """B1: ``|H| = eta max_i |v_i| |H(g_i)|``, exactly."""
    bind = {COUNT: COUNT, **HERE}
    diagonal = use("assembly_diagonal", bind=bind, given=[ASSEMBLY])
    h = hole(WHOLE)
    start = kernel.congruence(norm(h), {h: diagonal})
    whole = operator_variable("A", PARAMS, PARAMS)
    blocks = use("block_diagonal_norm", bind={whole: WHOLE, COUNT: COUNT}, given=[ASSEMBLY])
    entry = blocks.conclusion.args[1].args[3]
    scaled = term_by_term("rmax", (entry, hessian_size(PART)), block_hessian, factor=ETA)
    return chain(start, blocks, scaled)


def gradient_norm_squared() -> Judgement:
    """B2: ``|grad f|^2 = eta^2 sum_i |v_i|^2 |grad g_i|^2``, exactly."""
    bind = {vector_variable("u", PARAMS): SLOPE, COUNT: COUNT}
    parts = use("pythagoras", bind=bind, given=[ASSEMBLY])
    entry = parts.conclusion.args[1].args[3]
    r = real_variable("?")

    def each(index: Term) -> Judgement:
        grown = kernel.congruence(squared(r), {r: block_gradient(index)})
        value = mul(squared(ETA), squared(gradient_size(index)))
        return chain(grown, kernel.by_form(grown.conclusion.args[1], value))

    bodies = (entry, squared(gradient_size(PART)))
    return chain(parts, term_by_term("rsum", bodies, each, factor=squared(ETA)))


def gradient_norm() -> Judgement:
    """``|grad f| = eta sqrt(sum_i |v_i|^2 |grad g_i|^2)``."""
    square = gradient_norm_squared()
    r = real_variable("?")
    rooted = kernel.congruence(root(r), {r: square})
    total = square.conclusion.args[1].args[1]
    left = kernel.by_form(norm(SLOPE), rooted.conclusion.args[0])
    right = kernel.by_form(rooted.conclusion.args[1], mul(ETA, root(total)))
    return chain(left, rooted, right)


def like_with_like() -> Judgement:
    """``|H| sqrt(sum |v_i|^2 |grad g_i|^2) = |grad f| max |v_i| |H(g_i)|``, whatever the scale."""
    curved, slope = hessian_norm(), gradient_norm()
    most, total = curved.conclusion.args[1].args[1], slope.conclusion.args[1].args[1]
    r = real_variable("?")
    left = kernel.congruence(mul(r, total), {r: curved})
    right = kernel.congruence(mul(r, most), {r: slope})
    middle = kernel.by_form(left.conclusion.args[1], right.conclusion.args[1])
    return chain(left, middle, kernel.symmetry(right))


def gradient_floor() -> Judgement:
    """``c <= |grad f|`` at the scale s = sqrt(m), where c <= |v_i| |grad g_i| for all i."""
    floor = symbol("part_slope", POINT, INPUT)
    r = real_variable("?")

    def each(index: Term) -> Judgement:
        steep = for_each("part_steep", index, POINT, INPUT)
        least = use("part_floor", bind={INDEX: index, **HERE}, given=[steep])
        return kernel.monotone(squared(r), {r: least})

    total = at_least_all(squared(gradient_size(PART)), squared(floor), each)
    count = use("part_count", bind={COUNT: COUNT}, given=[ASSEMBLY])
    counted = kernel.congruence(mul(squared(floor), r), {r: count})
    enough = chain(counted, total)  # c^2 m <= sum
    scale = power(make("dim", PARTS), -1)
    start = kernel.by_form(squared(floor), mul(scale, squared(floor), make("dim", PARTS)))
    inside = kernel.monotone(mul(scale, r), {r: enough})
    flat = kernel.by_form(start.conclusion.args[1], inside.conclusion.args[0])
    eta = use("scale", 1, 2, given=[kernel.hypothesis(fact("scale", 1, 2))])
    sums = enough.conclusion.args[1]
    back = kernel.symmetry(kernel.congruence(mul(squared(r), sums), {r: eta}))
    same = kernel.by_form(inside.conclusion.args[1], back.conclusion.args[0])
    square = chain(start, flat, inside, same, back, kernel.symmetry(gradient_norm_squared()))
    rooted = kernel.monotone(root(r), {r: square})
    ends = (
        kernel.by_form(floor, rooted.conclusion.args[0]),
        kernel.by_form(rooted.conclusion.args[1], norm(SLOPE)),
    )
    return chain(ends[0], rooted, ends[1])


def dominated(index: Term) -> Judgement:
    """B3: ``eta |v_i| |H(g_i)| <= |H|`` for every sub-model i."""
    block = part_block(index)
    given = [ASSEMBLY, _in_range(index)]
    unit = use("part_projection", bind={INDEX: index, COUNT: COUNT}, given=given)
    known = {norm(block): unit, norm(WHOLE): reflexive(norm(WHOLE))}
    bound = bound_norm(dot(block, WHOLE, transpose(block)), known)
    shrunk = chain(bound, kernel.by_form(bound.conclusion.args[1], norm(WHOLE)))
    return chain(kernel.symmetry(block_hessian(index)), at_most(shrunk))


def dial(index: Term, weight: tuple[int, int], scale: tuple[int, int]) -> Judgement:
    """B3 with ``|v_i| = m^gamma`` and ``s = m^sigma``: ``m^(gamma-sigma) |H(g_i)| <= |H|``."""
    bound = dominated(index)
    eta = use("scale", *scale, given=[kernel.hypothesis(fact("scale", *scale))])
    premise = kernel.hypothesis(fact("dominant", index, *weight))
    size = use("dominance", *weight, bind={INDEX: index}, given=[premise])
    own = norm(part_hessian(index, POINT, INPUT))
    a, b = real_variable("?0"), real_variable("?1")
    filled = kernel.congruence(mul(a, b, own), {a: eta, b: size})
    start = kernel.by_form(bound.conclusion.args[0], filled.conclusion.args[0])
    whole = chain(start, filled)
    value = _simplest(whole.conclusion.args[1], own, weight, scale)
    left = kernel.by_form(value, whole.conclusion.args[1])
    return chain(left, kernel.symmetry(whole), bound)


def _simplest(value: Term, own: Term, weight: tuple[int, int], scale: tuple[int, int]) -> Term:
    from fractions import Fraction

    exponent = Fraction(*weight) - Fraction(*scale)
    return mul(power(make("dim", PARTS), exponent), own) if exponent else own


def shared_hessian_norm() -> Judgement:
    """B3: ``|H| = eta max_i |sum_j v_{i,j}| |H(g_i)|`` where groups of n share parameters."""
    exact = hessian_norm()
    weight = make("osum", "j", 1, MEMBERS, part_weight(PART, make("index", "j", 0)))
    body = mul(norm(weight), norm(part_hessian(PART, POINT, INPUT)))
    premise = kernel.hypothesis(fact("shared", COUNT, MEMBERS))

    def each(index: Term) -> Judgement:
        bind = {INDEX: index, COUNT: COUNT, MEMBERS: MEMBERS}
        total = use("shared_weight", bind=bind, given=[premise, _in_range(index)])
        h = hole(total.conclusion.args[0])
        own = norm(part_hessian(index, POINT, INPUT))
        return kernel.congruence(mul(norm(h), own), {h: total})

    summed = term_by_term("rmax", (hessian_size(PART), body), each)
    r = real_variable("?")
    return chain(exact, kernel.congruence(mul(ETA, r), {r: summed}))


def bounded_parts() -> Judgement:
    """B7: ``|H| <= eta max_i |v_i| beta_i`` from ``|H(g_i)| <= beta_i`` for every sub-model."""
    exact = hessian_norm()
    r = real_variable("?")

    def each(index: Term) -> Judgement:
        weak = for_each("part_bounded", index, POINT, INPUT)
        bound = use("part_bound", bind={INDEX: index, **HERE}, given=[weak])
        return kernel.monotone(mul(norm(part_weight(index)), r), {r: bound})

    body = mul(norm(part_weight(PART)), symbol("part_beta", PART, POINT, INPUT))
    grown = term_by_term("rmax", (hessian_size(PART), body), each)
    return chain(exact, kernel.monotone(mul(ETA, r), {r: grown}))


def network_parts(part: Judgement) -> Judgement:
    """B7 with A7 inside: ``|H| <= eta max_i |v_i| beta_i`` for sub-models that are networks.

    Args:
        part: a bound on the Hessian norm of a network at the centre, as its own theorem proves it.

    Returns:
        The bound, whose hypotheses say of every sub-model what the theorem's say of a network, its
        abbreviations among them; beta_i is the theorem's right side for sub-model i.
    """
    here = kernel.instance(part, {CENTRE: POINT})
    bound = here.conclusion.args[1]
    meaning = kernel.hypothesis(eq(symbol("own_bound", POINT, INPUT), bound))
    named = chain(at_most(here), kernel.symmetry(meaning))
    r = real_variable("?")

    def each(index: Term) -> Judgement:
        own = kernel.part_intro(named, index)
        facts = [_of_every_part(h, index) for h in named.hypotheses]
        given = [ASSEMBLY, _in_range(index), kernel.cut(own, *facts)]
        size = use("part_model", bind={INDEX: index, COUNT: COUNT, **HERE}, given=given)
        return kernel.monotone(mul(norm(part_weight(index)), r), {r: size})

    body = mul(norm(part_weight(PART)), symbol("part_beta", PART, POINT, INPUT))
    grown = term_by_term("rmax", (hessian_size(PART), body), each)
    return chain(hessian_norm(), kernel.monotone(mul(ETA, r), {r: grown}))


def _of_every_part(formula: Term, index: Arg) -> Judgement:
    """That a formula holds for one sub-model, from the hypothesis that it holds for all."""
    every = make("forall", "i", 1, COUNT, make("for_part", PART, formula))
    return kernel.forall_elim(kernel.hypothesis(every), index)


def likely_output() -> Judgement:
    """B2: with probability 1 - delta over the signs, ``|f| <= eta t(delta/2) sqrt(sum g_i^2)``."""
    return use("signed_sum", bind={COUNT: COUNT, INPUT_X: INPUT}, given=[ASSEMBLY, SIGNS])


def bounded_output() -> Judgement:
    """B2: with probability 1 - delta over the signs, ``|f| <= t(delta/2) G`` at s = sqrt(m)."""
    event = likely_output()
    inner = event.conclusion.args[1]
    size = symbol("part_size")
    body = inner.args[1].args[2].args[0].args[3]
    r = real_variable("?")

    def each(index: Term) -> Judgement:
        bounded = for_each("output_bounded", index)
        place = {INDEX: index, POINT_P: CENTRE, INPUT_X: INPUT}
        most = kernel.monotone(squared(r), {r: use("output_bound", bind=place, given=[bounded])})
        return chain(most, kernel.by_form(squared(size), mul(squared(size), ONE)))

    total = term_by_term("rsum", (body, ONE), each, factor=squared(size))
    count = use("part_count", bind={COUNT: COUNT}, given=[ASSEMBLY])
    counted = kernel.congruence(mul(squared(size), r), {r: kernel.symmetry(count)})
    spread = chain(total, counted)
    eta = use("scale", 1, 2, given=[kernel.hypothesis(fact("scale", 1, 2))])
    a, b = real_variable("?0"), real_variable("?1")
    chance = inner.args[1].args[1]
    grown = kernel.monotone(mul(a, chance, root(b)), {a: eta, b: spread})
    value = mul(chance, size)
    bound = chain(kernel.hypothesis(inner), grown)
    bound = chain(bound, kernel.by_form(bound.conclusion.args[1], value))
    return kernel.likely_intro(bound, kernel.by_form(FAILURE, FAILURE), [event])


def scaled_bound(scale: tuple[int, int] = (1, 2), part: Judgement | None = None) -> Judgement:
    """B7 at the scale ``s = m^(p/q)``: ``|H| <= m^(-p/q) max_i |v_i| beta_i``.

    Args:
        scale: p and q.
        part: what bounds every sub-model, see :func:`network_parts`; None for any bounds.
    """
    bound = bounded_parts() if part is None else network_parts(part)
    eta = use("scale", *scale, given=[kernel.hypothesis(fact("scale", *scale))])
    r = real_variable("?")
    most = bound.conclusion.args[1].args[1]
    return chain(bound, kernel.congruence(mul(r, most), {r: eta}))


__all__ = [
    "STEP",
    "at_most_all",
    "bounded_parts",
    "dial",
    "dominated",
    "gradient_floor",
    "gradient_norm",
    "gradient_norm_squared",
    "hessian_norm",
    "like_with_like",
    "network_parts",
    "over",
    "scaled_bound",
    "shared_hessian_norm",
]
