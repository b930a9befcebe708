"""B7 for networks: their own bounds derived inside of the proof about the assembly."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check import small_assemblies
from proofs_check.measuring.assemblies import environment, networks_of
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import EvaluationError, evaluate, measure
from proofs_check.replay.hypotheses import kind_of
from tests.proofs_check.test_assembly_theorems import I, L, M, applies, shortened
from theory.assemblies import Assembly, SubFunction
from theory.ledger.assemblies import assembly_bound, strong_networks
from theory.lemmas import fact
from theory.networks import Residual
from theory.proofs import linearize
from theory.terms import add, eq, le, make, mul, rat, subterms
from theory.vocabulary import INPUT, POINT, symbol

SMALL = theory.Network(
    theory.Input(2),
    theory.Dense(2),
    theory.Activation("tanh"),
    theory.Dense(3),
    theory.Activation("sin"),
    theory.Readout(trainable=True),
)
SKIP = theory.Network(
    theory.Input(2),
    theory.Dense(2),
    theory.Activation("tanh"),
    Residual(theory.Dense(2), theory.Activation("tanh")),
    theory.Readout(),
)


def of_networks(net, thm, count=3, seed=0, weights="signs"):
    """An assembly of networks, each with the abbreviations that the theorem has for it."""
    model = numerics.instantiate(Assembly(net, count, weights=weights), seed=seed)
    x = np.random.default_rng(seed).standard_normal(2)
    inner = [h.args[3].args[1] for h in thm.judgement.hypotheses if h.head == "forall"]
    networks = networks_of(model, x, [f for f in inner if f.head == "eq"])
    betas = [measure(symbol("own_bound", POINT, INPUT), n).value for n in networks]
    return environment(model, x, networks=networks, betas=betas)


@pytest.mark.parametrize("net", [SMALL, SKIP], ids=["dense", "residual"])
def test_the_bounds_of_networks_are_proved_inside_the_proof_about_their_assembly(net):
    thm = strong_networks(net)
    report = proofs_check.check(thm)
    assert report.ok
    facts = {h.args[0] for h in thm.judgement.hypotheses if h.head == "fact"}
    assert facts == {"assembly", "scale"}  # nothing is assumed of beta
    for seed in range(2):
        env = of_networks(net, thm, seed=seed)
        assert all(evaluate(h, env) for h in thm.judgement.hypotheses)
        found = evaluate(thm.statement, env)
        assert found
        assert found.ratio > 1 / 30


def _of_an_assembly(formula):
    """Whether a hypothesis is about an assembly or its parts."""
    if formula.head == "forall":
        formula = formula.args[3]
    known = ("assembly", "scale")
    return formula.head in ("for_part", "range", "le") or formula.args[0] in known


def test_every_line_about_sub_models_holds_on_each_of_them():
    thm = strong_networks(SMALL)
    env = of_networks(SMALL, thm)
    tried = 0
    for step in linearize(thm.judgement):
        loose = {v for v in step.conclusion.free if v.head == "var"}
        words = {
            t.head if t.head == "for_part" else t.args[0] if t.args else ""
            for t in subterms(step.conclusion)
        }
        about = words & {"for_part", "submodel", "weight", "Pi_part", "part_beta"}
        if loose or not about or not all(map(_of_an_assembly, step.hypotheses)):
            continue  # a line about a network that is no part of anything
        for part in range(1, env.where.count + 1):
            env.indices = {"m": env.where.count, "i": part, "l": part}
            if applies(step, env):
                assert evaluate(step.conclusion, env), step
                tried += 1
    assert tried > 60


def test_a_network_and_a_part_of_a_model_are_told_apart():
    """A fact about the sub-models is none about the whole, and the other way round."""
    judgement = strong_networks(SMALL).judgement
    dense = fact("dense", 1)
    every = make("forall", "i", 1, M, make("for_part", I, dense))
    assert every in judgement.hypotheses
    assert dense not in judgement.hypotheses
    assert kind_of(every) == "indices"
    for formula in (
        make("forall", "i", 1, M, make("for_part", L, dense)),  # of another sub-model
        make("forall", "i", 2, M, make("for_part", I, dense)),
        make("for_part", I, dense),
        make("forall", "i", 1, M, make("for_part", I, fact("dense", I))),
        make("forall", "i", 1, M, make("for_part", I, le(symbol("mu"), rat(1)))),
    ):
        assert kind_of(formula) == "extra"


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (fact("parameters", 3, "trained"), "depths"),
        (eq(symbol("own_bound", POINT, INPUT), rat(0)), "twice"),
        (eq(symbol("lambda", 1), rat(0)), "meaning"),
        (eq(symbol("a", 1, POINT, INPUT), rat(0)), "measured|twice"),
    ],
)
def test_what_no_sub_model_is_like_is_noticed(inner, message):
    """A bound of 0 that is only called so, a constant of another meaning, two depths at once."""
    proof = strong_networks(SMALL).proof
    every = make("forall", "i", 1, M, make("for_part", I, inner))
    changed = replace(proof, assumptions=(*proof.assumptions, every))
    report = proofs_check.check(changed, second_opinion=False)
    assert not report.ok
    assert re.search(message, str(report.failures))


def test_the_bound_of_a_model_is_named_in_sub_models_alone():
    proof = strong_networks(SMALL).proof
    outside = eq(symbol("own_bound", POINT, INPUT), rat(1))
    changed = replace(proof, definitions=(*proof.definitions, outside))
    report = proofs_check.check(changed, second_opinion=False)
    assert "has a meaning" in str(report.failures)


def test_abbreviations_of_sub_models_may_not_run_in_a_circle():
    proof = strong_networks(SMALL).proof
    one, other = (symbol("P", 9, k, POINT, INPUT) for k in (1, 2))
    every = [
        make("forall", "i", 1, M, make("for_part", I, eq(a, add(b, rat(1)))))
        for a, b in ((one, other), (other, one))
    ]
    changed = replace(proof, assumptions=(*proof.assumptions, *every))
    report = proofs_check.check(changed, second_opinion=False)
    assert "before it" in str(report.failures)


@pytest.mark.parametrize(
    "sharper",
    [
        lambda a, b: le(mul(rat(20), a), b),
        lambda a, b: le(a, shortened(b)),
    ],
    ids=["a twentieth", "without the last"],
)
def test_a_sharper_bound_falls_on_networks(sharper):
    thm = strong_networks(SMALL)
    envs = [of_networks(SMALL, thm, seed=s, count=1 + s) for s in range(3)]
    formula = sharper(*thm.statement.args)
    assert not all(evaluate(formula, env) for env in envs)
    changed = replace(thm.proof, statement=formula)
    assert not proofs_check.check(changed, second_opinion=False).ok


def test_no_hypothesis_about_sub_models_can_be_dropped():
    proof = strong_networks(SMALL).proof
    for dropped in proof.assumptions:
        rest = tuple(a for a in proof.assumptions if a is not dropped)
        assert not proofs_check.check(replace(proof, assumptions=rest), second_opinion=False).ok


def test_a_part_of_no_assembly_is_named():
    net = numerics.instantiate(SMALL, seed=0)
    env = Environment(net, {"theta": net.params}, {"x": np.ones(2)})
    with pytest.raises(EvaluationError, match="no assembly"):
        evaluate(make("for_part", 1, fact("dense", 1)), env)


def test_an_assembly_of_one_kind_of_networks_has_one_proof():
    assert assembly_bound(Assembly(SMALL, theory.width("n"))).theorem.name == "LZB22/B7-networks"
    shared = assembly_bound(Assembly(SMALL, theory.width("n"), shared=2)).theorem
    assert shared.name == "LZB22/B7-networks"
    assert proofs_check.check(shared).ok
    line = SubFunction(small_assemblies.LINE.function, 2, 2, beta=0.0, name="line")
    mixed = assembly_bound(Assembly([SMALL, line], theory.width("n")))
    assert mixed.theorem.name == "LZB22/B7"
