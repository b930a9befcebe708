"""Gradient descent: against a plain loop, against closed forms, and what is refused."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import numerics
import theory
from numerics.training import TrainingError, gradient_descent, smoothness

X = np.random.default_rng(0).standard_normal((3, 5))
Y = np.array([1.0, -1.0, 0.5])


def model(width=16, *, activation="tanh", trainable=True, depth=1, seed=0):
    net = theory.reference_network(depth, activation=activation, trainable=trainable, inputs=5)
    return numerics.instantiate(net, {"m": width}, seed=seed)


def by_hand(net, steps, eta, outer=lambda f: f):
    """The same in a plain loop, the loss differentiated as a whole."""

    def loss(params):
        return jnp.sum((outer(net.apply(params, X)) - Y) ** 2) / 2

    params, losses, distances = net.params, [], []
    for _ in range(steps + 1):
        losses.append(float(loss(params)))
        distances.append(numerics.distance(params, net.params))
        params = jax.tree.map(lambda p, g: p - eta * g, params, jax.grad(loss)(params))
    return losses, distances


def test_a_plain_loop_agrees():
    net = model()
    run = gradient_descent(net, X, Y, steps=6, step_size=0.2)
    losses, distances = by_hand(net, 6, 0.2)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-12)
    np.testing.assert_allclose(run.distances, distances, rtol=1e-9, atol=1e-12)
    assert run.steps == 6
    np.testing.assert_allclose(run.residuals**2 / 2, run.losses, rtol=1e-12)


def test_a_plain_loop_agrees_behind_a_nonlinear_output():
    net = model()
    run = gradient_descent(net, X, Y, steps=4, step_size=0.2, outer="tanh")
    np.testing.assert_allclose(run.losses, by_hand(net, 4, 0.2, jnp.tanh)[0], rtol=1e-12)


def test_kernels_are_those_of_the_toolkit():
    net = model(depth=2)
    run = gradient_descent(net, X, Y, steps=3)
    first, last = numerics.tangent_kernel(net, X), numerics.tangent_kernel(net, X, run.params)
    np.testing.assert_allclose(run.kernels[0], first, rtol=1e-12)
    np.testing.assert_allclose(run.kernels[-1], last, rtol=1e-12)
    change = numerics.kernel_change(net, X, run.params)
    assert run.kernel_changes[-1] == pytest.approx(change.relative, rel=1e-9)
    assert run.least[0] == pytest.approx(np.linalg.eigvalsh(np.asarray(first))[0], rel=1e-9)
    assert run.step_size == pytest.approx(1 / np.linalg.eigvalsh(np.asarray(first))[-1])
    r = run.outputs[0] - Y
    assert run.gradient_norms[0] == pytest.approx(np.sqrt(r @ run.kernels[0] @ r), rel=1e-12)


def test_a_linear_model_follows_its_closed_form():
    net = model(activation="identity", trainable=False)
    run = gradient_descent(net, X, Y, steps=20)
    K, r = run.kernels[0], run.outputs[0] - Y
    power = np.linalg.matrix_power(np.eye(3) - run.step_size * K, 20)
    np.testing.assert_allclose(run.outputs[-1] - Y, power @ r, rtol=1e-10)
    assert run.kernel_changes[-1] == pytest.approx(0, abs=1e-13)


def test_rescaling_keeps_the_first_residual_and_moves_less():
    net = model(64)
    far, near = (gradient_descent(net, X, Y, steps=50, rescale=a) for a in (1.0, 100.0))
    np.testing.assert_array_equal(far.outputs[0], np.zeros(3))
    np.testing.assert_array_equal(near.outputs[0], np.zeros(3))
    assert near.distances[-1] < 0.02 * far.distances[-1]
    assert near.kernel_changes[-1] < 0.05 * far.kernel_changes[-1]
    for run in (far, near):
        assert run.losses[-1] < 1e-3 * run.losses[0]


def test_one_compilation_serves_every_seed():
    from numerics import training

    gradient_descent(model(8, seed=1), X, Y, steps=2)
    before = training._descend._cache_size()
    gradient_descent(model(8, seed=2), X, Y, steps=2)
    assert training._descend._cache_size() == before


def test_smoothness_bounds_the_hessian_of_the_loss():
    net = model(48, trainable=False)
    flat, unravel = ravel_pytree(net.params)
    loss = jax.jit(jax.hessian(lambda t: jnp.sum((net.apply(unravel(t), X) - Y) ** 2) / 2))
    eps = max(numerics.hessian_norm(net, x).upper for x in X)
    run = gradient_descent(net, X, Y, steps=1)
    bound = smoothness(run.largest[0], eps, run.residuals[0], 3)
    true = float(jnp.linalg.norm(loss(flat), 2))
    assert true <= bound < 2 * true
    assert smoothness(run.largest[0], eps, run.residuals[0], 3, 1.0) > bound


def test_smoothness_is_attained():
    """f_i(t) = eps t^2/2, as often as there are inputs, all with the same residual r.

    At t = R the loss has the second derivative ``sum_i (eps R)^2 + eps r``, and |r| = sqrt(n) r.
    """
    n, eps, r, R = 5, 0.7, 1.3, 2.0
    assert smoothness(0.0, eps, math.sqrt(n) * r, n, R) == pytest.approx(
        n * ((eps * R) ** 2 + eps * r)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "at least 1"),
        ({"step_size": 0.0}, "positive"),
        ({"step_size": float("nan")}, "positive"),
        ({"rescale": -1.0}, "factor alpha"),
        ({"step_size": 1e200, "steps": 40}, r"not finite at step \d+"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(TrainingError, match=message):
        gradient_descent(model(activation="square"), X, Y, **options)


def test_targets_must_fit_and_the_jacobian_too(monkeypatch):
    with pytest.raises(TrainingError, match=r"need \(3,\)"):
        gradient_descent(model(), X, Y[:2])
    monkeypatch.setattr("numerics.training.MOST_ENTRIES", 10)
    with pytest.raises(TrainingError, match="fewer inputs"):
        gradient_descent(model(), X, Y)
    monkeypatch.undo()
    with pytest.raises(TrainingError, match="largest eigenvalue of the kernel is 0"):
        gradient_descent(model(trainable=False), 0 * X, Y)
    with pytest.raises(TrainingError, match="hessian is -1"):
        smoothness(1.0, -1.0, 1.0, 3)
