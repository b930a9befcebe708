"""The workbench of a derivation: what is known so far, and the lines a reader will see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from theory import kernel
from theory.derive.tactics import (
    INDEX,
    Known,
    at_most,
    chain,
    rearranged,
)
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P, fact
from theory.terms import (
    Arg,
    Term,
    eq,
)
from theory.vocabulary import (
    CENTRE,
    symbol,
)

Which = int | str


@dataclass
class Claim:
    """A line of the proof that a reader sees: its label, what it is about, and the judgement."""

    label: str
    title: str
    judgement: Judgement


class Bench:
    """What every derivation does: abbreviate, remember bounds, state each fact once."""

    point: Term
    at: Term
    known: Known
    definitions: list[Term]
    claims: list[Claim]
    facts: dict[Term, Judgement]

    @property
    def tags(self) -> tuple[Term, ...]:
        """What an abbreviation depends on besides its layers."""
        return CENTRE, self.at

    def define(self, name: str, tags: tuple[Arg, ...], value: Term) -> Judgement:
        """Introduce an abbreviation: ``symbol = value`` as a hypothesis."""
        formula = eq(symbol(name, *tags, *self.tags), value)
        self.definitions.append(formula)
        return kernel.hypothesis(formula)

    def learn(self, judgement: Judgement, label: str = "", title: str = "") -> Judgement:
        """Remember a bound on a norm, and show it to the reader when it has a label."""
        self.known[judgement.conclusion.args[0]] = judgement
        if label:
            self.claims.append(Claim(label, title, judgement))
        return judgement

    def named(self, judgement: Judgement, definition: Judgement) -> Judgement:
        """Replace the right side by the symbol that is defined as it."""
        value = definition.conclusion.args[1]
        return chain(rearranged(at_most(judgement), value), kernel.symmetry(definition))

    def fact(self, name: str, *tags: Arg) -> Judgement:
        """A hypothesis about the network; the same one each time."""
        formula = fact(name, *tags)
        return self.facts.setdefault(formula, kernel.hypothesis(formula))


@dataclass
class Derivation(Bench):
    """The workbench of one derivation: where, for which architecture, and what is known so far.

    Attributes:
        depth: number of hidden layers L.
        readout: ``trained`` or ``fixed``.
        point: the point at which the Hessian is bounded.
        at: the input.
        known: bounds found so far, by the norm they bound.
        definitions: abbreviations introduced so far, in order.
        claims: lines for the reader, in order.
        bar: suffix of the abbreviations' names, ``_bar`` on a ball.
        slopes: whether the statistics r, h, c, which keep each neuron's slope, are known.
        steps: dz^l/dW^k by dz^{l-1}/dW^k, where it was derived.
        random: whether the centre is random: abbreviations then do not depend on it.
        shared: whether all blocks of parameters share one distance, instead of moving R each.
        movements: how far z^l moves by how far each W^k does, where it was derived.
        sharper: a second way to bound how far z^l moves, from l = 2 on.
    """

    depth: int
    readout: str
    point: Term
    at: Term
    bar: str = ""
    slopes: bool = False
    random: bool = False
    shared: bool = False
    known: Known = field(default_factory=dict)
    definitions: list[Term] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    facts: dict[Term, Judgement] = field(default_factory=dict)
    pairs: dict[tuple[Which, Which], Judgement] = field(default_factory=dict)
    steps: dict[tuple[int, Which], Judgement] = field(default_factory=dict)
    movements: dict[int, Judgement] = field(default_factory=dict)
    sharper: Callable[[int, Derivation], Judgement] | None = None

    @property
    def tags(self) -> tuple[Term, ...]:
        """What an abbreviation depends on besides its layers; not on a random centre."""
        return (self.at,) if self.random else (CENTRE, self.at)

    def place(self, index: Arg) -> dict[Term, Arg]:
        """Bindings of a network lemma's layer, point and input."""
        return {INDEX: index, POINT_P: self.point, INPUT_X: self.at}
