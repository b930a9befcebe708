"""What a row of the ledger claims about measurements, before anything is measured.

A row's file in :mod:`proofs_check.ledger.rows` registers a function that builds the experiment:

    @row("LZB20/A7")
    def fully_connected() -> Experiment:
        holds = Family(
            words="tanh, depth 3",
            quantity="largest ‖H‖ found in the ball, R = 1",
            measure=lambda width, seed: Sample(measured, bound),
            prediction=predicted_order(theory.catalog["LZB20/A7"]),
        )
        fails = holds.without("linear output", "softplus output", measure=...)
        return Experiment("LZB20/A7", (holds,), (fails,))

The function is called when the row is run, so that listing the rows derives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from proofs_check.verification.statements import Prediction, Sides

Profile: TypeAlias = Literal["quick", "full"]
Relation: TypeAlias = Literal["le", "eq", "ge"]
PROFILES: tuple[Profile, ...] = ("quick", "full")

WIDTHS: Mapping[Profile, tuple[int, ...]] = {
    "quick": (32, 64, 128, 256),
    "full": (32, 64, 128, 256, 512),
}
SEEDS: Mapping[Profile, int] = {"quick": 8, "full": 10}


@dataclass(frozen=True)
class Sample:
    """One measurement of a family.

    Attributes:
        measured: the quantity, enclosed; its value is what an exponent is fitted to.
        bound: what the statement says about it, enclosed; None where it says an order alone.
    """

    measured: Sides
    bound: Sides | None = None

    @classmethod
    def of(cls, measured: float, bound: float | None = None, *, error: float = 1e-9) -> Sample:
        """A sample from plain numbers.

        Args:
            measured: the quantity.
            bound: what the statement says; None where it says nothing.
            error: relative rounding error granted to both.
        """
        sides = Sides.around(measured, error * abs(measured))
        return cls(sides, None if bound is None else Sides.around(bound, error * abs(bound)))


Measure: TypeAlias = Callable[[int, int], Sample]
"""From a width and a seed to a sample; the same arguments give the same sample."""


@dataclass(frozen=True)
class Family:
    """Models of every width, and what is measured on them.

    Attributes:
        words: the family in words.
        quantity: what is measured, in words and symbols, the norm named.
        measure: the measurement.
        prediction: the order of the quantity; None for a statement that has none.
        relation: how the quantity relates to the bound of its sample.
        dropped: the hypothesis that does not hold here; empty where the statement applies.
        widths: by profile, at least three where there is a prediction.
        seeds: by profile, how many; seeds 0, 1, ... are used.
        budget: probability with which the statement allows a single sample to violate it; 0 for a
            deterministic statement.
        slack: by how much a fitted exponent at these widths may differ from the asymptotic one;
            whoever sets more than the default argues it.
    """

    words: str
    quantity: str
    measure: Measure
    prediction: Prediction | None = None
    relation: Relation = "le"
    dropped: str = ""
    widths: Mapping[Profile, tuple[int, ...]] = field(default_factory=lambda: WIDTHS)
    seeds: Mapping[Profile, int] = field(default_factory=lambda: SEEDS)
    budget: float = 0.0
    slack: float = 0.05

    def without(self, hypothesis: str, words: str, measure: Measure, **changes: Any) -> Family:
        """The same statement, held against models for which one hypothesis is dropped.

        Args:
            hypothesis: its name.
            words: the models in words.
            measure: the measurement on them.
            **changes: other attributes, such as the widths.
        """
        return replace(self, words=words, dropped=hypothesis, measure=measure, **changes)


@dataclass(frozen=True)
class Experiment:
    """One row of the ledger.

    Attributes:
        theorem: its name in the catalogue.
        holds: families where the statement applies.
        fails: families with a single hypothesis dropped.

    Raises:
        ValueError: a kind of family is missing, or drops what the other kind should.
    """

    theorem: str
    holds: tuple[Family, ...]
    fails: tuple[Family, ...]

    def __post_init__(self) -> None:
        """Refuse a row that has only one side."""
        if not (self.holds and self.fails):
            msg = f"{self.theorem}: a row needs a family where it holds and one where it fails"
            raise ValueError(msg)
        if any(f.dropped for f in self.holds) or not all(f.dropped for f in self.fails):
            msg = (
                f"{self.theorem}: families that hold drop no hypothesis, and those that fail name "
                "the one they drop (Family.without)"
            )
            raise ValueError(msg)


def theta(exponent: Fraction | int, source: str, log: Fraction | int = 0) -> Prediction:
    """A predicted order that is attained: ``Theta(m^exponent (log m)^log)``."""
    return Prediction(Fraction(exponent), Fraction(log), "==", source)


def at_most(exponent: Fraction | int, source: str, log: Fraction | int = 0) -> Prediction:
    """A predicted upper order, ``O(m^exponent (log m)^log)``."""
    return Prediction(Fraction(exponent), Fraction(log), "<=", source)


# -- the register ---------------------------------------------------------------------------------

Builder: TypeAlias = Callable[[], Experiment]
_ROWS: dict[str, Builder] = {}


def row(name: str) -> Callable[[Builder], Builder]:
    """Register the experiment of a row under its name, such as ``LZB20/A7``.

    Raises:
        ValueError: the row is registered already.
    """

    def register(build: Builder) -> Builder:
        if name in _ROWS:
            msg = f"the row {name} is registered twice"
            raise ValueError(msg)
        _ROWS[name] = build
        return build

    return register


class UnknownRowError(KeyError):
    """No row of that name; the message lists the rows."""

    def __str__(self) -> str:
        """The message itself, without the quotes that KeyError puts around it."""
        return str(self.args[0])


def rank(name: str) -> tuple[int, str, int, str]:
    """Sorts rows as the ledger does: LZB20/A2, LZB20/A10, LZB22/B1, ZLB22/C1."""
    paper, _, label = name.partition("/")
    papers = ("LZB20", "LZB22", "ZLB22")
    head = label.split("-")[0]
    number = "".join(c for c in head if c.isdigit())
    place = papers.index(paper) if paper in papers else len(papers)
    return place, label[:1], int(number or 0), label


def rows() -> dict[str, Builder]:
    """All registered rows in the order of the ledger."""
    from proofs_check.ledger.rows import load

    load()
    return {name: _ROWS[name] for name in sorted(_ROWS, key=rank)}


def experiment(name: str) -> Experiment:
    """The experiment of a row.

    Raises:
        UnknownRowError: there is no such row.
    """
    known = rows()
    if name not in known:
        msg = f"no row is called {name!r}; the ledger has {', '.join(known)}"
        raise UnknownRowError(msg)
    return known[name]()
