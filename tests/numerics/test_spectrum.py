"""Eigenvalues, density and blocks against the dense Hessian over all parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import numerics
import theory
from numerics.spectral import SpectralError

M = theory.width("m")
DENSE = theory.Network(
    theory.Input(4), theory.Dense(M), theory.Activation("tanh"),
    theory.Dense(M), theory.Activation("softplus"), theory.Readout(trainable=True),
)  # fmt: skip
CONV = theory.Network(
    theory.Input((2, 5)), theory.Conv(M, 3), theory.Activation("tanh"),
    theory.Conv(M, 3), theory.Activation("gelu"), theory.Flatten(), theory.Readout(),
)  # fmt: skip


def gaussian(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


def function(p, x):
    return p["v"] @ jnp.tanh(p["W"] @ x + p["b"])


OWN = {"W": gaussian(6, 4), "b": gaussian(6), "v": gaussian(6)}
CASES = {
    "dense": (numerics.instantiate(DENSE, {M: 7}), None, gaussian(4), ["W1", "W2", "v"]),
    "graph": (numerics.instantiate(CONV, {M: 3}), None, gaussian(2, 5), None),
    "function": (function, OWN, gaussian(4), ["['W']", "['b']", "['v']"]),
}


def hessian(name):
    """The dense Hessian, and where each parameter array lies in it."""
    model, params, x, _ = CASES[name]
    tree = model.params if params is None else params
    apply = function if params is not None else model.apply
    vector, restore = ravel_pytree(tree)
    H = jax.jit(jax.hessian(lambda v: jnp.reshape(apply(restore(v), x), ())))(vector)
    sizes = [np.size(leaf) for leaf in jax.tree.leaves(tree)]
    return np.asarray(H), np.split(np.arange(vector.size), np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("name", CASES)
def test_the_eigenvalues_of_largest_magnitude(name, method):
    model, params, x, _ = CASES[name]
    true = np.linalg.eigvalsh(hessian(name)[0])
    found = numerics.hessian_eigenvalues(model, x, params, k=5, method=method)
    ranked = true[np.argsort(-np.abs(true))]
    assert np.all(np.abs(found.values - ranked[:5]) <= found.errors + 1e-13 * abs(ranked[0]))
    assert np.all(found.errors <= 1e-8 * abs(ranked[0]))
    assert found.complete == (method == "dense")
    assert found.lowest == pytest.approx(true[0], rel=1e-7)
    assert found.highest == pytest.approx(true[-1], rel=1e-7)
    assert found.zeros == true.size - numerics.hessian_norm(model, x, params).dimension


@pytest.mark.parametrize("name", CASES)
def test_the_density_has_the_moments_of_the_spectrum(name):
    model, params, x, _ = CASES[name]
    true = np.linalg.eigvalsh(hessian(name)[0])
    exact = numerics.hessian_density(model, x, params)
    assert exact.exact
    for order in range(5):
        assert exact.moment(order) == pytest.approx(np.mean(true**order), rel=1e-9, abs=1e-12)


def test_quadrature_is_exact_for_polynomials_and_close_on_average():
    model, params, x, _ = CASES["dense"]
    true = np.linalg.eigvalsh(hessian("dense")[0])
    found = numerics.hessian_density(model, x, params, method="lanczos", probes=400, steps=6)
    assert not found.exact
    assert found.moment(0) == pytest.approx(1, rel=1e-12)
    size = numerics.hessian_norm(model, x).dimension
    for order in (2, 4):  # n = 27 coordinates, 400 probes: a relative deviation of some 2%
        assert found.moment(order) == pytest.approx(np.mean(true**order), rel=0.1)
    assert found.zero == pytest.approx(1 - size / true.size, rel=1e-12)
    grid = np.linspace(-3, 3, 2001)
    mass = np.sum(found.smoothed(grid, 0.05)) * (grid[1] - grid[0])
    assert mass + found.zero == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("name", CASES)
def test_blocks_have_the_norms_of_the_dense_blocks(name, method):
    model, params, x, names = CASES[name]
    H, places = hessian(name)
    found = numerics.hessian_blocks(model, x, params, method=method)
    assert names is None or sorted(found.names) == sorted(names)
    order = list(found.names) if name == "dense" else sorted(found.names)
    for a, rows in zip(order, places, strict=True):
        for b, cols in zip(order, places, strict=True):
            true = np.linalg.norm(H[np.ix_(rows, cols)], 2)
            norm = found.norms[a, b]
            assert norm.lower <= true * (1 + 1e-13) + 1e-15
            assert true * (1 - 1e-13) - 1e-15 <= norm.upper
            assert norm.upper - norm.lower <= 1e-5 * true + 1e-12 * np.linalg.norm(H, 2)
    assert np.array_equal(found.values, found.values.T)


def test_a_linear_network_has_zeros_everywhere():
    net = theory.Network(theory.Input(3), theory.Dense(M), theory.Activation("t"), theory.Readout())
    model, x = numerics.instantiate(net, {M: 4}), gaussian(3)
    for method in ("dense", "lanczos"):
        found = numerics.hessian_eigenvalues(model, x, method=method)
        assert np.all(found.values == 0)
        assert numerics.hessian_density(model, x, method=method).moment(0) == pytest.approx(1)
        assert numerics.hessian_blocks(model, x, method=method).values == 0


def test_what_makes_no_sense_is_refused():
    model, _, x, _ = CASES["dense"]
    for call, message in (
        (lambda: numerics.hessian_eigenvalues(model, x, k=0), "k=0"),
        (lambda: numerics.hessian_eigenvalues(model, x, method="qr"), "unknown method 'qr'"),
        (lambda: numerics.hessian_density(model, x, probes=0), "probes=0"),
        (lambda: numerics.hessian_density(model, x).smoothed(np.zeros(1), 0.0), "width 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(SpectralError):
        numerics.hessian_eigenvalues(model, np.full(4, np.nan))
