"""Norms of products between layers: against derivatives by JAX, both sides, wide and narrow."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numerics
import theory
from numerics.products import Map, norm_of, products
from theory.vocabulary import PAIR_STATISTICS


def build(widths, names, *, trainable=False, seed=0):
    parts = [theory.Input(widths[0])]
    for m, name in zip(widths[1:], names, strict=True):
        parts += [theory.Dense(m), theory.Activation(name)]
    net = theory.Network(*parts, theory.Readout(trainable=trainable))
    return numerics.instantiate(net, {}, seed=seed)


def upper_part(model, index):
    """F as a function of z^l, and z^l as a function of z^k."""
    functions = [numerics.jax_function(a) for a in model.net.activations]
    weights = model.params["W"]

    def between(z, low, high):
        for layer in range(low, high):
            alpha = jax.vmap(functions[layer - 1])(z)
            z = weights[layer] @ alpha / math.sqrt(alpha.size)
        return z

    def output(z):
        top = jax.vmap(functions[-1])(between(z, index, len(weights)))
        readout = model.params["v"] if model.trained_readout else model.readout
        return readout @ top / math.sqrt(top.size)

    return between, output, functions


@pytest.mark.parametrize(("widths", "trainable"), [((3, 5, 4), True), ((4, 6, 1, 5), False)])
def test_products_are_derivatives(widths, trainable):
    names = ["tanh", "gelu", "sin"][: len(widths) - 1]
    model = build(widths, names, trainable=trainable)
    x = np.linspace(-1, 1.5, widths[0])
    zs = numerics.trace(model, x).z
    maps = products(model, x)
    for low in range(1, len(widths)):
        for high in range(low, len(widths)):
            between, output, functions = upper_part(model, high)
            jacobian = jax.jacobian(lambda z: between(z, low, high))(zs[low - 1])  # noqa: B023
            slopes = jax.vmap(jax.grad(functions[high - 1]))(zs[high - 1])
            curved = jax.hessian(output)(zs[high - 1])
            wanted = {
                ("N", high, low): slopes[:, None] * jacobian,
                ("C", low, high): jacobian.T @ curved,
            }
            if high > low:
                wanted["n", high, low] = jacobian
                wanted["b", high, low] = maps.bends[high - 1][:, None] * jacobian
                rows = float(jnp.max(jnp.linalg.norm(jacobian, axis=1)))
                ends = maps.norm("w", high, low)
                assert ends.lower <= rows * (1 + 1e-12)
                assert rows <= ends.upper * (1 + 1e-12) <= rows * (1 + 1e-9)
            for key, matrix in wanted.items():
                truth = float(jnp.linalg.norm(matrix, 2))
                ends = maps.norm(*key)
                margin = 1e-12 * (1 + truth)
                assert ends.lower - margin <= truth <= ends.upper + margin
                assert ends.upper - ends.lower <= 1e-10 * (1 + truth)
                linear = maps.map(*key)
                np.testing.assert_allclose(linear.act(np.eye(linear.shape[1])), matrix, atol=1e-12)
                np.testing.assert_allclose(
                    linear.adjoint(np.eye(linear.shape[0])), matrix.T, atol=1e-12
                )


def test_rows_of_a_product_in_several_pieces(monkeypatch):
    model = build((4, 9, 11), ("tanh", "sin"))
    maps = products(model, np.ones(4))
    whole = maps.norm("w", 2, 1)
    monkeypatch.setattr("numerics.products.ROWS", 4)
    assert maps.norm("w", 2, 1) == pytest.approx(whole, rel=1e-14)


@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (70, 70)])
def test_lanczos_and_all_singular_values_agree(shape):
    matrix = np.random.default_rng(0).standard_normal(shape)
    linear = Map(shape, lambda x: matrix @ x, lambda y: matrix.T @ y, 0.0, 1e-13)
    truth = np.linalg.norm(matrix, 2)
    for order in (10, 100):
        ends = norm_of(linear, order)
        assert ends.lower <= truth * (1 + 1e-12)
        assert truth <= ends.upper <= truth * 1.02
        assert ends.lower == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("order", [10, 100])
@pytest.mark.parametrize("stated", ["error", "relative"])
def test_errors_of_products_are_allowed_for(order, stated):
    """A map whose products hide as much of its largest singular value as is stated."""
    matrix = np.random.default_rng(1).standard_normal((40, 60))
    left, values, right = np.linalg.svd(matrix)
    hidden = 1e-4 * values[0]
    seen = matrix - hidden * np.outer(left[:, 0], right[0])
    linear = Map(matrix.shape, lambda x: seen @ x, lambda y: seen.T @ y)
    loss = {"error": hidden, "relative": 1.01e-4}[stated]
    ends = norm_of(linear._replace(**{stated: loss}), order)
    assert ends.lower < values[0] <= ends.upper
    assert norm_of(linear, 100).upper < values[0]  # nothing stated, nothing allowed


def test_rounding_is_relative_to_all_that_is_added_up():
    """The curvature of the layers above may dwarf that of the layer itself."""
    model = build((3, 4, 5, 4), ("identity", "identity", "square"))
    maps = products(model, np.ones(3))
    assert not np.any(maps.bends[0])
    for layer in (1, 2):
        found = maps.norm("C", layer, layer)
        assert 0 < found.lower <= maps._size("C", layer, layer)
        assert maps.map("C", layer, layer).error > 0


def test_measure_gives_pairs_when_asked():
    model = build((3, 5, 4), ("tanh", "tanh"))
    found = numerics.measure(model, np.ones(3), hessian=False, pairs=True)
    assert {k for k in found if k[0] in PAIR_STATISTICS} == {
        *(("N", 1, 1), ("N", 2, 1), ("N", 2, 2)),
        *(("C", 1, 1), ("C", 1, 2), ("C", 2, 2)),
        *(("n", 2, 1), ("w", 2, 1), ("b", 2, 1)),
    }
    assert ("C", 1, 2) not in numerics.measure(model, np.ones(3), hessian=False)


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e6, 1e150])
def test_saturated_and_vanishing_networks_have_enclosures(scale):
    model = build((3, 5, 4), ("tanh", "softplus"))
    maps = products(model, scale * np.ones(3))
    for key in (("N", 2, 1), ("C", 1, 1), ("C", 1, 2)):
        ends = maps.norm(*key)
        assert 0 <= ends.lower <= ends.upper < math.inf


@pytest.mark.parametrize(
    "key",
    [
        ("N", 1, 2),
        ("C", 2, 1),
        ("C", 1, 3),
        ("D", 1, 1),
        ("N", 0, 0),
        ("n", 1, 1),
        ("b", 2, 2),
        ("w", 1, 2),
        ("n", 1, 2),
    ],
)
def test_layers_that_do_not_fit_are_refused(key):
    maps = products(build((3, 5, 4), ("tanh", "tanh")), np.ones(3))
    with pytest.raises(KeyError, match="is not measured"):
        maps.map(*key)
