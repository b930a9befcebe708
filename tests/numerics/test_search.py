"""The search of a ball: against exact suprema, exhaustive optimisation and the dense Hessian."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from numerics import SpectralError, hessian_norm, tolerances
from numerics.activations import host_derivatives
from numerics.ball import BallError, distance, perturb
from numerics.curvature import curvature_gradient
from numerics.krylov import ritz_pairs
from numerics.models import device_trace, host_trace
from numerics.search import ball_search
from tests.numerics.sample_networks import build, cases, dense_hessian, flat_output, inputs

SEEDS = st.integers(0, 2**32 - 1)


def one_layer_supremum(model, x, radius):
    """sup over the ball for one hidden layer, readout fixed (theory.md, A4), from inside.

    ``|H| = max_i |v_i sigma''(z_i)| |x|^2 / (d sqrt(m))``, and the whole radius spent on the
    weights of neuron i moves z_i by up to ``radius |x|/sqrt(d)``: a maximum over segments.
    """
    a = np.linalg.norm(x) / np.sqrt(x.size)
    z = np.asarray(model.params["W"][0]) @ x / np.sqrt(x.size)
    reach = np.add.outer(z, radius * a * np.linspace(-1, 1, 4001))
    bend = host_derivatives(model.net.activations[0], reach.ravel(), 2)[2].reshape(reach.shape)
    largest = np.max(np.abs(np.asarray(model.readout)[:, None] * bend))
    return largest * a**2 / np.sqrt(model.widths[1])


@settings(max_examples=10)
@given(
    spec=st.sampled_from(["tanh", "gelu", "sin"]),
    seed=SEEDS,
    radius=st.sampled_from([0.01, 0.5, 2.0, 30.0]),
    size=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_one_hidden_layer_reaches_the_exact_supremum(spec, seed, radius, size):
    model = build((4, 12), spec, seed=seed)
    x = size * inputs(model, 1)[0]
    supremum = one_layer_supremum(model, x, radius)
    found = ball_search(model, x, radius, starts=3, steps=8)
    # The grid of the oracle misses the maximum by less than (spacing)^2 sup|sigma''''| / 8.
    assert found.value <= supremum * (1 + 1e-3)
    assert found.value >= supremum * 0.99


@pytest.mark.parametrize("trainable", [False, True])
def test_finds_what_exhaustive_optimisation_finds(trainable):
    """Two layers of width 2, all parameters: differential evolution on the dense Hessian norm."""
    model = build((1, 2, 2), "sin", trainable=trainable, seed=11)
    x, radius = np.array([1.3]), 0.7
    _, start, unravel = flat_output(model, x)
    start = np.asarray(start)

    def negative_norm(vector):
        size = np.linalg.norm(vector)
        inside = start + vector * min(1.0, radius / size if size else 1.0)
        return -np.linalg.norm(dense_hessian(model, x, unravel(inside)), 2)

    bounds = [(-radius, radius)] * start.size
    oracle = -scipy.optimize.differential_evolution(
        negative_norm, bounds, seed=0, maxiter=40, popsize=8, polish=False
    ).fun
    found = ball_search(model, x, radius)
    assert found.value >= 0.995 * oracle


@settings(max_examples=8)
@given(case=cases(), seed=SEEDS, radius=st.sampled_from([0.0, 1e-9, 0.3, 4.0]))
def test_stays_in_the_ball_and_reports_what_is_there(case, seed, radius):
    model = build(**case)
    x = inputs(model, 1)[0]
    centre = perturb(model, 1.0, seed)
    found = ball_search(model, x, radius, centre, starts=4, steps=6, seed=seed % 1000)
    assert distance(found.params, centre) <= radius
    assert found.distance == distance(found.params, centre)
    assert all(step.distance <= radius for step in found.history)
    there = np.linalg.norm(dense_hessian(model, x, found.params), 2)
    margin = 100 * tolerances.network(model.widths).margin(there, 1.0)
    assert found.value <= there + margin
    assert found.norm.upper >= there - margin
    assert found.value == found.norm.lower
    assert found.value >= hessian_norm(model, x, centre).lower - margin
    if radius == 0:
        assert found.params is centre


def test_history_grows_within_every_ascent():
    model = build((6, 10, 10))
    found = ball_search(model, inputs(model, 1)[0], 1.0)
    for name in {step.start for step in found.history}:
        values = [step.value for step in found.history if step.start == name]
        assert values == sorted(values)
    kinds = {step.start.split()[0] for step in found.history}
    assert {"eigenvalue", "neuron", "random"} <= kinds
    counts = [step.evaluations for step in found.history]
    assert counts == sorted(counts)


def test_beats_random_points():
    model = build((8, 30, 30, 30))
    x = inputs(model, 1)[0]
    found = ball_search(model, x, 1.0)
    random = max(hessian_norm(model, x, perturb(model, 1.0, s)).upper for s in range(20))
    assert found.value > 1.1 * random


def test_is_reproducible_and_has_more_to_find_in_a_larger_ball():
    model = build((5, 12, 12))
    x = inputs(model, 1)[0]
    values = [ball_search(model, x, radius).value for radius in (0.5, 0.5, 1.0, 2.0)]
    assert values[0] == values[1]
    assert values[1] < values[2] < values[3]


def test_a_constant_hessian_leaves_nothing_to_climb():
    """x^2 with one hidden layer and a fixed readout is quadratic in the weights."""
    model = build((3, 4), "square")
    x = inputs(model, 1)[0]
    found = ball_search(model, x, 1.0)
    centre = hessian_norm(model, x)
    assert found.value == pytest.approx(centre.value, rel=1e-6)


def test_zero_hessian():
    model = build((3, 4))
    found = ball_search(model, np.zeros(3), 1.0)
    assert found.value == 0


def test_overflow_is_refused_at_the_centre_and_avoided_elsewhere():
    model = build((3, 4), "square", trainable=True)
    x = inputs(model, 1)[0]
    with pytest.raises(SpectralError, match="infinite or NaN"):
        ball_search(model, 1e300 * x, 1.0)
    found = ball_search(model, x, 1e160, starts=4, steps=3)  # its square overflows
    assert np.isfinite(found.value)
    assert found.value >= hessian_norm(model, x).lower


def test_compiled_and_host_ways_agree(monkeypatch):
    model = build((5, 12, 12), trainable=True)
    x = inputs(model, 1)[0]
    host = ball_search(model, x, 1.0, starts=2, steps=5)
    monkeypatch.setattr("numerics.search.SMALL", 0)
    compiled = ball_search(model, x, 1.0, starts=2, steps=5)
    assert compiled.value == pytest.approx(host.value, rel=1e-9)


def test_single_precision_stays_inside():
    model = build((5, 12, 12), dtype=np.float32)
    found = ball_search(model, inputs(model, 1)[0], 0.5, starts=3, steps=5)
    assert distance(found.params, model.params) <= 0.5
    assert {leaf.dtype for leaf in jax.tree.leaves(found.params)} == {np.dtype(np.float32)}
    assert found.value > found.at_centre


@pytest.mark.parametrize("bad", [{"starts": -1}, {"steps": -1}])
def test_counts_are_not_negative(bad):
    model = build((3, 4))
    with pytest.raises(ValueError, match="both must be at least 0"):
        ball_search(model, inputs(model, 1)[0], 1.0, **bad)


def test_radius_is_checked():
    model = build((3, 4))
    with pytest.raises(BallError, match="makes no ball"):
        ball_search(model, inputs(model, 1)[0], -1.0)


@settings(max_examples=10)
@given(case=cases(), seed=SEEDS)
def test_curvature_gradient_is_the_third_derivative(case, seed):
    model = build(**case)
    x = inputs(model, 1)[0]
    direction = jax.tree.map(
        lambda leaf: np.random.default_rng(seed).standard_normal(leaf.shape), model.params
    )
    host = jax.tree.map(np.asarray, model.params)
    passes = host_trace(model, host, x)
    value, gradient = curvature_gradient(model, host, passes, direction)
    flat = ravel_pytree(direction)[0]

    def form(params):
        return float(flat @ dense_hessian(model, x, params) @ flat)

    scale = float(flat @ flat)
    assert value == pytest.approx(form(model.params), abs=1e-10 * scale, rel=1e-10)
    # A central difference along one random direction of the naive form.
    step = 1e-4
    probe = perturb(model, step, seed)
    back = jax.tree.map(lambda p, q: 2 * p - q, model.params, probe)
    slope = (form(probe) - form(back)) / (2 * step)
    moved = ravel_pytree(jax.tree.map(lambda p, q: (p - q) / step, probe, model.params))[0]
    assert slope == pytest.approx(
        float(ravel_pytree(gradient)[0] @ moved), abs=1e-5 * scale, rel=1e-5
    )


def test_compiled_curvature_gradient_agrees():
    model = build((4, 6, 5), ("gelu", "tanh"), trainable=True)
    x = inputs(model, 1)[0]
    host = jax.tree.map(np.asarray, model.params)
    direction = jax.tree.map(np.ones_like, host)
    slow = curvature_gradient(model, host, host_trace(model, host, x), direction)
    passes = device_trace(model, model.params, jax.numpy.asarray(x))
    fast = curvature_gradient(model, model.params, passes, direction)
    allowed = tolerances.network(model.widths).amplified(100)
    assert allowed.close(slow[0], fast[0])
    for left, right in zip(*(jax.tree.leaves(g) for _, g in (slow, fast)), strict=True):
        assert allowed.close(left, right)


@settings(max_examples=30)
@given(seed=SEEDS, order=st.integers(1, 40), rank=st.integers(0, 40))
def test_ritz_pairs_of_a_symmetric_matrix(seed, order, rank):
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((order, min(rank, order)))
    A = (factor * rng.choice([-1, 1], factor.shape[1])) @ factor.T
    pairs = ritz_pairs(lambda y: A @ y, rng.standard_normal(order), steps=order, tolerance=1e-12)
    top = np.linalg.norm(A, 2)
    margin = tolerances.spectrum(order).amplified(50).margin(top)
    assert abs(pairs.values[pairs.top]) == pytest.approx(top, abs=margin + 1e-9 * top)
    assert np.all(np.abs(pairs.values) <= top + margin)
    size = np.linalg.norm(pairs.vectors, axis=1)
    np.testing.assert_allclose(size, 1, rtol=1e-10)
    residuals = np.linalg.norm(pairs.vectors @ A - pairs.values[:, None] * pairs.vectors, axis=1)
    np.testing.assert_allclose(residuals, pairs.residuals, atol=margin + 1e-12)


@pytest.mark.parametrize("start", [np.zeros(3), np.full(3, np.nan), np.full(3, np.inf)])
def test_a_start_spans_something(start):
    with pytest.raises(ValueError, match="give a finite non-zero vector"):
        ritz_pairs(lambda y: y, start, steps=3, tolerance=1e-3)
