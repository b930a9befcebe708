"""The rules of the kernel, once more: what each gives from its data and its premises.

This is the replayer's own reading of the rules.  It shares with the kernel the term language
(:func:`theory.terms.make`) and the lemma schemata, and nothing else: substitution, free variables
and normal forms are those of :mod:`proofs_check.replay.binding`,
:mod:`proofs_check.replay.arithmetic` and :mod:`proofs_check.replay.words`.  The rules about points
of parameter space are in :mod:`proofs_check.replay.points`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from proofs_check.replay import points
from proofs_check.replay.arithmetic import at_most
from proofs_check.replay.binding import (
    BindingError,
    brief,
    free,
    mentions,
    moved,
    postorder,
    put,
    with_spaces,
)
from proofs_check.replay.sequents import Given, RuleError, Sequent, all_hypotheses, need
from proofs_check.replay.words import equal
from theory import lemmas
from theory.terms import Term, make

Data = tuple[Any, ...]
LARGEST_PARAMETER = 400


def replay(rule: str, data: Data, premises: Given) -> Sequent:
    """What the rule gives.

    Args:
        rule: a rule of :mod:`theory.kernel`.
        data: the rule's own arguments.
        premises: what the earlier steps claim that it appeals to.

    Raises:
        RuleError: when a side condition fails or the arguments are not the rule's.
        BindingError, TermError, ArithmeticLimitError, UnknownLemmaError: as their names say.
    """
    if rule not in _RULES:
        msg = f"there is no rule {rule!r}"
        raise RuleError(msg)
    sorts, count, function = _RULES[rule]
    if len(data) != len(sorts):
        msg = f"needs {len(sorts)} arguments, has {len(data)}"
        raise RuleError(msg)
    for place, (sort, value) in enumerate(zip(sorts, data, strict=True)):
        if not _is_a(sort, value):
            msg = f"argument {place} is {brief(value)}, needs {sort}"
            raise RuleError(msg)
    if count >= 0 and len(premises) != count:
        msg = f"needs {count} premises, has {len(premises)}"
        raise RuleError(msg)
    return function(premises, *data)


def _is_a(sort: str, value: object) -> bool:
    match sort:
        case "word":
            return type(value) is str
        case "index":
            return (type(value) is int and value >= 0) or getattr(value, "sort", "") == "index"
        case "tuple":
            return type(value) is tuple
        case "term":
            return isinstance(value, Term) and value.sort in ("real", "op")
    return isinstance(value, Term) and value.sort == sort


def _sides(premise: Sequent, *heads: str) -> tuple[Term, Term]:
    formula = premise.conclusion
    need(formula.head in heads, f"needs {' or '.join(heads)}, was given {{}}", formula)
    left, right = formula.args
    return left, right


def _mapping(items: tuple[Any, ...]) -> dict[Term, Any]:
    for item in items:
        fits = type(item) is tuple and len(item) == 2 and isinstance(item[0], Term)
        need(fits, "a binding is a variable and a value, not {}", item)
    mapping = dict(items)
    need(len(mapping) == len(items), "a variable is bound twice")
    return mapping


# -- hypotheses and lemmas ------------------------------------------------------------------------


def _hypothesis(_: Given, formula: Term) -> Sequent:
    return Sequent(frozenset({formula}), formula)


def _lemma(premises: Given, name: str, parameters: Data, items: Data) -> Sequent:
    fits = all(
        (type(p) is int and abs(p) <= LARGEST_PARAMETER) or type(p) is str for p in parameters
    )
    need(fits, f"parameters are words and integers up to {LARGEST_PARAMETER}, not {{}}", parameters)
    schema = lemmas.schema(name, parameters)
    mapping = with_spaces(_mapping(items))
    _nothing_random((schema.conclusion, *schema.premises), mapping)
    wanted = [put(p, mapping) for p in schema.premises]
    need(len(wanted) == len(premises), f"lemma {name} has {len(wanted)} premises")
    for formula, given in zip(wanted, premises, strict=True):
        known = given.conclusion
        need(known is formula, f"lemma {name} needs {{}}, not {{}}", formula, known)
    return Sequent(all_hypotheses(premises), put(schema.conclusion, mapping))


# -- equality and order ---------------------------------------------------------------------------


def _by_form(_: Given, left: Term, right: Term) -> Sequent:
    need(equal(left, right), "{} and {} have different forms", left, right)
    return Sequent(frozenset(), make("eq", left, right))


def _at_most_by_form(_: Given, left: Term, right: Term) -> Sequent:
    need(at_most(left, right), "{} - {} has a negative coefficient", right, left)
    return Sequent(frozenset(), make("le", left, right))


def _symmetry(premises: Given) -> Sequent:
    left, right = _sides(premises[0], "eq")
    return Sequent(premises[0].hypotheses, make("eq", right, left))


def _transitivity(premises: Given) -> Sequent:
    need(len(premises) > 0, "needs a premise")
    links = [_sides(p, "eq", "le") for p in premises]
    for (_, middle), (other, _) in pairwise(links):
        need(middle is other, "the chain breaks: {} is not {}", middle, other)
    strict = any(p.conclusion.head == "le" for p in premises)
    conclusion = make("le" if strict else "eq", links[0][0], links[-1][1])
    return Sequent(all_hypotheses(premises), conclusion)


def _weaken(premises: Given) -> Sequent:
    return Sequent(premises[0].hypotheses, make("le", *_sides(premises[0], "eq")))


def _two_sides(
    premises: Given, template: Term, holes: Data, *heads: str
) -> tuple[Term, Term, frozenset[Term]]:
    """The template with the premises' left sides and with their right sides in its holes."""
    fits = len(set(holes)) == len(holes) == len(premises)
    fits = fits and all(isinstance(h, Term) and h.head == "var" for h in holes)
    need(fits, "needs as many different hole variables as premises, has {}", holes)
    sides = [_sides(p, *heads) for p in premises]
    for hole, (left, _) in zip(holes, sides, strict=True):
        need(
            hole.sort == left.sort and hole.shape == left.shape,
            "the hole {} is of another kind than {}",
            hole,
            left,
        )
    both = [put(template, dict(zip(holes, [s[i] for s in sides], strict=True))) for i in (0, 1)]
    return both[0], both[1], frozenset(holes)


def _congruence(premises: Given, template: Term, holes: Data) -> Sequent:
    left, right, spots = _two_sides(premises, template, holes, "eq")
    for node in postorder(template):
        if node.head in ("jac", "hess") and free(node.args[-2]) & spots:
            _may_differentiate(node.args[-1], premises)
    return Sequent(all_hypotheses(premises), make("eq", left, right))


def _may_differentiate(point: Term, premises: Given) -> None:
    """Equal functions have equal derivatives; equal values under a hypothesis need not."""
    for formula in all_hypotheses(premises):
        restricted = point in free(formula) or any(v.head == "var" for v in free(formula))
        need(not restricted, "differentiates at {} an equality under {}", point, formula)


def _monotone(premises: Given, template: Term, holes: Data) -> Sequent:
    left, right, spots = _two_sides(premises, template, holes, "eq", "le")
    for node in postorder(template, spots.__contains__):
        if free(node) & spots:
            grows = node.head in ("add", "mul", "max", "min")
            grows = grows or (node.head == "pow" and node.args[1] > 0)
            need(grows, "{} need not grow with its holes", node)
    return Sequent(all_hypotheses(premises), make("le", left, right))


# -- hypotheses discharged, variables instantiated ------------------------------------------------


def _cut(premises: Given) -> Sequent:
    need(len(premises) > 0, "needs a premise")
    main, *others = premises
    rest = main.hypotheses - {o.conclusion for o in others}
    return Sequent(rest | all_hypotheses(others), main.conclusion)


def _nothing_random(formulas: Sequence[Term], mapping: Mapping[Term, Any]) -> None:
    """Where something is said with a probability, no operator is put for a variable."""
    for formula in formulas:
        if any(node.head == "likely" for node in postorder(formula)):
            for value in mapping.values():
                random = isinstance(value, Term) and any(n.sort == "op" for n in postorder(value))
                need(not random, "{} may be random, and is put into {}", value, formula)


def _instance(premises: Given, items: Data) -> Sequent:
    mapping = _mapping(items)
    need(with_spaces(mapping) == mapping, "the spaces of an operator's variable are not bound")
    (premise,) = premises
    _nothing_random((premise.conclusion, *premise.hypotheses), mapping)
    hypotheses = frozenset(put(h, mapping) for h in premise.hypotheses)
    return Sequent(hypotheses, put(premise.conclusion, mapping))


def _spectral(premises: Given, left: Term, right: Term) -> Sequent:
    small, large = _sides(premises[0], "le")
    fits = small.head == "norm" and small.args[0] == "2" and small.args[1].head == "dot"
    fits = fits and len(small.args[1].args) == 3 and large.head == "mul" and len(large.args) == 3
    need(fits, "needs |x' A z| <= c |x| |z|, was given {}", premises[0].conclusion)
    flipped, operator, vector = small.args[1].args
    constant, *norms = large.args
    fits = flipped is make("T", left) and vector is right and left is not right
    fits = fits and norms == [make("norm", "2", left), make("norm", "2", right)]
    need(fits, "{} does not speak of {} and {}", premises[0].conclusion, left, right)
    for variable in (left, right):
        fixed = any(mentions(t, variable) for t in (operator, constant, *premises[0].hypotheses))
        need(variable.head == "var" and not fixed, "{} is not arbitrary", variable)
    return Sequent(premises[0].hypotheses, make("le", make("norm", "2", operator), constant))


def _archimedean(premises: Given, variable: Term) -> Sequent:
    """Divide by t and let it grow."""
    fixed: list[Term] = []
    growing: list[Term] = []
    for side in _sides(premises[0], "le"):
        need(side.head == "add" and len(side.args) == 2, "{} is no sum of two", side)
        constant, product = side.args
        fits = product.head == "mul" and len(product.args) == 2 and product.args[0] is variable
        need(fits, "{} is not {} times something", product, variable)
        fixed.append(constant)
        growing.append(product.args[1])
    need(variable.head == "var", "{} is no variable", variable)
    for term in (*fixed, *growing, *premises[0].hypotheses):
        need(not mentions(term, variable), "{} mentions {}", term, variable)
    return Sequent(premises[0].hypotheses, make("le", *growing))


# -- layer indices --------------------------------------------------------------------------------


def _induction(premises: Given, name: str, high: Any) -> Sequent:
    base, step = premises
    variable = make("index", name, 0)
    claim = step.conclusion
    need(put(claim, {variable: 0}) is base.conclusion, "the base is not the claim at 0")
    dropped = {put(claim, {variable: make("index", name, -1)}), make("range", variable, 1, high)}
    rest = (step.hypotheses - dropped) | base.hypotheses
    for formula in rest:
        need(not mentions(formula, variable), "hypothesis {} mentions the index", formula)
    return Sequent(rest, make("forall", name, 0, high, claim))


def _sum_last(_: Given, total: Term, top: Any) -> Sequent:
    joins = {"osum": "plus", "rsum": "add", "rmax": "max"}
    need(total.head in joins, "needs a sum or maximum over an index, was given {}", total)
    name, low, high, body = total.args
    last = put(body, {make("index", name, 0): high})
    shorter = make(total.head, name, low, moved(high, -1), body)
    fact = make("range", high, low, top)
    joined = make(joins[total.head], shorter, last)
    return Sequent(frozenset({fact}), make("eq", total, joined))


def _range_intro(_: Given, index: Any, low: Any, high: Any) -> Sequent:
    """An index variable stands for 0, 1, 2, ...: l + a >= a, and l + a <= l + b for a <= b."""
    names, offsets = zip(*(_affine(i) for i in (low, index, high)), strict=True)
    fits = names[0] is None and names[1] in (None, names[2])
    need(fits and list(offsets) == sorted(offsets), "{} is not seen in its range", index)
    return Sequent(frozenset(), make("range", index, low, high))


def _affine(index: Any) -> tuple[str | None, int]:
    """The variable of an index, None for a number, and what is added to it."""
    return (None, index) if type(index) is int else (index.args[0], index.args[1])


def _range_back(premises: Given) -> Sequent:
    formula = premises[0].conclusion
    need(formula.head == "range", "needs low <= l <= high, was given {}", formula)
    index, low, high = formula.args
    need(type(low) is int and low > 0, "starts at {}, not at a number from 1 on", low)
    earlier = make("range", moved(index, -1), low - 1, high)
    return Sequent(premises[0].hypotheses, earlier)


def _forall_elim(premises: Given, index: Any) -> Sequent:
    formula = premises[0].conclusion
    need(formula.head == "forall", "needs a statement for all indices, was given {}", formula)
    name, low, high, inner = formula.args
    hypotheses = premises[0].hypotheses
    if type(low) is int and type(high) is int and type(index) is int:
        need(low <= index <= high, f"index {index} is outside {low}..{high}")
    else:
        hypotheses |= {make("range", index, low, high)}
    return Sequent(hypotheses, put(inner, {make("index", name, 0): index}))


def _forall_intro(premises: Given, name: str, low: Any, formula: Term) -> Sequent:
    need(type(low) is int and len(premises) > 0, "needs an integer to start from, and a case")
    for i, case in enumerate(premises, low):
        expected = put(formula, {make("index", name, 0): i})
        need(case.conclusion is expected, "case {} is {}", i, case.conclusion)
    conclusion = make("forall", name, low, low + len(premises) - 1, formula)
    return Sequent(all_hypotheses(premises), conclusion)


# -- probability ----------------------------------------------------------------------------------


def _likely_intro(premises: Given) -> Sequent:
    """Union bound; what is assumed besides must be the same at every outcome."""
    need(len(premises) >= 2, "needs the consequence, the budget and the events")
    main, budget, *events = premises
    spent, allowed = _sides(budget, "eq", "le")
    chances = []
    for event in events:
        need(event.conclusion.head == "likely", "{} is no likely event", event.conclusion)
        chances.append(event.conclusion.args[0])
    total = {0: make("rat", Fraction(0)), 1: chances[0] if chances else None}.get(len(chances))
    total = make("add", *chances) if total is None else total
    need(spent is total, "the budget is about {}, the events cost {}", spent, total)
    used = {event.conclusion.args[1] for event in events}
    rest = (main.hypotheses - used) | all_hypotheses([budget, *events])
    for formula in rest:
        for node in postorder(formula):
            need(node.sort not in ("op", "point"), "{} may be random", formula)
    return Sequent(rest, make("likely", allowed, main.conclusion))


_RULES: Mapping[str, tuple[tuple[str, ...], int, Callable[..., Sequent]]] = {
    # rule: the kinds of its arguments, its number of premises (-1: any), its meaning
    "hypothesis": (("formula",), 0, _hypothesis),
    "lemma": (("word", "tuple", "tuple"), -1, _lemma),
    "by_form": (("term", "term"), 0, _by_form),
    "at_most_by_form": (("real", "real"), 0, _at_most_by_form),
    "symmetry": ((), 1, _symmetry),
    "transitivity": ((), -1, _transitivity),
    "weaken": ((), 1, _weaken),
    "congruence": (("term", "tuple"), -1, _congruence),
    "monotone": (("real", "tuple"), -1, _monotone),
    "cut": ((), -1, _cut),
    "instance": (("tuple",), 1, _instance),
    "spectral": (("op", "op"), 1, _spectral),
    "induction": (("word", "index"), 2, _induction),
    "sum_last": (("term", "index"), 0, _sum_last),
    "range_intro": (("index", "index", "index"), 0, _range_intro),
    "range_back": ((), 1, _range_back),
    "forall_elim": (("index",), 1, _forall_elim),
    "forall_intro": (("word", "index", "formula"), -1, _forall_intro),
    "ball_intro": (("point", "point", "real"), 1, points.ball_intro),
    "ball_elim": (("point",), 1, points.ball_elim),
    "everywhere_intro": (("point",), 1, points.everywhere_intro),
    "everywhere_elim": (("point",), 1, points.everywhere_elim),
    "witness": (("point", "op"), 1, points.witness),
    "archimedean": (("real",), 1, _archimedean),
    "part_intro": (("index",), 1, points.part_intro),
    "descent_start": (("point", "input", "formula"), 1, points.descent_start),
    "descent_step": (("point", "point"), -1, points.descent_step),
    "likely_intro": ((), -1, _likely_intro),
}

__all__ = ["BindingError", "RuleError", "Sequent", "replay"]
