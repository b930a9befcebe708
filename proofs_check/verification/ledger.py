"""The lines of a proof on a concrete network: which are false there, and which lose the most.

A *claim* is a line that a reader sees.  Its ratio is right side over left: what has been lost up to
that line.  Its own loss is the same with every abbreviation on the right replaced by the measured
value of what it bounds: what this line alone loses.  A *step* is any line at all of the proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from proofs_check.measuring.evaluate import (
    Comparison,
    Environment,
    EvaluationError,
    evaluate,
    measure,
)
from proofs_check.verification import architectures
from proofs_check.verification.statements import apriori_constants, is_statistic, label_of, leaves
from proofs_check.verification.trials import Trial, largest
from theory import evaluation
from theory.kernel import Judgement
from theory.proofs import linearize
from theory.terms import Term, TermError, substitute, subterms
from theory.theorem import Theorem
from theory.vocabulary import CENTRE, INPUT, POINT

SAFE = (1e-140, 1e140)
Key = tuple[Term, frozenset[Term]]


@dataclass(frozen=True)
class Line:
    """One line of a proof on one network.

    Attributes:
        theorem: whose proof.
        label: the claim's label, or ``step n (rule)``.
        title: what the line is about.
        relation: ``le`` or ``eq``.
        left: left side.
        right: right side.
        own: the right side over the left with abbreviations at their measured values; None where
            that has no meaning.
        holds: whether the line holds up to the rounding error of its two sides.
        tolerance: that rounding error.
        widths: of the network, m_0, ..., m_L.
        seed: of the network.
    """

    theorem: str
    label: str
    title: str
    relation: str
    left: float
    right: float
    own: float | None
    holds: bool
    tolerance: float
    widths: tuple[int, ...]
    seed: int

    @property
    def undefined(self) -> bool:
        """Whether it does not hold, but for an overflow or an underflow that says nothing.

        Squares of numbers outside ``SAFE`` do, and norms are made of squares.
        """
        if self.holds:
            return False
        numbers = (self.left, self.right, self.tolerance)
        largest = max(abs(self.left), abs(self.right))
        return any(map(math.isnan, numbers)) or not SAFE[0] < largest < SAFE[1]

    @property
    def ratio(self) -> float:
        """Right side over left; 1 where both vanish."""
        if self.left == 0:
            return 1.0 if self.right == 0 else math.inf
        return self.right / self.left


@dataclass(frozen=True)
class StepCount:
    """How many lines of the whole proof were evaluated on one network.

    Attributes:
        widths: of the network.
        seed: of the network.
        inequalities: inequalities evaluated.
        equalities: equations evaluated.
        others: facts about the network, ranges of indices and statements without sides.
        skipped: lines about schematic spaces or operators, which have no network, by reason.
    """

    widths: tuple[int, ...]
    seed: int
    inequalities: int
    equalities: int
    others: int
    skipped: Mapping[str, int]


@dataclass
class Ledger:
    """All lines evaluated.

    Attributes:
        lines: every claim on every network it was evaluated on, and every step that is false.
        counts: how many steps were evaluated, network by network.
    """

    lines: list[Line] = field(default_factory=list)
    counts: list[StepCount] = field(default_factory=list)

    @property
    def false(self) -> list[Line]:
        """Lines that do not hold, the first one first; one without numbers is not among them."""
        return [line for line in self.lines if not line.holds and not line.undefined]

    @property
    def undefined(self) -> list[Line]:
        """Lines with a side that is not a number, where something overflowed."""
        return [line for line in self.lines if line.undefined]

    def typical(self) -> list[Line]:
        """Each claim once, as on the widest network it was evaluated on."""
        last: dict[tuple[str, str], Line] = {}
        for line in self.lines:
            key = (line.theorem, line.label)
            if key not in last or max(line.widths) >= max(last[key].widths):
                last[key] = line
        return list(last.values())

    @property
    def loosest(self) -> Line | None:
        """The inequality whose right side exceeds its left most."""
        found = [x for x in self.typical() if x.relation == "le" and math.isfinite(x.ratio)]
        return max(found, key=lambda line: line.ratio, default=None)

    @property
    def costliest(self) -> Line | None:
        """The line that loses the most by itself."""
        found = [x for x in self.typical() if x.own is not None and math.isfinite(x.own)]
        return max(found, key=lambda line: line.own or 0.0, default=None)


def environment(theorem: Theorem, trial: Trial) -> Environment:
    """What the symbols of a proof stand for on a network.

    The free point of the ball is where the quantity that the theorem bounds was found largest.
    """
    points = {"theta0": trial.model.params}
    others = dict(trial.points)
    if trial.radius is not None:
        best, _ = largest(trial.values(theorem.quantity, ball=True))
        points[POINT.args[0]] = others.pop(best, trial.model.params)
    reals: dict[str | Term, float] = {} if trial.radius is None else {"R": trial.radius}
    chosen = apriori_constants(theorem, trial.statistics["x"])
    reals |= {t: s.value for t, s in chosen.items() if t.head == "sym"}
    return architectures.environment(
        trial.model,
        points=points,
        inputs={"x": trial.x, "z": trial.z},
        reals=reals,
        definitions=theorem.definitions,
        ball_points=tuple(others.values()),
        seed=trial.model.seed,
    )


# -- claims ---------------------------------------------------------------------------------------


def claims(theorems: Sequence[Theorem], trial: Trial) -> list[Line]:
    """Every claim of every theorem on one network; a claim that two proofs share, once.

    Each proof is followed at the point of the ball where what it bounds is largest.
    """
    found: list[Line] = []
    results: dict[Key, Comparison | None] = {}
    for theorem in theorems:
        env = environment(theorem, trial)
        new = [c for c in theorem.claims if _key(c.judgement) not in results]
        results |= {_key(c.judgement): _tightest(c.judgement, env) for c in new}
        attained = _attained(theorem, results, env)
        for claim in new:
            formula, result = claim.judgement.conclusion, results[_key(claim.judgement)]
            if result is None:
                continue
            own = _own_loss(formula, result, theorem, attained, env)
            found.append(
                Line(
                    label_of(theorem),
                    claim.label,
                    claim.title,
                    result.relation,
                    result.left,
                    result.right,
                    own,
                    result.holds,
                    result.tolerance,
                    architectures.sizes_of(trial.model),
                    trial.model.seed,
                )
            )
    return found


def _key(judgement: Judgement) -> Key:
    """A line with what it rests on: another proof may define the same abbreviation otherwise."""
    return judgement.conclusion, judgement.hypotheses


def _tightest(judgement: Judgement, env: Environment) -> Comparison | None:
    """The case of a claim that fails, or has the least room; None if it has no case here."""
    results = [r for r in evaluated(judgement, env)[0] if isinstance(r, Comparison)]
    return min(results, key=lambda r: (r.holds, r.relative_slack), default=None)


def _attained(
    theorem: Theorem, results: Mapping[Key, Comparison | None], env: Environment
) -> dict[Term, float]:
    """For each abbreviation that bounds something: the value with which the bound is attained."""
    values: dict[Term, float] = {}
    for claim in theorem.claims:
        symbol = _bounded_by(claim.judgement.conclusion)
        result = results[_key(claim.judgement)]
        if symbol is not None and result is not None and result.right > 0:
            values[symbol] = measure(symbol, env).value * result.left / result.right
    return values


def _bounded_by(formula: Term) -> Term | None:
    """The abbreviation that a claim's right side is a multiple of."""
    if formula.head != "le":
        return None
    right = formula.args[1]
    factors = right.args if right.head == "mul" else (right,)
    symbols = [f for f in factors if f.head == "sym"]
    rest = [f for f in factors if f.head != "sym"]
    simple = all(
        f.head in ("rat", "dim") or (f.head == "pow" and f.args[0].head == "dim") for f in rest
    )
    return symbols[0] if len(symbols) == 1 and simple else None


def _own_loss(
    formula: Term,
    result: Comparison,
    theorem: Theorem,
    attained: Mapping[Term, float],
    env: Environment,
) -> float | None:
    if formula.head != "le" or not result.left > 0:
        return None
    table = evaluation.definitions_of(theorem.definitions)
    symbol = _bounded_by(formula)
    target = formula.args[1] if symbol is None else table.get(symbol)
    if target is None:
        return None
    values = {s: v for s, v in attained.items() if s is not symbol}
    needed = leaves(target, {})  # abbreviations are not unfolded: each has its own line
    known = {t: measure(t, env).value for t in needed if t not in values and t not in table}
    known |= {t: measure(t, env).value for t in needed if t in table and is_statistic(t)}
    if any(t not in values and t not in known for t in needed):
        return None  # it rests on an abbreviation that no line measures
    try:
        net = theorem.network if theorem.graph is None else None
        functions = net.activations if net else ()
        tight = float(evaluation.evaluate(target, {**known, **values}, activations=functions))
    except (ArithmeticError, np.linalg.LinAlgError):
        return None  # an overflow
    if symbol is None:
        return tight / result.left
    whole = measure(symbol, env).value
    return tight / whole * result.right / result.left if whole else None


# -- steps ----------------------------------------------------------------------------------------


def steps(theorems: Sequence[Theorem], trial: Trial) -> tuple[list[Line], StepCount]:
    """Every line of the proofs on one network.

    Returns:
        The lines that are false there, and how many of which kind were evaluated.
    """
    false: list[Line] = []
    counts = {"le": 0, "eq": 0, "other": 0}
    skipped: dict[str, int] = {}
    seen: set[Key] = set()
    for theorem in theorems:
        env = environment(theorem, trial)
        for number, judgement in enumerate(linearize(theorem.judgement)):
            if _key(judgement) in seen:
                continue
            seen.add(_key(judgement))
            results, reason = evaluated(judgement, env)
            if not results:
                skipped[reason] = skipped.get(reason, 0) + 1
            for result in results:
                kind = result.relation if isinstance(result, Comparison) else "other"
                counts[kind] += 1
                if not result:
                    false.append(_false_step(theorem, number, judgement, result, trial))
    where = architectures.sizes_of(trial.model), trial.model.seed
    return false, StepCount(*where, counts["le"], counts["eq"], counts["other"], skipped)


def evaluated(judgement: Judgement, env: Environment) -> tuple[list[Comparison | bool], str]:
    """A line on the network: once, or for each value of its free layer indices.

    A point or an input that the network has no value for is schematic: the line holds for all, and
    is tried at the centre and at the input x.

    Returns:
        The results of the cases whose hypotheses hold, and why there is none.
    """
    formula = judgement.conclusion
    if any(v.head == "var" for v in formula.free) or _schematic(formula):
        return [], "speaks of schematic spaces or operators"
    if formula.head == "likely":
        return [], "holds with a probability, which one network cannot show"
    results: list[Comparison | bool] = []
    for values in _cases(judgement, env):
        try:
            if not _vacuous(judgement, values, env):
                results.append(_as_result(evaluate(_at(formula, values), env)))
        except (EvaluationError, TermError):
            continue  # an index outside the network
    return results, "has no case on this network"


def _schematic(formula: Term) -> bool:
    return any(t.head == "space" for t in subterms(formula))


def _cases(judgement: Judgement, env: Environment) -> Iterator[dict[Term, Any]]:
    """Values for the free layer indices, from 0 to the depth, and for schematic names."""
    free = {v for f in (judgement.conclusion, *judgement.hypotheses) for v in f.free}
    fixed: dict[Term, Any] = {
        v: CENTRE for v in free if v.head == "point" and v.args[0] not in env.named
    }
    fixed |= {v: INPUT for v in free if v.head == "input" and v.args[0] not in env.inputs}
    indices = sorted((v for v in free if v.head == "index"), key=str)
    depth = env.arch.depth if indices else 0
    for values in product(range(depth + 1), repeat=len(indices)):
        yield fixed | dict(zip(indices, values, strict=True))


def _at(formula: Term, values: Mapping[Term, Any]) -> Term:
    chosen = {v: values[v] for v in formula.free if v in values}
    return substitute(formula, chosen) if chosen else formula


def _vacuous(judgement: Judgement, values: Mapping[Term, Any], env: Environment) -> bool:
    """Whether a hypothesis about the free variables fails; the others hold on every network."""
    for hypothesis in judgement.hypotheses:
        event = _is_event(hypothesis) and hypothesis is not judgement.conclusion
        loose = any(v in values for v in hypothesis.free) or event
        if loose and not evaluate(_at(hypothesis, values), env):
            return True
    return False


def _is_event(hypothesis: Term) -> bool:
    """Whether a hypothesis is an inequality at the centre, which a draw of the weights may miss."""
    return hypothesis.head == "le" and hypothesis.free >= {CENTRE} and POINT not in hypothesis.free


def _as_result(value: object) -> Comparison | bool:
    if isinstance(value, Comparison | bool):
        return value
    msg = f"{value!r} is no result of evaluating a formula"
    raise TypeError(msg)


def _false_step(
    theorem: Theorem, number: int, judgement: Judgement, result: Comparison | bool, trial: Trial
) -> Line:
    from theory.writing.plain import plain

    # A fact or a range that fails has no sides: 1 <= 0 stands for it.
    sides = (1.0, 0.0, 0.0)
    if isinstance(result, Comparison):
        sides = (result.left, result.right, result.tolerance)
    return Line(
        label_of(theorem),
        f"step {number} ({judgement.rule})",
        plain(judgement.conclusion)[:500],
        judgement.conclusion.head,
        sides[0],
        sides[1],
        None,
        False,
        sides[2],
        architectures.sizes_of(trial.model),
        trial.model.seed,
    )


__all__ = ["Ledger", "Line", "StepCount", "claims", "environment", "evaluated", "steps"]
