"""A claim changed and its proof left as it is: another statement, definition, or assumption less.

What a claim says inside a ball, for all indices or with a probability is changed as a claim by
itself would be; and so is the scope: a larger ball, a smaller probability of failure, another
range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from proofs_check.mutation.mutations import variants
from proofs_check.mutation.operator_errors import ranges
from proofs_check.replay.binding import brief
from proofs_check.replay.second_opinion import AGREED, implies
from proofs_check.replay.words import equal
from theory.proofs import Proof
from theory.terms import Term, make, rat

Candidate = tuple[str, str, str, Callable[[], "Proof | None"]]
TIMEOUT_MS = 200
FAMILY = "statement"


def claims(proof: Proof) -> Iterator[Candidate]:
    """Every such change of a proof; one that is a consequence of what was proved gives None."""
    for kind, what, changed, old, new in stronger(proof.statement):
        make_it = partial(_unless_implied, old, new, replace(proof, statement=changed))
        yield kind, FAMILY, what, make_it
    for place, definition in enumerate(proof.definitions):
        for variant in variants(definition.args[1]):
            other = make(definition.head, definition.args[0], variant.term)
            definitions = _with(proof.definitions, place, other)
            other_proof = replace(proof, definitions=definitions)
            claim = make("le", definition.args[1], variant.term)
            make_it = partial(_unless_implied, None, claim, other_proof)
            yield variant.kind, FAMILY, variant.what, make_it
    for place, formula in enumerate(proof.assumptions):
        yield from _assumption(proof, place, formula)


def _assumption(proof: Proof, place: int, formula: Term) -> Iterator[Candidate]:
    """An assumption dropped, or about another layer or another kind of readout."""
    rest = proof.assumptions[:place] + proof.assumptions[place + 1 :]
    changed = replace(proof, assumptions=rest)
    yield "hypothesis dropped", FAMILY, f"without {brief(formula)}", partial(_given, changed)
    if formula.head != "fact":
        return
    other_kind = {"trained": "fixed", "fixed": "trained"}
    for at, tag in enumerate(formula.args[1:], start=1):
        other = other_kind.get(tag) if type(tag) is str else tag + 1 if type(tag) is int else None
        if other is not None:
            fact = make(formula.head, *_with(formula.args, at, other))
            changed = replace(proof, assumptions=_with(proof.assumptions, place, fact))
            what = f"{brief(fact)} for {brief(formula)}"
            yield "hypothesis changed", FAMILY, what, partial(_given, changed)


def _given(proof: Proof) -> Proof:
    return proof


def _with(values: tuple[Any, ...], place: int, new: Any) -> tuple[Any, ...]:
    return (*values[:place], new, *values[place + 1 :])


def _unless_implied(old: Term | None, new: Term | None, changed: Proof) -> Proof | None:
    """The changed proof, unless arithmetic alone leads from the old relation to the new one."""
    if new is None or new.head not in ("le", "eq"):
        return changed
    if new.args[0].sort == "op":
        return None if old is not None and all(map(equal, old.args, new.args)) else changed
    premises = [] if old is None else [old]
    return None if implies(premises, new, TIMEOUT_MS).verdict == AGREED else changed


Stronger = tuple[str, str, Term, "Term | None", "Term | None"]


def stronger(formula: Term) -> Iterator[Stronger]:
    """Kind, what, the formula with one error, and the relation inside it before and after."""
    if formula.head in ("le", "eq"):
        yield from _relations(formula)
        return
    for place, arg in enumerate(formula.args):
        if isinstance(arg, Term) and arg.sort == "formula":
            for kind, what, inner, old, new in stronger(arg):
                yield kind, what, make(formula.head, *_with(formula.args, place, inner)), old, new
    yield from _scope(formula)


def _relations(formula: Term) -> Iterator[Stronger]:
    left, right = formula.args
    for head in ("le", "eq") if left.sort == "real" else ():  # operators are not ordered
        for sides in ((left, right), (right, left)):
            flipped = make(head, *sides)
            yield "relation flipped", "the relation is another", flipped, formula, flipped
    for variant in variants(right):
        other = make(formula.head, left, variant.term)
        yield variant.kind, variant.what, other, formula, other


def _scope(formula: Term) -> Iterator[Stronger]:
    """A statement of larger scope: more indices, a larger ball, more often true."""
    for kind, what, other in ranges(formula):
        if "more" in what:  # fewer indices follow from all of them
            yield kind, what, other, None, None
    factors = {"ball": ("ball tampered", rat(2)), "likely": ("probability sharpened", rat(1, 2))}
    if formula.head not in factors:
        return
    kind, factor = factors[formula.head]
    for place, arg in enumerate(formula.args):
        if isinstance(arg, Term) and arg.sort == "real":
            scaled = make("mul", factor, arg)
            other = make(formula.head, *_with(formula.args, place, scaled))
            yield kind, f"{brief(scaled)} for {brief(arg)}", other, None, None


__all__ = ["claims", "stronger"]
