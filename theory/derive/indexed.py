"""Sums and maxima over a symbolic index, term by term, by induction on the upper limit.

From what is known of each term, ``a(l) R kappa b(l)`` for 1 <= l <= top, follows
``B a R kappa B b`` for B the sum or the maximum over 1..top; R is = or <=.
"""

from __future__ import annotations

from collections.abc import Callable

from theory import kernel
from theory.derive.tactics import at_most, chain, hole, use
from theory.kernel import Judgement
from theory.lemmas import KAPPA, real_variable
from theory.lemmas.assemblies import COUNT
from theory.terms import Arg, Term, add, make, mul, norm, rat, shift, substitute

STEP = make("index", "l", 0)
ZERO = rat(0)
Each = Callable[[Term], Judgement]


def over(head: str, body: Term, high: Arg, name: str = "i") -> Term:
    """``rsum`` or ``rmax`` of a body in the index ``name``, over 1..high."""
    return make(head, name, 1, high, body)


def term_by_term(
    head: str,
    bodies: tuple[Term, Term],
    each: Each,
    top: Arg = COUNT,
    factor: Term | None = None,
    name: str = "i",
) -> Judgement:
    """``B_{i<=top} a(i) R factor B_{i<=top} b(i)`` from ``a(l) R factor b(l)`` for each l.

    Args:
        head: ``rsum`` or ``rmax``.
        bodies: a and b, in the index ``name``.
        each: proves the relation for a symbolic l, possibly under ``range(l, 1, top)``.
        top: the upper limit.
        factor: a real free of the index; None for 1.
        name: the bound index.
    """
    one = each(STEP)
    equal = one.conclusion.head == "eq"
    before = _claim(head, bodies, shift(STEP, -1), factor, name, equal=equal)
    claim = _claim(head, bodies, STEP, factor, name, equal=equal)
    left, right = (over(head, b, STEP, name) for b in bodies)
    split = kernel.sum_last(left, top)
    joined = _join(head, kernel.hypothesis(before), one)
    merged = _merged(head, right, joined, factor, top)
    step = chain(split, joined, merged)
    if step.conclusion is not claim:
        msg = f"the step gave {step.conclusion}, needed {claim}"
        raise kernel.KernelError(msg)
    sides = [substitute(t, {STEP: 0}) for t in claim.args]
    base = (kernel.by_form if equal else kernel.at_most_by_form)(*sides)
    return at_top(kernel.induction("l", top, base, step))


def at_top(judgement: Judgement) -> Judgement:
    """A statement for all l in 0..top, at l = top."""
    top = judgement.conclusion.args[2]
    return kernel.cut(kernel.forall_elim(judgement, top), kernel.range_intro(top, 0, top))


def _claim(
    head: str,
    bodies: tuple[Term, Term],
    high: Arg,
    factor: Term | None,
    name: str,
    *,
    equal: bool,
) -> Term:
    left, right = (over(head, b, high, name) for b in bodies)
    return make("eq" if equal else "le", left, right if factor is None else mul(factor, right))


def _join(head: str, before: Judgement, one: Judgement) -> Judgement:
    """What is known of the others and what is known of the last, put together."""
    spots = {real_variable("?0"): before, real_variable("?1"): one}
    template = make("add" if head == "rsum" else "max", *spots)
    equal = one.conclusion.head == "eq"
    return (kernel.congruence if equal else kernel.monotone)(template, spots)


def _merged(head: str, right: Term, joined: Judgement, factor: Term | None, top: Arg) -> Judgement:
    """``factor B_{l-1} b + factor b(l) = factor B_l b``, or the same with a maximum."""
    back = kernel.symmetry(kernel.sum_last(right, top))
    whole = joined.conclusion.args[1]
    if factor is None:
        return chain(kernel.by_form(whole, back.conclusion.args[0]), back)
    h = real_variable("?")
    out = kernel.congruence(mul(factor, h), {h: back})
    if head == "rsum":
        return chain(kernel.by_form(whole, out.conclusion.args[0]), out)
    others, last = back.conclusion.args[0].args
    bind = {KAPPA: factor, real_variable("a"): others, real_variable("b"): last}
    drawn = use("max_scaled", bind=bind)
    return chain(kernel.by_form(whole, drawn.conclusion.args[0]), drawn, out)


def at_most_all(body: Term, bound: Term, each: Each, top: Arg = COUNT) -> Judgement:
    """``max_{i<=top} a(i) <= U`` from ``a(l) <= U`` for each l, U free of the index."""
    total = over("rmax", body, STEP)
    split = kernel.sum_last(total, top)
    before = make("le", over("rmax", body, shift(STEP, -1)), bound)
    others, last = split.conclusion.args[1].args
    bind = {real_variable("a"): others, real_variable("b"): last, real_variable("c"): bound}
    least = use("max_least", bind=bind, given=[kernel.hypothesis(before), at_most(each(STEP))])
    base = kernel.at_most_by_form(over("rmax", body, 0), bound)
    return at_top(kernel.induction("l", top, base, chain(split, least)))


def at_least_all(body: Term, floor: Term, each: Each, top: Arg = COUNT) -> Judgement:
    """``c sum_{i<=top} 1 <= sum_{i<=top} a(i)`` from ``c <= a(l)`` for each l."""
    ones, total = over("rsum", rat(1), STEP), over("rsum", body, STEP)
    below = shift(STEP, -1)
    shorter = mul(floor, over("rsum", rat(1), below))
    split = kernel.sum_last(ones, top)
    h = real_variable("?")
    start = kernel.congruence(mul(floor, h), {h: split})
    start = chain(start, kernel.by_form(start.conclusion.args[1], add(shorter, floor)))
    before = kernel.hypothesis(make("le", shorter, over("rsum", body, below)))
    spots = {real_variable("?0"): before, real_variable("?1"): each(STEP)}
    grown = kernel.monotone(add(*spots), spots)
    step = chain(start, grown, kernel.symmetry(kernel.sum_last(total, top)))
    base = kernel.at_most_by_form(*(substitute(t, {STEP: 0}) for t in step.conclusion.args))
    return at_top(kernel.induction("l", top, base, step))


def triangle(total: Term, top: Arg) -> Judgement:
    """``|sum_{k<=top} A(k)| <= sum_{k<=top} |A(k)|``, A the body of the total.

    Args:
        total: an ``osum`` from 1 on.
        top: the upper limit.
    """
    name, _, _, body = total.args
    whole = make("osum", name, 1, STEP, body)
    sizes = over("rsum", norm(body), STEP, name)
    split = kernel.sum_last(whole, top)
    h = hole(whole)
    start = kernel.congruence(norm(h), {h: split})
    parts = split.conclusion.args[1].args
    bind = {make("var", f"A{i}", "op", *_spaces()): a for i, a in enumerate(parts, 1)}
    apart = use("triangle", 2, "2", bind=bind)
    before = make(
        "le",
        norm(make("osum", name, 1, shift(STEP, -1), body)),
        over("rsum", norm(body), shift(STEP, -1), name),
    )
    r = real_variable("?")
    last = apart.conclusion.args[1].args[1]
    grown = kernel.monotone(add(r, last), {r: kernel.hypothesis(before)})
    step = chain(start, apart, grown, kernel.symmetry(kernel.sum_last(sizes, top)))
    ends = [substitute(t, {STEP: 0}) for t in step.conclusion.args]
    zero = make("zero", *body.shape)
    nothing = kernel.congruence(norm(h), {h: kernel.by_form(ends[0].args[1], zero)})
    empty = use("zero", bind=dict(zip(_spaces(), body.shape, strict=True)))
    base = kernel.weaken(chain(nothing, empty, kernel.by_form(ZERO, ends[1])))
    return at_top(kernel.induction("l", top, base, step))


def _spaces() -> tuple[Term, Term]:
    return make("var", "r", "space"), make("var", "c", "space")


__all__ = ["STEP", "at_least_all", "at_most_all", "at_top", "over", "term_by_term", "triangle"]
