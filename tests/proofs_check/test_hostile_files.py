"""Proofs from files that are huge, deep, malformed or forged: refused at once, with a reason."""

from __future__ import annotations

import pytest

import theory
from proofs_check.replay.checker import CheckError, check
from theory.proofs import Proof, Step
from theory.terms import (
    ONE,
    ZERO,
    Term,
    add,
    eq,
    make,
    mul,
    power,
)
from theory.vocabulary import (
    CENTRE,
    weights,
)

X, Y = make("sym", "x"), make("sym", "other")
A2, A7 = (theory.catalog[f"LZB20/{n}"] for n in ("A2", "A7"))


def reasons(report):
    return " | ".join(map(str, report.failures))


def hostile(rows, steps=None, **rest):
    return {
        "format": "widthproof-proof/1",
        "statement": 0,
        "assumptions": [],
        "definitions": [],
        "terms": rows,
        "steps": [] if steps is None else steps,
        **rest,
    }


def doublings(count, head="mul"):
    return [["sym", "x"], *([head, {"t": i}, {"t": i}] for i in range(count))]


def test_terms_that_are_huge_when_written_out_are_refused_at_once():
    with pytest.raises(CheckError, match="parts at depth"):
        check(hostile([*doublings(200), ["pow", {"t": 200}, {"q": "-1"}]]))


def test_deep_terms_are_refused():
    rows = [["sym", "x"], *(["add", {"t": i}, {"t": 0}] for i in range(5000))]
    with pytest.raises(CheckError, match="depth"):
        check(hostile(rows))


@pytest.mark.parametrize(
    "source",
    [
        "",
        "[]",
        "{",
        "null",
        "[" * 100_000,
        '{"format": "widthproof-proof/1"}',
        hostile([["sym", "x"]], steps=[{}]),
        hostile([["sym", "x"]], statement=7),
        hostile([["sym", "x"]], statement=-1),
        hostile([["sym", "x"]], statement="0"),
        hostile([["nonsense", "x"]]),
        hostile([["le", {"t": 0}, {"t": 0}]]),
        hostile([["rat", {"q": "1/0"}]]),
        hostile([["rat", {"q": "1e999999999"}]]),
        hostile([["rat", {"q": "9" * 10_000}]]),
        hostile([["rat", {"q": "-1"}]]),
        hostile([["sym", "x"], ["pow", {"t": 0}, {"q": "-1"}]]),
        hostile([["sym", "x"], ["pow", {"t": 0}, {"q": "1/1000000007"}]]),
        hostile([["sym", 10**50]]),
        hostile([["sym", 1.5]]),
        hostile([["sym", None]]),
        hostile([["sym", True]]),
        hostile([[]]),
        hostile([[["sym"], "x"]]),
        hostile([{"sym": "x"}]),
        hostile(["sym"]),
        hostile(7),
        hostile([["sym", "x"]], steps=7),
        hostile(
            [["sym", "x"]],
            steps=[{"rule": "by_form", "data": [], "premises": [0], "conclusion": 0}],
        ),
        hostile(
            [["sym", "x"]], steps=[{"rule": "eval", "data": [], "premises": [], "conclusion": 0}]
        ),
        {**hostile([["sym", "x"]]), "format": "pickle"},
        7,
        None,
        object(),
        b"{}",
    ],
    ids=range(35),
)
def test_malformed_files_end_in_a_clear_error(source):
    with pytest.raises(CheckError):
        check(source)


def test_lists_nested_deep_in_the_data_are_refused():
    nested: list = []
    for _ in range(50_000):
        nested = [nested]
    step = {"rule": "by_form", "data": nested, "premises": [], "conclusion": 0}
    with pytest.raises(CheckError, match="deeper"):
        check(hostile([["sym", "x"]], steps=[step]))


LONG_SUM = make("osum", "k", 0, 10**12, weights(1, CENTRE))


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Step("lemma", ("entrywise", (10**8,), ()), (), eq(X, X)), "up to 400"),
        (Step("lemma", ("coordinates", (10**8, "fixed", 1, 1), ()), (), eq(X, X)), "up to 400"),
        (Step("by_form", (power(add(X, Y, ONE), 64), X), (), eq(X, X)), ""),
        (Step("by_form", (LONG_SUM, LONG_SUM), (), eq(X, X)), ""),
        (Step("by_form", (), (), eq(X, X)), "arguments"),
        (Step("by_form", ("x", 1), (), eq(X, X)), "argument 0"),
        (Step("instance", (((X,),),), (), eq(X, X)), "premises"),
        (Step("forall_elim", (True,), (), eq(X, X)), ""),
    ],
)
def test_steps_that_ask_for_too_much_are_rejected(step, why):
    try:
        report = check(Proof(eq(X, X), (), (), (step,)), second_opinion=False)
    except CheckError:
        assert why == ""
    else:
        assert not report.ok
        assert why in reasons(report)


def test_an_expansion_without_end_is_rejected():
    many = add(*(make("sym", f"x{i}") for i in range(30)))
    step = Step("by_form", (power(many, 12), mul(power(many, 6), power(many, 6))), (), eq(X, X))
    report = check(Proof(eq(X, X), (), (), (step,)), second_opinion=False)
    assert "ArithmeticLimitError" in reasons(report)


def test_time_is_limited():
    with pytest.raises(CheckError, match="time is up"):
        check(A7, time_limit_s=0.0)


def test_objects_that_pretend_to_be_terms_are_refused():
    forged = object.__new__(Term)
    for name, value in (("head", "le"), ("args", (ONE, ZERO)), ("sort", "formula")):
        object.__setattr__(forged, name, value)
    step = Step("hypothesis", (forged,), (), forged)
    with pytest.raises(CheckError, match="make"):
        check(Proof(forged, (forged,), (), (step,)))
    with pytest.raises(CheckError):
        check(Proof(object.__new__(Term), (), (), ()))


@pytest.mark.parametrize(
    "step",
    [
        Step("by_form", (1.5, X), (), eq(X, X)),
        Step("by_form", (X, X), (0,), eq(X, X)),
        Step("by_form", (X, X), (-1,), eq(X, X)),
        Step("sorry", (), (), eq(X, X)),
        Step("by_form", [X, X], (), eq(X, X)),
        Step("by_form", (X, X), (), "x = x"),
        "by_form",
    ],
)
def test_steps_that_are_no_steps_are_refused(step):
    with pytest.raises(CheckError):
        check(Proof(eq(X, X), (), (), (step,)))
