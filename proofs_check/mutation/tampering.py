"""Errors in the making of a proof rather than in its formulas: lemmas misused, scopes broken.

Each change leaves what the steps claim as it is, and spoils why: a lemma without its premise or for
another layer, an induction from another base, an assumption in place of a step, a definition that
goes in a circle.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from proofs_check.replay.binding import brief
from theory.lemmas import schema
from theory.proofs import Proof, Step, to_json
from theory.terms import Term, make, rat

Change = tuple[str, str, str, "Proof | Mapping[str, Any]"]


def tampered(proof: Proof, chooser: random.Random) -> Iterator[Change]:
    """Every change of this module that applies to the proof, a few of each kind."""
    numbers = list(range(len(proof.steps)))
    chooser.shuffle(numbers)
    for change in (_premise, _binding, _parameter, _scope, _smuggled, _other_premise, _rule):
        found = 0
        for number in numbers:
            for kind, what, step in change(proof, number):
                if found < 4:
                    found += 1
                    yield kind, "proof", f"step {number}: {what}", _with_step(proof, number, step)
    yield from _smuggled_statement(proof)
    yield from _definitions(proof)
    yield from _ill_formed(proof)


def _with_step(proof: Proof, number: int, step: Step) -> Proof:
    steps = (*proof.steps[:number], step, *proof.steps[number + 1 :])
    if step.rule == "hypothesis" and step.conclusion not in proof.assumptions:
        assumptions = (*proof.assumptions, step.conclusion)
        return replace(proof, steps=steps, assumptions=assumptions)
    return replace(proof, steps=steps)


Spoiled = Iterator[tuple[str, str, Step]]


def _premise(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    if step.rule == "lemma" and step.premises:
        spoiled = replace(step, premises=step.premises[:-1])
        yield "lemma premise removed", f"{step.data[0]} without a premise", spoiled


def _binding(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    if step.rule not in ("lemma", "instance") or not step.data[-1]:
        return
    *first, bindings = step.data
    known = _variables(step)
    for place, (variable, value) in enumerate(bindings):
        other = _another(value, proof)
        if other is not None and variable in known:
            changed = (*bindings[:place], (variable, other), *bindings[place + 1 :])
            what = f"{brief(other)} for {brief(value)}"
            yield "binding changed", what, replace(step, data=(*first, changed))


def _variables(step: Step) -> frozenset[Term]:
    """The variables that bindings of the step can be for; others in it change nothing."""
    if step.rule == "instance":
        return frozenset(variable for variable, _ in step.data[-1])
    found = schema(step.data[0], tuple(step.data[1]))
    return frozenset().union(*(f.free for f in (*found.premises, found.conclusion)))


def _another(value: Any, proof: Proof) -> Any:
    """Some other value of the same sort."""
    if type(value) is int:
        return value + 1
    if value.sort in ("point", "input"):
        return make(value.sort, f"{value.args[0]}'")
    if value.sort == "real":
        return make("mul", rat(1, 2), value)
    if value.sort == "op":
        return make("neg", value)
    return make("space", "other") if value.sort == "space" else None


def _parameter(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    if step.rule != "lemma":
        return
    name, parameters, bindings = step.data
    others = {"2": "inf", "inf": "2", "trained": "fixed", "fixed": "trained"}
    for place, parameter in enumerate(parameters):
        other = parameter + 1 if type(parameter) is int else others.get(parameter)
        if other is not None:
            changed = (*parameters[:place], other, *parameters[place + 1 :])
            what = f"{name} for {other} instead of {parameter}"
            yield "lemma parameter changed", what, replace(step, data=(name, changed, bindings))


def _scope(proof: Proof, number: int) -> Spoiled:
    """Inductions, statements for all indices and balls: another base, range, point or radius."""
    step = proof.steps[number]
    match step.rule:
        case "induction":
            base, last = step.premises
            yield "induction tampered", "the base is the step", replace(step, premises=(last, last))
            yield "induction tampered", "the step is the base", replace(step, premises=(base, base))
            other = (step.data[0], 7)
            yield "induction tampered", "another last index", replace(step, data=other)
        case "forall_elim" if type(step.data[0]) is int:
            data = (step.data[0] + 1,)
            yield "induction tampered", "a case out of range", replace(step, data=data)
        case "forall_intro":
            fewer = replace(step, premises=step.premises[:-1])
            yield "induction tampered", "a case is missing", fewer
        case "sum_last":
            total, top = step.data
            shorter = replace(step, data=(total, 0 if top != 0 else 1))
            yield "induction tampered", "another range", shorter
        case "ball_intro":
            point, centre, _ = step.data
            wider = replace(step, data=(point, centre, make("sym", "S")))
            yield "ball tampered", "another radius", wider
        case "likely_intro":
            main, budget, *events = step.premises
            kept = replace(step, premises=(main, budget, *events[:-1]))
            yield "union bound tampered", "an event is dropped", kept
            twice = replace(step, premises=(main, budget, events[0], *events[:-1]))
            yield "union bound tampered", "an event for another", twice
            free = replace(step, premises=(main, *events))
            yield "union bound tampered", "without a budget", free
        case "spectral":
            flipped = replace(step, data=step.data[::-1])
            yield "ball tampered", "the vectors are exchanged", flipped


def _smuggled(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    if step.rule != "hypothesis" and step.conclusion.head in ("le", "eq"):
        hypothesis = Step("hypothesis", (step.conclusion,), (), step.conclusion)
        yield "assumption smuggled in", "assumed instead of proved", hypothesis


def _other_premise(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    for place, premise in enumerate(step.premises):
        other = premise - 1
        formulas = [proof.steps[n].conclusion for n in (other, premise)]
        if other >= 0 and not _alike(*formulas):
            others = (*step.premises[:place], other, *step.premises[place + 1 :])
            spoiled = replace(step, premises=others)
            yield "another premise", f"step {other} for {premise}", spoiled


def _alike(left: Term, right: Term) -> bool:
    """Whether one does where the other does: the same, or = and <= of the same two sides."""
    relations = {left.head, right.head} <= {"le", "eq"}
    return left is right or (relations and left.args == right.args)


def _rule(proof: Proof, number: int) -> Spoiled:
    step = proof.steps[number]
    formula = step.conclusion
    if step.rule == "lemma" and formula.head in ("le", "eq"):
        rule = "by_form" if formula.head == "eq" else "at_most_by_form"
        skipped = Step(rule, formula.args, (), formula)
        yield "lemma skipped", f"{rule} for {step.data[0]}", skipped


def _smuggled_statement(proof: Proof) -> Iterator[Change]:
    """The statement assumed outright, and something false assumed besides."""
    step = Step("hypothesis", (proof.statement,), (), proof.statement)
    assumed = Proof(proof.statement, (proof.statement,), proof.definitions, (step,))
    yield "assumption smuggled in", "proof", "the statement itself is assumed", assumed
    absurd = make("le", rat(1), rat(0))
    false = Step("hypothesis", (absurd,), (), absurd)
    cut = Step("cut", (), (len(proof.steps) - 1, len(proof.steps)), proof.statement)
    more = replace(
        proof, assumptions=(*proof.assumptions, absurd), steps=(*proof.steps, false, cut)
    )
    yield "assumption smuggled in", "proof", "1 <= 0 is assumed besides", more


def _definitions(proof: Proof) -> Iterator[Change]:
    kind = "definition tampered"
    for place, formula in enumerate(proof.definitions):
        symbol, value = formula.args
        circular = make("eq", symbol, make("add", symbol, value))
        for what, changed in (
            ("circular", _replaced(proof.definitions, place, circular)),
            ("defined twice", (*proof.definitions, make("eq", symbol, rat(0)))),
            ("dropped", proof.definitions[:place] + proof.definitions[place + 1 :]),
        ):
            what = f"{brief(symbol)} {what}"
            yield kind, "proof", what, replace(proof, definitions=changed)
    if proof.definitions:
        backwards = replace(proof, definitions=proof.definitions[::-1])
        yield kind, "proof", "in the reverse order", backwards
        trusted = make("eq", make("sym", "lambda", 1), rat(0))
        redefined = replace(proof, definitions=(*proof.definitions, trusted))
        yield kind, "proof", "lambda_1 defined as 0", redefined


def _replaced(formulas: tuple[Term, ...], place: int, new: Term) -> tuple[Term, ...]:
    return (*formulas[:place], new, *formulas[place + 1 :])


def _ill_formed(proof: Proof) -> Iterator[Change]:
    """What no term can be: changed in the file, where nothing stops it."""
    kind = "side condition dropped"
    spoil: tuple[tuple[str, str, Callable[[list[Any]], list[Any] | None]], ...] = (
        ("dim", "a width that may be zero below a negative power", lambda row: ["sym", "w"]),
        ("rat", "a negative number", lambda row: ["rat", {"q": "-1"}]),
        ("pow", "the exponent 0", lambda row: [*row[:2], {"q": "0"}]),
        ("le", "an inequality of operators", lambda row: None),
    )
    for head, what, change in spoil:
        data = json.loads(json.dumps(to_json(proof)))
        rows = data["terms"]
        places = [i for i, row in enumerate(rows) if row[0] == head]
        if not places:
            continue
        changed = change(rows[places[-1]])
        if changed is None:
            equations = [r for r in rows if r[0] == "eq" and _speaks_of_operators(r, rows)]
            if not equations:
                continue
            equations[0][0] = "le"
        else:
            rows[places[-1]] = changed
        yield kind, "proof", what, data


def _speaks_of_operators(row: list[Any], rows: list[Any]) -> bool:
    return rows[row[1]["t"]][0] in ("op", "dot", "plus", "scale", "jac", "hess", "T", "diag", "act")
