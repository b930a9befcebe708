"""Every equation of a proof, tried exactly on a small network written out in components.

Where a step's hypotheses hold, its conclusion must.  A symbolic layer is tried at every layer of
the network, a schematic matrix at one with small integer entries.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sympy

from proofs_check.exact.environment import ExactEnvironment, NotExactError, ground
from proofs_check.exact.terms import agree, at_most
from proofs_check.replay.checker import REFUSED
from proofs_check.replay.loading import load
from proofs_check.replay.rules import Sequent, replay
from theory.proofs import Step
from theory.terms import Term, TermError, make, substitute

SPACE = 2  # the dimension of a schematic space


@dataclass
class ExactReport:
    """What was tried of a proof.

    Attributes:
        operators: equations between operators that hold, entry by entry.
        reals: equations and inequalities between reals that hold.
        vacuous: instances whose hypotheses do not hold on this network.
        open: instances without an exact value, counted by reason.
        untried: steps of which no instance was tried, by number.
        false: steps with an instance whose hypotheses hold and whose conclusion does not.
    """

    operators: int = 0
    reals: int = 0
    vacuous: int = 0
    open: Counter[str] = field(default_factory=Counter)
    untried: list[int] = field(default_factory=list)
    false: list[tuple[int, Term]] = field(default_factory=list)


def check_steps(
    proof: object, env: ExactEnvironment, seed: int = 0, steps: Container[int] | None = None
) -> ExactReport:
    """Try every equation of a proof on a network.

    Args:
        proof: a theorem or a :class:`theory.proofs.Proof`.
        env: a network in components; its values for variables and indices are not used.
        seed: of the entries of schematic matrices.
        steps: numbers of the steps to try; all by default.

    Returns:
        The report.
    """
    data = load(proof)
    report = ExactReport()
    env = env.defining({d.args[0]: d.args[1] for d in data.definitions})
    done: list[Sequent] = []
    for place, step in enumerate(data.steps):
        sequent = _claimed(step, [done[p] for p in step.premises])
        done.append(sequent)
        if steps is not None and place not in steps:
            continue
        before = report.operators + report.reals
        for formula, here in _instances(sequent, env, report, seed):
            _try(place, formula, here, report)
        if report.operators + report.reals == before:
            report.untried.append(place)
    return report


def _claimed(step: Step, premises: list[Sequent]) -> Sequent:
    """What a step claims, under the hypotheses that its rule gives it."""
    try:
        hypotheses = replay(step.rule, step.data, premises).hypotheses
    except REFUSED:  # a wrong step: its claim is tried all the same
        hypotheses = frozenset().union(*(p.hypotheses for p in premises))
    return Sequent(hypotheses, step.conclusion)


def _try(place: int, formula: Term, env: ExactEnvironment, report: ExactReport) -> None:
    try:
        found = holds(formula, env)
    except (NotExactError, TermError) as error:
        report.open[str(error)] += 1
        return
    if not found:
        report.false.append((place, formula))
    elif formula.head in ("eq", "le"):
        operators = formula.args[0].sort == "op"
        report.operators += operators
        report.reals += not operators


def _instances(
    sequent: Sequent, env: ExactEnvironment, report: ExactReport, seed: int
) -> Iterator[tuple[Term, ExactEnvironment]]:
    """The conclusion wherever the free indices can be and the hypotheses hold."""
    formulas = (*sequent.hypotheses, sequent.conclusion)
    free = sorted({v for f in formulas for v in f.free}, key=str)
    names = [v.args[0] for v in free if v.head == "index"]
    for values in product(range(env.depth + 1), repeat=len(names)):
        indices = dict(zip(names, values, strict=True))
        here = env.binding(indices, {})
        try:
            here.variables = _values(free, here, random.Random(seed))
            true = all(holds(h, here) for h in sequent.hypotheses)
            claims = _cases(ground(sequent.conclusion, here), here) if true else []
        except TermError:  # an index below zero
            continue
        except NotExactError as error:
            report.open[str(error)] += 1
            continue
        report.vacuous += not true
        yield from ((c, here) for c in claims)


def _values(free: list[Term], env: ExactEnvironment, chooser: random.Random) -> dict[Term, Any]:
    """Small values for schematic variables, spaces first, as shapes depend on them."""
    values: dict[Term, Any] = {v: SPACE for v in free if v.sort == "space"}
    known = env.binding(env.indices, values)
    for variable in free:
        if variable.sort == "op":
            shape = [known.dimension(ground(s, env)) for s in (variable.rows, variable.cols)]
            entries = [chooser.choice((-2, -1, 1, 3)) for _ in range(shape[0] * shape[1])]
            grounded = ground(variable, env)
            values[grounded] = sympy.Matrix(*shape, entries)
        elif variable.sort == "real":
            values[variable] = sympy.Rational(chooser.randint(0, 4), 3)
    return values


# -- formulas -------------------------------------------------------------------------------------


def holds(formula: Term, env: ExactEnvironment) -> bool:
    """Whether a formula holds, exactly.

    Raises:
        NotExactError: it has no exact value here.
    """
    formula = ground(formula, env)
    match formula.head:
        case "eq":
            return agree(formula.args[0], formula.args[1], env)
        case "le":
            return at_most(formula.args[0], formula.args[1], env)
        case "range":
            index, low, high = formula.args
            return bool(low <= index <= high)
        case "fact":
            return env.fact(formula.args[0], formula.args[1:])
    return all(holds(case, env) for case in _cases(formula, env))


def _cases(formula: Term, env: ExactEnvironment) -> list[Term]:
    """A statement for all indices at each of them; another formula by itself."""
    if formula.head in ("ball", "everywhere", "after", "likely", "for_part"):
        msg = (
            "a statement about infinitely many points, about a path, about a sub-model or with a "
            "probability has no exact value"
        )
        raise NotExactError(msg)
    if formula.head != "forall":
        return [formula]
    name, low, high, inner = formula.args
    variable = make("index", name, 0)
    found = []
    for i in range(low, high + 1):
        case = substitute(inner, {variable: i})
        found += _cases(case, env) if case.head == "forall" else [case]
    return found


__all__ = ["ExactReport", "check_steps", "holds"]
