"""The kernel: the only code that can build a judgement.

A :class:`Judgement` says ``hypotheses |- conclusion``; both are formulas of :mod:`theory.terms`,
and its free variables are universally quantified.  The rules below are all there are.  Each looks
at terms only: no floating point, no simplifier, no numerical test.  Whoever finds a proof calls
them; a judgement remembers the rule, the data and the premises it came from, so that
:mod:`proofs_check` can replay it in code of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from theory import lemmas
from theory.normal import at_most, same
from theory.terms import (
    Arg,
    Term,
    TermError,
    add,
    bound_variable,
    eq,
    le,
    make,
    minus,
    norm,
    shift,
    substitute,
    subterms,
)
from theory.vocabulary import descent_formula, parameters


class KernelError(Exception):
    """A rule was asked for something it does not give; the message says which and why."""


class Judgement:
    """``hypotheses |- conclusion``, with the step that proves it; built only by the rules below."""

    __slots__ = ("conclusion", "data", "hypotheses", "premises", "rule")

    hypotheses: frozenset[Term]
    conclusion: Term
    rule: str
    data: tuple[Any, ...]
    premises: tuple[Judgement, ...]

    def __init__(self, *_: object) -> None:
        """Refuse: only the rules of the kernel build judgements."""
        msg = "a judgement is built by the rules of theory.kernel, not by calling its class"
        raise KernelError(msg)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: judgements are immutable."""
        msg = f"a judgement is immutable; cannot set {name!r}"
        raise AttributeError(msg)

    def __repr__(self) -> str:
        """The judgement in one line."""
        return f"{len(self.hypotheses)} hypotheses |- {self.conclusion}   [{self.rule}]"


def _judge(
    hypotheses: frozenset[Term],
    conclusion: Term,
    rule: str,
    data: tuple[Any, ...],
    premises: Sequence[Judgement] = (),
) -> Judgement:
    new = object.__new__(Judgement)
    for name, value in (
        ("hypotheses", hypotheses),
        ("conclusion", conclusion),
        ("rule", rule),
        ("data", data),
        ("premises", tuple(premises)),
    ):
        object.__setattr__(new, name, value)
    return new


def _relation(judgement: Judgement, *heads: str) -> tuple[str, Term, Term]:
    conclusion = judgement.conclusion
    if conclusion.head not in heads:
        msg = f"needs a premise of the form {' or '.join(heads)}, was given {conclusion}"
        raise KernelError(msg)
    return conclusion.head, *conclusion.args


def _union(premises: Sequence[Judgement]) -> frozenset[Term]:
    return frozenset().union(*(p.hypotheses for p in premises))


# -- hypotheses and lemmas ------------------------------------------------------------------------


def hypothesis(formula: Term) -> Judgement:
    """``A |- A``."""
    if formula.sort != "formula":
        msg = f"a hypothesis is a formula; {formula} is of sort {formula.sort}"
        raise KernelError(msg)
    return _judge(frozenset({formula}), formula, "hypothesis", (formula,))


def lemma(
    name: str,
    parameters: Sequence[int | str],
    bindings: Mapping[Term, Arg],
    premises: Sequence[Judgement] = (),
) -> Judgement:
    """An instance of a trusted lemma, its premises discharged by the judgements given.

    Args:
        name: the lemma's name in :data:`theory.lemmas.LEMMAS`.
        parameters: the parameters of a lemma that is a family (such as the number of summands).
        bindings: the schema's variables and what stands for them; spaces follow from the shapes.
        premises: one judgement for each premise of the schema, in order.

    Raises:
        KernelError: when an instance does not fit the schema or a premise is not what it needs.
    """
    schema = lemmas.schema(name, tuple(parameters))
    full = _with_spaces(bindings)
    _require_not_random((schema.conclusion, *schema.premises), bindings)
    needs = [substitute(p, full) for p in schema.premises]
    if len(needs) != len(premises):
        msg = f"lemma {name} has {len(needs)} premises, was given {len(premises)}"
        raise KernelError(msg)
    for need, given in zip(needs, premises, strict=True):
        if given.conclusion is not need:
            msg = f"lemma {name} needs {need}, was given {given.conclusion}"
            raise KernelError(msg)
    data = (name, tuple(parameters), tuple(bindings.items()))
    return _judge(_union(premises), substitute(schema.conclusion, full), "lemma", data, premises)


def _with_spaces(bindings: Mapping[Term, Arg]) -> dict[Term, Arg]:
    """Bindings of operator variables fix the space variables in their shapes."""
    full = dict(bindings)
    for variable, value in bindings.items():
        if variable.head == "var" and variable.shape and isinstance(value, Term) and value.shape:
            for wanted, given in zip(variable.shape, value.shape, strict=True):
                _match_space(wanted, given, full)
    return full


def _match_space(wanted: Term, given: Term, full: dict[Term, Arg]) -> None:
    if wanted.head == "var":
        if full.setdefault(wanted, given) is not given:
            msg = f"space {wanted} would be both {full[wanted]} and {given}"
            raise KernelError(msg)
    elif wanted.head == "tensor" and given.head == "tensor":
        for part, value in zip(wanted.args, given.args, strict=True):
            _match_space(part, value, full)
    elif not wanted.free and wanted is not given:
        msg = f"an operator with space {given} was given where {wanted} is needed"
        raise KernelError(msg)


# -- equality and order ---------------------------------------------------------------------------


def by_form(left: Term, right: Term) -> Judgement:
    """``|- left = right`` when both have the same exact normal form."""
    if not same(left, right):
        msg = f"not equal by rearrangement: {left} and {right}"
        raise KernelError(msg)
    return _judge(frozenset(), eq(left, right), "by_form", (left, right))


def at_most_by_form(left: Term, right: Term) -> Judgement:
    """``|- left <= right`` when right - left is a sum of non-negative terms."""
    if not at_most(left, right):
        msg = f"not at most by rearrangement: {left} and {right}"
        raise KernelError(msg)
    return _judge(frozenset(), le(left, right), "at_most_by_form", (left, right))


def symmetry(premise: Judgement) -> Judgement:
    """From a = b, b = a."""
    _, left, right = _relation(premise, "eq")
    return _judge(premise.hypotheses, eq(right, left), "symmetry", (), (premise,))


def transitivity(*premises: Judgement) -> Judgement:
    """From a R b, b R' c, ...: a <= z, or a = z when every step is an equality."""
    relations = [_relation(p, "eq", "le") for p in premises]
    if not relations:
        msg = "transitivity needs at least one premise"
        raise KernelError(msg)
    for (_, _, middle), (_, other, _) in pairwise(relations):
        if middle is not other:
            msg = f"the chain breaks: {middle} is not {other}"
            raise KernelError(msg)
    join = eq if all(head == "eq" for head, _, _ in relations) else le
    conclusion = join(relations[0][1], relations[-1][2])
    return _judge(_union(premises), conclusion, "transitivity", (), premises)


def weaken(premise: Judgement) -> Judgement:
    """From a = b between reals, a <= b."""
    _, left, right = _relation(premise, "eq")
    return _judge(premise.hypotheses, le(left, right), "weaken", (), (premise,))


def congruence(template: Term, holes: Mapping[Term, Judgement]) -> Judgement:
    """From a_i = b_i: ``template[a] = template[b]``.

    Raises:
        KernelError: when a hole is differentiated at a point that a hypothesis restricts, or a
            hypothesis has a variable that a function of the point could replace; equality at some
            points says nothing of derivatives.
    """
    sides = {hole: _relation(p, "eq")[1:] for hole, p in holes.items()}
    for point in differentiated_at(template, frozenset(holes)):
        for premise in holes.values():
            free = frozenset().union(*(h.free for h in premise.hypotheses))
            if point in free or any(v.head == "var" for v in free):
                msg = f"an equality under hypotheses on {point} cannot be differentiated at it"
                raise KernelError(msg)
    left, right = (substitute(template, {h: s[i] for h, s in sides.items()}) for i in (0, 1))
    data = (template, tuple(holes))
    return _judge(_union([*holes.values()]), eq(left, right), "congruence", data, [*holes.values()])


def differentiated_at(template: Term, holes: frozenset[Term]) -> frozenset[Term]:
    """The points at which the template differentiates something that contains a hole."""
    return frozenset(
        t.args[-1]
        for t in subterms(template)
        if t.head in ("jac", "hess") and t.args[-2].free & holes
    )


def monotone(template: Term, holes: Mapping[Term, Judgement]) -> Judgement:
    """From a_i <= b_i (or =): ``template[a] <= template[b]``, the holes occurring positively.

    Raises:
        KernelError: when a hole occurs below anything but +, x, max, min and positive powers.
    """
    require_positive(template, frozenset(holes))
    sides = {hole: _relation(p, "eq", "le")[1:] for hole, p in holes.items()}
    left, right = (substitute(template, {h: s[i] for h, s in sides.items()}) for i in (0, 1))
    data = (template, tuple(holes))
    return _judge(_union([*holes.values()]), le(left, right), "monotone", data, [*holes.values()])


def require_positive(template: Term, holes: frozenset[Term]) -> None:
    """Refuse a template that is not visibly non-decreasing in its holes."""
    for part in subterms(template):
        inside = part not in holes and part.free & holes
        fits = part.head in ("add", "mul", "max", "min") or (
            part.head == "pow" and part.args[1] > 0
        )
        if inside and not fits:
            msg = f"{part} is not built from its holes by +, x, max, min and positive powers"
            raise KernelError(msg)


# -- hypotheses discharged, variables instantiated ------------------------------------------------


def cut(premise: Judgement, *by: Judgement) -> Judgement:
    """Discharge hypotheses of the premise that the other judgements prove."""
    rest = premise.hypotheses - {b.conclusion for b in by}
    return _judge(rest | _union(by), premise.conclusion, "cut", (), (premise, *by))


def instance(premise: Judgement, bindings: Mapping[Term, Arg]) -> Judgement:
    """Put terms for free variables, in hypotheses and conclusion alike.

    Raises:
        KernelError: when an operator would be put into a statement with a probability.
    """
    _require_not_random((premise.conclusion, *premise.hypotheses), bindings)
    hypotheses = frozenset(substitute(h, bindings) for h in premise.hypotheses)
    conclusion = substitute(premise.conclusion, bindings)
    return _judge(hypotheses, conclusion, "instance", (tuple(bindings.items()),), (premise,))


def _require_not_random(formulas: Iterable[Term], bindings: Mapping[Term, Arg]) -> None:
    """Refuse to put operators into a statement with a probability.

    One at the bound point would be captured, which substitution refuses by itself; a fixed readout
    is random there too, and has no point to show it.
    """
    values = [v for v in bindings.values() if isinstance(v, Term)]
    if any(t.sort == "op" for v in values for t in subterms(v)) and any(
        t.head == "likely" for f in formulas for t in subterms(f)
    ):
        msg = "an operator may be random: it cannot be put into a statement with a probability"
        raise KernelError(msg)


def spectral(premise: Judgement, left: Term, right: Term) -> Judgement:
    """From ``|x'Az| <= c |x| |z|`` for arbitrary vectors x and z: ``|A| <= c``.

    Args:
        premise: a judgement of just that form, where c is free of x and z.
        left: the vector variable x.
        right: the vector variable z.

    Raises:
        KernelError: when the premise has another form, or x or z is not arbitrary.
    """
    _, form, bound = _relation(premise, "le")
    shaped = form.head == "norm" and form.args[0] == "2" and form.args[1].head == "dot"
    factors: tuple[Any, ...] = form.args[1].args if shaped else ()
    if len(factors) != 3 or left is right or bound.head != "mul" or len(bound.args) != 3:
        msg = f"needs |x' A z| <= c |x| |z|, was given {premise.conclusion}"
        raise KernelError(msg)
    operator, constant = factors[1], bound.args[0]
    expected = le(
        norm(make("dot", make("T", left), operator, right)),
        make("mul", constant, norm(left), norm(right)),
    )
    if premise.conclusion is not expected:
        msg = f"needs {expected}, was given {premise.conclusion}"
        raise KernelError(msg)
    for variable in (left, right):
        fixed = (operator, constant, *premise.hypotheses)
        if variable.head != "var" or any(variable in t.free for t in fixed):
            msg = f"{variable} is not an arbitrary vector here"
            raise KernelError(msg)
    conclusion = le(norm(operator), constant)
    return _judge(premise.hypotheses, conclusion, "spectral", (left, right), (premise,))


# -- layer indices --------------------------------------------------------------------------------


def induction(name: str, high: Arg, base: Judgement, step: Judgement) -> Judgement:
    """From P(0) and from ``1 <= l <= high, P(l-1) |- P(l)``: P(l) for all l in 0..high.

    Args:
        name: the name of the layer index l.
        high: the last index.
        base: P(0).
        step: P(l), which may rest on P(l-1) and on ``range(l, 1, high)``.

    Raises:
        KernelError: when the base is not P(0) or another hypothesis of the step mentions l.
    """
    variable = make("index", name, 0)
    formula = step.conclusion
    if substitute(formula, {variable: 0}) is not base.conclusion:
        msg = f"the base of the induction is {base.conclusion}, not the claim {formula} at 0"
        raise KernelError(msg)
    before = substitute(formula, {variable: shift(variable, -1)})
    rest = step.hypotheses - {before, make("range", variable, 1, high)}
    for left in (*rest, *base.hypotheses):
        if variable in left.free:
            msg = f"hypothesis {left} mentions the index {name} of the induction"
            raise KernelError(msg)
    conclusion = make("forall", name, 0, high, formula)
    return _judge(rest | base.hypotheses, conclusion, "induction", (name, high), (base, step))


LAST = {"osum": "plus", "rsum": "add", "rmax": "max"}  # how the last term joins the others


def sum_last(total: Term, top: Arg) -> Judgement:
    """``low <= high <= top |- sum_{k=low}^{high} B(k) = sum_{k=low}^{high-1} B(k) + B(high)``.

    For a sum of operators or of reals; for a maximum over an index, ``max`` in place of ``+``.
    """
    if total.head not in LAST:
        msg = f"needs a sum or a maximum over an index, was given {total}"
        raise KernelError(msg)
    name, low, high, body = total.args
    last = substitute(body, {make("index", name, 0): high})
    split = make(LAST[total.head], make(total.head, name, low, shift(high, -1), body), last)
    premise = make("range", high, low, top)
    return _judge(frozenset({premise}), eq(total, split), "sum_last", (total, top))


def range_intro(index: Arg, low: int, high: Arg) -> Judgement:
    """``|- low <= index <= high`` where both can be seen: numbers, or 0 <= l + a <= l + b.

    Raises:
        KernelError: when one of them cannot; an index variable is a natural number, no more, and
            what starts from l - 1 may start below all layers.
    """
    for small, large in ((low, index), (index, high)):
        if type(low) is not int or not _seen_at_most(small, large):
            msg = f"{small} <= {large} is not seen from its form"
            raise KernelError(msg)
    conclusion = make("range", index, low, high)
    return _judge(frozenset(), conclusion, "range_intro", (index, low, high))


def _seen_at_most(small: Arg, large: Arg) -> bool:
    if type(small) is int:
        return small <= (large if type(large) is int else large.args[1])
    return (
        type(large) is not int
        and small.args[0] == large.args[0]
        and (small.args[1] <= large.args[1])
    )


def range_back(premise: Judgement) -> Judgement:
    """From ``low <= l <= high``, low >= 1 a number: ``low - 1 <= l - 1 <= high``."""
    formula = premise.conclusion
    if formula.head != "range" or type(formula.args[1]) is not int or formula.args[1] < 1:
        msg = f"needs low <= l <= high with a number low >= 1, was given {formula}"
        raise KernelError(msg)
    index, low, high = formula.args
    conclusion = make("range", shift(index, -1), low - 1, high)
    return _judge(premise.hypotheses, conclusion, "range_back", (), (premise,))


def forall_elim(premise: Judgement, index: Arg) -> Judgement:
    """From "for all l in low..high: P(l)": P(index); a symbolic index adds ``range(index, ..)``."""
    if premise.conclusion.head != "forall":
        msg = f"needs a statement for all indices, was given {premise.conclusion}"
        raise KernelError(msg)
    name, low, high, formula = premise.conclusion.args
    extra: frozenset[Term] = frozenset()
    if all(type(i) is int for i in (low, high, index)):
        if not low <= index <= high:
            msg = f"index {index} is outside {low}..{high}"
            raise KernelError(msg)
    else:
        extra = frozenset({make("range", index, low, high)})
    conclusion = substitute(formula, {make("index", name, 0): index})
    return _judge(premise.hypotheses | extra, conclusion, "forall_elim", (index,), (premise,))


def forall_intro(name: str, low: int, formula: Term, cases: Sequence[Judgement]) -> Judgement:
    """From P(low), ..., P(low + n - 1): P(l) for all l in that range of n >= 1 integers."""
    variable = make("index", name, 0)
    if not cases or type(low) is not int:
        msg = "needs an integer to start from and at least one case"
        raise KernelError(msg)
    for i, case in enumerate(cases):
        if case.conclusion is not substitute(formula, {variable: low + i}):
            msg = f"case {low + i} is {case.conclusion}, not {formula} there"
            raise KernelError(msg)
    conclusion = make("forall", name, low, low + len(cases) - 1, formula)
    return _judge(_union(cases), conclusion, "forall_intro", (name, low, formula), cases)


# -- balls of parameters --------------------------------------------------------------------------


def in_ball(point: Term, centre: Term, radius: Term) -> Term:
    """The formula that the parameters at ``point`` are within ``radius`` of those at ``centre``."""
    return le(norm(minus(parameters(point), parameters(centre))), radius)


def ball_intro(premise: Judgement, point: Term, centre: Term, radius: Term) -> Judgement:
    """From ``|theta - centre| <= radius |- P(theta)``: P for every point of the ball."""
    star = make("point", "*")
    if point.head != "point" or point in (centre, star) or point in radius.free:
        msg = f"{point} must be a point variable, not the centre, and not in the radius"
        raise KernelError(msg)
    if any(star in t.free for t in (premise.conclusion, *premise.hypotheses, centre, radius)):
        msg = "the name * is kept for the bound point of a ball; it is free in the premise"
        raise KernelError(msg)
    rest = premise.hypotheses - {in_ball(point, centre, radius)}
    for left in rest:
        if point in left.free:
            msg = f"hypothesis {left} speaks of the point {point} that is to be arbitrary"
            raise KernelError(msg)
    inner = substitute(premise.conclusion, {point: make("point", "*")})
    conclusion = make("ball", "*", centre, radius, inner)
    return _judge(rest, conclusion, "ball_intro", (point, centre, radius), (premise,))


def ball_elim(premise: Judgement, point: Term) -> Judgement:
    """From "P on the ball": P at a point, under the hypothesis that the point is in the ball."""
    if premise.conclusion.head != "ball":
        msg = f"needs a statement on a ball, was given {premise.conclusion}"
        raise KernelError(msg)
    _, centre, radius, formula = premise.conclusion.args
    conclusion = substitute(formula, {bound_variable(premise.conclusion): point})
    extra = frozenset({in_ball(point, centre, radius)})
    return _judge(premise.hypotheses | extra, conclusion, "ball_elim", (point,), (premise,))


# -- all of parameter space -----------------------------------------------------------------------


def everywhere_intro(premise: Judgement, point: Term) -> Judgement:
    """From P(theta) for an arbitrary point theta: P everywhere."""
    star = make("point", "*")
    if point.head != "point" or point is star:
        msg = f"{point} must be a point variable"
        raise KernelError(msg)
    if any(star in t.free for t in (premise.conclusion, *premise.hypotheses)):
        msg = "the name * is kept for a bound point; it is free in the premise"
        raise KernelError(msg)
    for left in premise.hypotheses:
        if point in left.free:
            msg = f"hypothesis {left} speaks of the point {point} that is to be arbitrary"
            raise KernelError(msg)
    conclusion = make("everywhere", "*", substitute(premise.conclusion, {point: star}))
    return _judge(premise.hypotheses, conclusion, "everywhere_intro", (point,), (premise,))


def everywhere_elim(premise: Judgement, point: Term) -> Judgement:
    """From "P everywhere": P at a point."""
    if premise.conclusion.head != "everywhere":
        msg = f"needs a statement about all points, was given {premise.conclusion}"
        raise KernelError(msg)
    conclusion = substitute(premise.conclusion.args[1], {make("point", "*"): point})
    return _judge(premise.hypotheses, conclusion, "everywhere_elim", (point,), (premise,))


def witness(premise: Judgement, point: Term, value: Term) -> Judgement:
    """From ``theta(point) = value |- A``: A, as every vector is the parameters at some point.

    Raises:
        KernelError: when the point occurs in A, in the value or in another hypothesis.
    """
    star = make("point", "*")
    formula = eq(parameters(point), value)
    rest = premise.hypotheses - {formula}
    if point.head != "point" or point is star or star in value.free:
        msg = f"{point} must be a point variable, and {value} free of *"
        raise KernelError(msg)
    for term in (premise.conclusion, value, *rest):
        if point in term.free:
            msg = f"{term} speaks of the point {point} that is to be chosen"
            raise KernelError(msg)
    return _judge(rest, premise.conclusion, "witness", (point, value), (premise,))


def archimedean(premise: Judgement, variable: Term) -> Judgement:
    """From ``a + t b <= c + t d`` for an arbitrary real t: ``b <= d``.

    Raises:
        KernelError: when the premise has another form, or t is not arbitrary.
    """
    _, *sides = _relation(premise, "le")
    parts = []
    for side in sides:
        fits = side.head == "add" and len(side.args) == 2 and side.args[1].head == "mul"
        if not fits or len(side.args[1].args) != 2 or side.args[1].args[0] is not variable:
            msg = f"needs a + t b <= c + t d with t = {variable}, was given {premise.conclusion}"
            raise KernelError(msg)
        parts.append((side.args[0], side.args[1].args[1]))
    fixed = (*parts[0], *parts[1], *premise.hypotheses)
    if variable.head != "var" or any(variable in t.free for t in fixed):
        msg = f"{variable} is not an arbitrary real here"
        raise KernelError(msg)
    conclusion = le(parts[0][1], parts[1][1])
    return _judge(premise.hypotheses, conclusion, "archimedean", (variable,), (premise,))


# -- sub-models -----------------------------------------------------------------------------------


def part_intro(premise: Judgement, index: Arg) -> Judgement:
    """From ``A, B, ... |- C``: if A, B, ... hold for sub-model i, so does C.

    What is proved of every model is proved of a sub-model as a model of its own: with its own
    parameters, layers and constants, at the part of the point that is its own.

    Args:
        premise: a judgement without schematic variables.
        index: i.
    """
    hypotheses = frozenset(make("for_part", index, h) for h in premise.hypotheses)
    conclusion = make("for_part", index, premise.conclusion)
    return _judge(hypotheses, conclusion, "part_intro", (index,), (premise,))


# -- gradient descent -----------------------------------------------------------------------------


def descent_start(premise: Judgement, centre: Term, at: Term, formula: Term) -> Judgement:
    """From P(centre): P after no step of gradient descent from the centre.

    Args:
        premise: P(centre).
        centre: the point to start from.
        at: the training set.
        formula: P in the point ``*``.
    """
    star = make("point", "*")
    if any(star in t.free for t in (premise.conclusion, *premise.hypotheses)):
        msg = "the name * is kept for a bound point; it is free in the premise"
        raise KernelError(msg)
    if substitute(formula, {star: centre}) is not premise.conclusion:
        msg = f"needs {formula} at {centre}, was given {premise.conclusion}"
        raise KernelError(msg)
    conclusion = make("after", "*", 0, centre, at, formula)
    return _judge(
        premise.hypotheses, conclusion, "descent_start", (centre, at, formula), (premise,)
    )


def descent_step(premise: Judgement, point: Term, after: Term, *previous: Judgement) -> Judgement:
    """One step more: from A_1, A_2, ... after t steps, and what a step makes of them.

    From ``A_i`` after t steps for each i, and from ``A_i(p), theta(q) = theta(p) - eta J'(F - y)
    |- C(q)`` for arbitrary points p and q: C after t + 1 steps.

    Args:
        premise: C(q), which may rest on every A_i(p) and on q being one step after p.
        point: p.
        after: q.
        previous: the judgements of A_i after t steps, all from one point, on one training set.

    Raises:
        KernelError: when p or q is not arbitrary, or the previous ones are of different paths.
    """
    star = make("point", "*")
    paths = {p.conclusion.args[:4] if p.conclusion.head == "after" else () for p in previous}
    if len(paths) != 1 or () in paths:
        msg = "needs statements after as many steps of one path, at least one of them"
        raise KernelError(msg)
    ((_, steps, centre, at),) = paths
    for p in (point, after):
        if p.head != "point" or p in (star, centre):
            msg = f"{p} must be a point variable, not the start of the path"
            raise KernelError(msg)
    before = {substitute(p.conclusion.args[4], {star: point}) for p in previous}
    rest = premise.hypotheses - before - {descent_formula(point, after, at)}
    fixed = (*rest, *(p.conclusion for p in previous))
    if point is after or any(p in t.free for t in fixed for p in (point, after)):
        msg = f"{point} and {after} must be two points of which nothing else is known"
        raise KernelError(msg)
    if point in premise.conclusion.free or any(star in t.free for t in (premise.conclusion, *rest)):
        msg = f"{premise.conclusion} must be about {after}, not about {point} or the bound point"
        raise KernelError(msg)
    inner = substitute(premise.conclusion, {after: star})
    conclusion = make("after", "*", shift(steps, 1), centre, at, inner)
    hypotheses = rest | _union(previous)
    return _judge(hypotheses, conclusion, "descent_step", (point, after), (premise, *previous))


# -- probability ----------------------------------------------------------------------------------


def likely_intro(premise: Judgement, budget: Judgement, events: Sequence[Judgement]) -> Judgement:
    """The union bound: what follows from likely events is likely.

    From ``E_1, ..., E_n, H |- C``, from ``likely(p_i, E_i)`` for each i and from
    ``p_1 + ... + p_n <= p``: ``H |- likely(p, C)``.  What is left of the hypotheses is about no
    point and no operator, so that it is not random: it holds at every outcome or at none.

    Args:
        premise: C from the events and from what is not random.
        budget: ``sum p_i <= p`` (or =), the sum in the order of the events; 0 when there are none.
        events: the judgements ``likely(p_i, E_i)``.

    Raises:
        KernelError: when an event is not a likely one, the budget is that of another sum, or a
            hypothesis that is left could be random.
    """
    for event in events:
        if event.conclusion.head != "likely":
            msg = f"needs likely events, was given {event.conclusion}"
            raise KernelError(msg)
    _, spent, allowed = _relation(budget, "eq", "le")
    shares = [e.conclusion.args[0] for e in events]
    if spent is not add(*shares):
        msg = f"the events fail with probability {add(*shares)}; the budget is about {spent}"
        raise KernelError(msg)
    rest = premise.hypotheses - {e.conclusion.args[1] for e in events}
    hypotheses = rest | _union([budget, *events])
    for left in hypotheses:
        if any(t.sort in ("op", "point") for t in subterms(left)):
            msg = f"hypothesis {left} speaks of a point or an operator: it may be random"
            raise KernelError(msg)
    conclusion = make("likely", allowed, premise.conclusion)
    return _judge(hypotheses, conclusion, "likely_intro", (), (premise, budget, *events))


RULES = (
    "hypothesis",
    "lemma",
    "by_form",
    "at_most_by_form",
    "symmetry",
    "transitivity",
    "weaken",
    "congruence",
    "monotone",
    "cut",
    "instance",
    "spectral",
    "induction",
    "sum_last",
    "range_intro",
    "range_back",
    "forall_elim",
    "forall_intro",
    "ball_intro",
    "ball_elim",
    "everywhere_intro",
    "everywhere_elim",
    "witness",
    "archimedean",
    "part_intro",
    "descent_start",
    "descent_step",
    "likely_intro",
)

__all__ = ["RULES", "Judgement", "KernelError", "TermError", "in_ball", *RULES]
