"""What running the ledger found: plain data, from which tables are written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from numerics.scaling import ExponentFit
from proofs_check.ledger.experiment import Profile
from proofs_check.verification.statements import Prediction

Verdict: TypeAlias = Literal["met", "not met", "undecided"]


@dataclass(frozen=True)
class FamilyResult:
    """One family, measured.

    Attributes:
        words: the family in words.
        dropped: the hypothesis dropped; empty where the statement applies.
        quantity: what was measured.
        prediction: the order predicted for it; None for none.
        fit: the fitted exponent; None where none was fitted.
        samples: how many samples were held against a bound.
        violations: how many violated it.
        undecided: how many could not be told, or had no value.
        least_ratio: least bound over measured value among the samples; inf where there is none.
        verdict: whether the prediction was met.
        reason: why.
        seconds: how long it took.
    """

    words: str
    dropped: str
    quantity: str
    prediction: Prediction | None
    fit: ExponentFit | None
    samples: int
    violations: int
    undecided: int
    least_ratio: float
    verdict: Verdict
    reason: str
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Met where the statement applies, not met where a hypothesis is dropped."""
        return self.verdict == ("not met" if self.dropped else "met")

    @property
    def outcome(self) -> str:
        """``holds``, ``fails``, or what went against expectation."""
        if self.verdict == "undecided":
            return "undecided"
        return "holds" if self.verdict == "met" else "fails"

    @property
    def predicted(self) -> str:
        """The predicted order, such as ``O(m^(-1/2) (log m)^(1/2))``."""
        return "none" if self.prediction is None else order_text(self.prediction)

    @property
    def measured(self) -> str:
        """The fitted exponent with its interval, such as ``-0.51 [-0.55, -0.47]``."""
        if self.fit is None:
            return "not fitted"
        return f"{self.fit.slope:.3f} [{self.fit.low:.3f}, {self.fit.high:.3f}]"


@dataclass(frozen=True)
class RowResult:
    """One row, run.

    Attributes:
        row: its name.
        title: what its theorem says, in a line.
        lemmas: names of the lemmas that the theorem's proof takes on trust.
        holds: the families where it applies.
        fails: the families with a hypothesis dropped.
    """

    row: str
    title: str
    lemmas: tuple[str, ...]
    holds: tuple[FamilyResult, ...]
    fails: tuple[FamilyResult, ...]

    @property
    def families(self) -> tuple[FamilyResult, ...]:
        """All families, those that hold first."""
        return (*self.holds, *self.fails)

    @property
    def as_expected(self) -> bool:
        """Whether the statement held where it applies and nowhere else."""
        return all(f.as_expected for f in self.families)

    @property
    def seconds(self) -> float:
        """How long the row took."""
        return sum(f.seconds for f in self.families)


@dataclass(frozen=True)
class LedgerResult:
    """All rows that were run.

    Attributes:
        profile: ``quick`` or ``full``.
        rows: the rows, in the order of the ledger.
        partial: whether the run was interrupted.
    """

    profile: Profile
    rows: tuple[RowResult, ...]
    partial: bool = False

    @property
    def undecided(self) -> bool:
        """Whether what is not as expected is undecided throughout."""
        odd = [f for r in self.rows for f in r.families if not f.as_expected]
        return bool(odd) and all(f.verdict == "undecided" for f in odd)

    @property
    def as_expected(self) -> bool:
        """Whether every row held where it applies and failed where it does not."""
        return bool(self.rows) and all(r.as_expected for r in self.rows)


def order_text(prediction: Prediction) -> str:
    """``O(...)`` for an upper order, ``Theta(...)`` for one that is attained."""
    letter = "Θ" if prediction.relation == "==" else "O"
    powers = [_power("m", prediction.exponent), _power("(log m)", prediction.log)]
    return f"{letter}({' '.join(p for p in powers if p) or '1'})"


def _power(base: str, exponent: Fraction) -> str:
    if not exponent:
        return ""
    return base if exponent == 1 else f"{base}^({exponent})"
