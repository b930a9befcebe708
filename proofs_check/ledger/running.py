"""Run rows of the ledger: measure every family, hold it against its prediction."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from numerics.scaling import ExponentFit, ScalingError, fit_exponent
from proofs_check.ledger.experiment import Family, Profile, Relation, Sample, experiment, rows
from proofs_check.ledger.results import FamilyResult, LedgerResult, RowResult, Verdict
from proofs_check.verification.judging import Outcome, compare
from proofs_check.verification.statements import Sides

CONFIDENCE = 0.99
"""Of the interval of an exponent: the ledger fits some fifty of them, and 95% would be missed by
two or three."""
RARE = 1e-3
"""A statement that allows violations with probability delta is contradicted when as many as were
seen, or more, would have had a probability below this."""

Progress = Callable[[float, float, str], None]


def run(
    names: Iterable[str] | None = None,
    profile: Profile = "quick",
    progress: Progress | None = None,
    *,
    on_interrupt: str = "raise",
) -> LedgerResult:
    """Run rows of the ledger.

    Args:
        names: the rows; None for all.
        profile: ``quick`` or ``full``: how wide, and how many seeds.
        progress: called as ``progress(done, total, text)`` before each family.
        on_interrupt: ``report`` returns the rows that are finished when the user interrupts.

    Returns:
        The rows in the order of the ledger.

    Raises:
        UnknownRowError: a name is not in the ledger.
    """
    known = rows()
    wanted = list(known) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            experiment(name)  # raises, and says which rows there are
    wanted.sort(key=list(known).index)
    told = progress or (lambda *_: None)
    done: list[RowResult] = []
    try:
        for place, name in enumerate(wanted):
            done.append(run_row(name, profile, _within(told, place, len(wanted))))
    except KeyboardInterrupt:
        if on_interrupt == "raise":
            raise
        return LedgerResult(profile, tuple(done), partial=True)
    told(len(wanted), len(wanted), "done")
    return LedgerResult(profile, tuple(done))


def _within(progress: Progress, place: int, total: int) -> Progress:
    return lambda done, of, text: progress(place + done / of, total, text)


def run_row(name: str, profile: Profile = "quick", progress: Progress | None = None) -> RowResult:
    """Run one row.

    Raises:
        UnknownRowError: there is no such row.
        UnknownTheoremError: its theorem is not in the catalogue.
    """
    import theory

    told = progress or (lambda *_: None)
    told(0, 1, name)
    plan = experiment(name)
    theorem = theory.catalog[plan.theorem]
    count = len(plan.holds) + len(plan.fails)
    found = []
    for place, family in enumerate((*plan.holds, *plan.fails)):
        kind = f"without {family.dropped}" if family.dropped else "holds"
        told(place, count, f"{name}, {kind}")
        found.append(run_family(family, profile))
    return RowResult(
        name,
        theorem.title,
        tuple(lemma.name for lemma in theorem.lemmas),
        tuple(found[: len(plan.holds)]),
        tuple(found[len(plan.holds) :]),
    )


def run_family(family: Family, profile: Profile = "quick") -> FamilyResult:
    """Measure a family at every width and seed and judge it."""
    begin = time.perf_counter()
    widths, seeds = family.widths[profile], range(family.seeds[profile])
    with _arithmetic():
        table = [[family.measure(width, seed) for seed in seeds] for width in widths]
    tally = _Tally(family)
    for sample in (s for samples in table for s in samples):
        tally.add(sample)
    fit, against = _fitted(family, widths, table)
    verdict, reason = _verdict(tally, family, fit, against)
    return FamilyResult(
        family.words,
        family.dropped,
        family.quantity,
        family.prediction,
        fit,
        tally.samples,
        tally.violations,
        tally.undecided,
        tally.least_ratio,
        verdict,
        reason,
        time.perf_counter() - begin,
    )


@contextmanager
def _arithmetic() -> Iterator[None]:
    """One thread for NumPy: its matrices are small here, and its threads wait for one another."""
    with np.errstate(all="ignore"), _threads().limit(limits=1, user_api="blas"):
        yield


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


# -- inequalities and equations -------------------------------------------------------------------


def _in_order(measured: Sides, bound: Sides, relation: Relation) -> tuple[Sides, Sides]:
    """The side that is claimed to be smaller first."""
    return (bound, measured) if relation == "ge" else (measured, bound)


def outcome_of(sample: Sample, relation: Relation) -> Outcome:
    """Whether a sample with a bound holds, violates it, or cannot be told."""
    if sample.bound is None:
        return "undecided"
    left, right = _in_order(sample.measured, sample.bound, relation)
    return compare("eq" if relation == "eq" else "le", left, right)[0]


@dataclass
class _Tally:
    """How the samples of a family stand to their bounds."""

    family: Family
    samples: int = 0
    violations: int = 0
    undecided: int = 0
    least_ratio: float = math.inf
    notes: list[str] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Hold a sample against its bound, where it has one."""
        if sample.bound is None:
            if not math.isfinite(sample.measured.value):
                self.undecided += 1
            return
        self.samples += 1
        left, right = _in_order(sample.measured, sample.bound, self.family.relation)
        outcome, note = compare("eq" if self.family.relation == "eq" else "le", left, right)
        self.violations += outcome == "violated"
        self.undecided += outcome == "undecided"
        if note:
            self.notes.append(note)
        if left.value > 0:
            self.least_ratio = min(self.least_ratio, right.value / left.value)

    @property
    def broken(self) -> bool:
        """Whether there are more violations than the statement allows."""
        if not self.violations or self.family.budget <= 0:
            return bool(self.violations)
        from scipy.stats import binom

        return bool(binom.sf(self.violations - 1, self.samples, self.family.budget) < RARE)


# -- exponents ------------------------------------------------------------------------------------


def _fitted(
    family: Family, widths: tuple[int, ...], table: list[list[Sample]]
) -> tuple[ExponentFit | None, Verdict]:
    """The exponent, and whether the prediction agrees with it."""
    if family.prediction is None:
        return None, "met"
    values = np.array([[s.measured.value for s in samples] for samples in table])
    if values.size and np.all(values == 0):
        return None, "met" if family.prediction.relation == "<=" else "not met"
    try:
        fit = fit_exponent(widths, values, float(family.prediction.log), CONFIDENCE)
    except ScalingError:
        return None, "undecided"
    says = fit.verdict(
        float(family.prediction.exponent),
        relation="==" if family.prediction.relation == "==" else "<=",
        slack=family.slack,
    )
    return fit, {"agrees": "met", "disagrees": "not met", "inconclusive": "undecided"}[says]  # type: ignore[return-value]


def _verdict(
    tally: _Tally, family: Family, fit: ExponentFit | None, against: Verdict
) -> tuple[Verdict, str]:
    """Whether the prediction was met; the reasons that count against it come first."""
    reasons = []
    if tally.broken:
        word = {"le": "exceeds", "ge": "is below", "eq": "differs from"}[family.relation]
        reasons.append(f"{word} the bound in {tally.violations} of {tally.samples} samples")
    if against == "not met":
        found = "it vanishes" if fit is None else f"{fit.slope:.2f}"
        reasons.append(f"the exponent {found} is away from the predicted one")
    if reasons:
        return "not met", "; ".join(reasons)
    if tally.undecided:
        why = f": {tally.notes[0]}" if tally.notes else ""
        return "undecided", f"{tally.undecided} samples are undecided{why}"
    if against == "undecided":
        return "undecided", "the exponent has no interval narrow enough to tell"
    parts = []
    if tally.samples:
        parts.append(f"{tally.samples} samples hold")
    if tally.violations:
        parts[-1] += f" but {tally.violations}, within the budget"
    if family.prediction is not None:
        parts.append("it vanishes" if fit is None else "the exponent agrees")
    return ("met", "; ".join(parts)) if parts else ("undecided", "nothing was compared")
