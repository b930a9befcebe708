"""Every measured quantity against the plainest way to compute it."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import tolerances
from numerics.activations import derivatives, jax_function
from numerics.ball import perturb
from numerics.measure import measure, weight_norm
from numerics.products import DENSE_ORDER
from tests.numerics.sample_networks import build, cases, dense_gradient, dense_hessian, inputs
from theory.activations import ActivationFunction, CertificationError, activation
from theory.vocabulary import QUANTITIES, STATISTICS

SEEDS = st.integers(0, 2**32 - 1)


def allowed(model):
    return tolerances.network(model.widths, model.dtype).amplified(20)


def forward_from(model, params, layer, alpha):
    """The output as a function of alpha^layer, for back-propagated signals by JAX."""
    for weight, function in zip(params["W"][layer:], model.net.activations[layer:], strict=True):
        alpha = jax_function(function)(weight @ alpha / np.sqrt(weight.shape[1]))
    return params.get("v", model.readout) @ alpha / np.sqrt(alpha.size)


def products_of(layer, weight, below, bend, delta):
    """t, y, e, p and u of a layer that has one below it, by matrices written out."""
    scaled = weight / np.sqrt(weight.shape[1])
    seen, sloped, bent = np.diag(delta) @ scaled, scaled @ np.diag(below), np.diag(bend * delta)
    return {
        ("t", layer): np.linalg.norm(bent @ sloped, 2),
        ("y", layer): np.linalg.norm(sloped.T @ bent @ sloped, 2),
        ("e", layer): np.linalg.norm(seen, 2),
        ("p", layer): np.max(np.linalg.norm(seen, axis=0)),
        ("u", layer): np.max(np.linalg.norm(scaled, axis=0)),
    }


@settings(max_examples=6)
@given(case=cases(), seed=SEEDS)
def test_agrees_with_the_definitions(case, seed):
    model = build(**case)
    x = inputs(model, 1, seed % 1000)[0]
    params = perturb(model, 1.0, seed)
    found = measure(model, x, params)
    expected = {("m", 0): x.size, ("a", 0): np.linalg.norm(x) / np.sqrt(x.size)}
    alpha, below, before = jnp.asarray(x), None, None
    for layer, (weight, function) in enumerate(
        zip(params["W"], model.net.activations, strict=True), start=1
    ):
        expected["s", layer] = np.linalg.svd(weight)[1][0] / np.sqrt(weight.shape[1])
        if below is not None:
            sloped = np.asarray(weight) @ np.diag(below)
            expected["r", layer] = np.linalg.svd(sloped)[1][0] / np.sqrt(weight.shape[1])
        z = weight @ alpha / np.sqrt(weight.shape[1])
        before = below
        alpha, below, bend = (np.asarray(d) for d in derivatives(function, z, 2))
        delta = jax.grad(lambda a, n=layer: forward_from(model, params, n, a))(alpha)
        expected["m", layer] = alpha.size
        expected["a", layer] = np.linalg.norm(alpha) / np.sqrt(alpha.size)
        expected["g", layer] = np.linalg.norm(delta)
        expected["q", layer] = np.max(np.abs(delta))
        expected["h", layer] = np.linalg.norm(np.diag(below) @ delta)
        expected["c", layer] = np.max(np.abs(np.diag(bend) @ delta))
        expected["lambda", layer] = float(function.sup(1))
        expected["beta", layer] = float(function.sup(2))
        if before is not None:
            expected |= products_of(layer, np.asarray(weight), before, bend, np.asarray(delta))
    gradient = dense_gradient(model, x, params)
    expected["output"] = float(model.apply(params, x))
    expected["gradient_norm"] = np.linalg.norm(gradient)
    expected["kernel"] = gradient @ gradient
    expected["hessian_norm"] = np.linalg.norm(dense_hessian(model, x, params), 2)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert isinstance(found[key], float)
        # Certified suprema are enclosed to 1e-12 or so.
        margin = 1e-10 * abs(value) + allowed(model).margin(value, 1.0)
        assert found[key] == pytest.approx(float(value), rel=0, abs=margin), key
        low, high = found.enclosure(key)
        assert low - margin <= value <= high + margin


def test_names_are_those_of_the_vocabulary():
    model = build((3, 4, 5))
    names = {key if isinstance(key, str) else key[0] for key in measure(model, np.ones(3))}
    assert names <= set(QUANTITIES)
    assert names == {
        *("m", "lambda", "beta"),
        *STATISTICS,
        *("output", "gradient_norm", "kernel", "hessian_norm"),
    }


def test_activation_constants():
    model = build((3, 4, 4, 4, 4), ("tanh", "sigmoid", "square", "silu"))
    found = measure(model, np.ones(3), hessian=False)
    assert found["lambda", 1] == 1
    assert found["beta", 1] == pytest.approx(4 / (3 * math.sqrt(3)), rel=1e-15)
    assert found["lambda", 2] == 0.25
    assert (found["lambda", 3], found["beta", 3]) == (math.inf, 2)
    exact = activation("silu").sup(1)
    assert found["lambda", 4] <= exact.lower
    assert found.enclosure(("lambda", 4)).upper >= exact.upper
    assert found["lambda", 4] == pytest.approx(1.099839, abs=1e-6)


def test_a_declared_bound_is_taken_as_declared():
    spec = ActivationFunction("steep", activation("tanh").expr, bounds={1: 3})
    model = build((2, 3), (spec,))
    found = measure(model, np.ones(2), hessian=False)
    sides = found.enclosure(("lambda", 1))
    assert found["lambda", 1] == sides.upper


def test_an_unknown_constant_is_absent_and_says_so(monkeypatch):
    def refuse(self, order):
        msg = "no enclosure was found; declare a bound"
        raise CertificationError(msg)

    monkeypatch.setattr(ActivationFunction, "sup", refuse)
    found = measure(build((2, 3)), np.ones(2), hessian=False)
    assert ("beta", 1) not in found
    with pytest.raises(KeyError, match=r"beta of layer 1 is not known: .* declare a bound"):
        found["beta", 1]


def test_the_hessian_may_be_left_out():
    model = build((3, 4))
    found = measure(model, np.ones(3), hessian=False)
    assert found.hessian is None
    assert "hessian_norm" not in found
    with pytest.raises(KeyError, match="measure with hessian=True"):
        found["hessian_norm"]
    with pytest.raises(KeyError, match=r"there are .*'s', 1"):
        found["s", 7]
    whole = measure(model, np.ones(3))
    assert whole["hessian_norm"] == whole.hessian.value
    assert whole.enclosure("hessian_norm") == (whole.hessian.lower, whole.hessian.upper)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-8, 1e8, 1e200])
@pytest.mark.parametrize("trainable", [False, True])
def test_huge_and_tiny_inputs(size, trainable):
    model = build((3, 4, 5), "tanh", trainable=trainable)
    x = size * np.array([1.0, -2.0, 0.5])
    found = measure(model, x, hessian=False)
    assert all(math.isfinite(value) for key, value in found.items() if key != "kernel")
    assert found["a", 0] == pytest.approx(size * math.sqrt(5.25 / 3), rel=1e-14)
    if size <= 1e-8 and not trainable:  # tanh is the identity there: delta does not vanish
        assert found["gradient_norm"] == pytest.approx(size * found_slope(model), rel=1e-6)


def found_slope(model):
    """|grad f| / |x| for tanh as the identity, the readout fixed."""
    (W1, W2), v = (np.asarray(w) for w in model.params["W"]), np.asarray(model.readout)
    x = np.array([1.0, -2.0, 0.5])
    d2 = v / np.sqrt(5)
    d1 = W2.T @ d2 / 2
    hidden = W1 @ x / np.sqrt(3)
    return math.hypot(
        np.linalg.norm(x) / np.sqrt(3) * np.linalg.norm(d1),
        np.linalg.norm(hidden) / 2 * np.linalg.norm(d2),
    )


def test_single_precision_is_measured_in_double_where_it_matters():
    single = build((4, 20, 20), dtype=np.float32)
    found = measure(single, inputs(single, 1)[0])
    W = np.asarray(single.params["W"][1], np.float64)
    exact = np.linalg.norm(W, 2) / math.sqrt(20)
    assert tolerances.spectrum(20).close(found["s", 2], exact)


def test_text_lists_the_layers_side_by_side():
    text = repr(measure(build((3, 4, 5)), np.ones(3), hessian=False))
    assert text.splitlines()[0].split() == ["m", "3", "4", "5"]
    assert "gradient_norm" in text


@settings(max_examples=40)
@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    rank=st.integers(0, 30),
    exponent=st.sampled_from([-200, -5, 0, 5, 200]),
)
def test_dense_weight_norm(seed, shape, rank, exponent):
    rng = np.random.default_rng(seed)
    inner = min(rank, *shape)
    W = rng.standard_normal((shape[0], inner)) @ rng.standard_normal((inner, shape[1]))
    W = W * 10.0**exponent
    sides = weight_norm(W)
    exact = np.linalg.svd(W)[1][0]
    margin = 2 * tolerances.spectrum(max(shape)).margin(exact)
    assert sides.lower == pytest.approx(exact, rel=0, abs=margin)
    assert sides.upper >= exact - margin


BIG = DENSE_ORDER + 10


@pytest.mark.parametrize("shape", [(BIG, BIG), (BIG, BIG + 100), (BIG + 100, BIG)])
@pytest.mark.parametrize("kind", ["gaussian", "low rank", "orthogonal", "cluster"])
def test_weight_norm_by_lanczos(shape, kind):
    """Gaussian, exhausted Krylov spaces, and a top value hidden in a cluster."""
    rng = np.random.default_rng(7)
    short = min(shape)
    W = rng.standard_normal(shape)
    if kind == "low rank":
        W = W[:, :3] @ rng.standard_normal((3, shape[1]))
    elif kind == "orthogonal":
        W = np.linalg.qr(rng.standard_normal((max(shape), short)))[0]
        W = W if shape[0] >= shape[1] else W.T
    elif kind == "cluster":
        left, _ = np.linalg.qr(rng.standard_normal((shape[0], short)))
        right, _ = np.linalg.qr(rng.standard_normal((shape[1], short)))
        W = (left * np.concatenate([[1 + 1e-5], np.linspace(0.9, 1, short - 1)])) @ right.T
    exact = np.linalg.norm(W, 2)
    sides = weight_norm(W)
    margin = 4 * tolerances.spectrum(max(shape)).margin(exact)
    assert sides.lower <= exact + margin  # never over-estimated
    assert exact <= sides.upper + margin
    assert sides.upper <= 1.02 * exact
    assert sides.lower >= exact * (1 - 1e-9)


def test_weight_norm_of_nothing():
    assert weight_norm(np.zeros((3, 4))) == (0, 0)
    assert weight_norm(np.zeros((BIG, BIG))) == (0, 0)
    assert math.isinf(weight_norm(np.full((2, 2), np.inf)).lower)
    assert math.isnan(weight_norm(np.full((2, 2), np.nan)).lower)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="one input at a time"):
        measure(build((3, 4)), np.ones((2, 3)))
