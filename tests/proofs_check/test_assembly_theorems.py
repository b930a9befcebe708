"""B1, B2, B3 and B7 on assemblies: every line holds, equalities are equalities, falsehoods fall."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check import small_assemblies
from proofs_check.assemblies import measure_assembly
from proofs_check.chance import Trials
from proofs_check.measuring.assemblies import AssemblyEnvironment, environment
from proofs_check.measuring.evaluate import Comparison, EvaluationError, evaluate
from proofs_check.replay.hypotheses import contradictions, kind_of
from theory.assemblies import Assembly, SubFunction
from theory.evaluation import evaluate as numbers
from theory.ledger.assemblies import assembly_bound, dominance_dial
from theory.lemmas import INPUT_X, fact, schema
from theory.proofs import linearize
from theory.terms import eq, le, make, mul, norm, rat, substitute, subterms
from theory.vocabulary import CENTRE, FAILURE, INPUT, submodel, symbol

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
