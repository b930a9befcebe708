"""What the definitions of a proof may be: abbreviations, and nothing that says more.

A definition ``symbol = real`` is conservative when the symbol is new, has no meaning in the trusted
lemmas, is defined once and without circles, and means the same wherever two of them can become one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

from proofs_check.replay.binding import STAR, brief, free, postorder, put
from proofs_check.replay.hypotheses import (
    INTERPRETED,
    MEASURED,
    OF_A_PART,
    is_fact,
    is_width_condition,
    of_parts,
)
from proofs_check.replay.words import equal
from theory import vocabulary
from theory.graph_terms import GRAPH_STATISTICS, Shape, parse
from theory.proofs import Proof
from theory.terms import Term, make


def definition_problems(proof: Proof, *, of_a_part: bool = False) -> list[str]:
    """Why the definitions of a proof are more than abbreviations; empty if they are not.

    The abbreviations that a proof has for every sub-model are held to the same, apart from those of
    the whole model, whose symbols they are not.
    """
    problems: list[str] = []
    parts = of_parts(proof.assumptions)
    if len(parts) > 1:
        problems.append("sub-models of several ranges of indices are assumed about")
    for inner in parts.values():
        short = _in_order(f for f in inner if f.head == "eq")
        facts = tuple(f for f in inner if f.head != "eq")
        own = replace(proof, assumptions=facts, definitions=short)
        problems += [f"of a sub-model: {p}" for p in definition_problems(own, of_a_part=True)]
    defined: dict[Term, Term] = {}
    shape = _graph_of(proof)
    for position, formula in enumerate(proof.definitions):
        reason = _not_a_definition(formula, shape, OF_A_PART if of_a_part else frozenset())
        if reason is None and formula.args[0] in defined:
            reason = "the symbol is defined twice"
        if reason is not None:
            problems.append(f"definition {position}, {brief(formula)}: {reason}")
        elif formula.head == "eq":
            defined[formula.args[0]] = formula.args[1]
    circles = _circles(defined)
    problems += circles
    if not circles:
        problems += _unmet(proof.assumptions, defined)
    problems += _incoherent(defined)
    problems += _differentiated(proof, defined)
    return problems


def _in_order(definitions: Iterable[Term]) -> tuple[Term, ...]:
    """Each after those that it uses, where there is such an order; the rest as they came."""
    waiting = list(dict.fromkeys(definitions))
    found: list[Term] = []
    while waiting:
        symbols = {f.args[0] for f in waiting}
        ready = [f for f in waiting if symbols.isdisjoint(_symbols(f.args[1]))]
        found += ready or waiting
        waiting = [f for f in waiting if f not in ready] if ready else []
    return tuple(found)


def _graph_of(proof: Proof) -> Shape | None:
    """The graph that a proof is about; None where it is about layers."""
    codes = [f.args[1] for f in proof.assumptions if is_fact(f) and f.args[0] == "graph"]
    return parse(codes[0]) if codes else None


def _not_a_definition(formula: Term, shape: Shape | None, allowed: frozenset[str]) -> str | None:
    if formula.head != "eq" or formula.args[0].head != "sym":
        return "not of the form symbol = real"
    symbol, value = formula.args
    name, tags = symbol.args[0], symbol.args[1:]
    if name in INTERPRETED - allowed:
        return f"{name} has a meaning in the trusted lemmas already"
    loose = {v for v in free(value) - free(symbol) if v.head in ("index", "var") or v is STAR}
    if loose or STAR in free(symbol):
        return f"the right side depends on {brief(sorted(map(brief, loose)))}, the symbol does not"
    measured = _measured if shape is None else partial(_measured_of_node, shape)
    if name in MEASURED and value is not measured(name, tags):
        return f"{name} is measured on networks as another quantity than this"
    return None


def _measured(name: str, tags: tuple[Any, ...]) -> Term | None:
    of_weights = name in vocabulary.WEIGHT_STATISTICS
    wanted = 2 if of_weights else 3
    if len(tags) != wanted or getattr(tags[1], "sort", "") != "point":
        return None
    at = tags[2] if wanted == 3 else make("input", "x")
    if getattr(at, "sort", "") != "input":
        return None
    if name not in vocabulary.STATISTICS or (tags[0] == 0 and name != "a"):
        return None
    if tags[0] == 1 and name in vocabulary.FROM_SECOND:
        return None
    return vocabulary.definition(name, tags[0], tags[1], at)


def _measured_of_node(shape: Shape, name: str, tags: tuple[Any, ...]) -> Term | None:
    wanted = 2 if name == "node_norm" else 3
    sorts = ["point", "input"][: wanted - 1]
    fits = name in GRAPH_STATISTICS and len(tags) == wanted and type(tags[0]) is int
    if not fits or [getattr(t, "sort", "") for t in tags[1:]] != sorts:
        return None
    if not 0 <= tags[0] <= shape.last:
        return None
    if name.endswith("_norm") and shape.kinds[tags[0]] != "bilinear":
        return None
    at = tags[2] if wanted == 3 else make("input", "x")
    return shape.definition(name, tags[0], tags[1], at)


def _symbols(term: Term) -> Iterator[Term]:
    return (node for node in postorder(term) if node.head == "sym")


def _circles(defined: dict[Term, Term]) -> list[str]:
    """Each right side may use only symbols defined before it, or never."""
    problems: list[str] = []
    before: set[Term] = set()
    for symbol, value in defined.items():
        for used in _symbols(value):
            if used in defined and used not in before:
                problems.append(f"{brief(symbol)} uses {brief(used)}, not defined before it")
        before.add(symbol)
    return problems


def _incoherent(defined: dict[Term, Term]) -> list[str]:
    """Symbols that become one when points, inputs or indices do must then mean the same.

    Points are variables: E(theta) := 1 and E(theta_0) := 2 contradict each other at theta =
    theta_0.
    """
    loose = {
        (symbol.args[0], len(symbol.args))
        for symbol in defined
        if any(isinstance(a, Term) and a.sort == "index" for a in symbol.args)
    }
    groups: dict[Any, list[Term]] = defaultdict(list)
    for symbol in defined:
        name = (symbol.args[0], len(symbol.args))
        exact = tuple(a if type(a) in (int, str) else a.sort for a in symbol.args)
        groups[name if name in loose else exact].append(symbol)
    problems: list[str] = []
    for symbols in groups.values():
        for left, right in combinations(symbols, 2):
            merged = _unify(left, right)
            if merged is not None and not _agree(defined[left], defined[right], merged):
                problems.append(
                    f"{brief(left)} and {brief(right)} are defined differently, "
                    "though they can be the same"
                )
    return problems


def _agree(left: Term, right: Term, merged: dict[Term, Any]) -> bool:
    sides = []
    for side in (left, right):
        for variable, value in merged.items():
            side = put(side, {variable: value})
        sides.append(side)
    return equal(*sides)


def _unify(left: Term, right: Term) -> dict[Term, Any] | None:
    """Replacements, one after the other, that make two symbols one; None if there are none."""
    merged: dict[Term, Any] = {}
    for a, b in zip(left.args, right.args, strict=True):
        for variable, value in merged.items():
            a, b = (put(s, {variable: value}) if isinstance(s, Term) else s for s in (a, b))
        if a is b or (type(a) in (int, str) and a == b):
            continue
        pair = _solved(a, b) or _solved(b, a)
        if pair is None:
            return None
        merged[pair[0]] = pair[1]
    return merged


def _solved(a: Any, b: Any) -> tuple[Term, Any] | None:
    """The variable a and what it must be for a = b."""
    if not isinstance(a, Term):
        return None
    if a.sort in ("point", "input") and getattr(b, "sort", "") == a.sort:
        return a, b
    if a.sort == "index":
        variable = make("index", a.args[0], 0)
        if type(b) is int:
            return (variable, b - a.args[1]) if b >= a.args[1] else None
        if getattr(b, "sort", "") == "index" and b.args[0] != a.args[0]:
            return variable, make("index", b.args[0], b.args[1] - a.args[1])
    return None


def _differentiated(proof: Proof, defined: dict[Term, Term]) -> list[str]:
    """A symbol that hides a point is constant to a derivative at it; a reader would not know."""
    hidden: dict[Term, frozenset[Term]] = {}
    for symbol, value in defined.items():
        inherited = (hidden.get(s, frozenset()) for s in _symbols(value))
        points = {v for v in free(value).union(*inherited) if v.head == "point"}
        if points - free(symbol):
            hidden[symbol] = frozenset(points - free(symbol))
    if not hidden:
        return []
    problems: list[str] = []
    seen: set[Term] = set()
    formulas = [proof.statement, *proof.assumptions, *(s.conclusion for s in proof.steps)]
    for formula in formulas:
        for node in postorder(formula, seen.__contains__):
            seen.add(node)
            if node.head in ("jac", "hess"):
                inside = (s for s in _symbols(node.args[-2]) if node.args[-1] in hidden.get(s, ()))
                problems += [f"{brief(node)} differentiates {brief(s)}" for s in inside]
    return problems


# -- conditions that none meets -------------------------------------------------------------------


def _unmet(proof_assumptions: Iterable[Term], defined: dict[Term, Term]) -> Iterator[str]:
    """Conditions on the widths that not even very wide networks meet, as far as one try shows.

    A witness: widths of 10^30, all constants and moments 1, floors 1/2.  Without one the statement
    could be about no network at all.
    """
    for formula in proof_assumptions:
        if formula.head == "le" and is_width_condition(formula):
            sides = [_witness(side, defined, 0) for side in formula.args]
            if sides[0] is None or sides[1] is None or not sides[0] <= sides[1]:
                yield f"no wide network is seen to meet {brief(formula)}: {sides}"


_WITNESS = {"floor": 0.5, "failure": 0.05}


def _witness(term: Term, defined: dict[Term, Term], depth: int) -> float | None:
    """The value of a real in the witness of :func:`_unmet`; None where it has none."""
    if depth > MOST_NESTED:
        return None
    if term in defined:
        return _witness(defined[term], defined, depth + 1)
    match term.head:
        case "rat":
            return float(term.args[0])
        case "dim":
            return 1e30
        case "sym" if term.args[0] in INTERPRETED:
            return _WITNESS.get(term.args[0], 1.0)
        case "tail" | "quantile":
            return 20.0  # at least what it is for probabilities above 10^-80
        case "rms":
            return 1.0
    if term.head not in ("add", "mul", "pow"):
        return None
    parts = [_witness(a, defined, depth + 1) for a in term.args if isinstance(a, Term)]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    if term.head == "pow":
        return known[0] ** float(term.args[1])
    return sum(known) if term.head == "add" else math.prod(known)


MOST_NESTED = 2000
