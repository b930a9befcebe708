"""B1, B2, B3 and B7 on assemblies: every line holds, equalities are equalities, falsehoods fall."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check import small_assemblies
from proofs_check.assemblies import measure_assembly
from proofs_check.chance import Trials
from proofs_check.measuring.assemblies import AssemblyEnvironment, environment, networks_of
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import Comparison, EvaluationError, evaluate, measure
from proofs_check.replay.hypotheses import contradictions, kind_of
from theory.assemblies import Assembly, SubFunction
from theory.evaluation import evaluate as numbers
from theory.ledger.assemblies import assembly_bound, dominance_dial, strong_networks
from theory.lemmas import INPUT_X, fact, schema
from theory.networks import Residual
from theory.proofs import linearize
from theory.terms import add, eq, le, make, mul, norm, rat, substitute, subterms
from theory.vocabulary import CENTRE, FAILURE, INPUT, POINT, submodel, symbol

NAMES = [
    "LZB22/B1",
    "LZB22/B2",
    "LZB22/B2-floor",
    "LZB22/B2-ratio",
    "LZB22/B3",
    "LZB22/B3-dominance",
    "LZB22/B3-sharing",
    "LZB22/B7",
]
M, I, L = (make("index", n, 0) for n in "mil")  # noqa: E741 the field's name for it


def worlds(seeds=(0, 2)):
    """Small assemblies; one environment for each of their sub-models."""
    for _, _, words, env in small_assemblies.places([*seeds]):
        for part in range(1, env.where.count + 1):
            one = copy.copy(env)
            one.indices = {"m": env.where.count, "n": env.where.weights.shape[1]}
            one.indices |= {"i": part, "l": part}
            yield words, one


def applies(judgement, env):
    return all(evaluate(h, env) for h in judgement.hypotheses)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_holds_on_assemblies(name):
    steps = linearize(theory.catalog[name].judgement)
    tried = 0
    for words, env in worlds():
        for step in steps:
            loose = {v for v in step.conclusion.free if v.head == "var"}
            if step.rule == "hypothesis" or loose or not applies(step, env):
                continue
            found = evaluate(step.conclusion, env)
            assert found, (words, step)
            tried += isinstance(found, Comparison)
    assert tried > 100


@pytest.mark.parametrize("name", ["LZB22/B1", "LZB22/B2", "LZB22/B2-ratio", "LZB22/B3-sharing"])
def test_equalities_leave_no_room(name):
    left, right = theory.catalog[name].statement.args
    less = eq(left, mul(rat(999, 1000), right))
    found = [evaluate(less, env) for _, env in worlds() if applies_to(name, env)]
    assert sum(not f for f in found) > len(found) / 2


def applies_to(name, env):
    return applies(theory.catalog[name].judgement, env)


@pytest.mark.parametrize("name", ["LZB22/B2-floor", "LZB22/B3", "LZB22/B3-dominance", "LZB22/B7"])
def test_inequalities_are_attained(name):
    """Somewhere each is an equality, so that no constant in it can be improved."""
    left, right = theory.catalog[name].statement.args
    ratios = []
    for described in (
        small_assemblies.ASSEMBLIES[2],
        Assembly(
            [small_assemblies.CUBE, small_assemblies.LINE], 4, "ones", dominance=Fraction(1, 2)
        ),
    ):
        env = environment(numerics.instantiate(described, seed=0), [0.7, -0.4])
        for part in range(1, env.where.count + 1):
            env.indices = {**env.indices, "i": part}
            if applies_to(name, env):
                found = evaluate(le(left, right), env)
                assert found
                ratios.append(found.ratio)
    assert max(ratios) == pytest.approx(1.0, rel=1e-9)


FALSE = {
    "a minimum of the blocks instead": ("LZB22/B1", lambda a, b: eq(a, smallest(b))),
    "a sum of the blocks instead": ("LZB22/B1", lambda a, b: eq(a, b_with(b, "rsum"))),
    "one sub-model less": ("LZB22/B1", lambda a, b: eq(a, shortened(b))),
    "the scale not squared": ("LZB22/B2", lambda a, b: eq(a, mul(b.args[0].args[0], b.args[1]))),
    "a maximum for the gradient": ("LZB22/B2", lambda a, b: eq(a, b_with(b, "rmax"))),
    "twice as large from below": ("LZB22/B3", lambda a, b: le(mul(rat(2), a), b)),
    "the wrong way round": ("LZB22/B3", lambda a, b: le(b, a)),
    "the floor as a ceiling": ("LZB22/B2-floor", lambda a, b: le(b, a)),
    "members that are not summed": ("LZB22/B3-sharing", lambda a, b: eq(a, shortened(b))),
    "half the bound": ("LZB22/B7", lambda a, b: le(mul(rat(2), a), b)),
    "the bound of all sub-models but the last": ("LZB22/B7", lambda a, b: le(a, shortened(b))),
}


def b_with(right, head):
    """The right side with another way of joining its terms."""
    total = right.args[1]
    return mul(right.args[0], make(head, *total.args))


def shortened(right):
    """The right side over all sub-models but the last."""
    total = right.args[1]
    name, low, high, body = total.args
    return mul(right.args[0], make(total.head, name, low, make("index", high.args[0], -1), body))


def smallest(right):
    name, low, _, body = right.args[1].args
    return mul(right.args[0], make(right.args[1].head, name, low, 1, body))


@pytest.mark.parametrize(("name", "change"), FALSE.values(), ids=FALSE.keys())
def test_a_false_neighbour_is_refuted_by_some_assembly(name, change):
    statement = change(*theory.catalog[name].statement.args)
    assert any(
        not evaluate(statement, env) for _, env in worlds((0, 1, 2)) if applies_to(name, env)
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proved_is_accepted_with_these_lemmas(name):
    thm = theory.catalog[name]
    report = proofs_check.check(thm)
    assert report.ok, report
    assert all(lemma.name for lemma in thm.lemmas)
    assert all(kind_of(f) != "extra" for a in thm.assumptions for f in a.formulas)


def test_independence_is_needed():
    """Sub-models that share parameters are not covered by B1's formula for the v_i apart."""
    described = Assembly(small_assemblies.CUBE, 1, weights=[1.0, 1.0], shared=2)
    env = environment(numerics.instantiate(described, seed=0), [0.7, -0.4])
    apart = np.max(np.abs(env.where.weights)) * env.norms[0] * env.where.eta
    whole = float(np.linalg.norm(env.where.bends[-1], 2))
    assert whole == pytest.approx(2 * apart)


def test_splitting_a_sub_model_into_members_changes_nothing():
    """One sub-model of weight 3 is two of weights 1 and 2 that share parameters."""
    x = [0.3, 0.9]
    one = Assembly(small_assemblies.NEURON, 2, weights=[3.0, -1.0], scale=Fraction(1))
    two = Assembly(
        small_assemblies.NEURON, 2, weights=[1.0, 2.0, -1.0, 0.0], shared=2, scale=Fraction(1)
    )
    models = [numerics.instantiate(a, seed=4) for a in (one, two)]
    sizes = [numerics.hessian_norm(m, x).value * m.scale for m in models]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-12)


def test_b7_with_networks_and_functions_in_one_assembly():
    net = theory.Network(
        theory.Input(2), theory.Dense(4), theory.Activation("tanh"), theory.Readout(trainable=True)
    )
    tame = SubFunction(small_assemblies.SADDLE.function, 2, 2, beta=4.0, name="saddle")
    model = numerics.instantiate(Assembly([net, tame], 4), seed=2)
    report = measure_assembly(model, np.array([0.5, -1.0]))
    for found, beta in zip(report.parts, report.betas, strict=True):
        assert found.value <= beta
    assert report.betas[1] == report.betas[3] == 4.0
    assert report.hessian.value <= report.bound
    assert 1 <= report.ratio < 20
    shared = numerics.instantiate(Assembly([net, tame], 2, shared=3), seed=2)
    found = measure_assembly(shared, np.array([0.5, -1.0]))
    assert found.hessian.value <= found.bound


def test_b7_with_networks_of_other_architectures():
    """A residual network's own theorem (C1) gives its beta."""
    skip = theory.Network(
        theory.Input(3),
        theory.Dense(3),
        theory.Activation("tanh"),
        theory.Residual(theory.Dense(3), theory.Activation("tanh")),
        theory.Readout(),
    )
    model = numerics.instantiate(Assembly(skip, 2), seed=1)
    report = measure_assembly(model, np.array([0.5, -1.0, 0.2]))
    for found, beta in zip(report.parts, report.betas, strict=True):
        assert found.value <= beta
    assert report.hessian.value <= report.bound
    assert report.ratio < 20


def test_the_parts_of_a_bound_are_theorems_that_are_checked():
    net = theory.reference_network(2, inputs=2)
    bound = assembly_bound(Assembly(net, theory.width("n")))
    assert proofs_check.check(bound.theorem).ok
    assert all(proofs_check.check(part).ok for part in bound.parts)


def test_dials_agree_with_measurement():
    for gamma in (Fraction(0), Fraction(1)):
        thm = dominance_dial(gamma)
        model = numerics.instantiate(Assembly(small_assemblies.CUBE, 2, dominance=gamma), seed=1)
        env = environment(model, [0.7, -0.4])
        env.indices = {**env.indices, "i": 1}
        assert applies(thm.judgement, env)
        assert evaluate(thm.statement, env)


# -- hypotheses -----------------------------------------------------------------------------------


def test_no_assembly_is_of_no_sub_models():
    """Without any, m would be 0, which the language takes for positive."""
    assert kind_of(fact("assembly", M)) == "fact"
    assert kind_of(fact("assembly", 1)) == "fact"
    assert kind_of(fact("assembly", 0)) == "extra"
    assert kind_of(fact("scale", 1, 0)) == "extra"
    assert kind_of(fact("dominant", I, 0, 1)) == "fact"
    assert kind_of(fact("dominant", I, M, 1)) == "extra"


def test_one_model_is_not_both_an_assembly_and_a_network():
    assert contradictions([fact("assembly", M), fact("dense", 1)])
    assert contradictions([fact("assembly", M), fact("parameters", 2, "fixed")])
    assert not contradictions([fact("assembly", M), fact("scale", 1, 2), fact("shared", M, 3)])


def test_environments_refuse_what_they_do_not_know():
    env = environment(numerics.instantiate(Assembly(small_assemblies.LINE, 2)), [1.0, 0.0])
    assert isinstance(env, AssemblyEnvironment)
    block = theory.catalog["LZB22/B3"].statement
    with pytest.raises(EvaluationError, match="no sub-model 3"):
        evaluate(substitute(block, {I: 3}), env)


# -- random signs ---------------------------------------------------------------------------------

DRAWS = 20_000


def failures(formula, values, delta, seed=0):
    """How often ``likely(delta, |f| <= bound)`` fails over random signs, the g_i given."""
    chance, inner = formula.args
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (DRAWS, len(values)))
    eta = len(values) ** -0.5
    known = {symbol("eta"): eta, FAILURE: delta, symbol("part_size"): max(map(abs, values))}
    known |= {norm(submodel(i, CENTRE, INPUT)): abs(g) for i, g in enumerate(values, 1)}
    bound = numbers(substitute(inner.args[1], {M: len(values)}), known)
    failed = int(np.sum(np.abs(eta * signs @ np.asarray(values)) > bound * (1 + 1e-12)))
    return Trials(failed, DRAWS, float(numbers(chance, known)))


CASES = {
    "equal": [1.0] * 9,
    "one large": [3.0, 0.1, -0.1, 0.05],
    "two": [1.0, -1.0],
    "zero": [0.0, 0.0],
    "many": np.random.default_rng(2).standard_normal(40).tolist(),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("delta", [0.9, 0.3, 0.01])
def test_the_output_exceeds_its_bound_no_more_often_than_said(case, delta):
    for formula in (hoeffding(), theory.catalog["LZB22/B2-output"].statement):
        assert not failures(formula, CASES[case], delta).refuted


def hoeffding():
    return substitute(schema("signed_sum").conclusion, {INPUT_X: INPUT})


@pytest.mark.parametrize(
    ("factor", "refuted"), [(Fraction(1, 2), True), (Fraction(3, 5), True), (Fraction(1), False)]
)
def test_a_sharper_constant_is_refuted(factor, refuted):
    p, inner = hoeffding().args
    formula = make("likely", p, le(inner.args[0], mul(rat(factor), inner.args[1])))
    assert failures(formula, CASES["equal"], 0.05).refuted is refuted


def test_a_smaller_probability_is_refuted():
    """Without the factor 2 of the two tails: one atom of the sum says so."""
    p, inner = hoeffding().args
    formula = make("likely", mul(rat(1, 4), p), inner)
    assert failures(formula, CASES["two"], 0.9).refuted


def test_signs_are_needed():
    """With all weights one the output is sqrt(m) times a sub-model's, whatever the probability."""
    env = environment(
        numerics.instantiate(Assembly(small_assemblies.LINE, 16, "ones"), seed=0), [1.0, 0.0]
    )
    assert evaluate(fact("signs", 16), env)  # signs they are, but not random ones
    model = numerics.instantiate(Assembly(small_assemblies.LINE, 16, "gaussian"), seed=0)
    assert not evaluate(fact("signs", 16), environment(model, [1.0, 0.0]))
    assert kind_of(fact("signs", M)) == "fact"


def test_no_random_hypothesis_is_left():
    judgement = theory.catalog["LZB22/B2-output"].judgement
    assert judgement.rule == "likely_intro"
    for formula in judgement.hypotheses:
        assert not any(t.sort in ("op", "point") for t in subterms(formula))


# -- sweeps ---------------------------------------------------------------------------------------


def test_an_assembly_at_several_numbers_of_sub_models():
    tame = SubFunction(small_assemblies.NEURON.function, 3, 2, beta=12.0, name="neuron")
    described = Assembly(tame, theory.width("m"))
    found = proofs_check.verify_assembly(described, [0.3, 0.9], [4, 16, 64], seeds=range(4))
    assert found.verdict == "consistent"
    assert found.predicted == Fraction(-1, 2)
    assert found.hessian.slope < -0.1
    assert abs(found.gradient.slope) < 0.2
    assert "consistent" in str(found)
    assert len(str(found).splitlines()) == 6


def test_a_sweep_over_no_symbol_is_refused():
    tame = SubFunction(small_assemblies.NEURON.function, 3, 2, beta=12.0)
    with pytest.raises(theory.NetworkError):
        proofs_check.verify_assembly(Assembly(tame, 3), [0.3, 0.9], [4, 16, 64])


# -- networks in one proof ------------------------------------------------------------------------

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
