"""Hypotheses that ``falsify`` can drop, and which of them a statement has.

A statement is held as it stands, its bound made of what it speaks of, against a model that meets
every hypothesis but one: one of :mod:`proofs_check.dropped`, at a dial that a search shrinks along
with the rest, or one of a family of the ledger.

Source: theory.md, sections 2 (A9, B3) and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import theory
from proofs_check.dropped import (
    Dropped,
    changed,
    nearly_relu,
    outer_trial,
    outside_trial,
    sharp,
    steep,
    tied_trial,
)
from proofs_check.ledger.experiment import Experiment, Family, experiment, rows
from proofs_check.strategies import Instance
from proofs_check.verification.statements import Statement
from proofs_check.verification.trials import Search, Trial
from theory.theorem import Theorem

DIALS = (1, 2, 3, 4, 8, 16, 64, 256)
SCALES = (1.0, 0.1, 0.01)  # of inputs: a sharp activation is curved near the origin alone


class DropError(ValueError):
    """A hypothesis that cannot be dropped; the message lists those that can."""


@dataclass(frozen=True)
class Drop:
    """A hypothesis that can be dropped.

    Attributes:
        name: what callers say.
        assumption: the name of the assumption that it is among ``theorem.assumptions``.
        words: what the dial does, with ``{}`` for it.
        trial: from an instance and its dial to the trial whose values and bound are compared.
        quantities: what it can be measured for.
        on_ball: whether it makes sense for statements about a ball only.
        dense: whether only plain fully connected networks can do without it.
    """

    name: str
    assumption: str
    words: str
    trial: Callable[[Dropped, float | None, Search], Trial]
    quantities: tuple[str, ...] = ("hessian_norm", "kernel_change", "linearization_gap")
    on_ball: bool = False
    dense: bool = True

    def applies_to(self, statement: Statement, ball: bool) -> bool:
        """Whether the statement has this hypothesis and a network that can violate it.

        No single network violates what holds with a probability.
        """
        if not isinstance(statement, Theorem) or statement.network is None:
            return False
        return (
            self.assumption in {a.name for a in statement.assumptions}
            and statement.quantity in self.quantities
            and (ball or not self.on_ball)
            and (statement.network.is_dense or not self.dense)
            and statement.failure is None
        )


DROPS: tuple[Drop, ...] = (
    Drop("linear output", "linear output", "the output is sin({0} f)/{0}", outer_trial),
    Drop(
        "bounded_lambda",
        "bounded_lambda",
        "the activations are {0}^2 sigma(t/{0}), the bound is that for sigma",
        changed(steep),
        dense=False,
    ),
    Drop(
        "bounded_beta",
        "bounded_beta",
        "the activations are sigma({0} t)/{0}, the bound is that for sigma",
        changed(sharp),
        dense=False,
    ),
    Drop(
        "smooth",
        "bounded_beta",
        "the activations are softplus({0} t)/{0}, the bound has the constants that ReLU has but "
        "for its corner, lambda = 1 and beta = 0",
        changed(nearly_relu, (1.0, 0.0)),
        dense=False,
    ),
    Drop(
        "independent parameters",
        "parameters",
        "the neurons of the first layer, {0} times as many, share one weight vector",
        tied_trial,
        ("hessian_norm",),
    ),
    Drop(
        "ball",
        "ball",
        "parameters may lie {0} times as far from the centre as the bound assumes",
        outside_trial,
        on_ball=True,
        dense=False,
    ),
)


def droppable(statement: Statement, ball: bool) -> list[str]:
    """Names of the hypotheses of a statement that can be dropped."""
    return [d.name for d in DROPS if d.applies_to(statement, ball)]


def families(statement: Statement) -> dict[str, Family]:
    """Families of the ledger in which a hypothesis of the row of this theorem is dropped."""
    plan = _experiment_on(statement)
    return {} if plan is None else {family.dropped: family for family in reversed(plan.fails)}


def _experiment_on(statement: Statement) -> Experiment | None:
    """The experiment of the ledger about a theorem of the catalogue.

    A row may be about a theorem of a longer name: LZB22/B2 about LZB22/B2-floor.
    """
    if not isinstance(statement, Theorem):
        return None
    if statement.network is not None and theory.catalog.get(statement.name) != statement:
        return None  # the row is about the network of the catalogue
    if statement.name in rows():
        return experiment(statement.name)
    row = statement.name.split("-")[0]
    plan = experiment(row) if row in rows() else None
    return plan if plan is not None and plan.theorem == statement.name else None


def chosen(statement: Statement, name: str, ball: bool) -> Drop:
    """The drop of that name.

    Raises:
        DropError: the statement has no such hypothesis, or nothing is known to do without it.
    """
    possible = droppable(statement, ball)
    if name in possible:
        return next(d for d in DROPS if d.name == name)
    possible += [f for f in families(statement) if f not in possible]
    assumed = ", ".join(a.name for a in getattr(statement, "assumptions", ())) or "none"
    what = ", ".join(possible) if possible else "nothing"
    msg = (
        f"{statement.name}: the hypothesis {name!r} cannot be dropped; what can: {what} "
        f"(its assumptions: {assumed}){_instead(statement)}"
    )
    raise DropError(msg)


def _instead(statement: Statement) -> str:
    """What to do about a statement that has no network to be violated by."""
    if not isinstance(statement, Theorem):
        return ""
    if statement.failure is not None:
        return (
            "; it holds with a probability, which no single network violates: "
            "proofs_check.verify counts its failures"
        )
    if any(a.name == "assembly" for a in statement.assumptions):
        return "; proofs_check.verify_assembly holds an assembly of your own against B7"
    if statement.network is None:
        return (
            "; it is about any model: give a theorem about a network, such as "
            "theory.hessian_bound(network), to drop one of its own hypotheses"
        )
    return ""


def known(name: str) -> None:
    """Refuse a name that no statement can do without.

    Raises:
        DropError: listing the names.
    """
    names = [d.name for d in DROPS]
    if name not in names:
        msg = f"the hypothesis {name!r} cannot be dropped; what can: {', '.join(names)}"
        raise DropError(msg)


def instances(drawn: SearchStrategy[Instance]) -> SearchStrategy[Dropped]:
    """Instances with a dial."""
    return st.builds(Dropped, drawn, st.sampled_from(DIALS))


__all__ = [
    "DIALS",
    "DROPS",
    "SCALES",
    "Drop",
    "DropError",
    "chosen",
    "droppable",
    "families",
    "instances",
    "known",
]
