"""The norms in the error models: never below the truth, and not far above it."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

import numerics
from numerics import lowrank
from numerics.ceilings import STARTS, STEPS, ceiling, starts
from numerics.graphs import node_trace
from numerics.graphs.hessian import block_norm, stretch
from numerics.hessian import _block_norm, _device_stretch, _growth, _stretch
from numerics.models import device_trace, host_trace
from tests.architectures import numeric
from tests.numerics.sample_networks import build, inputs


def hidden(rows, cols, top=5.0):
    """A matrix whose largest singular vector is orthogonal to an obvious start."""
    rng = np.random.default_rng(0)
    probe = np.cos(np.arange(cols) ** 2.0)
    right = rng.standard_normal(cols)
    right -= probe * (probe @ right) / (probe @ probe)
    left = rng.standard_normal(rows)
    outer = np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))
    return top * outer + 0.01 * rng.standard_normal((rows, cols)) / np.sqrt(cols)


MATRICES = {
    "gaussian": np.random.default_rng(1).standard_normal((30, 50)),
    "tall": np.random.default_rng(2).standard_normal((50, 30)),
    "hidden": hidden(40, 40),
    "rank one": np.outer(np.ones(20), np.arange(30.0)),
    "one entry": np.eye(1, 60) * 3,
    "orthogonal": np.eye(25),
    "tiny": 1e-150 * np.random.default_rng(3).standard_normal((20, 20)),
    "below the root of what is normal": 1e-170 * np.random.default_rng(3).standard_normal((20, 20)),
    "huge": 1e200 * np.random.default_rng(3).standard_normal((20, 20)),
    "zero": np.zeros((7, 9)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_weights_are_bounded_from_above(name):
    weight = MATRICES[name]
    exact = float(np.linalg.norm(weight, 2))
    assert exact <= _stretch(weight) <= exact * (1 + 1e-11)
    assert exact <= _device_stretch(jnp.asarray(weight), 1e-9) <= 1.7 * exact


def test_the_ceiling_fails_no_more_often_than_stated():
    """For the worst matrix, of rank one: all of the other singular values are zero."""
    size, chance, count = 12, 0.2, 2000
    right = np.eye(size)[0]
    failures = 0
    for seed in range(count):
        growth = np.log(np.abs(right @ starts(size, seed)))
        failures += ceiling(growth, (size, size), chance) < 1.0
    assert binomtest(failures, count, chance, alternative="greater").pvalue > 1e-6
    assert failures > 0.1 * count  # and it is nearly as likely as stated


def test_the_growth_is_that_of_the_power_method():
    weight = MATRICES["gaussian"]
    found = np.asarray(_growth(jnp.asarray(weight), jnp.asarray(starts(50))))
    power = np.linalg.matrix_power(weight.T @ weight, STEPS) @ starts(50)
    assert found.shape == (STARTS,)
    np.testing.assert_allclose(found, np.log(np.linalg.norm(power, axis=0)), rtol=1e-12)


def test_no_overlap_no_bound():
    assert ceiling(np.zeros(STARTS), (10**7, 10**7), 1e-60) == np.inf


@pytest.mark.parametrize("trainable", [False, True])
def test_the_norm_of_block_norms_is_at_least_that_of_the_hessian(trainable):
    """Also where the weights hide their norm from a start that anyone would try."""
    model = build((4, 9, 8, 7), trainable=trainable)
    W = tuple(np.asarray(w) for w in model.params["W"])
    x = jnp.asarray(inputs(model, 1)[0])
    for weights in (W, (W[0], 5 * hidden(8, 9), W[2]), (W[0], 9 * hidden(8, 9), 9 * hidden(7, 8))):
        params = {**model.params, "W": tuple(map(jnp.asarray, weights))}
        model = replace(model, params=params)
        norm = numerics.hessian_norm(model, x)
        for host, trace in ((True, host_trace), (False, device_trace)):
            coefs = lowrank.coefficients(trace(model, model.params, x), model.net.activations)
            scale = _block_norm(model.params, coefs, trainable, host=host)
            assert norm.lower <= scale
            more = coefs._replace(slope_error=tuple(e + 1.0 for e in coefs.slope_error))
            assert _block_norm(model.params, more, trainable, host=host) > 1.1 * scale


@pytest.mark.parametrize("name", ["conv1d-same-2", "residual", "densenet", "random-neurons"])
@pytest.mark.parametrize("chance", [None, 1e-9])
def test_maps_of_nodes_are_bounded_from_above(name, chance, monkeypatch):
    model = numerics.graph_model(numeric(name), 1, np.dtype(float))
    x = np.random.default_rng(0).standard_normal(model.input_shape)
    measured = numerics.measure(model, x)
    tried = 0
    weights = model.walk.weights(model.params, model.fixed)
    for node in model.walk.rules:
        exact = measured.enclosure(("node_norm", node))[0]
        assert exact <= stretch(model, node, weights[node], chance) <= 1.7 * exact
        tried += 1
    assert tried >= 3
    passes = node_trace(model, x)
    assert measured["hessian_norm"] <= block_norm(model, model.params, passes, chance)
    monkeypatch.setattr("numerics.graphs.host.LARGEST", 0)
    for node in model.walk.rules:  # by the Frobenius norm of the weights where nothing fits
        assert measured.enclosure(("node_norm", node))[0] <= stretch(model, node, weights[node])
