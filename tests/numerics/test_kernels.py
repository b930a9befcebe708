"""The tangent kernel against the plain contraction of Jacobians."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
from numerics import tolerances
from numerics.ball import perturb
from numerics.kernels import kernel_change, tangent_kernel
from tests.numerics.sample_networks import build, cases, dense_gradient, inputs


def allowed(model):
    """Two passes through the network, and sums over two layers' widths."""
    once = tolerances.network(model.widths, model.dtype)
    return once.amplified(4)


def jacobian_kernel(model, X, Z, params=None):
    left = np.array([dense_gradient(model, x, params) for x in X])
    right = np.array([dense_gradient(model, z, params) for z in Z])
    return left @ right.T


@settings(max_examples=20)
@given(case=cases())
def test_equals_the_contraction_of_jacobians(case):
    model = build(**case)
    X, Z = inputs(model, 4), inputs(model, 3, seed=1)
    assert allowed(model).close(tangent_kernel(model, X), jacobian_kernel(model, X, X))
    assert allowed(model).close(tangent_kernel(model, X, Z=Z), jacobian_kernel(model, X, Z))


@settings(max_examples=20)
@given(case=cases(), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_symmetric_and_positive_semidefinite(case, scale):
    model = build(**case)
    K = np.asarray(tangent_kernel(model, scale * inputs(model, 4)))
    np.testing.assert_array_equal(K, K.T)
    margin = (tolerances.spectrum(4) + allowed(model)).margin(np.linalg.norm(K, 2))
    assert np.linalg.eigvalsh(K)[0] >= -margin


def test_repeated_inputs_give_a_singular_kernel_and_cross_agrees():
    model = build((5, 40, 30))
    X = inputs(model, 4)
    twice = np.concatenate([X, X])
    K = np.asarray(tangent_kernel(model, twice))
    assert allowed(model).close(K[:4, :4], K[4:, :4])
    assert allowed(model).close(K, tangent_kernel(model, twice, Z=twice))
    assert np.linalg.matrix_rank(K, tol=tolerances.spectrum(8).margin(8 * K)) == 4


def test_one_input_may_be_a_vector():
    model = build((5, 7))
    x = inputs(model, 1)[0]
    K = tangent_kernel(model, x)
    assert K.shape == (1, 1)
    assert allowed(model).close(K[0, 0], np.sum(dense_gradient(model, x) ** 2))
    assert tangent_kernel(model, inputs(model, 3), Z=x).shape == (3, 1)


def test_permuting_neurons_changes_nothing():
    model = build((4, 9, 8), trainable=True)
    order = np.random.default_rng(0).permutation(9)
    W1, W2 = model.params["W"]
    shuffled = {"W": (W1[order], W2[:, order]), "v": model.params["v"]}
    X = inputs(model, 3)
    assert allowed(model).close(tangent_kernel(model, X), tangent_kernel(model, X, shuffled))


def test_no_jacobian_is_formed():
    """64 inputs at 4.5 million parameters: the Jacobian would be 2.3 GB."""
    model = build((16, 1500, 1500, 1500))
    compiled = numerics.kernels._compiled_kernel.lower(
        model.params, model.readout, inputs(model, 64), None, model.net.activations
    ).compile()
    memory = compiled.memory_analysis()
    assert memory.temp_size_in_bytes < 64e6


def test_compiled_and_host_ways_agree(monkeypatch):
    model = build((4, 9, 8), ("gelu", "tanh"), trainable=True)
    X, Z = inputs(model, 3), inputs(model, 2, seed=1)
    host = tangent_kernel(model, X), tangent_kernel(model, X, Z=Z)
    monkeypatch.setattr("numerics.kernels.SMALL", 0)
    compiled = tangent_kernel(model, X), tangent_kernel(model, X, Z=Z)
    np.testing.assert_array_equal(compiled[0], compiled[0].T)
    assert all(allowed(model).close(a, b) for a, b in zip(host, compiled, strict=True))


def test_single_precision_stays_within_its_tolerance():
    double = build((6, 50, 50), seed=3, trainable=True)
    single = build((6, 50, 50), seed=3, trainable=True, dtype=np.float32)
    rounded = jax.tree.map(lambda leaf: leaf.astype(np.float64), single.params)
    X = inputs(double, 5).astype(np.float32).astype(np.float64)
    K = np.asarray(tangent_kernel(single, X))
    assert K.dtype == np.float32
    assert allowed(single).close(K, jacobian_kernel(double, X, X, rounded))


@settings(max_examples=15)
@given(case=cases(), seed=st.integers(0, 2**32 - 1), radius=st.sampled_from([0.0, 0.1, 2.0]))
def test_change_between_two_points(case, seed, radius):
    model = build(**case)
    X = inputs(model, 4)
    params = perturb(model, radius, seed)
    change = kernel_change(model, X, params)
    before, after = jacobian_kernel(model, X, X), jacobian_kernel(model, X, X, params)
    margin = allowed(model).amplified(2).margin(before, after)
    close = pytest.approx
    assert change.absolute == close(np.max(abs(after - before)), abs=margin, rel=0)
    assert change.spectral == close(np.linalg.norm(after - before, 2), abs=3 * margin, rel=0)
    relative = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert change.relative == close(relative, abs=6 * margin / np.linalg.norm(before), rel=0)
    np.testing.assert_array_equal(change.difference, change.difference.T)
    if radius == 0:
        assert change.absolute == change.relative == change.spectral == 0


def test_change_from_another_point_than_the_start():
    model = build((3, 5))
    here, there = perturb(model, 1.0, 1), perturb(model, 1.0, 2)
    X = inputs(model, 2)
    back, forth = kernel_change(model, X, here, there), kernel_change(model, X, there, here)
    np.testing.assert_array_equal(back.difference, -forth.difference)
    assert back.absolute == forth.absolute


def test_vanishing_kernel_has_a_defined_relative_change():
    """tanh at input zero: no gradient at all when the readout is fixed."""
    model = build((3, 5))
    change = kernel_change(model, np.zeros((2, 3)), perturb(model, 1.0, 0))
    assert change.absolute == change.relative == 0


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_change_to_what_is_no_number_is_no_number():
    model = build((3, 5))
    nowhere = jax.tree.map(lambda leaf: np.asarray(leaf) * np.nan, model.params)
    change = kernel_change(model, np.ones((2, 3)), nowhere)
    assert np.isnan([change.absolute, change.relative, change.spectral]).all()


def test_wrong_shapes_are_refused():
    model = build((3, 5))
    with pytest.raises(ValueError, match=r"takes \(3,\) or \(n, 3\)"):
        tangent_kernel(model, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"takes \(3,\) or \(n, 3\)"):
        tangent_kernel(model, np.ones((2, 3)), Z=np.ones(4))
