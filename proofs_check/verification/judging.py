"""A statement held against one network: it holds, it is violated, or that is undecided."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from proofs_check.verification.statements import (
    ON_BALL,
    UNKNOWN,
    Sides,
    Statement,
    bound_sides,
    label_of,
    relation_of,
)
from proofs_check.verification.trials import Trial, largest
from theory import theorems
from theory.networks import Network
from theory.theorem import Theorem

Outcome = Literal["holds", "violated", "undecided", "missed"]
ROUNDING = 1e-6
"""Relative width up to which two overlapping enclosures agree: the sides are equal for all that can
be seen.  A wider overlap decides nothing."""
UNDERFLOW = 1e-300  # the same for what is zero next to the smallest numbers there are


@dataclass(frozen=True)
class Check:
    """A statement on one network.

    Attributes:
        statement: its label, which tells the versions of A7 apart.
        quantity: what it bounds.
        ball: whether it is about the whole ball; then ``measured`` is the largest value found.
        place: where in the ball that was.
        relation: ``le`` or ``eq``.
        measured: the quantity, enclosed.
        bound: the bound, from both ends of the measured layer statistics.
        outcome: ``holds`` when the upper end of the measurement is within the lower end of the
            bound, or beyond it by rounding only; ``violated`` when its lower end is beyond the
            upper end of the bound; else ``undecided``. ``missed`` is a violation of a statement
            that holds with a probability: how many there are is judged, not the single one.
        note: why it is undecided.
    """

    statement: str
    quantity: str
    ball: bool
    place: str
    relation: str
    measured: Sides
    bound: Sides
    outcome: Outcome
    note: str = ""

    @property
    def ratio(self) -> float:
        """Bound over measured value; infinite where nothing was measured but zero."""
        if not self.measured.value:
            return 1.0 if self.bound.value == 0 else math.inf
        return self.bound.value / self.measured.value


def judge(statement: Statement, trial: Trial) -> Check:
    """Hold a statement against a network.

    Args:
        statement: a theorem or a conjecture about a network.
        trial: the network with numbers in it; its radius is used where the statement has a ball.
    """
    ball = statement.radius is not None or statement.quantity in ON_BALL
    values = trial.values(statement.quantity, ball)
    place, measured = largest(values)
    bound = _bound(statement, trial)
    relation = relation_of(statement)
    outcome, note = compare(relation, measured, bound)
    if outcome == "violated" and getattr(statement, "failure", None) is not None:
        outcome, note = "missed", "a draw of the weights that the statement allows to fail"
    return Check(
        label_of(statement),
        statement.quantity,
        ball,
        place,
        relation,
        measured,
        bound,
        outcome,
        note,
    )


def _bound(statement: Statement, trial: Trial) -> Sides:
    try:
        found = bound_sides(statement, trial.statistics, trial.radius, trial.other)
    except (OverflowError, ZeroDivisionError, FloatingPointError) as error:
        trial.notes.append(f"the bound of {statement.name} has no value: {error}")
        return UNKNOWN
    return found.widened(trial.margin)


def compare(relation: str, measured: Sides, bound: Sides) -> tuple[Outcome, str]:
    """What two enclosed numbers say about ``measured <= bound`` or ``measured = bound``."""
    if not (measured.defined and bound.defined):
        return "undecided", "a side is not a number (overflow, or nothing could be measured)"
    if measured.lower > bound.upper:
        return "violated", ""
    if relation == "eq" and measured.upper < bound.lower:
        return "violated", ""
    if not math.isfinite(measured.upper):
        return "undecided", "the measured norm has no certified upper end"
    slack = ROUNDING * max(measured.upper, bound.upper) + UNDERFLOW
    excess = measured.upper - bound.lower
    if relation == "eq":
        excess = max(excess, bound.upper - measured.lower)
    if excess <= slack:
        return "holds", ""
    return "undecided", (
        f"the enclosures overlap: measured [{measured.lower:.6g}, {measured.upper:.6g}], bound "
        f"[{bound.lower:.6g}, {bound.upper:.6g}]"
    )


# -- what goes with a theorem ---------------------------------------------------------------------


@dataclass(frozen=True)
class Companions:
    """The theorems that the same measurements test as well.

    Attributes:
        theorems: their statements.
        refused: why there are none, where no theorem covers the network.
    """

    theorems: tuple[Theorem, ...] = ()
    refused: str = ""
    by_quantity: dict[str, Theorem] = field(default_factory=dict)


def _on_ball(network: Network) -> dict[str, Theorem]:
    return {
        "hessian_ball": theorems.hessian_bound(network, radius="R"),
        "kernel_change": theorems.kernel_change_bound(network),
        "linearization_gap": theorems.linearization_bound(network),
    }


@lru_cache(maxsize=64)
def companions(network: Network, ball: bool) -> Companions:
    """A7 at the centre, also by slopes; with a ball A7 on it, A7+A2 and A7+A3.

    Args:
        network: the description.
        ball: whether there is a ball.
    """
    try:
        found = {"hessian_norm": theorems.hessian_bound(network)}
        if not network.is_dense:
            if ball:
                found |= _on_ball(network)
            return Companions(tuple(found.values()), by_quantity=found)
        found["hessian_slopes"] = theorems.hessian_bound(network, level="slopes")
        if ball:
            found |= _on_ball(network)
    except theorems.HypothesisError as error:
        return Companions(refused=str(error))
    return Companions(tuple(found.values()), by_quantity=found)
