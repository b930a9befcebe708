"""Real networks as a judge of theorems: true ones stand, false ones fall."""

from __future__ import annotations

from dataclasses import replace

import pytest

import theory
from proofs_check.mutation.judging import judge
from proofs_check.mutation.measured_judge import refuted
from proofs_check.mutation.mutants import corpus
from theory.terms import le, make, mul, rat

# what holds with a probability is judged by its failure count, in test_chance.py
NETWORKS = [n for n in theory.catalog if n.startswith("LZB20") and "apriori" not in n]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_refutes_a_theorem(name):
    assert refuted(theory.catalog[name].proof) is False


@pytest.mark.parametrize("name", ["LZB20/A2", "LZB20/A3", "LZB20/A5", "LZB20/A7-centre"])
def test_a_sharpened_theorem_is_refuted(name):
    proof = theory.catalog[name].proof
    left, right = proof.statement.args
    sharper = replace(proof, statement=le(left, mul(rat(1, 20), right)))
    assert refuted(sharper) is True


def test_an_equality_is_held_to_both_sides():
    proof = theory.catalog["LZB20/A4"].proof
    left, right = proof.statement.args
    for factor in (rat(2), rat(1, 2)):
        assert refuted(replace(proof, statement=make("eq", left, mul(factor, right)))) is True


@pytest.mark.slow
def test_all_three_judges_together_leave_no_false_theorem():
    found = list(corpus())
    verdicts = [judge(m, measure=refuted) for m in found]
    assert len(found) >= 300
    assert all(v.kernel for v in verdicts)
    assert sum(v.z3 for v in verdicts) >= 100
    assert sum(bool(v.measurement) for v in verdicts) >= 60
