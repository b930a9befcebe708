"""What a step of a replayed proof claims, and how a rule refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs_check.replay.binding import brief
from theory.terms import Term


class RuleError(ValueError):
    """A step that its rule does not give; the message says why not."""


@dataclass(frozen=True)
class Sequent:
    """What a step claims: its hypotheses and its conclusion."""

    hypotheses: frozenset[Term]
    conclusion: Term


Given = Sequence[Sequent]


def need(holds: bool, why: str, *values: object) -> None:
    """Refuse the step unless a side condition holds.

    Args:
        holds: whether it does.
        why: what is said if not, with a ``{}`` for each value.
        values: terms and others, abbreviated.

    Raises:
        RuleError: it does not hold.
    """
    if not holds:
        raise RuleError(why.format(*map(brief, values)))


def all_hypotheses(premises: Given) -> frozenset[Term]:
    """The hypotheses of all premises."""
    return frozenset().union(*(p.hypotheses for p in premises))


__all__ = ["Given", "RuleError", "Sequent", "all_hypotheses", "need"]
