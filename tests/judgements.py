"""Judgements that nothing proved, to see what a rule makes of them."""

from __future__ import annotations

from proofs_check.replay.rules import RuleError, Sequent, replay
from theory import kernel
from theory.kernel import Judgement, KernelError


def judged(formula, *hypotheses):
    """A premise that nothing proves."""
    judgement = object.__new__(Judgement)
    for name, value in (
        ("hypotheses", frozenset(hypotheses)),
        ("conclusion", formula),
        ("rule", "hypothesis"),
        ("data", (formula,)),
        ("premises", ()),
    ):
        object.__setattr__(judgement, name, value)
    return judgement


def both(rule, data, premises):
    """What the kernel and the replay give, or None where they refuse; they have to agree.

    For rules that take their first premise, the data, and then the other premises.
    """
    sequents = [Sequent(p.hypotheses, p.conclusion) for p in premises]
    found = []
    for attempt in (
        lambda: getattr(kernel, rule)(premises[0], *data, *premises[1:]),
        lambda: replay(rule, data, sequents),
    ):
        try:
            result = attempt()
            found.append((result.hypotheses, result.conclusion))
        except (KernelError, RuleError, ValueError):
            found.append(None)
    assert found[0] == found[1], "the kernel and its replay disagree"
    return found[0]
