"""The judges of a false theorem: the structural replay, the second opinion of z3, measurement.

Each judges alone, so that a table can say which of them would have noticed, and how soon.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs_check.mutation.mutants import Mutant
from proofs_check.replay.checker import check
from proofs_check.replay.loading import CheckError, load
from proofs_check.replay.samples import World
from proofs_check.replay.second_opinion import CONTRADICTED, implies, is_arithmetic, opinion
from theory.proofs import Proof
from theory.terms import Term, make

if TYPE_CHECKING:
    from rich.table import Table

Measure = Callable[[Proof], "bool | None"]


@dataclass(frozen=True)
class Verdict:
    """Who rejects a mutant, and how soon.

    Attributes:
        kernel: the structural replay rejects it.
        z3: the second opinion alone refutes a step, or refutes that the claim follows.
        measurement: a real network violates it; None where nothing was measured.
        reason: the replay's first reason.
        seconds: of the replay, z3 and measurement, in this order.
    """

    kernel: bool
    z3: bool
    measurement: bool | None
    reason: str
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def rejected(self) -> bool:
        """Whether any judge rejects it."""
        return self.kernel or self.z3 or bool(self.measurement)

    @property
    def soon(self) -> float:
        """Seconds that the quickest judge who rejects it takes; inf when none does."""
        says = (self.kernel, self.z3, bool(self.measurement))
        return min((s for s, no in zip(self.seconds, says, strict=True) if no), default=INFINITE)


INFINITE = float("inf")


def judge(mutant: Mutant, *, measure: Measure | None = None, timeout_ms: int = 1000) -> Verdict:
    """Put a mutant before the judges.

    Args:
        mutant: the mutant.
        measure: whether real networks violate what a proof states (given its definitions); None
            from it means that it has no opinion.
        timeout_ms: limit for each question to z3.
    """
    ticks = [time.perf_counter()]
    try:
        proof = load(mutant.proof)
    except CheckError as error:
        return Verdict(True, False, None, str(error), (time.perf_counter() - ticks[0], 0.0, 0.0))
    report = check(proof, second_opinion=False)
    reason = str(report.failures[0]) if report.failures else ""
    ticks.append(time.perf_counter())
    refuted = _refuted(mutant, proof, timeout_ms)
    ticks.append(time.perf_counter())
    measured = measure(proof) if measure is not None else None
    ticks.append(time.perf_counter())
    spent = (ticks[1] - ticks[0], ticks[2] - ticks[1], ticks[3] - ticks[2])
    return Verdict(not report.ok, refuted, measured, reason, spent)


def _refuted(mutant: Mutant, proof: Proof, timeout_ms: int) -> bool:
    """Whether the second opinion alone refutes a step or the claim."""
    before = mutant.original
    known = {id(step) for step in before.steps}
    world = World()
    for step in proof.steps:
        if id(step) in known:
            continue
        premises = [proof.steps[p].conclusion for p in step.premises]
        if is_arithmetic(step) and opinion(step, premises, timeout_ms).verdict == CONTRADICTED:
            return True
        equation = step.rule == "by_form" and step.conclusion.head == "eq"
        if equation and world.agree(*step.conclusion.args) is False:
            return True
    if mutant.family == "proof":
        return False
    return any(_does_not_follow(*claim, world, timeout_ms) for claim in _claims(before, proof))


def _claims(before: Proof, proof: Proof) -> Iterator[tuple[list[Term], Term]]:
    """What was known, and what is claimed in its place: the statement, and each definition."""
    if proof.statement is not before.statement:
        yield [_relation(before.statement)], _relation(proof.statement)
    for old, new in zip(before.definitions, proof.definitions, strict=False):
        if old is not new and old.args[0] is new.args[0]:
            yield [], make("le", old.args[1], new.args[1])


def _relation(formula: Term) -> Term:
    """What a statement says inside its ball, its probability, its range of indices."""
    inner = [a for a in formula.args if isinstance(a, Term) and a.sort == "formula"]
    return _relation(inner[-1]) if inner else formula


def _does_not_follow(known: list[Term], claim: Term, world: World, timeout_ms: int) -> bool:
    if claim.head not in ("le", "eq"):
        return False
    if claim.args[0].sort == "op":  # both equal the left side, so they must be equal
        rights = {f.args[1] for f in (*known, claim)}
        return len(rights) == 2 and world.agree(*rights) is False
    return implies(known, claim, timeout_ms).verdict == CONTRADICTED


Columns = tuple[str, int, int, int, str, int, str]


def counts(found: Sequence[Mutant], verdicts: Sequence[Verdict], by: str = "kind") -> list[Columns]:
    """How many mutants, who rejects them and how soon, by kind or by theorem, and in all.

    Args:
        found: the mutants.
        verdicts: the verdict on each.
        by: ``kind`` or ``theorem``.

    Returns:
        For each: its name, mutants, rejected by the replay, by z3, by networks (of those measured),
        survivors, and the median and longest time to the first rejection in milliseconds.
    """
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for mutant, verdict in zip(found, verdicts, strict=True):
        groups[mutant.kind if by == "kind" else mutant.name.split(": ")[0]].append(verdict)
    every = [*(sorted(groups.items()) if by == "kind" else groups.items()), ("all", [*verdicts])]
    return [_counted(name, members) for name, members in every]


def _counted(name: str, members: list[Verdict]) -> Columns:
    measured = [v.measurement for v in members if v.measurement is not None]
    soon = sorted(v.soon for v in members if v.rejected)
    times = f"{1e3 * soon[len(soon) // 2]:.3g} ({1e3 * soon[-1]:.3g})" if soon else "-"
    return (
        name,
        len(members),
        sum(v.kernel for v in members),
        sum(v.z3 for v in members),
        f"{sum(measured)} of {len(measured)}" if measured else "-",
        sum(not v.rejected for v in members),
        times,
    )


def table(found: Sequence[Mutant], verdicts: Sequence[Verdict], by: str = "kind") -> Table:
    """The counts as a table for a terminal (see :func:`counts`)."""
    from rich.table import Table

    first = "kind of error" if by == "kind" else "theorem"
    shown = Table(first, "mutants", "kernel", "z3", "measurement", "survived", "ms (longest)")
    for row in counts(found, verdicts, by):
        if row[0] == "all":
            shown.add_section()
        shown.add_row(*map(str, row))
    return shown
