"""False theorems: built for every kind of error, deterministic, and every one rejected."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

import theory
from proofs_check.mutation.claims import stronger
from proofs_check.mutation.judging import Verdict, counts, judge, table
from proofs_check.mutation.mutants import Mutant, corpus, mutants
from proofs_check.mutation.mutations import variants
from proofs_check.mutation.record import PATH
from proofs_check.replay.checker import CheckError, check
from proofs_check.replay.loading import load
from theory.proofs import Proof, Step
from theory.terms import (
    ONE,
    ZERO,
    add,
    dot,
    eq,
    le,
    make,
    mul,
    norm,
    plus,
    power,
    rat,
    transpose,
)
from theory.vocabulary import CENTRE, INPUT, activation, width

X, Y = make("sym", "x"), make("sym", "y")

KINDS = {  # those that design.md names, and some of our own
    "relation flipped",
    "hypothesis dropped",
    "exponent sharpened",
    "constant sharpened",
    "term lost",
    "factor lost",
    "index shifted",
    "zero for positive",
    "side condition dropped",
    "max and min swapped",
    "norm changed",
    "binding changed",
    "lemma premise removed",
    "lemma parameter changed",
    "lemma skipped",
    "another premise",
    "induction tampered",
    "ball tampered",
    "definition tampered",
    "assumption smuggled in",
    "hypothesis changed",
    "sign turned",
    "order changed",
    "range changed",
}
SMALL = ["LZB20/A2", "LZB20/A3", "LZB20/A4", "LZB20/A5", "LZB22/B4", "LZB22/B4-summed"]
FEW_STEPS = 200


@pytest.fixture(scope="module")
def some():
    """One of each kind for a network of one hidden layer, and for the general theorems."""
    ball = theory.hessian_bound(theory.reference_network(1, trainable=True), radius="R")
    return [*corpus(SMALL), *mutants(ball, "A7, depth 1")]


@pytest.fixture(scope="module")
def verdicts(some):
    return [judge(m) for m in some]


def test_there_are_many_and_of_every_kind(some):
    assert len(some) >= 120
    assert {m.kind for m in some} >= KINDS - {"max and min swapped"}  # needs two layers
    assert {m.family for m in some} == {"statement", "proof"}
    assert len({m.name for m in some}) == len(some)


def test_every_mutant_is_rejected_by_the_replay(some, verdicts):
    survivors = [m.name for m, v in zip(some, verdicts, strict=True) if not v.kernel]
    assert not survivors
    assert all(v.reason for v in verdicts)


def test_the_second_opinion_alone_rejects_wrong_arithmetic(some, verdicts):
    arithmetic = {"constant sharpened", "term lost", "factor lost", "relation flipped"}
    rejected = Counter(m.kind for m, v in zip(some, verdicts, strict=True) if v.z3)
    for kind in arithmetic:
        assert rejected[kind] >= 3
    assert rejected["hypothesis dropped"] == 0  # no question of arithmetic


CARRIED = (  # through the rest of the proof
    "exponent sharpened",
    "constant sharpened",
    "term lost",
    "factor lost",
    "index shifted",
    "zero for positive",
    "norm changed",
)


@pytest.mark.parametrize("kind", CARRIED)
def test_proof_mutants_have_one_wrong_place(some, kind):
    """The wrong step is the only one, so that it alone must be found."""
    tried = [m for m in some if m.kind == kind and m.family == "proof"]
    assert tried
    for mutant in tried:
        failures = check(mutant.proof, second_opinion=False).failures
        assert sum(f.step is not None for f in failures) == 1


def test_the_same_seed_gives_the_same_mutants():
    theorem = theory.catalog["LZB20/A3"]
    first, again = (mutants(theorem, "A3", seed=5) for _ in range(2))
    assert [(m.name, m.description) for m in first] == [(m.name, m.description) for m in again]
    other = mutants(theorem, "A3", seed=6)
    assert [m.description for m in first] != [m.description for m in other]


def test_a_wrong_proof_is_no_place_to_start_from():
    step = Step("by_form", (X, Y), (), eq(X, Y))
    with pytest.raises(CheckError):
        mutants(Proof(eq(X, Y), (), (), (step,)), "wrong")


@pytest.mark.parametrize("name", theory.catalog)
def test_no_mutant_of_any_row_survives_the_replay(name):
    """All kinds for a short proof, a few cheap ones for a long one; the slow test makes all."""
    proof = theory.catalog[name].proof
    short = len(proof.steps) <= FEW_STEPS
    kinds = None if short else random.Random(name).sample(sorted(KINDS), 6)
    found = mutants(proof, name, kinds=kinds, wrong_steps=short)
    assert len(found) >= (6 if short else 1)
    survivors = [(m.name, m.description) for m in found if not _rejected_by_replay(m)]
    assert not survivors


def _rejected_by_replay(mutant):
    try:
        return not check(mutant.proof, second_opinion=False).ok
    except CheckError:
        return True


@pytest.mark.slow
def test_at_least_four_hundred_mutants_of_every_row_are_rejected():
    found = list(corpus(per_kind=2))
    assert len(found) >= 400
    assert {m.kind for m in found} >= KINDS
    assert {m.name.split(": ")[0] for m in found} == set(theory.catalog)
    assert [m.name for m in found if not _rejected_by_replay(m)] == []


# -- judging --------------------------------------------------------------------------------------


def by_hand(statement, before):
    step = Step("hypothesis", (before,), (), before)
    original = Proof(before, (before,), (), (step,))
    changed = Proof(statement, (before,), (), (step,))
    return Mutant("by hand", "term lost", "statement", changed, original, "")


def test_measurement_is_asked_what_the_mutant_states():
    asked = []

    def measure(proof):
        asked.append(proof.statement)
        return True

    mutant = by_hand(le(X, Y), le(X, add(Y, ONE)))
    verdict = judge(mutant, measure=measure)
    assert asked == [le(X, Y)]
    assert verdict.measurement is True
    assert verdict.rejected
    assert verdict.z3
    assert judge(mutant, measure=lambda _: None).measurement is None


def test_a_consequence_is_not_refuted_by_arithmetic():
    assert not judge(by_hand(le(X, add(Y, ONE)), le(X, Y))).z3


def test_files_that_cannot_be_read_are_rejected():
    mutant = Mutant(
        "file",
        "side condition dropped",
        "proof",
        {"terms": []},
        load(theory.catalog["LZB20/A3"]),
        "",
    )
    verdict = judge(mutant)
    assert verdict.kernel
    assert "not a proof" in verdict.reason


def test_the_table_counts_who_rejects_and_how_soon():
    mutant = by_hand(le(X, Y), le(X, add(Y, ONE)))
    verdicts = [
        Verdict(True, True, None, "", (0.02, 0.01, 0.0)),
        Verdict(False, False, False, "", (0.5, 0.5, 0.5)),
    ]
    rows = counts([mutant, mutant], verdicts)
    assert rows[0] == ("term lost", 2, 1, 1, "0 of 1", 1, "10 (10)")
    assert rows[-1] == ("all", *rows[0][1:])
    assert counts([mutant, mutant], verdicts, by="theorem")[0][0] == "by hand"
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table([mutant, mutant], verdicts))
    shown = [line.split("│")[1:-1] for line in captured.get().splitlines() if "│" in line]
    assert [cell.strip() for cell in shown[0]] == [str(cell) for cell in rows[0]]


# -- the errors themselves ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "kind", "expected"),
    [
        (add(X, Y, ONE), "term lost", {add(X, Y), add(X, ONE), add(Y, ONE)}),
        (mul(X, Y), "factor lost", {X, Y}),
        (power(X, 2), "factor lost", set()),
        (power(width(1), -1), "exponent sharpened", {power(width(1), Fraction(-3, 2))}),
        (rat(1, 2), "constant sharpened", {rat(1, 4)}),
        (make("max", X, Y), "max and min swapped", {make("min", X, Y)}),
        (
            norm(activation(1, CENTRE, INPUT)),
            "norm changed",
            {norm(activation(1, CENTRE, INPUT), "inf")},
        ),
        (make("sym", "s", 1), "index shifted", {make("sym", "s", 0), make("sym", "s", 2)}),
        (make("sym", "s", 0), "index shifted", {make("sym", "s", 1)}),
        (X, "zero for positive", {ZERO}),
        (make("specnorm", 1, X), "term lost", {make("specnorm", 1, ZERO)}),
    ],
)
def test_errors_in_terms(term, kind, expected):
    found = {v.term for v in variants(term) if v.kind == kind}
    assert found == expected
    assert term not in found


L = make("layer", 1)
U, V = (make("op", n, L, make("scalar"), make("point", "p")) for n in ("theta", "v"))
P, Q = (make("var", n, "op", L, L) for n in "PQ")


@pytest.mark.parametrize(
    ("term", "kind", "expected"),
    [
        (plus(P, Q), "term lost", {P, Q}),
        (plus(P, Q), "sign turned", {plus(make("neg", P), Q), plus(P, make("neg", Q))}),
        (dot(P, Q), "factor lost", {P, Q}),
        (make("scale", X, P), "factor lost", {P}),
        (transpose(P), "transpose lost", {P}),
        (make("act", 1, 1, U), "order changed", {make("act", 1, 0, U), make("act", 1, 2, U)}),
        (dot(P, U), "factor lost", {U}),  # the other is no product that fits
        (norm(plus(P, Q)), "term lost", {norm(P), norm(Q)}),
        (
            make("osum", "k", 1, 2, P),
            "range changed",
            {make("osum", "k", 1, 1, P), make("osum", "k", 2, 2, P), make("osum", "k", 1, 3, P)},
        ),
    ],
)
def test_errors_in_operators(term, kind, expected):
    found = {v.term for v in variants(term) if v.kind == kind}
    assert found == expected


def test_what_is_claimed_inside_a_ball_and_the_ball():
    inside = le(norm(P), X)
    ball = make("ball", "*", CENTRE, Y, inside)
    found = {(kind, changed) for kind, _, changed, _, _ in stronger(ball)}
    assert ("relation flipped", make("ball", "*", CENTRE, Y, le(X, norm(P)))) in found
    assert ("ball tampered", make("ball", "*", CENTRE, mul(rat(2), Y), inside)) in found


def test_more_indices_are_claimed_and_never_fewer():
    fact = eq(P, plus(P, Q))
    found = {f for _, _, f, _, _ in stronger(make("forall", "k", 1, 4, fact))}
    assert make("forall", "k", 1, 5, fact) in found
    assert make("forall", "k", 1, 3, fact) not in found
    assert make("forall", "k", 1, 4, eq(P, Q)) in found


def test_errors_reach_into_a_term():
    inner = {v.term for v in variants(mul(X, add(Y, ONE))) if v.kind == "term lost"}
    assert inner == {mul(X, Y), mul(X, ONE)}


def test_the_record_is_of_rows_that_exist_and_none_survived():
    lines = (Path(__file__).parents[2] / PATH).read_text().splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if "|" in line]
    table = cells[2 : next(i for i, row in enumerate(cells) if row[0] == "all")]
    assert {row[0] for row in table} <= set(theory.catalog), "widthproof mutants --write " + PATH
    assert sum(int(row[1]) for row in table) >= 400
    assert all(row[1] == row[2] and row[5] == "0" for row in table)
