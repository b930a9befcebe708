"""False theorems: built for every kind of error, deterministic, and every one rejected."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from rich.console import Console

import theory
from proofs_check.mutation.mutants import Mutant, Verdict, corpus, judge, mutants, table
from proofs_check.mutation.mutations import variants
from proofs_check.replay.checker import CheckError, check
from proofs_check.replay.loading import load
from theory.proofs import Proof, Step
from theory.terms import ONE, ZERO, add, eq, le, make, mul, norm, power, rat
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
}


@pytest.fixture(scope="module")
def some():
    """One of each kind for a network of one hidden layer, and for the general theorems."""
    return corpus(per_kind=1, depth=1)


@pytest.fixture(scope="module")
def verdicts(some):
    return [judge(m) for m in some]


def test_there_are_at_least_sixty_and_every_kind(some):
    assert len(some) >= 60
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


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_proof_mutants_have_one_wrong_place(some, kind):
    """The wrong step is the only one, so that it alone must be found."""
    carried = {
        "exponent sharpened",
        "constant sharpened",
        "term lost",
        "factor lost",
        "index shifted",
        "zero for positive",
        "norm changed",
    }
    for mutant in some:
        if mutant.kind == kind and kind in carried and mutant.family == "proof":
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


@pytest.mark.slow
def test_the_whole_corpus_is_rejected():
    found = corpus(per_kind=3, depth=3)
    assert {m.kind for m in found} >= KINDS
    assert [m.name for m in found if not judge(m).kernel] == []


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


def test_the_table_counts_who_rejects():
    mutant = by_hand(le(X, Y), le(X, add(Y, ONE)))
    shown = table(
        [mutant, mutant], [Verdict(True, True, None, ""), Verdict(False, False, False, "")]
    )
    console = Console(width=120)
    with console.capture() as captured:
        console.print(shown)
    rows = [line.split("│")[1:-1] for line in captured.get().splitlines() if "│" in line]
    assert [cell.strip() for cell in rows[0]] == ["term lost", "2", "1", "1", "0 of 1", "1"]


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


def test_errors_reach_into_a_term():
    inner = {v.term for v in variants(mul(X, add(Y, ONE))) if v.kind == "term lost"}
    assert inner == {mul(X, Y), mul(X, ONE)}
