"""Networks of every architecture as arrays, against JAX's own derivatives of the whole network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import numerics
from numerics.graphs import GraphModel, host, lowrank, node_trace, tail, walk
from numerics.graphs.hessian import pass_tolerance
from numerics.graphs.model import device_trace, graph_model, outputs
from numerics.lowrank import dimension as dense_dimension
from numerics.spectral import SpectralError
from tests.architectures import NETWORKS, m, numeric
from theory.graph import BilinearRule
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    Input,
    Layer,
    Network,
    Readout,
    Residual,
    Width,
)

SEVERAL = [("outputs", 1), ("outputs", 2), ("fixed-outputs", 1)]
LATER = {"conv2d-circular-2", "conv2d-same-1", "conv2d-valid-1", "chain", "random-neurons-all"}
CASES = [
    pytest.param(name, output, marks=[pytest.mark.slow] if name in LATER else [])
    for name, output in [*((name, 0) for name in NETWORKS), *SEVERAL]
]
FEW = ["conv1d-same-2", "neurons"]  # what is compiled besides the oracle


@cache
def sample(name):
    model = graph_model(numeric(name), 3, np.dtype(float))
    x = np.random.default_rng(1).standard_normal(model.input_shape)
    return model, x * np.sqrt(x.size / np.sum(x**2))


def _everything(model):
    """Compiled: output, gradient and Hessian, over all parameters as one vector, by JAX alone.

    Without optimisation, as these functions run once or twice.
    """
    flat, unravel = ravel_pytree(model.params)

    def f(vector, fixed, at, output):
        return outputs(model.walk, unravel(vector), fixed, at).reshape(-1)[output]

    def slope(*arguments):
        value, gradient = jax.value_and_grad(f)(*arguments)
        return gradient, (value, gradient)

    run = jax.jit(jax.jacfwd(slope, has_aux=True))
    arguments = flat, model.fixed, jnp.zeros(model.input_shape), jnp.asarray(0)
    return run.lower(*arguments).compile(compiler_options={"xla_backend_optimization_level": 0})


_compiled = {}


def oracle(model, x, output=0):
    """Output, gradient and dense Hessian by JAX, over all parameters as one vector."""
    if model.walk not in _compiled:
        _compiled[model.walk] = _everything(model)
    flat = ravel_pytree(model.params)[0]
    arguments = flat, model.fixed, jnp.asarray(x), jnp.asarray(output)
    hessian, (value, gradient) = _compiled[model.walk](*arguments)
    return float(value), np.asarray(gradient), np.asarray(hessian)


def basis(model, coordinates):
    """E as a matrix, (parameters, n)."""
    size = lowrank.dimension(model, coordinates)
    columns = [lowrank.embed(model, coordinates, unit) for unit in np.eye(size)]
    return np.stack([np.asarray(ravel_pytree(column)[0]) for column in columns], axis=1)


@pytest.mark.parametrize(("name", "output"), CASES)
def test_all_agree_with_the_dense_hessian(name, output):
    model, x = sample(name)
    value, gradient, dense = oracle(model, x, output)
    size = np.linalg.norm(dense, 2)

    passed = host.run(model, model.params, x, output)
    passes = host.as_trace(model, passed, output)
    coordinates = lowrank.frames(model, passes)
    H = host.hessian(model, passed, coordinates)
    E = basis(model, coordinates)
    assert np.max(np.abs(E @ H @ E.T - dense)) <= 1e-10 * size
    # E is a partial isometry: the eigenvalues are the same, with multiplicities.
    assert np.linalg.norm(E.T @ E @ (E.T @ E) - E.T @ E) <= 1e-12 * len(H)

    rank = np.linalg.matrix_rank(dense, tol=1e-11 * size, hermitian=True)
    assert rank <= lowrank.rank_bound(model) <= model.num_params

    found = numerics.hessian_norm(model, x, output=output)
    assert found.method == "dense"
    assert found.lower <= size * (1 + 1e-13)
    assert size * (1 - 1e-13) <= found.upper
    assert found.upper - found.lower <= 1e-8 * size

    assert passes.f == pytest.approx(value, rel=1e-12)
    kernel = numerics.tangent_kernel(model, x, output=output)
    assert float(kernel[0, 0]) == pytest.approx(gradient @ gradient, rel=1e-11)


def test_the_rank_bound_is_attained_and_is_that_of_dense_networks():
    model, x = sample("dense")
    dense = numerics.instantiate(numeric("dense"), seed=0)
    expected = dense_dimension(dense.widths, dense.trained_readout)
    assert lowrank.rank_bound(model) == expected
    for name in ("conv1d-valid-2", "conv2d-valid-2", "residual", "bottleneck", "fixed-outputs"):
        model, x = sample(name)
        _, _, H = oracle(model, x)
        rank = np.linalg.matrix_rank(H, tol=1e-11 * np.linalg.norm(H, 2), hermitian=True)
        assert rank == lowrank.rank_bound(model), name


@pytest.mark.parametrize("name", FEW)
def test_automatic_differentiation_in_coordinates_gives_the_same_matrix(name):
    model, x = sample(name)
    passed = host.run(model, model.params, x, 0)
    coordinates = lowrank.frames(model, host.as_trace(model, passed, 0))
    H = host.hessian(model, passed, coordinates)
    arguments = lowrank.Arguments(model.params, model.fixed, jnp.asarray(x), coordinates)
    again = lowrank.multiply(model.walk, 0, arguments, np.eye(len(H)))
    assert np.max(np.abs(H - again)) <= 1e-13 * np.linalg.norm(H, 2)


def test_lanczos_agrees_with_all_eigenvalues():
    model, x = sample("outputs")
    by_lanczos = numerics.hessian_norm(model, x, method="lanczos")
    assert by_lanczos.method == "lanczos"
    value = numerics.hessian_norm(model, x).value
    assert by_lanczos.lower <= value * (1 + 1e-13)
    assert value * (1 - 1e-13) <= by_lanczos.upper
    assert by_lanczos.value == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", FEW)
def test_host_and_device_passes_agree(name):
    model, x = sample(name)
    one = node_trace(model, x)
    other = device_trace(model, model.params, jnp.asarray(x), 0)
    assert one.f == pytest.approx(float(other.f), rel=1e-13)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.shape == b.shape
        assert jnp.allclose(a, b, rtol=0, atol=1e-13)


def test_signals_are_the_gradients_of_the_tails():
    model, x = sample("residual")
    passes = node_trace(model, x)
    for node in (2, len(model.graph.nodes) - 3):
        f = jax.jit(jax.value_and_grad(tail(model, node), argnums=1))
        value, slope = f(model.params, passes.alpha[node], jnp.asarray(x))
        assert float(value) == pytest.approx(float(passes.f), rel=1e-13)
        assert jnp.allclose(slope, passes.delta[node], rtol=0, atol=1e-13)


def test_a_trace_can_be_differentiated():
    model, x = sample("dense")
    slope = jax.jit(jax.grad(lambda params: node_trace(model, x, params).f))(model.params)
    _, gradient, _ = oracle(model, x)
    assert jnp.allclose(ravel_pytree(slope)[0], gradient, rtol=0, atol=1e-13)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_a_dense_network_as_a_graph_is_that_network(seed):
    net = NETWORKS["dense"].substitute({"m": 6, "n": 4})
    plain = numerics.instantiate(net, seed=seed)
    assert isinstance(plain, numerics.Model)
    params = {"W": (*plain.params["W"], plain.params["v"][None])}
    graph = GraphModel(net, params, {}, seed, plain.dtype)
    x = np.random.default_rng(seed).standard_normal(3)
    one, other = numerics.hessian_norm(plain, x), numerics.hessian_norm(graph, x)
    assert one.value == pytest.approx(other.value, rel=1e-12)
    X = np.stack([x, x[::-1]])
    kernels = [np.asarray(numerics.tangent_kernel(model, X)) for model in (plain, graph)]
    assert np.allclose(*kernels, rtol=1e-12, atol=0)


# -- convolutions, against XLA's ------------------------------------------------------------------


def xla_convolution(W, x, kernel, stride, padding):
    c = x.shape[0]
    if padding == "circular":
        ends = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in kernel]
        x, padding = jnp.pad(x, [(0, 0), *ends], mode="wrap"), "valid"
    found = jax.lax.conv_general_dilated(
        x[None], W.reshape(W.shape[0], c, *kernel), stride, padding.upper()
    )
    return found[0] / np.sqrt(c * np.prod(kernel))


@pytest.mark.parametrize("padding", ["circular", "same", "valid"])
@pytest.mark.parametrize(
    ("shape", "kernel", "stride"),
    [
        ((2, 6), (3,), (1,)),
        ((1, 6), (4,), (2,)),
        ((3, 6), (2,), (3,)),
        ((2, 4, 6), (3, 2), (1, 1)),
        ((2, 4, 6), (2, 3), (2, 3)),
    ],
)
def test_a_convolution_is_that_of_xla(shape, kernel, stride, padding):
    layer = Conv(3, kernel, stride=stride, padding=padding)
    graph = Network(Input(shape), layer, Flatten(), Readout()).graph
    rule = graph.nodes[1].rule
    rng = np.random.default_rng(0)
    W, x = rng.standard_normal(rule.weight_shape), rng.standard_normal(shape)
    ours = (float(rule.scale) * (W @ rule.columns(np, x))).reshape(rule.shape)
    assert np.allclose(ours, xla_convolution(W, x, kernel, stride, padding), rtol=0, atol=1e-14)


# -- models ---------------------------------------------------------------------------------------


def test_instantiate_chooses_the_model():
    assert isinstance(numerics.instantiate(NETWORKS["dense"], {"m": 4, "n": 3}), numerics.Model)
    model = numerics.instantiate(NETWORKS["residual"], {m: 5, "n": 4}, seed=7)
    assert isinstance(model, GraphModel)
    assert model.num_params == sum(int(np.prod(w.shape)) for w in model.params["W"])
    again = numerics.instantiate(NETWORKS["residual"], {m: 5, "n": 4}, seed=7)
    other = numerics.instantiate(NETWORKS["residual"], {m: 5, "n": 4}, seed=8)
    pairs = zip(model.params["W"], again.params["W"], other.params["W"], strict=True)
    for one, same, different in pairs:
        assert jnp.array_equal(one, same)
        assert not jnp.any(one == different)


def test_one_input_or_several():
    for name, shape in (("outputs", (3,)), ("residual", ())):
        model, x = sample(name)
        X = np.stack([x, 2 * x, -x])
        assert model.apply(None, x).shape == shape
        batch = model.apply(None, X)
        assert batch.shape == (3, *shape)
        assert jnp.allclose(batch[0], model.apply(None, x), rtol=0, atol=1e-14)
        assert float(node_trace(model, x).f) == pytest.approx(float(jnp.ravel(batch[0])[0]))


def test_signs_and_fixed_weights():
    net = Network(Input((1, 4)), Conv(5, 2), AveragePool(), Readout(init="sign", outputs=2))
    model = numerics.instantiate(net)
    (node,) = model.fixed
    assert set(np.unique(model.fixed[node])) == {-1.0, 1.0}
    assert len(model.params["W"]) == 1


def test_masked_weights_are_no_parameters():
    model, x = sample("neurons")
    assert model.num_params == (2 + 2 + 3 + 1) + (4 + 2 + 3) + (3 + 2 + 3 + 2) + 4
    moved = numerics.perturb(model, 0.5, seed=2)
    assert numerics.distance(moved, model.params) == pytest.approx(0.5)
    for node, weight in zip(model.graph.weighted, moved["W"], strict=True):
        if node in model.walk.masks:
            assert not np.any(np.asarray(weight)[~model.walk.masks[node]])
    # Numbers put there have no influence.
    spoiled = {
        "W": tuple(
            w + 7.0 * ~model.walk.masks.get(n, np.ones(w.shape, bool))
            for n, w in zip(model.graph.weighted, model.params["W"], strict=True)
        )
    }
    assert jnp.array_equal(node_trace(model, x, spoiled).f, node_trace(model, x).f)


@pytest.mark.parametrize("name", ["conv1d-circular-2", "densenet", "random-neurons", "outputs"])
def test_the_gap_is_that_of_the_outputs(name):
    model, x = sample(name)
    output = model.num_outputs - 1
    f, gradient, H = oracle(model, x, output)
    for radius in (1e-2, 1.0):
        params = numerics.perturb(model, radius, seed=5)
        step = np.asarray(ravel_pytree(params)[0] - ravel_pytree(model.params)[0])
        there = float(node_trace(model, x, params, output).f)
        gap = numerics.linearization_gap(model, x, params, output=output)
        assert gap == pytest.approx(abs(there - f - gradient @ step), abs=1e-12)
    params = numerics.perturb(model, 1e-3, seed=5)
    step = np.asarray(ravel_pytree(params)[0] - ravel_pytree(model.params)[0])
    gap = numerics.linearization_gap(model, x, params, output=output)
    assert gap == pytest.approx(abs(step @ H @ step) / 2, rel=0.05, abs=1e-12)


def test_kernels_of_several_inputs():
    for name in ("conv2d-same-2", "neurons"):
        model, x = sample(name)
        rng = np.random.default_rng(0)
        X = np.stack([x, *rng.standard_normal((2, *x.shape))])
        K = np.asarray(numerics.tangent_kernel(model, X))
        cross = np.asarray(numerics.tangent_kernel(model, X[:2], Z=X[1:]))
        assert np.allclose(cross, K[:2, 1:], rtol=1e-13)
        _, one, _ = oracle(model, X[0])
        _, other, _ = oracle(model, X[1])
        assert K[0, 1] == pytest.approx(one @ other, rel=1e-11)
        change = numerics.kernel_change(model, X, numerics.perturb(model, 0.1))
        assert 0 < change.relative < 1


def test_float32_is_the_norm_at_the_rounded_parameters():
    net = numeric("residual-conv")
    single = numerics.instantiate(net, seed=1, dtype=np.float32)
    x = np.random.default_rng(0).standard_normal(single.input_shape).astype(np.float32)
    double = GraphModel(
        net,
        jax.tree.map(lambda w: w.astype(float), single.params),
        {n: w.astype(float) for n, w in single.fixed.items()},
        1,
        np.dtype(float),
    )
    one, other = numerics.hessian_norm(single, x), numerics.hessian_norm(double, x.astype(float))
    assert one.value == pytest.approx(other.value, rel=1e-13)
    assert node_trace(single, x).f.dtype == np.float32


def test_refuses_what_does_not_fit():
    model, x = sample("outputs")
    with pytest.raises(ValueError, match=r"output=3; this network has 3"):
        numerics.hessian_norm(model, x, output=3)
    with pytest.raises(ValueError, match=r"x has shape \(4,\); this network takes \(3,\)"):
        numerics.hessian_norm(model, np.ones(4))
    with pytest.raises(ValueError, match=r"or \(n, 3\)"):
        model.apply(None, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"weights of node 1 .Dense.5.. have shape \(2, 2\)"):
        model.apply({"W": (np.ones((2, 2)), *model.params["W"][1:])}, x)
    with pytest.raises(ValueError, match="3 nodes have weights"):
        model.apply({"W": ()}, x)
    with pytest.raises(ValueError, match=r"needs .'W'."):
        model.apply({"W": (), "v": 1}, x)
    plain = numerics.instantiate(numeric("dense"))
    with pytest.raises(ValueError, match="output=1; this network has one output"):
        numerics.hessian_norm(plain, np.ones(3), output=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_refuses_what_is_not_finite(bad):
    model, x = sample("nonlinear-output")
    params = {"W": (*model.params["W"][:-1], model.params["W"][-1] * bad)}
    with pytest.raises(SpectralError, match="infinite or NaN"):
        numerics.hessian_norm(model, x, params)


def test_a_zero_input_and_dead_signals():
    model, x = sample("conv1d-valid-2")
    found = numerics.hessian_norm(model, 0 * x)
    assert found.lower <= found.value <= found.upper
    params = {"W": (*model.params["W"][:-1], 0 * model.params["W"][-1])}
    assert numerics.hessian_norm(model, x, params).upper > 0  # the readout's own cross terms
    for where, at in ((model.params, 0 * x), (params, x)):
        moved = GraphModel(model.net, where, model.fixed, 0, model.dtype)
        _, _, dense = oracle(moved, at)
        assert numerics.hessian_norm(model, at, where).value == pytest.approx(
            np.linalg.norm(dense, 2), rel=1e-10, abs=1e-300
        )


def test_a_rank_deficient_point():
    """Columns that are all equal, so that the bases are larger than what they must span."""
    net = Network(
        Input((1, 4)), Conv(3, 2), Activation("tanh"), Conv(3, 1), AveragePool(), Readout(True)
    )
    model = numerics.instantiate(net)
    x = np.ones((1, 4))
    _, _, dense = oracle(model, x)
    assert numerics.hessian_norm(model, x).value == pytest.approx(np.linalg.norm(dense, 2))


def test_the_allowance_grows_with_the_graph():
    small, large = (pass_tolerance(walk(numeric("residual", m=k).graph)) for k in (4, 64))
    assert 0 < small.relative < large.relative < 1e-12


# -- a layer from outside -------------------------------------------------------------------------


@dataclass(frozen=True)
class TiedRule(BilinearRule):
    """A layer whose weights meet the value and its mirror image: two columns."""

    rows: int
    cols: int

    @property
    def shape(self):
        return (2 * self.rows,)

    @property
    def weight_shape(self):
        return self.rows, self.cols

    @property
    def scale(self):
        return 1 / sympy.sqrt(2 * self.cols)

    @property
    def contraction(self):
        return 1 / sympy.sqrt(self.cols)  # each entry is in two columns

    def columns(self, xp, value):
        return xp.stack([value, value[::-1]], axis=1)


@dataclass(frozen=True)
class Mirror(Layer, kind="mirror"):
    width: Width
    sizes: ClassVar[tuple[str, ...]] = ("width",)

    def lower(self, builder, parent):
        (size,) = builder.shape(parent)
        return builder.add(TiedRule(self.width, size), parent, label=repr(self))


def test_a_layer_from_outside_has_arrays_and_a_hessian():
    net = Network(
        Input(3), Dense(m), Activation("tanh"), Mirror(m), Activation("tanh"),
        Dense(m), Residual(Activation("sin"), Dense(m)), Readout(True),
    )  # fmt: skip
    net = Network.from_toml(net.to_toml())
    model = numerics.instantiate(net, {m: 6}, seed=1)
    x = np.random.default_rng(0).standard_normal(3)
    _, gradient, dense = oracle(model, x)
    size = np.linalg.norm(dense, 2)
    assert numerics.hessian_norm(model, x).value == pytest.approx(size, rel=1e-12)
    rank = np.linalg.matrix_rank(dense, tol=1e-11 * size, hermitian=True)
    assert rank <= lowrank.rank_bound(model)
    assert float(numerics.tangent_kernel(model, x)[0, 0]) == pytest.approx(gradient @ gradient)
