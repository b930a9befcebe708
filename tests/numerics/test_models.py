"""Instantiation, evaluation, forward and backward pass."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import numerics
from numerics import models
from numerics.models import backward, device_trace, forward
from numerics.tolerances import network
from tests.numerics.sample_networks import build, inputs
from theory.networks import Activation, Dense, Input, Network, NetworkError, Readout, width


def symbolic():
    m, k = width("m"), width("k")
    return Network(Input(3), Dense(m), Activation("tanh"), Dense(k), Readout(trainable=True))


def test_shapes_and_structure():
    model = numerics.instantiate(symbolic(), {"m": 4, width("k"): 5}, seed=7)
    assert [weight.shape for weight in model.params["W"]] == [(4, 3), (5, 4)]
    assert model.params["v"].shape == model.readout.shape == (5,)
    assert model.widths == (3, 4, 5)
    assert model.num_params == 12 + 20 + 5
    assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves(model.params))
    assert "v" not in build((3, 4)).params
    assert "seed=7" in repr(model)


def test_entries_are_standard_normal_or_signs():
    model = build((16, 300, 500), init="sign", seed=1)
    for weight in model.params["W"]:
        assert stats.kstest(np.ravel(weight), "norm").pvalue > 1e-3
    assert set(np.unique(model.readout)) == {-1.0, 1.0}
    assert stats.kstest(np.asarray(build((3, 2000)).readout), "norm").pvalue > 1e-3


def test_blocks_of_random_numbers_do_not_repeat():
    weight = np.ravel(build((1, 300_000)).params["W"][0])
    assert np.unique(weight).size == weight.size


def test_seeds():
    first, again, other = (build((3, 4, 5), seed=seed) for seed in (1, 1, 2))
    for a, b, c in zip(*(jax.tree.leaves(m.params) for m in (first, again, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.all(np.asarray(a) != np.asarray(c))


def test_a_layer_does_not_depend_on_the_others():
    one, two = build((3, 4, 5, 6)), build((3, 4, 5, 60))
    for layer in (0, 1):
        np.testing.assert_array_equal(one.params["W"][layer], two.params["W"][layer])
    # nor does a wider layer repeat a narrow one's numbers
    assert not np.isin(one.params["W"][2], two.params["W"][2]).any()
    square = build((3, 4, 4, 4)).params["W"]
    assert not np.isin(square[1], square[2]).any()


@settings(max_examples=30)
@given(
    shape=st.sampled_from([((3, 5), "tanh"), ((4, 6, 1, 3), "gelu"), ((1, 2, 2), "square")]),
    trainable=st.booleans(),
    seed=st.integers(0, 2**40),
)
def test_apply_follows_the_definition(shape, trainable, seed):
    model = build(shape[0], shape[1], trainable=trainable, seed=seed)
    X = inputs(model, 3, seed=1)
    batch = np.asarray(model.apply(model.params, X))
    assert batch.shape == (3,)
    for x, output in zip(X, batch, strict=True):
        trace = numerics.trace(model, x)
        assert network(model.widths).amplified(100).close(trace.f, output)
        single = model.apply(None, x)
        assert single.shape == ()
        assert network(model.widths).amplified(100).close(single, output)
        for layer, weight in enumerate(model.params["W"]):
            z = np.asarray(weight) @ np.asarray(trace.alpha[layer]) / np.sqrt(weight.shape[1])
            np.testing.assert_allclose(trace.z[layer], z, rtol=1e-12, atol=1e-13)
        f = float(trace.alpha[-1] @ model.readout) / np.sqrt(model.widths[-1])
        assert float(trace.f) == pytest.approx(f, rel=1e-12, abs=1e-14)


def test_delta_is_the_derivative_of_the_rest_of_the_network():
    model = build((3, 5, 4, 6), ("tanh", "gelu", "sin"))
    trace = numerics.trace(model, [0.5, -1.0, 2.0])
    for layer in (1, 2, 3):
        rest = {"W": model.params["W"][layer:]}
        activations = model.net.activations[layer:]

        def tail(alpha, rest=rest, activations=activations):
            return forward(rest, model.readout, alpha, activations)

        expected = jax.grad(tail)(trace.alpha[layer])
        np.testing.assert_allclose(trace.delta[layer - 1], expected, rtol=1e-12, atol=1e-15)


def test_host_and_compiled_traces_agree():
    model = build((3, 5, 4), ("tanh", "gelu"), trainable=True)
    x = jnp.asarray([0.5, -1.0, 2.0])
    host, device = numerics.trace(model, x), device_trace(model, model.params, x)
    for a, b in zip(jax.tree.leaves(host), jax.tree.leaves(device), strict=True):
        assert isinstance(a, jax.Array)
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_trace_works_under_transformations():
    model = build((3, 4))
    x = jnp.ones(3)
    gradient = jax.grad(lambda x: numerics.trace(model, x).f)(x)
    np.testing.assert_allclose(gradient, jax.grad(lambda x: model.apply(None, x))(x), rtol=1e-13)
    weights = model.params["W"]
    compiled = jax.jit(lambda p: numerics.trace(model, np.ones(3), p).f)({"W": weights})
    assert float(compiled) == pytest.approx(float(numerics.trace(model, np.ones(3)).f), rel=1e-13)


def test_other_parameters_are_used():
    model = build((3, 4), trainable=True)
    doubled = {"W": model.params["W"], "v": 2 * model.params["v"]}
    x = [1.0, 2.0, 3.0]
    assert float(model.apply(doubled, x)) == pytest.approx(2 * float(model.apply(None, x)))
    assert float(numerics.trace(model, x, doubled).f) == pytest.approx(
        2 * float(numerics.trace(model, x).f)
    )


def test_float32():
    narrow, wide = (build((3, 50, 50), dtype=dtype) for dtype in (np.float32, np.float64))
    x = np.ones(3)
    assert narrow.apply(None, x).dtype == np.float32
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(narrow.params))
    assert all(leaf.dtype == np.float32 for leaf in numerics.trace(narrow, x).z)
    assert wide.apply(None, np.float32(x)).dtype == np.float64


def test_one_compilation_per_architecture(monkeypatch):
    count = 0

    def counted(*arguments, **options):
        nonlocal count
        count += 1
        return backward(*arguments, **options)

    compiled = jax.jit(counted, static_argnums=3)
    monkeypatch.setattr(models, "_trace", compiled)
    for seed in range(3):
        model = build((3, 7, 5), seed=seed)
        device_trace(model, model.params, jnp.ones(3))
    assert count == 1


def test_width_symbols_without_a_value():
    with pytest.raises(NetworkError, match="no value for the width k"):
        numerics.instantiate(symbolic(), {"m": 4})
    with pytest.raises(NetworkError):
        numerics.instantiate(symbolic(), {"m": 4, "k": 5, "n": 6})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed -1 is negative"),
        ({"dtype": np.float16}, ValueError, "float16 is not supported"),
    ],
)
def test_options_out_of_range(options, error, message):
    with pytest.raises(error, match=message):
        numerics.instantiate(symbolic(), {"m": 4, "k": 5}, **options)


@pytest.mark.parametrize("shape", [(), (2,), (4,), (2, 4), (1, 2, 3)])
def test_inputs_of_the_wrong_shape(shape):
    model = build((3, 4))
    with pytest.raises(ValueError, match=r"this network takes \(3,\) or \(n, 3\)"):
        model.apply(None, np.ones(shape))
    with pytest.raises(ValueError, match="one input at a time"):
        numerics.trace(model, np.ones((2, 3)))


def test_parameters_of_the_wrong_structure():
    model = build((3, 4, 5))
    first, second = model.params["W"]
    x = np.ones(3)
    with pytest.raises(ValueError, match="needs \\['W'\\]"):
        model.apply({"W": (first, second), "v": model.readout}, x)
    with pytest.raises(ValueError, match="1 matrices; the depth is 2"):
        model.apply({"W": (first,)}, x)
    with pytest.raises(ValueError, match=r"W2 has shape \(4, 5\); this model needs \(5, 4\)"):
        model.apply({"W": (first, second.T)}, x)
