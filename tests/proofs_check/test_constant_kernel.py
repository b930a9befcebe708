"""A1: a constant kernel and a linear model; on a ball the one does not give the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy

import numerics
import theory
from proofs_check import adversaries, check
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate
from theory.ledger import constant_kernel
from theory.terms import make, subterms

ROWS = ("LZB20/A1", "LZB20/A1-hessian", "LZB20/A1-converse")


def linear_place(seed):
    place, _ = adversaries.linear(seed, "up")
    inputs = {"x": place.x, "z": place.x[::-1].copy()}
    points = {"theta": place.there, "theta0": place.here}
    return Environment(place.model, points, inputs, {"R": 1e6})


@pytest.mark.parametrize("seed", range(6))
def test_linear_models_meet_hypotheses_and_statements(seed):
    env = linear_place(seed)
    for name in ROWS:
        proof = theory.catalog[name].proof
        assert all(evaluate(a, env) for a in proof.assumptions)
        assert evaluate(proof.statement, env)


def test_the_lines_that_speak_of_named_points_hold():
    env = linear_place(3)
    for claim in theory.catalog["LZB20/A1"].claims:
        formula = claim.judgement.conclusion
        known = {"theta", "theta0", "*"}
        points = {t.args[0] for t in subterms(formula) if t.head == "point"}
        if points <= known and not any(t.head == "var" for t in subterms(formula)):
            assert evaluate(formula, env), claim.label


def network(widths, *, trainable):
    hidden = [p for m in widths[1:] for p in (theory.Dense(m), theory.Activation("tanh"))]
    return theory.Network(theory.Input(widths[0]), *hidden, theory.Readout(trainable=trainable))


def test_without_its_hypothesis_the_statement_fails():
    """A wide network's kernel is nearly constant on a ball, its output nearly linear: not quite."""
    gaps = []
    for m in (4, 64, 1024):
        model = numerics.instantiate(network((3, m), trainable=False), {}, seed=1)
        far = numerics.perturb(model, 1.0, seed=2)
        env = Environment(model, {"theta": far}, {"x": np.ones(3)})
        proof = theory.catalog["LZB20/A1"].proof
        constant = next(a for a in proof.assumptions if a.head == "everywhere")
        assert not evaluate(constant, env)
        found = evaluate(proof.statement, env)
        assert not found
        gaps.append(found.gap)
    assert gaps[2] < gaps[0]


# -- the counterexample on a ball -----------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_a_constant_kernel_on_a_ball_leaves_a_hessian_exactly(dimension):
    f, w = constant_kernel.counterexample(dimension)
    gradient = sympy.Matrix([f]).jacobian(w).T
    assert sympy.simplify((gradient.T * gradient)[0]) == 1
    hessian = sympy.hessian(f, w)
    at_centre = dict.fromkeys(w, 0)
    assert hessian.subs(at_centre) == sympy.diag(0, *[1] * (dimension - 1))
    assert sympy.simplify(hessian * gradient) == sympy.zeros(dimension, 1)
    line = f.subs(
        {v: v0 + 3 * g for v, v0, g in zip(w, w, gradient, strict=True)}, simultaneous=True
    )
    inside = dict(zip(w, [sympy.Rational(1, 5)] * dimension, strict=True))
    assert sympy.simplify((line - f - 3).subs(inside)) == 0


def test_the_counterexample_in_numbers():
    """On the ball of radius 1/2 around 0: K = 1, and f is not its linearization."""
    f, w = constant_kernel.counterexample(3)
    value = sympy.lambdify([w], f, "numpy")
    gradient = sympy.lambdify([w], [sympy.diff(f, v) for v in w], "numpy")
    points = np.random.default_rng(0).standard_normal((50, 3))
    points *= 0.5 / np.linalg.norm(points, axis=1, keepdims=True)
    for p in points:
        assert np.dot(gradient(p), gradient(p)) == pytest.approx(1.0, rel=1e-12)
    linear = [value(np.zeros(3)) + np.dot(gradient(np.zeros(3)), p) for p in points]
    gap = max(abs(value(p) - at) for p, at in zip(points, linear, strict=True))
    assert gap > 0.05


def test_on_a_line_there_is_no_counterexample():
    with pytest.raises(ValueError, match="needs 2 or more"):
        constant_kernel.counterexample(1)


# -- falsehoods -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_neither_hypothesis_can_be_dropped(name):
    proof = theory.catalog[name].proof
    for dropped in proof.assumptions:
        rest = tuple(a for a in proof.assumptions if a is not dropped)
        assert not check(replace(proof, assumptions=rest), second_opinion=False).ok


def test_half_the_slope_is_rejected_by_proof_and_measurement():
    proof = theory.catalog["LZB20/A1"].proof
    left, right = proof.statement.args
    start, rise = right.args
    changed = make("eq", left, make("plus", start, make("scale", theory.terms.rat(1, 2), rise)))
    assert not check(replace(proof, statement=changed), second_opinion=False).ok
    assert not all(evaluate(changed, linear_place(s)) for s in range(6))


@pytest.mark.parametrize("name", ROWS)
def test_the_pages_say_where_it_holds(name):
    text = theory.catalog[name].to_latex()
    where = r"\text{for all }\vartheta"
    assert where in text
    assert check(theory.catalog[name]).ok
