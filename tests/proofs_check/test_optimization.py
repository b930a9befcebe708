"""A11 and A12 along real gradient descent: rate, radius, distance, and what fails without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numerics
import theory
from proofs_check import check
from proofs_check.descents import NoDescentError, descent
from proofs_check.measuring.evaluate import EvaluationError, evaluate, measure
from theory.ledger import not_lazy, optimization
from theory.lemmas import KAPPA
from theory.terms import eq, le, make, minus, mul, norm, power, rat, substitute
from theory.vocabulary import CENTRE, kernel_matrix, loss, outputs, parameters, residual, symbol

ALONG_A_PATH = (
    "LZB20/A12-floor",
    "LZB20/A11",
    "LZB20/A11-radius",
    "LZB20/A11-induction",
    "LZB20/A11-distance",
    "LZB20/A11-step",
    "LZB20/A11-PL",
    "LZB20/A12",
    "LZB20/A12-multiple",
)
AT_A_POINT = ("LZB20/A11-smoothness", "LZB20/A11-outer")
LINEAR = ("LZB20/A12-hessian", "LZB20/A12-kernel")


def model_of(m, name="tanh", d=3, *, trainable=False, seed=0):
    hidden = (theory.Dense(m), theory.Activation(name))
    net = theory.Network(theory.Input(d), *hidden, theory.Readout(trainable=trainable))
    return numerics.instantiate(net, {}, seed=seed)


def run(m=4, name="tanh", steps=3, seed=0, *, trainable=False, labels=None, **kwargs):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    model = model_of(m, name, trainable=trainable, seed=seed)
    return descent(model, x, y if labels is None else labels, steps, **kwargs)


CASES = ((4, "tanh", False), (5, "sin", True), (3, "identity", False))


@settings(max_examples=10)
@given(st.sampled_from(CASES), st.integers(0, 40), st.integers(1, 4))
def test_rate_radius_and_distance_hold_along_gradient_descent(case, seed, steps):
    m, name, trainable = case
    try:
        env = run(m, name, steps, seed, trainable=trainable)
    except NoDescentError:
        assume(False)  # the kernel is singular for these inputs
    for thm in (optimization.rate(steps), optimization.radius(steps), not_lazy.least_distance()):
        env.meanings = {d.args[0]: d.args[1] for d in thm.definitions}
        for assumption in thm.proof.assumptions:
            assert evaluate(assumption, env)
        assert evaluate(thm.statement, env)


def test_every_line_holds_step_by_step():
    thm = optimization.rate(3)
    env = run(steps=3, seed=1, definitions=thm.definitions)
    for claim in (*thm.claims, *optimization.radius(3).claims):
        assert evaluate(claim.judgement.conclusion, env), claim.label


@pytest.mark.parametrize("name", [*ALONG_A_PATH, *AT_A_POINT])
def test_the_statements_hold_and_their_proofs_are_checked(name):
    thm = theory.catalog[name]
    env = run(seed=2, definitions=thm.definitions).binding({KAPPA: 1.5})
    assert evaluate(thm.statement, env)
    report = check(thm)
    assert report.ok
    assert all(a.allowed for a in report.assumptions)


# -- any number of steps ---------------------------------------------------------------------------


@settings(max_examples=8)
@given(st.sampled_from(CASES), st.integers(0, 40), st.integers(1, 5))
def test_for_any_number_of_steps_the_lines_hold_at_every_one_of_them(case, seed, steps):
    m, name, trainable = case
    thm = theory.catalog["LZB20/A11-induction"]
    try:
        env = run(m, name, steps, seed, trainable=trainable, definitions=thm.definitions)
    except NoDescentError:
        assume(False)  # the kernel is singular for these inputs
    for assumption in thm.proof.assumptions:
        assert evaluate(assumption, env)
    for other in (thm, theory.catalog["LZB20/A11-distance"]):
        for claim in other.claims:
            if claim.judgement.conclusion.head == "forall":
                assert evaluate(claim.judgement.conclusion, env), claim.label


def test_the_statement_is_about_each_step_and_its_own_power():
    """One sample, a linear model: two steps less in the exponent and the statement fails."""
    rng = np.random.default_rng(3)
    model, x, y = model_of(3, "identity"), rng.standard_normal((1, 3)), np.array([2.0])
    thm = theory.catalog["LZB20/A11-induction"]
    first = descent(model, x, y, 1, definitions=thm.definitions)
    eta = 0.01 / first.reals["mu"]
    env = descent(model, x, y, 4, eta=eta, definitions=thm.definitions)
    assert evaluate(thm.statement, env)
    _, low, high, claim = thm.statement.args
    t = make("index", "t", 0)
    later = substitute(claim.args[4], {t: make("index", "t", 1)})
    shifted = make("after", "*", t, CENTRE, claim.args[3], later)
    assert evaluate(make("forall", "t", 1, high, shifted), env)  # the rate is twice what is proved
    far = substitute(claim.args[4], {t: make("index", "t", 9)})
    assert not evaluate(
        make("forall", "t", low, high, make("after", "*", t, CENTRE, claim.args[3], far)), env
    )


def test_all_steps_say_for_each_number_what_the_proof_for_that_number_says():
    thm = theory.catalog["LZB20/A11-induction"]
    env = run(steps=3, seed=1, definitions=thm.definitions)
    _, _, _, claim = thm.statement.args
    third = substitute(claim, {make("index", "t", 0): 3})
    one, other = evaluate(third, env), evaluate(optimization.rate(3).statement, env)
    assert (one.left, one.right) == pytest.approx((other.left, other.right), rel=1e-12)


def test_a_path_that_is_not_known_is_named():
    thm = theory.catalog["LZB20/A11-induction"]
    env = replace(run(steps=2, definitions=thm.definitions), indices={"T": 3})
    with pytest.raises(EvaluationError, match="the path of 3 steps"):
        evaluate(thm.statement, env)


# -- tight ----------------------------------------------------------------------------------------


def test_the_rate_is_attained_by_a_linear_model_with_one_sample():
    """K is constant, L falls by (1 - eta mu)^2: at the step size 1/beta all of it goes at once."""
    rng = np.random.default_rng(3)
    model = model_of(3, "identity")
    x, y = rng.standard_normal((1, 3)), np.array([2.0])
    thm = optimization.rate(1)
    env = descent(model, x, y, 1, definitions=thm.definitions)
    mu = env.reals["mu"]
    small = descent(model, x, y, 1, eta=1e-4 / mu, definitions=thm.definitions)
    found = evaluate(thm.statement, small)
    assert found.ratio == pytest.approx((1 - 1e-4) ** 2 / (1 - 1e-4), rel=1e-6)
    assert evaluate(theory.catalog["LZB20/A11-PL"].statement, env).ratio == pytest.approx(1.0)
    assert evaluate(theory.catalog["LZB20/A12"].statement, env).ratio == pytest.approx(1.0)


def test_the_way_is_at_most_twice_what_a_straight_one_takes():
    thm = optimization.radius(3)
    env = run(12, seed=5, definitions=thm.definitions)
    assert 0.3 < evaluate(thm.statement, env).ratio <= 1.0


# -- falsehoods -----------------------------------------------------------------------------------


def test_a_faster_rate_fails():
    """One sample, a linear model, tiny steps: the loss falls by just about 1 - 2 eta mu."""
    rng = np.random.default_rng(3)
    model, x, y = model_of(3, "identity"), rng.standard_normal((1, 3)), np.array([2.0])
    env = descent(model, x, y, 1)
    small = descent(model, x, y, 1, eta=1e-4 / env.reals["mu"])
    faster = le(loss(make("point", "theta1")), mul(power(symbol("rate"), 3), loss(CENTRE)))
    assert not evaluate(faster, small)


@pytest.mark.parametrize(
    "name",
    [
        "LZB20/A11",
        "LZB20/A11-radius",
        "LZB20/A11-induction",
        "LZB20/A11-distance",
        "LZB20/A11-step",
        "LZB20/A12",
        "LZB20/A12-floor",
    ],
)
def test_no_hypothesis_can_be_dropped_from_the_proof(name):
    proof = theory.catalog[name].proof
    for dropped in proof.assumptions:
        rest = tuple(a for a in proof.assumptions if a is not dropped)
        assert not check(replace(proof, assumptions=rest), second_opinion=False).ok


@pytest.mark.parametrize(
    "formula",
    [
        pytest.param(le(mul(symbol("step_size"), symbol("smoothness")), rat(2)), id="2 / beta"),
        pytest.param(eq(mul(symbol("mu"), symbol("mu_inverse")), rat(2)), id="another inverse"),
        pytest.param(le(norm(residual(CENTRE)), symbol("R")), id="another radius"),
        pytest.param(le(symbol("mu"), rat(0)), id="mu is zero"),
        pytest.param(
            eq(parameters(make("point", "a")), parameters(make("point", "b"))), id="no step"
        ),
        pytest.param(
            make(
                "ball",
                "*",
                CENTRE,
                symbol("R"),
                le(norm(kernel_matrix(make("point", "*"))), symbol("mu")),
            ),
            id="the kernel is small",
        ),
    ],
)
def test_other_conditions_are_extra_assumptions(formula):
    proof = theory.catalog["LZB20/A11"].proof
    report = check(replace(proof, assumptions=(*proof.assumptions, formula)), second_opinion=False)
    assert not report.ok
    assert "of no known kind" in str(report.failures)


def test_a_step_that_is_too_long_is_refused():
    with pytest.raises(NoDescentError, match="more than 1/beta"):
        run(eta=100.0)


def test_a_singular_kernel_is_refused():
    x = np.ones((2, 3))
    with pytest.raises(NoDescentError, match="least eigenvalue"):
        descent(model_of(4), x, np.array([1.0, -1.0]))


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_a_number_of_steps_that_is_none_is_refused(steps):
    with pytest.raises(ValueError, match="an integer of at least 1"):
        optimization.rate(steps)


# -- not lazy, and multiples ----------------------------------------------------------------------


def test_the_distance_does_not_shrink_with_the_width_but_with_the_multiple():
    """The way to halve the residual: of order one at all widths, 1/kappa for kappa f."""
    distances, bounds = [], []
    for m in (8, 32, 128):
        env = run(m, steps=6, seed=1, trainable=True)
        gone = minus(parameters(make("point", "theta")), parameters(CENTRE))
        left, start = (
            measure(norm(residual(make("point", n))), env).value for n in ("theta", "theta0")
        )
        distances.append(measure(norm(gone), env).value)
        bounds.append((start - left) / env.reals["slope_sup"])
    assert all(b <= d for b, d in zip(bounds, distances, strict=True))
    assert min(distances) > 0.2 * max(distances)


def test_where_the_residual_has_halved_the_distance_is_bounded_from_below():
    """Held as soon as it has halved; three times the bound, or without halving, it fails."""
    thm = theory.catalog["LZB20/A12-floor"]
    rng = np.random.default_rng(3)
    model, x, y = model_of(3, "identity"), rng.standard_normal((1, 3)), np.array([2.0])
    env = descent(model, x, y, 2)
    assert all(evaluate(a, env) for a in thm.proof.assumptions)
    left, right = thm.statement.args
    assert evaluate(thm.statement, env).ratio == pytest.approx(0.5, abs=0.05)  # all of it is gone
    assert not evaluate(le(mul(rat(3), left), right), env)
    short = descent(model, x, y, 1, eta=1e-4)
    halved = next(a for a in thm.assumptions if a.name == "halved residual")
    assert not evaluate(halved.formulas[0], short)
    assert not evaluate(thm.statement, short)


@pytest.mark.parametrize(
    ("name", "order", "rests_on"),
    [
        ("A11-induction", "O(1)", {"rate_power_t", "|F0 - labels|"}),
        ("A11-distance", "O(1)", {"|F0 - labels|", "mu_inverse"}),
        ("A12-floor", "Omega(1)", {"|F0 - labels|", "slope_inverse"}),
        ("A12", "O(R)", {"|F - labels|", "slope_sup", "|theta - theta0|"}),
    ],
)
def test_orders_of_training_say_what_they_rest_on(name, order, rests_on):
    found = theory.catalog[f"LZB20/{name}"].order
    assert str(found) == order
    assert {a.symbol for a in found.assumptions} == rests_on
    for assumption in found.assumptions:
        assert assumption.proved == (assumption.symbol == "rate_power_t")


def test_other_claims_about_residuals_are_extra_assumptions():
    proof = theory.catalog["LZB20/A12-floor"].proof
    halved = next(a for a in proof.assumptions if a.head == "le" and "labels" in str(a))
    third = le(halved.args[0], mul(rat(1, 3), norm(residual(CENTRE))))
    for formula in (third, le(halved.args[1], halved.args[0])):
        rest = tuple(formula if a is halved else a for a in proof.assumptions)
        report = check(replace(proof, assumptions=rest), second_opinion=False)
        assert "of no known kind" in str(report.failures)


@pytest.mark.parametrize("kappa", [0.0, 0.25, 7.0])
def test_hessian_kernel_and_distance_of_a_multiple(kappa):
    env = run(seed=4)
    inputs = {**env.inputs, "x": env.inputs["X1"], "z": env.inputs["X2"]}
    env = replace(env, inputs=inputs, variables={KAPPA: kappa})
    for name in (*LINEAR, "LZB20/A12-multiple"):
        assert evaluate(theory.catalog[name].statement, env)
    left, right = theory.catalog["LZB20/A12-kernel"].statement.args
    if kappa not in (0.0, 1.0):
        once = make("scale", KAPPA, right.args[1])
        assert not evaluate(eq(left, once), env)


def test_behind_a_nonlinear_output_the_kernel_moves_and_stays_positive():
    thm = theory.catalog["LZB20/A11-outer"]
    env = run(6, seed=6)
    found = evaluate(thm.statement, env)
    assert 0 < found.left <= found.right
    slopes = make("diag", make("act", make("index", "phi", 0), 1, outputs(make("point", "theta"))))
    unweighted = le(norm(kernel_matrix(make("point", "theta")), "min"), thm.statement.args[1])
    assert evaluate(norm(slopes, "min"), env) < 1
    assert not evaluate(unweighted, env)


def test_the_samples_are_tied_to_their_training_set():
    """Another training set in place of X makes the fact speak of it, and so not hold."""
    from theory import kernel

    judgement = theory.catalog["LZB20/A11-smoothness"].judgement
    other = make("input", "Z")
    moved = kernel.instance(judgement, {make("input", "X"): other})
    (fact,) = moved.hypotheses
    assert other in fact.free
    env = run(seed=2)
    large = {**env.inputs, "Z": 100 * np.asarray(env.inputs["X"])}
    env = replace(env, inputs=large, labels={**env.labels, "Z": env.labels["X"]})
    assert not evaluate(fact, env)
