"""The exact low-rank coordinates: an isometry, and the whole Hessian."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import numerics
from numerics import lowrank
from tests.numerics.sample_networks import build, inputs
from tests.numerics.universal_network import dense_hessian


def matrices(model, x):
    """The reduced matrix (n, n) and the embedding of its coordinates (p, n)."""
    trained = model.trained_readout
    size = lowrank.dimension(model.widths, trained)
    coefs = lowrank.coefficients(numerics.trace(model, x), model.net.activations)
    weights = tuple(np.asarray(weight) for weight in model.params["W"])
    reduced = lowrank.multiply(weights, coefs, np.eye(size), trained)
    columns = [lowrank.embed(coefs, e, trained) for e in np.eye(size)]
    return reduced, np.array([ravel_pytree(column)[0] for column in columns]).T


@settings(max_examples=60)
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=7),
    trainable=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1e-200, 1.0, 1e3]),
)
def test_the_reduced_matrix_is_the_whole_hessian(widths, trainable, seed, scale):
    model = build(widths, "gelu", trainable=trainable, seed=seed)
    x = scale * inputs(model, 1)[0]
    reduced, embedding = matrices(model, x)
    H = dense_hessian(model, x)
    size = max(float(np.max(np.abs(H))), 1e-300)
    np.testing.assert_allclose(embedding.T @ embedding, np.eye(len(reduced)), atol=1e-14)
    np.testing.assert_allclose(reduced / size, reduced.T / size, atol=1e-12)
    # equality as matrices: so every eigenvalue, with multiplicity, and the rank bound
    np.testing.assert_allclose(embedding @ (reduced / size) @ embedding.T, H / size, atol=1e-11)


def test_dimension():
    assert lowrank.dimension((16, 100), trained_readout=False) == 100
    assert lowrank.dimension((16, 100, 50), trained_readout=False) == 150 + 99
    assert lowrank.dimension((16, 100, 50), trained_readout=True) == 150 + 99 + 50
    assert lowrank.dimension((3, 1, 1, 1), trained_readout=False) == 3


def test_the_rank_bound_is_attained():
    model = build((4, 3, 5, 4), "softplus", trainable=True)
    rank = np.linalg.matrix_rank(dense_hessian(model, inputs(model, 1)[0]), tol=1e-9)
    # the blocks of p and u meet U only: no more than twice the coordinates U
    assert rank <= lowrank.dimension(model.widths, trained_readout=True)
    assert rank >= sum(model.widths[1:])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_dead_layers(layer):
    """alpha^l = 0 and b^l = 0 in the middle of the network."""
    model = build((3, 4, 5, 4), ("tanh", "square", "tanh"), trainable=True)
    weights = list(model.params["W"])
    weights[layer] = jnp.zeros_like(weights[layer])
    params = {**model.params, "W": tuple(weights)}
    x = inputs(model, 1)[0]
    dense = np.linalg.norm(dense_hessian(model, x, params), 2)
    for method in ("dense", "lanczos"):
        norm = numerics.hessian_norm(model, x, params, method=method)
        assert norm.value == pytest.approx(dense, rel=1e-10, abs=1e-300)
        assert norm.lower <= dense <= norm.upper


def test_a_silent_readout():
    model = build((3, 4, 5), trainable=True)
    params = {**model.params, "v": jnp.zeros(5)}
    x = inputs(model, 1)[0]
    dense = np.linalg.norm(dense_hessian(model, x, params), 2)
    assert dense > 0  # the rows of v remain
    assert numerics.hessian_norm(model, x, params).value == pytest.approx(dense, rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-310, 1e-200, 1.0, 1e200, 1e308])
def test_normalize_neither_overflows_nor_underflows(scale):
    vector = np.array([3.0, -4.0]) * (scale / 4)
    norm, unit = lowrank.normalize(vector)
    assert norm == pytest.approx(1.25 * scale, rel=1e-12)
    assert np.linalg.norm(unit) == pytest.approx(1.0, rel=1e-15)
    if scale:
        np.testing.assert_allclose(unit, [0.6, -0.8], rtol=1e-10)
