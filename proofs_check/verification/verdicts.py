"""The one verdict of a verification, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proofs_check.verification.counterexamples import Counterexample
from proofs_check.verification.ledger import Ledger
from proofs_check.verification.report import Fit, Row, Verdict

SIGNIFICANCE = 1e-6
"""A true statement with a probability is called violated at most that often, in one report."""


def decide(
    rows: Sequence[Row],
    ledger: Ledger,
    fits: Sequence[Fit],
    counterexample: Counterexample | None,
    *,
    interrupted: str = "",
    ordered: bool = True,
    failures: Mapping[str, float] | None = None,
) -> tuple[Verdict, tuple[str, ...]]:
    """Consistent, violated or inconclusive.

    A deterministic inequality is violated by one network on which it fails by more than rounding,
    measured twice.  An order is a statement about the limit: finitely many widths that disagree
    with it make the verdict inconclusive, never violated.

    Args:
        rows: what was measured.
        ledger: lines of the proofs on concrete networks.
        fits: fitted exponents.
        counterexample: the smallest violation, re-measured.
        interrupted: why the run did not finish; empty if it did.
        ordered: whether the order is part of what is to be verified.
        failures: delta of each statement that holds with a probability, by its label.

    Returns:
        The verdict and its reasons.
    """
    if counterexample is not None and counterexample.confirmed:
        return "violated", tuple(_violations(rows, ledger))
    chances = chances_of(rows, dict(failures or {}))
    if any(c.refuted for c in chances):
        return "violated", tuple(str(c) for c in chances if c.refuted)
    doubts = [interrupted] if interrupted else []
    if not rows:
        doubts.append("nothing was measured")
    if counterexample is not None:
        doubts.append(f"a violation was not confirmed when it was measured again: {counterexample}")
    doubts += _undecided(rows)
    doubts += [
        f"line {line.label} of {line.theorem} has no numbers at widths "
        f"{'-'.join(map(str, line.widths))}"
        for line in ledger.undefined[:5]
    ]
    if ordered:
        doubts += [_doubt(fit) for fit in fits if fit.judged and fit.status != "agrees"]
    if doubts:
        return "inconclusive", tuple(dict.fromkeys(doubts))
    return "consistent", (*_agreements(rows, ledger, fits), *map(str, chances))


@dataclass(frozen=True)
class Chance:
    """How often a statement that holds with a probability was missed.

    Attributes:
        statement: its label.
        widths: of the networks.
        index: of the input.
        misses: networks on which the bound was exceeded.
        draws: networks, of independent weights.
        delta: the probability of failure that the statement allows.
        level: the significance of the test, divided by the number of tests.
    """

    statement: str
    widths: tuple[int, ...]
    index: int
    misses: int
    draws: int
    delta: float
    level: float

    @property
    def p_value(self) -> float:
        """The probability of so many misses or more, if each has probability delta."""
        from scipy import stats

        return float(stats.binom.sf(self.misses - 1, self.draws, self.delta))

    @property
    def refuted(self) -> bool:
        """Whether that many misses are as good as impossible under the statement."""
        return self.p_value < self.level

    def __str__(self) -> str:
        """The count and what it says."""
        shown = "-".join(map(str, self.widths))
        return (
            f"{self.statement} was missed by {self.misses} of {self.draws} independent draws at "
            f"widths {shown}, input {self.index}, where each may with probability {self.delta:g}: "
            f"a tail of {self.p_value:.2g} (refuted below {self.level:.1g})"
        )


def chances_of(rows: Sequence[Row], failures: Mapping[str, float]) -> list[Chance]:
    """The misses of each statement with a probability, by widths and input.

    Args:
        rows: what was measured.
        failures: delta by the label of each statement that has one.

    Returns:
        One exact binomial test for each, at the level ``SIGNIFICANCE`` for all of them together,
        fixed beforehand; the draws of one are independent, having different seeds.
    """
    counts: dict[tuple[str, tuple[int, ...], int], list[bool]] = {}
    for row in rows:
        for c in row.checks:
            if c.statement in failures and c.outcome != "undecided":
                key = (c.statement, tuple(map(int, row.widths)), row.input)
                counts.setdefault(key, []).append(c.outcome == "missed")
    level = SIGNIFICANCE / max(1, len(counts))
    return [
        Chance(*key, sum(missed), len(missed), failures[key[0]], level)
        for key, missed in counts.items()
    ]


def _violations(rows: Sequence[Row], ledger: Ledger) -> list[str]:
    found = [
        f"{c.statement} fails at widths {_shape(row)}, seed {row.seed}: "
        f"{c.measured.value:.6g} against {c.bound.value:.6g}"
        for row in rows
        for c in row.checks
        if c.outcome == "violated"
    ]
    lines = ledger.false
    if lines:
        first = lines[0]
        found.append(
            f"the first false line of the proof of {first.theorem} is {first.label}, "
            f"{first.title}: {first.left:.6g} against {first.right:.6g}"
        )
    return found[:20]


def _undecided(rows: Sequence[Row]) -> list[str]:
    found = [
        f"{c.statement} is undecided at widths {_shape(row)}, seed {row.seed}: {c.note}"
        for row in rows
        for c in row.checks
        if c.outcome == "undecided"
    ]
    return found[:10]


def _doubt(fit: Fit) -> str:
    if fit.status == "not fitted":
        return f"no exponent of {fit.title}: {fit.note}"
    if fit.fit is None or fit.prediction is None:
        return f"the exponent of {fit.title} is {fit.status}"
    shown = f"{fit.fit.slope:.3f} [{fit.fit.low:.3f}, {fit.fit.high:.3f}]"
    against = f"{fit.prediction.relation} {float(fit.prediction.exponent):g}"
    if fit.status == "disagrees":
        return f"the exponent of {fit.title} is {shown} at these widths, predicted {against}"
    return (
        f"the exponent of {fit.title}, {shown}, is too uncertain to compare with {against}; "
        "give more widths or seeds"
    )


def _agreements(rows: Sequence[Row], ledger: Ledger, fits: Sequence[Fit]) -> list[str]:
    checks = sum(len(row.checks) for row in rows)
    found = [f"{checks} inequalities hold on {len(rows)} networks"]
    count = len(ledger.lines) + sum(c.inequalities + c.equalities for c in ledger.counts)
    if count:
        found.append(f"{count} lines of the proofs hold where they were evaluated")
    agreeing = sum(f.status == "agrees" and f.judged for f in fits)
    if agreeing:
        found.append(f"{agreeing} fitted exponents agree with the predicted orders")
    chance = sum(row.failure_probability for row in rows)
    if chance:
        found.append(
            f"the enclosures of the norms all hold with probability at least 1 - {chance:.0e}"
        )
    return found


def _shape(row: Row) -> str:
    return "-".join(map(str, row.widths))
