"""hessian_norm against dense Hessians of all parameters, its enclosures, its refusals."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import numerics
from numerics import hessian, lowrank
from numerics.activations import jax_function
from numerics.hessian import hessian_norm
from numerics.models import forward
from numerics.spectral import SpectralError
from tests.numerics.sample_networks import build, flat_output, inputs
from tests.numerics.universal_network import DEPTH, FUNCTIONS, WIDTH, dense_hessian

UNIT = np.finfo(np.float64).eps


@st.composite
def networks(draw, max_depth=DEPTH):
    """Arguments of `build`: any architecture the universal network can hold."""
    depth = draw(st.integers(1, max_depth))
    widths = draw(st.lists(st.integers(1, WIDTH), min_size=depth + 1, max_size=depth + 1))
    names = draw(st.lists(st.sampled_from(sorted(FUNCTIONS)), min_size=depth, max_size=depth))
    return {
        "widths": tuple(widths),
        "activations": tuple(names),
        "trainable": draw(st.booleans()),
        "init": draw(st.sampled_from(["gaussian", "sign"])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def agrees(model, x, *, method="auto"):
    """The two norms, to 1e-10, beyond what either's rounding explains (`slack`)."""
    norm = hessian_norm(model, x, method=method)
    H = dense_hessian(model, x)
    if not np.all(np.isfinite(H)):  # the oracle overflows earlier than hessian_norm
        return norm
    dense = float(np.linalg.norm(H, 2))
    # Both round the same pre-activations: where those are large, sin(z) has few digits.
    slack = norm.upper - norm.lower
    assert abs(norm.value - dense) <= 1e-10 * dense + slack
    assert norm.lower <= norm.value <= norm.upper
    assert norm.lower - slack <= dense <= norm.upper + slack
    return norm


@settings(max_examples=200)
@given(case=networks(), scale=st.sampled_from([0.0, 1e-150, 1e-5, 1.0, 30.0, 1e6]))
@example(case={"widths": (1, 1), "activations": ("tanh",), "trainable": False}, scale=1.0)
@example(
    case={"widths": (5, 1, 1, 1, 5), "activations": ("sin",) * 4, "trainable": True}, scale=1.0
)
def test_equals_the_dense_hessian_of_all_parameters(case, scale):
    model = build(**case)
    agrees(model, scale * inputs(model, 1)[0])


@settings(max_examples=100)
@given(case=networks(max_depth=4), scale=st.sampled_from([0.0, 0.1, 1.0, 3.0]))
def test_equals_it_to_ten_digits_without_slack(case, scale):
    model = build(**case)
    x = scale * inputs(model, 1)[0]
    dense = float(np.linalg.norm(dense_hessian(model, x), 2))
    assert hessian_norm(model, x).value == pytest.approx(dense, rel=1e-10, abs=1e-300)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.0, 1e-8, 1.0, 10.0]))
@pytest.mark.parametrize("trainable", [False, True])
def test_lanczos_equals_the_dense_hessian(trainable, seed, scale):
    model = build((3, 4, 2, 5), "gelu", trainable=trainable, seed=seed)
    agrees(model, scale * inputs(model, 1)[0], method="lanczos")


EXTREMES = st.sampled_from([0.0, 1e-300, 1e-150, 1e-5, 1.0, 30.0, 1e6, 1e100])


@pytest.mark.slow
@settings(max_examples=3000)
@given(case=networks(), scale=EXTREMES)
def test_equals_the_dense_hessian_exhaustively(case, scale):
    agrees_or_overflows(build(**case), scale, "dense")


@pytest.mark.slow
@settings(max_examples=100)  # compiled for each: beyond 400 in a process, XLA runs out of mappings
@given(case=networks(), scale=EXTREMES)
def test_lanczos_equals_the_dense_hessian_exhaustively(case, scale):
    agrees_or_overflows(build(**case), scale, "lanczos")


def agrees_or_overflows(model, scale, method):
    x = scale * inputs(model, 1)[0]
    # only what overflows may be refused
    with contextlib.suppress(SpectralError) if scale >= 1e6 else contextlib.nullcontext():
        agrees(model, x, method=method)


@pytest.mark.parametrize("trainable", [False, True])
def test_both_methods_agree_on_a_wider_network(trainable):
    model = build((6, 70, 40, 90), ("tanh", "softplus", "silu"), trainable=trainable)
    x = inputs(model, 1)[0]
    dense, lanczos = (hessian_norm(model, x, method=name) for name in ("dense", "lanczos"))
    assert dense.failure_probability == 0
    assert lanczos.failure_probability == 1e-9
    assert "Kuczynski" in lanczos.certificate
    assert "LAPACK" in dense.certificate
    assert lanczos.value == pytest.approx(dense.value, rel=1e-10)
    assert lanczos.lower <= dense.upper
    assert dense.lower <= lanczos.upper
    for norm in (dense, lanczos):  # not merely valid: tight
        assert norm.upper - norm.lower <= 1e-5 * norm.value
    assert lanczos.extremes == pytest.approx(dense.extremes, rel=1e-6)


def test_auto_changes_method_at_the_limit(monkeypatch):
    model, x = build((2, 3, 3)), [1.0, -2.0]
    size = lowrank.dimension(model.widths, trained_readout=False)
    monkeypatch.setattr(hessian, "DENSE_LIMIT", size)
    assert hessian_norm(model, x).method == "dense"
    monkeypatch.setattr(hessian, "DENSE_LIMIT", size - 1)
    assert hessian_norm(model, x).method == "lanczos"


def test_other_parameters_and_the_model_is_left_alone():
    model, other = build((3, 4, 5), seed=1), build((3, 4, 5), seed=2)
    other = replace(other, readout=model.readout)
    x = inputs(model, 1)[0]
    assert hessian_norm(model, x, other.params).value == hessian_norm(other, x).value
    assert hessian_norm(model, x).value != hessian_norm(other, x).value


def test_one_hidden_layer_has_its_closed_form():
    """Row A4: ||H|| = max_i |v_i sigma''(z_i)| |x|^2 / (d sqrt(m)) exactly."""
    model = build((7, 300), "tanh")
    x = inputs(model, 1)[0]
    z = np.asarray(model.params["W"][0]) @ x / np.sqrt(7)
    second = -2 * np.tanh(z) / np.cosh(z) ** 2
    exact = np.max(np.abs(np.asarray(model.readout) * second)) * (x @ x) / 7 / np.sqrt(300)
    norm = hessian_norm(model, x)
    assert norm.value == pytest.approx(exact, rel=1e-12)
    assert norm.lower <= exact <= norm.upper


def test_identity_network_of_one_layer_has_no_curvature():
    model = build((3, 4), "identity")
    for method in ("dense", "lanczos"):
        norm = hessian_norm(model, [1.0, 2.0, 3.0], method=method)
        assert norm.value == norm.lower == 0
        assert 0 <= norm.upper <= 1e-300


def test_saturated_network_keeps_its_digits():
    """sigma'' is 1e-30 here, where 1 - tanh(z)^2 evaluates to zero."""
    model = build((1, 1), "tanh")
    weight = float(model.params["W"][0][0, 0])
    x = [35.0 / weight]
    exact = abs(float(model.readout[0])) * 8 * np.exp(-70.0) * x[0] ** 2
    assert hessian_norm(model, x).value == pytest.approx(exact, rel=1e-12)


def test_float32_parameters_are_measured_in_float64():
    model = build((4, 6, 5), seed=3, dtype=np.float32)
    x = np.float32(inputs(model, 1)[0])
    wide = replace(
        model,
        params=jax.tree.map(lambda a: jnp.asarray(a, np.float64), model.params),
        readout=jnp.asarray(model.readout, np.float64),
        dtype=np.dtype(np.float64),
    )
    assert hessian_norm(model, x).value == hessian_norm(wide, np.float64(x)).value


def test_permuting_neurons_changes_nothing():
    model = build((3, 6, 5), "gelu", seed=5)
    first, second = (np.asarray(weight) for weight in model.params["W"])
    order = np.random.default_rng(0).permutation(6)
    permuted = {"W": (jnp.asarray(first[order]), jnp.asarray(second[:, order]))}
    x = inputs(model, 1)[0]
    assert hessian_norm(model, x, permuted).value == pytest.approx(
        hessian_norm(model, x).value, rel=1e-12
    )


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_named(bad, method):
    model = build((2, 3, 3))
    for layer in (0, 1):
        weights = [np.array(weight) for weight in model.params["W"]]
        weights[layer][1, 1] = bad
        with pytest.raises(SpectralError, match=f"W{layer + 1} contains infinity or NaN"):
            hessian_norm(model, [1.0, 2.0], {"W": tuple(weights)}, method=method)
    with pytest.raises(SpectralError, match="the input x contains"):
        hessian_norm(model, [1.0, bad], method=method)
    trained = build((2, 3), trainable=True)
    readout = np.array(trained.readout)
    readout[0] = bad
    with pytest.raises(SpectralError, match="the readout v contains"):
        hessian_norm(trained, [1.0, 1.0], {**trained.params, "v": readout}, method=method)


def test_overflow_is_an_error():
    with pytest.raises(SpectralError, match="overflows at this input"):
        hessian_norm(build((2, 3, 3), "square"), [1e200, 1e200])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "power"}, "unknown method 'power'"),
        ({"rtol": 0.0}, "rtol is 0.0"),
        ({"failure_probability": 1.0}, "failure_probability is 1.0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        hessian_norm(build((2, 3)), [1.0, 1.0], **options)


def test_batches_are_refused():
    with pytest.raises(ValueError, match="one input at a time"):
        hessian_norm(build((2, 3)), np.ones((4, 2)))


def test_one_compilation_per_architecture(monkeypatch):
    """Tracing happens once per compilation; counting how often JAX traces the product."""
    count = 0
    product = lowrank.multiply

    def counted(*arguments):
        nonlocal count
        count += 1
        return product(*arguments)

    monkeypatch.setattr(lowrank, "multiply", counted)
    counts = []
    for seed in range(4):
        model = build((3, 13, 11), "sin", seed=seed)
        hessian_norm(model, inputs(model, 1, seed)[0], method="lanczos", seed=seed)
        counts.append(count)
    assert counts[0] > 0
    assert counts == counts[:1] * 4


def _extended(model, x):
    """The Hessian in extended precision by the exact identity, for tanh networks."""
    wide = np.longdouble
    weights = [np.asarray(weight).astype(wide) for weight in model.params["W"]]
    alphas, zs = [np.asarray(x).astype(wide)], []
    roots = [np.sqrt(wide(weight.shape[1])) for weight in weights]
    for weight, root in zip(weights, roots, strict=True):
        zs.append(weight @ alphas[-1] / root)
        alphas.append(np.tanh(zs[-1]))
    sizes = [weight.size for weight in weights]
    starts = np.cumsum([0, *sizes])
    total = starts[-1]
    dzs, das = [], [np.zeros((len(x), total), wide)]
    for weight, root, alpha, z, start in zip(weights, roots, alphas, zs, starts, strict=False):
        own = np.zeros((len(z), total), wide)
        for i in range(len(z)):
            own[i, start + i * len(alpha) : start + (i + 1) * len(alpha)] = alpha
        dzs.append((own + weight @ das[-1]) / root)
        das.append(dzs[-1] / np.cosh(z)[:, None] ** 2)
    delta = np.asarray(model.readout).astype(wide) / np.sqrt(wide(len(zs[-1])))
    H = np.zeros((total, total), wide)
    for layer in range(len(zs) - 1, -1, -1):
        z, weight = zs[layer], weights[layer]
        slope = 1 / np.cosh(z) ** 2
        H += dzs[layer].T @ ((delta * -2 * np.tanh(z) * slope)[:, None] * dzs[layer])
        cross = np.zeros((total, total), wide)
        for i in range(weight.shape[0]):
            rows = slice(
                starts[layer] + i * weight.shape[1], starts[layer] + (i + 1) * weight.shape[1]
            )
            cross[rows] = slope[i] * delta[i] * das[layer] / roots[layer]
        H += cross + cross.T
        delta = weight.T @ (slope * delta) / roots[layer]
    return H


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5.0])
@pytest.mark.parametrize("widths", [(3, 20, 15), (2, 8, 12, 9, 7), (1, 1, 1)])
def test_rounding_stays_within_the_error_model(widths, scale):
    """Against extended precision: the enclosure holds, and not only because it is wide."""
    for seed in range(5):
        model = build(widths, "tanh", seed=seed)
        x = scale * inputs(model, 1, seed)[0]
        H = _extended(model, x)
        rounded = H.astype(np.float64)
        exact = float(np.linalg.norm(rounded, 2))
        resolution = 8 * len(rounded) * UNIT * exact  # of this test's own eigenvalues
        norm = hessian_norm(model, x)
        assert norm.lower - resolution <= exact <= norm.upper + resolution
        assert abs(norm.value - exact) <= 0.1 * (norm.upper - norm.lower) + resolution
        assert norm.upper - norm.lower <= 1e-8 * norm.value


def test_scalar_network_against_autodiff_of_the_pure_function():
    """An activation given as an expression goes the same way as a named one."""
    model = build((2, 3, 2), "t/(1 + t^2)")
    x = [0.3, -1.2]
    output, flat, _ = flat_output(model, x)
    dense = np.linalg.norm(np.asarray(jax.hessian(output)(flat)), 2)
    assert hessian_norm(model, x).value == pytest.approx(dense, rel=1e-12)
    assert callable(jax_function(model.net.activations[0]))
    value = forward(model.params, model.readout, jnp.asarray(x), model.net.activations)
    assert numerics.trace(model, x).f == pytest.approx(float(value), rel=1e-13)
