"""Networks whose layers are nested at random: files, shapes, constants, and the whole Hessian."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
from numerics.graphs import host, lowrank
from numerics.graphs.kernels import gradient
from numerics.graphs.model import graph_model
from tests.architecture_strategies import networks
from theory.networks import Network

STEP = 1e-4


def draw_model(net, seed):
    model = graph_model(net, seed, np.dtype(float))
    x = np.random.default_rng(seed).standard_normal(model.input_shape)
    return model, x


def gradients(model, params, x, output):
    passes = host.as_trace(model, host.run(model, params, x, output), output)
    return np.concatenate([block.ravel() for block in gradient(model, params, passes)])


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_the_hessian_is_the_derivative_of_the_gradient(net, seed):
    """By central differences of fourth order along random directions."""
    model, x = draw_model(net, seed)
    if not model.graph.weighted:
        return
    output = model.num_outputs - 1
    passed = host.run(model, model.params, x, output)
    coordinates = lowrank.frames(model, host.as_trace(model, passed, output))
    H = host.hessian(model, passed, coordinates)
    assert np.allclose(H, H.T, rtol=0, atol=1e-14 * np.max(np.abs(H)))
    rng = np.random.default_rng(seed)
    direction = model.masked({"W": tuple(rng.standard_normal(w.shape) for w in model.params["W"])})
    flat = np.concatenate([w.ravel() for w in direction["W"]])
    direction = {"W": tuple(w / np.linalg.norm(flat) for w in direction["W"])}

    def slope(t):
        params = {
            "W": tuple(
                np.asarray(w) + t * v
                for w, v in zip(model.params["W"], direction["W"], strict=True)
            )
        }
        return gradients(model, params, x, output)

    differences = (8 * (slope(STEP) - slope(-STEP)) - slope(2 * STEP) + slope(-2 * STEP)) / 12
    E = np.stack(
        [
            np.concatenate([w.ravel() for w in lowrank.embed(model, coordinates, unit)["W"]])
            for unit in np.eye(len(H))
        ],
        axis=1,
    )
    product = E @ (H @ (E.T @ flat)) / np.linalg.norm(flat)
    size = max(np.linalg.norm(H, 2), np.linalg.norm(slope(0.0)), 1e-3)
    assert np.max(np.abs(product - differences / STEP)) <= 1e-7 * size
    values = np.abs(np.linalg.eigvalsh(H))
    assert np.sum(values > 1e-11 * values.max(initial=0)) <= lowrank.rank_bound(model)


@given(networks())
@settings(max_examples=40)
def test_files_round_trip_whatever_the_architecture(net):
    again = Network.from_toml(net.to_toml())
    assert again == net
    assert again.graph == net.graph


@given(networks(), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_measured_norms_keep_to_the_constants(net, seed):
    model, x = draw_model(net, seed)
    found = numerics.measure(model, x, hessian=False)
    for node, weight in zip(model.graph.weighted, model.params["W"], strict=True):
        (parent,) = model.graph.nodes[node].parents
        tau, size = found["tau", node], np.linalg.norm(np.asarray(weight))
        reach = found["a", parent] * np.sqrt(found["m", parent])
        assert found["own_norm", node] <= tau * reach * (1 + 1e-12)
        assert found["mixed_norm", node] <= tau * found["g", node] * (1 + 1e-12)
        assert found["node_norm", node] <= tau * size * (1 + 1e-12)
