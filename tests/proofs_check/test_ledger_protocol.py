"""The protocol of the ledger: what is met, what is not, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import theory
from proofs_check.ledger import tables
from proofs_check.ledger.experiment import (
    Experiment,
    Family,
    Sample,
    UnknownRowError,
    at_most,
    experiment,
    row,
    rows,
    theta,
)
from proofs_check.ledger.results import order_text
from proofs_check.ledger.running import run_family

ROOT = Path(__file__).parents[2]
HALF = Fraction(1, 2)
WIDTHS = {"quick": (8, 16, 32, 64), "full": (8, 16, 32, 64)}


def power(exponent: float, bound: float | None = None):
    """A quantity m^exponent with a little noise that the seed decides."""

    def measure(width: int, seed: int) -> Sample:
        noise = np.random.default_rng((width, seed)).normal(0, 0.02)
        value = width**exponent * math.exp(noise)
        return Sample.of(value, None if bound is None else bound * width**exponent)

    return measure


def family(measure, prediction, **changes) -> Family:
    return Family("a power law", "its value", measure, prediction, widths=WIDTHS, **changes)


@pytest.mark.parametrize(
    ("exponent", "prediction", "verdict"),
    [
        (-0.5, theta(-HALF, "chosen"), "met"),
        (-0.5, at_most(-HALF, "chosen"), "met"),
        (-0.8, at_most(-HALF, "chosen"), "met"),
        (-0.8, theta(-HALF, "chosen"), "not met"),
        (-0.2, at_most(-HALF, "chosen"), "not met"),
        (0.0, theta(0, "chosen"), "met"),
    ],
)
def test_an_exponent_is_held_against_the_prediction(exponent, prediction, verdict) -> None:
    assert run_family(family(power(exponent), prediction)).verdict == verdict


def test_a_single_violated_inequality_counts_against_a_deterministic_statement() -> None:
    def measure(width: int, seed: int) -> Sample:
        return Sample.of(1.0 + (width == 16 and seed == 3), 1.5)

    found = run_family(family(measure, None))
    assert (found.verdict, found.violations, found.samples) == ("not met", 1, 32)
    assert found.least_ratio == pytest.approx(0.75)


def test_violations_within_the_budget_do_not_count_and_beyond_it_do() -> None:
    def measure(width: int, seed: int) -> Sample:
        return Sample.of(2.0 if seed == 0 else 1.0, 1.5)

    assert run_family(family(measure, None, budget=0.1)).verdict == "met"
    assert run_family(family(measure, None, budget=0.001)).verdict == "not met"


@pytest.mark.parametrize(
    ("relation", "measured", "verdict"),
    [("ge", 2.0, "met"), ("ge", 0.5, "not met"), ("eq", 1.0, "met"), ("eq", 1.01, "not met")],
)
def test_relations(relation, measured, verdict) -> None:
    found = family(lambda *_: Sample.of(measured, 1.0), None, relation=relation)
    assert run_family(found).verdict == verdict


def test_what_has_no_value_decides_nothing() -> None:
    assert run_family(family(lambda *_: Sample.of(math.nan, 1.0), None)).verdict == "undecided"
    assert run_family(family(lambda *_: Sample.of(1.0), None)).verdict == "undecided"
    assert run_family(family(lambda *_: Sample.of(math.nan), theta(0, ""))).verdict == "undecided"


def test_too_noisy_an_exponent_is_undecided() -> None:
    def measure(width: int, seed: int) -> Sample:
        return Sample.of(math.exp(np.random.default_rng((width, seed)).normal(0, 3)))

    assert run_family(family(measure, theta(0, "chosen"))).verdict == "undecided"


def test_a_vanishing_quantity_meets_an_upper_order_only() -> None:
    zero = family(lambda *_: Sample.of(0.0), at_most(-HALF, "chosen"))
    assert run_family(zero).verdict == "met"
    assert run_family(family(lambda *_: Sample.of(0.0), theta(0, ""))).verdict == "not met"


def test_a_family_without_a_hypothesis_keeps_the_statement() -> None:
    holds = family(power(-0.5, 2.0), at_most(-HALF, "chosen"))
    fails = holds.without("width", "another power law", power(0.0, 2.0))
    assert (fails.prediction, fails.relation) == (holds.prediction, holds.relation)
    assert run_family(fails).outcome == "fails"
    assert run_family(fails).as_expected


def test_a_row_needs_both_sides() -> None:
    holds = family(power(-0.5), at_most(-HALF, "chosen"))
    with pytest.raises(ValueError, match="one where it fails"):
        Experiment("LZB20/A7", (holds,), ())
    with pytest.raises(ValueError, match="name the one they drop"):
        Experiment("LZB20/A7", (holds,), (holds,))


def test_rows_are_registered_once_and_come_in_the_order_of_the_ledger() -> None:
    names = list(rows())
    assert names.index("LZB20/A2") < names.index("LZB20/A7") < names.index("LZB22/B4")
    with pytest.raises(ValueError, match="registered twice"):
        row("LZB20/A7")(lambda: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(UnknownRowError, match=r"no row is called .* LZB20/A7"):
        experiment("LZB20/A99")


def test_orders_in_words() -> None:
    assert order_text(at_most(-HALF, "", HALF)) == "O(m^(-1/2) (log m)^(1/2))"
    assert order_text(theta(0, "")) == "Θ(1)"
    assert order_text(theta(1, "")) == "Θ(m)"


def test_every_registered_row_has_its_theorem_and_both_kinds_of_families() -> None:
    for name, build in rows().items():
        plan = build()
        assert plan.theorem in theory.catalog, name
        assert plan.holds, name
        assert plan.fails, name
        for family in (*plan.holds, *plan.fails):
            assert family.prediction is None or len(family.widths["quick"]) >= 3, (name, family)


def test_the_committed_page_has_the_same_rows_in_both_profiles() -> None:
    """Whether they are all the rows is what ``widthproof ledger --check`` says."""
    page = tables.read((ROOT / "docs" / "ledger.md").read_text(encoding="utf-8"))
    quick, full = ({record["row"] for record in page[p]} for p in ("quick", "full"))
    assert quick == full
    assert quick <= set(rows())
