"""The assembly recursion and the Hessian identity, symbolic in the layer and at any depth."""

from __future__ import annotations

import pytest

from theory.derive.identities import (
    DEPTH,
    LAYER,
    assembly,
    hessian_identity,
    layer_term,
    recursion,
    signal_identity,
)
from theory.lemmas import INPUT_X, POINT_P, fact, vector_variable
from theory.normal import same
from theory.proofs import linearize
from theory.terms import make, plus, shift
from theory.vocabulary import CENTRE, INPUT, layer


def test_the_identity_is_proved_for_all_layers_at_once():
    judgement = signal_identity()
    assert judgement.conclusion.head == "forall"
    assert judgement.conclusion.args[1:3] == (0, DEPTH)
    names = {h.args[3].args[0] if h.head == "forall" else h.args[0] for h in judgement.hypotheses}
    assert names == {"dense", "pointwise", "smooth", "input"}
    assert "induction" in {j.rule for j in linearize(judgement)}


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
@pytest.mark.parametrize("readout", ["trained", "fixed"])
def test_the_identity_unrolls_at_any_depth(depth, readout):
    judgement = hessian_identity(depth, readout, CENTRE)
    assert all(h.head == "fact" for h in judgement.hypotheses)
    total = judgement.conclusion.args[1]
    written = [layer_term(i, CENTRE, INPUT) for i in range(1, depth + 1)]
    if readout == "trained":
        total, rest = total.args
        assert same(plus(total, rest), plus(*written, rest))
    else:
        assert same(total, plus(*written))


def test_one_step_of_the_recursion_is_symbolic_in_the_layer():
    covector = vector_variable("c", layer(LAYER))
    judgement = recursion(LAYER, covector, POINT_P, INPUT_X)
    assert judgement.hypotheses == {fact(n, LAYER) for n in ("dense", "pointwise", "smooth")}


def test_assembly_of_one_layer_from_the_one_below():
    above = shift(LAYER, 1)
    judgement = assembly(LAYER, vector_variable("c", layer(above)), POINT_P, INPUT_X)
    assert judgement.hypotheses == {
        fact("dense", above),
        fact("pointwise", LAYER),
        fact("smooth", LAYER),
    }
    lower = make("op", "z", layer(LAYER), make("scalar"), LAYER, POINT_P, INPUT_X)
    assert lower in {t for j in linearize(judgement) for t in _subterms(j.conclusion)}


def _subterms(term):
    from theory.terms import subterms

    return set(subterms(term))
