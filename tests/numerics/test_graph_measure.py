"""Quantities of nodes against their definitions, the device path, and the search of a ball."""

from __future__ import annotations

import numpy as np
import pytest

import numerics
from numerics.graphs import host, lowrank, node_trace
from numerics.graphs.model import graph_model
from tests.architectures import NETWORKS, numeric
from theory.graph import BilinearRule, PointwiseRule


def sample(name, seed=3):
    model = graph_model(numeric(name), seed, np.dtype(float))
    x = np.random.default_rng(1).standard_normal(model.input_shape)
    return model, x


def product(model, node, V, a):
    """A node's value for weights V and its parent's value a, from the rule alone."""
    rule = model.graph.nodes[node].rule
    mask = 1 if rule.mask is None else rule.mask
    rows = 1 if rule.row_scale is None else rule.row_scale[:, None]
    return (float(rule.scale) * rows * ((V * mask) @ rule.columns(np, a))).ravel()


def units(shape):
    return np.eye(int(np.prod(shape))).reshape(-1, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_quantities_of_nodes_are_what_they_are_said_to_be(name):
    model, x = sample(name)
    output = model.num_outputs - 1
    found = numerics.measure(model, x, hessian=False, output=output)
    passes = node_trace(model, x, output=output)
    weights = model.walk.weights(model.params, model.fixed)
    for node in model.graph.nodes:
        n = node.index
        alpha, delta = np.asarray(passes.alpha[n]), np.ravel(passes.delta[n])
        assert found["m", n] == alpha.size
        assert found["a", n] == pytest.approx(np.sqrt(np.mean(alpha**2)), rel=1e-13)
        assert found["g", n] == pytest.approx(np.linalg.norm(delta), rel=1e-13)
        assert found["q", n] == np.max(np.abs(delta))
        if isinstance(node.rule, PointwiseRule):
            if len(model.graph.children[node.parents[0]]) == 1:  # the signal it hands on
                assert found["h", n] == pytest.approx(found["g", node.parents[0]], rel=1e-12)
            assert found["c", n] <= found["beta", n] * found["q", n] * (1 + 1e-12)
        if not isinstance(node.rule, BilinearRule):
            continue
        a = np.asarray(passes.alpha[node.parents[0]])
        W = np.asarray(weights[n])
        A = np.array([product(model, n, W, e) for e in units(a.shape)])
        assert found["node_norm", n] == pytest.approx(np.linalg.norm(A, 2), rel=1e-12)
        if n not in model.graph.weighted:
            assert ("own_norm", n) not in found
            continue
        own = np.array([product(model, n, V, a) for V in units(W.shape)])
        assert found["own_norm", n] == pytest.approx(np.linalg.norm(own, 2), rel=1e-12)
        mixed = np.array(
            [[delta @ product(model, n, V, e) for e in units(a.shape)] for V in units(W.shape)]
        )
        assert found["mixed_norm", n] == pytest.approx(np.linalg.norm(mixed, 2), rel=1e-12)
        tau = found["tau", n]
        assert found["own_norm", n] <= tau * np.linalg.norm(a) * (1 + 1e-12)
        assert found["mixed_norm", n] <= tau * found["g", n] * (1 + 1e-12)
        assert found["node_norm", n] <= tau * np.linalg.norm(W) * (1 + 1e-12)
    assert found["output"] == pytest.approx(float(passes.f))
    kernel = float(numerics.tangent_kernel(model, x, output=output)[0, 0])
    assert found["kernel"] == pytest.approx(kernel, rel=1e-12)


@pytest.mark.parametrize("name", ["conv1d-same-2"])
def test_large_networks_are_measured_as_small_ones(name, monkeypatch):
    model, x = sample(name)
    small = numerics.measure(model, x)
    monkeypatch.setattr(host, "LARGEST", 0)
    large = numerics.measure(model, x)
    assert set(small) == set(large)
    for key, value in small.items():
        assert large[key] == pytest.approx(value, rel=1e-9), key
        assert large.enclosure(key).upper >= value - 1e-12 * abs(value)
    assert large.hessian.method == "dense"


def test_the_hessian_can_be_left_out():
    model, x = sample("residual")
    found = numerics.measure(model, x, hessian=False)
    with pytest.raises(KeyError, match="measure with hessian=True"):
        found["hessian_norm"]
    assert numerics.measure(model, x)["hessian_norm"] == numerics.hessian_norm(model, x).value


def test_a_search_finds_more_than_the_centre_and_stays_in_the_ball():
    model, x = sample("neurons")
    found = numerics.ball_search(model, x, 1.0, starts=2, steps=5)
    assert found.value > 1.1 * found.at_centre
    assert found.distance <= 1.0
    assert found.at_centre == pytest.approx(numerics.hessian_norm(model, x).value, rel=1e-5)
    assert found.norm.value == numerics.hessian_norm(model, x, found.params).value
    for node, weight in zip(model.graph.weighted, found.params["W"], strict=True):
        mask = model.walk.masks.get(node)
        assert mask is None or not np.any(np.asarray(weight)[~mask])
    again = numerics.ball_search(model, x, 0.0)
    assert again.distance == 0


def test_the_search_compiles_what_is_large(monkeypatch):
    model, x = sample("fixed-outputs")
    one = numerics.ball_search(model, x, 0.5, starts=1, steps=3, output=1)
    monkeypatch.setattr(host, "LARGEST", 0)
    other = numerics.ball_search(model, x, 0.5, starts=1, steps=3, output=1)
    assert other.at_centre == pytest.approx(one.at_centre, rel=1e-6)
    assert other.value >= other.at_centre * (1 - 1e-6)


def test_the_gradient_of_the_curvature_is_that_of_the_eigenvalue():
    from numerics.graphs.search import GraphSearch

    model, x = sample("chain")
    search = GraphSearch(model, np.asarray(x), 1.0, model.params, 0, 0)
    gradient, factor = search.slope(search.centre)
    step = {"W": tuple(1e-5 * factor * g for g in gradient["W"])}
    ends = []
    for sign in (1, -1):
        params = {
            "W": tuple(w + sign * s for w, s in zip(model.params["W"], step["W"], strict=True))
        }
        ends.append(numerics.hessian_norm(model, x, params).value)
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(1 / abs(factor), rel=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_constant_of_a_rule_is_exceeded(name):
    model, _ = sample(name)
    tried = numerics.try_constants(model)
    assert not [entry for entry in tried if entry.exceeded]
    for entry in tried:
        if "conv" not in name and name != "pool":
            assert entry.found >= entry.stated * (1 - 1e-6), "attained"


def test_a_constant_that_is_too_small_is_found_out(monkeypatch):
    model, _ = sample("conv1d-valid-1")
    rule = type(model.graph.nodes[1].rule)
    stated = rule.contraction
    monkeypatch.setattr(rule, "contraction", property(lambda self: 0.8 * stated.fget(self)))
    assert [entry.name for entry in numerics.try_constants(model) if entry.exceeded]
    monkeypatch.setattr(host, "LARGEST", 0)
    with pytest.raises(ValueError, match="try a narrower one"):
        numerics.try_constants(model)


def test_networks_of_any_architecture_are_trained():
    model, x = sample("fixed-outputs")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3, *x.shape)), rng.standard_normal(3)
    run = numerics.gradient_descent(model, X, y, steps=20, output=1)
    assert run.losses[-1] < run.losses[0]
    kernel = np.asarray(numerics.tangent_kernel(model, X, output=1))
    assert np.allclose(run.kernels[0], kernel, rtol=1e-12)
    before = [float(node_trace(model, at, output=1).f) for at in X]
    assert run.losses[0] == pytest.approx(np.sum((before - y) ** 2) / 2)
    assert numerics.distance(run.params, model.params) == pytest.approx(run.distances[-1])


@pytest.mark.slow
def test_a_wide_convolution_by_lanczos():
    """5 s: 64 channels, 32 positions; the enclosure is narrow, and the rank far below p."""
    net = numeric("conv1d-circular-1", m=64)
    model = numerics.instantiate(net, seed=0)
    x = np.random.default_rng(0).standard_normal(model.input_shape)
    found = numerics.hessian_norm(model, x, method="lanczos")
    dense = numerics.hessian_norm(model, x, method="dense")
    assert found.lower <= dense.value <= found.upper
    assert found.upper - found.lower <= 1e-5 * found.value
    assert lowrank.rank_bound(model) < model.num_params
