"""A9 on real networks: a non-linear output keeps the Hessian away from zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import numerics
import theory
from numerics.activations import derivatives
from proofs_check import check
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate
from theory.terms import add, make, mul, rat

ROWS = ("LZB20/A9", "LZB20/A9-upper", "LZB20/A9-identity")
OUTPUTS = ("tanh", "square", "sigmoid")


def network(widths, name="tanh", *, trainable=False):
    hidden = [p for m in widths[1:] for p in (theory.Dense(m), theory.Activation(name))]
    return theory.Network(theory.Input(widths[0]), *hidden, theory.Readout(trainable=trainable))


def place(net, phi, seed, scale=1.0):
    model = numerics.instantiate(net, {}, seed=seed)
    x = scale * np.random.default_rng(seed).standard_normal(net.widths[0])
    points = {"theta": model.params}
    return model, x, Environment(model, points, {"x": x}, outer=theory.activation(phi))


@settings(max_examples=12)
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=3),
    st.sampled_from(OUTPUTS),
    st.integers(0, 50),
    st.booleans(),
    st.sampled_from([0.0, 1.0, 30.0]),
)
def test_the_three_statements_hold(widths, phi, seed, trainable, scale):
    _, _, env = place(network(widths, trainable=trainable), phi, seed, scale)
    for name in ROWS:
        assert evaluate(theory.catalog[name].statement, env)


@pytest.mark.parametrize("phi", OUTPUTS)
def test_a_dense_hessian_agrees(phi):
    model, x, env = place(network([3, 4, 3]), phi, 5)
    outer = theory.activation(phi)

    def composed(params):
        return derivatives(outer, model.apply(params, x), 0)[-1]

    flat, unravel = ravel_pytree(model.params)
    hessian = jax.hessian(lambda t: composed(unravel(t)))(jnp.asarray(flat))
    left, right = theory.catalog["LZB20/A9-identity"].statement.args
    for side in (left, right):
        norm = evaluate(make("norm", "2", side), env)
        assert norm == pytest.approx(float(jnp.linalg.norm(hessian, 2)), rel=1e-12)


def test_sharpened_statements_fail():
    _, _, env = place(network([3, 2], "identity"), "square", 1)  # H = 0 with a fixed readout
    for name in ("LZB20/A9", "LZB20/A9-upper"):
        head, (left, right) = "le", theory.catalog[name].statement.args
        assert evaluate(make(head, left, right), env)
        assert not evaluate(make(head, left, mul(rat(99, 100), right)), env)
    left, right = theory.catalog["LZB20/A9-identity"].statement.args
    assert not evaluate(make("eq", left, right.args[0]), env)
    assert not evaluate(make("eq", left, make("neg", right)), env)


def test_what_is_lost_when_a_term_is_left_out():
    _, _, env = place(network([3, 4], "sin"), "tanh", 2)
    left, right = theory.catalog["LZB20/A9-upper"].statement.args
    slope, bend = right.args
    assert evaluate(make("le", left, add(slope, bend)), env)
    assert not evaluate(make("le", left, slope), env)


def rayleigh(model, x, phi):
    """``|g' H~ g| / |g|^2`` for phi(f), a lower bound on its Hessian norm; and ``|H|``."""
    outer = theory.activation(phi)

    def composed(params):
        return derivatives(outer, model.apply(params, x), 0)[-1]

    g = jax.grad(model.apply)(model.params, x)
    size = sum(float(jnp.vdot(b, b)) for b in jax.tree.leaves(g))
    bent = jax.jvp(jax.grad(composed), (model.params,), (g,))[1]
    inner = sum(
        float(jnp.vdot(a, b))
        for a, b in zip(jax.tree.leaves(g), jax.tree.leaves(bent), strict=True)
    )
    return abs(inner) / size, numerics.hessian_norm(model, x).value


def test_the_norm_stays_while_that_of_the_linear_output_vanishes():
    widths = np.array([64, 256, 1024])
    found = np.array(
        [
            np.mean(
                [
                    rayleigh(
                        numerics.instantiate(network([8, m, m]), {}, seed=s), np.ones(8), "square"
                    )
                    for s in range(3)
                ],
                axis=0,
            )
            for m in widths.tolist()
        ]
    )
    slopes = np.polyfit(np.log(widths), np.log(found), 1)[0]
    assert abs(slopes[0]) < 0.15
    assert slopes[1] < -0.35


@pytest.mark.parametrize("name", ROWS)
def test_the_proof_is_checked_and_rests_on_a_smooth_phi_alone(name):
    report = check(theory.catalog[name])
    assert report.ok
    assert [str(a.formula) for a in report.assumptions] == ["(fact smooth (index phi 0))"]
    assert r"\varphi''" in theory.catalog[name].to_latex()
