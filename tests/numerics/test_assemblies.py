"""Assemblies as arrays, against automatic differentiation of the whole."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import numerics
import theory
from numerics.assemblies import _largest, gradient_norm, part_norms
from numerics.spectral import SpectralNorm
from theory.assemblies import Assembly, AssemblyError, SubFunction

DIM = 3
NET = theory.Network(
    theory.Input(DIM),
    theory.Dense(3),
    theory.Activation("tanh"),
    theory.Dense(2),
    theory.Activation("sin"),
    theory.Readout(trainable=True),
)
FIXED = theory.Network(
    theory.Input(DIM), theory.Dense(2), theory.Activation("tanh"), theory.Readout()
)
SKIP = theory.Network(
    theory.Input(DIM),
    theory.Residual(theory.Dense(DIM), theory.Activation("tanh")),
    theory.Readout(trainable=True),
)
BENT = SubFunction(lambda w, x: w[0] * jnp.tanh(w[1:] @ x) + w[0] ** 2, 4, DIM, name="bent")
ASSEMBLIES = {
    "networks": Assembly(NET, 3),
    "fixed readouts": Assembly(FIXED, 2, weights="gaussian", scale="linear"),
    "mixed": Assembly([BENT, NET, FIXED], 5, weights="ones", scale=Fraction(1, 3)),
    "shared": Assembly([BENT, FIXED], 3, weights="gaussian", shared=4),
    "dominated": Assembly(BENT, 4, dominance=1),
    "residual": Assembly([SKIP, BENT], 3),
    "opposed": Assembly(BENT, 1, weights=[1.0, -1.0], shared=2),
}
X = np.random.default_rng(1).standard_normal((4, DIM))


@pytest.fixture(scope="module", params=ASSEMBLIES)
def case(request):
    """An assembly, and Jacobian and Hessian of the whole by automatic differentiation."""
    model = numerics.instantiate(ASSEMBLIES[request.param], seed=3)
    vector, unravel = ravel_pytree(model.params)

    @jax.jit
    def derivatives(theta):
        slopes = jax.jacrev(lambda t: model.apply(unravel(t), X))(theta)
        return slopes, jax.hessian(lambda t: model.apply(unravel(t), X[0]))(theta)

    return (model, *map(np.array, derivatives(vector)))


def test_the_hessian_norm_is_that_of_the_dense_hessian_of_the_whole(case):
    model, _, hessian = case
    dense = np.linalg.norm(hessian, 2)
    found = numerics.hessian_norm(model, X[0])
    assert found.value == pytest.approx(dense, rel=1e-10, abs=1e-12)
    assert found.lower - 1e-12 <= dense <= found.upper + 1e-12


def test_kernel_and_gradient_are_those_of_the_whole(case):
    model, slopes, _ = case
    kernel = np.asarray(numerics.tangent_kernel(model, X))
    np.testing.assert_allclose(kernel, slopes @ slopes.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(kernel, kernel.T)
    mixed = numerics.tangent_kernel(model, X[:1], Z=X[1:])
    np.testing.assert_allclose(np.asarray(mixed), kernel[:1, 1:], rtol=1e-10, atol=1e-12)
    assert gradient_norm(model, X[0]) == pytest.approx(np.linalg.norm(slopes[0]), abs=1e-12)


def test_the_value_is_the_weighted_sum(case):
    model, _, _ = case
    parts = np.asarray(model.parts(model.params, jnp.asarray(X)))
    expected = (model.weights.sum(axis=1) / model.scale) @ parts
    np.testing.assert_allclose(np.asarray(model.apply(None, X)), expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(model.apply(None, X[2])), expected[2], rtol=1e-12)


def test_the_blocks_are_the_whole_of_the_hessian(case):
    """Off the diagonal blocks nothing is left: the identity behind B1, on arrays."""
    model, _, hessian = case
    dense, start = hessian.copy(), 0
    for params in model.params:
        size = sum(np.size(leaf) for leaf in jax.tree.leaves(params))
        dense[start : start + size, start : start + size] = 0.0
        start += size
    assert start == model.num_params
    assert not dense.any()


def test_permuting_sub_models_changes_nothing():
    described = Assembly(BENT, 5, weights=[1.0, -2.0, 3.0, 0.5, 0.0])
    model = numerics.instantiate(described, seed=0)
    order = [3, 1, 4, 0, 2]
    turned = Assembly(BENT, 5, weights=[described.weights[i] for i in order])
    other = numerics.instantiate(turned, seed=0)
    params = tuple(model.params[i] for i in order)
    here = numerics.hessian_norm(model, X[0]).value
    assert numerics.hessian_norm(other, X[0], params).value == pytest.approx(here, rel=1e-12)
    moved = other.apply(params, X[0])
    assert float(moved) == pytest.approx(float(model.apply(None, X[0])), rel=1e-12)


def test_sub_models_do_not_change_when_there_are_more():
    few, many = (numerics.instantiate(Assembly(NET, n), seed=5) for n in (2, 4))
    for a, b in zip(few.params, many.params[:2], strict=True):
        for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_array_equal(left, right)
    other = numerics.instantiate(Assembly(NET, 2), seed=6)
    assert not np.array_equal(other.params[0]["W"][0], few.params[0]["W"][0])
    assert not np.array_equal(few.params[0]["W"][0], few.params[1]["W"][0])


def test_symbols_get_numbers():
    m = theory.width("m")
    model = numerics.instantiate(Assembly(NET, m), {m: 4}, seed=1)
    assert model.count == 4
    assert model.scale == 2.0
    assert set(np.unique(np.abs(model.weights))) == {1.0}
    with pytest.raises(theory.NetworkError, match="give one number for each of m"):
        numerics.instantiate(Assembly(NET, m))
    with pytest.raises(ValueError, match="negative"):
        numerics.instantiate(Assembly(NET, 2), seed=-1)


def test_a_dominating_weight_keeps_its_sign():
    for weights, sign in (([-1.0, 1.0], -1.0), ([1.0, 1.0], 1.0)):
        described = Assembly(BENT, 2, weights=weights, dominance=Fraction(1, 2))
        model = numerics.instantiate(described)
        assert model.weights[0, 0] == pytest.approx(sign * 2**0.5)


def test_a_declared_beta_is_tried():
    false = SubFunction(BENT.function, 4, DIM, beta=0.5, name="bent")
    honest = numerics.instantiate(Assembly(BENT, 3), seed=3)
    assert max(n.value for n in part_norms(honest, X[0])) >= 2.0  # w_0^2 alone gives 2
    model = numerics.instantiate(Assembly(false, 3), seed=3)
    with pytest.raises(AssemblyError, match=r"beta = 0.5 was declared for the function 'bent'"):
        numerics.hessian_norm(model, X[0])


def test_shapes_are_checked():
    model = numerics.instantiate(ASSEMBLIES["networks"])
    with pytest.raises(ValueError, match="this assembly takes"):
        model.apply(None, np.zeros(DIM + 1))
    with pytest.raises(ValueError, match="one input at a time"):
        numerics.hessian_norm(model, X)
    with pytest.raises(ValueError, match="sets of parameters"):
        model.apply(model.params[:1], X[0])
    with pytest.raises(ValueError, match="no options"):
        numerics.hessian_norm(model, X[0], method="dense")


def test_single_precision_is_a_choice():
    model = numerics.instantiate(ASSEMBLIES["mixed"], seed=3, dtype=jnp.float32)
    assert model.apply(None, X[0]).dtype == jnp.float32
    exact = numerics.instantiate(ASSEMBLIES["mixed"], seed=3)
    found = numerics.hessian_norm(model, X[0]).value
    assert found == pytest.approx(numerics.hessian_norm(exact, X[0]).value, rel=1e-4)


def test_all_parameters_as_one_vector():
    model = numerics.instantiate(ASSEMBLIES["mixed"], seed=3)
    vector, unravel = ravel_pytree(model.params)
    assert vector.shape == (model.num_params,)
    again = model.apply(unravel(jnp.asarray(vector)), X[0])
    assert float(again) == float(model.apply(None, X[0]))


def test_inputs_may_be_signals():
    net = theory.Network(
        theory.Input((1, 4)),
        theory.Conv(2, kernel=2),
        theory.Activation("tanh"),
        theory.Flatten(),
        theory.Readout(),
    )
    model = numerics.instantiate(Assembly(net, 2), seed=0)
    signals = np.random.default_rng(0).standard_normal((3, 1, 4))
    assert model.apply(None, signals).shape == (3,)
    assert numerics.tangent_kernel(model, signals).shape == (3, 3)
    vector, unravel = ravel_pytree(model.params)
    dense = jax.hessian(lambda t: model.apply(unravel(t), signals[0]))(vector)
    found = numerics.hessian_norm(model, signals[0]).value
    assert found == pytest.approx(np.linalg.norm(np.asarray(dense), 2), rel=1e-9)
    with pytest.raises(ValueError, match=r"takes \(1, 4,\)"):
        model.apply(None, signals[0, 0])


def test_weights_that_cancel_are_summed_without_loss():
    given = Assembly(BENT, 1, weights=[1e16, 1.0, -1e16], shared=3, scale="linear")
    model = numerics.instantiate(given, seed=0)
    assert model.totals.tolist() == [1.0]
    assert numerics.hessian_norm(model, X[0]).lower > 0


def test_the_coefficients_of_blocks_are_rounded_within_the_slack():
    """Each a quotient and a product, against exact fractions: without slack half would be off."""
    random = np.random.default_rng(0)
    off = 0
    for _ in range(50):
        total, scale, norm = random.uniform(0.5, 2.0, 3).tolist()
        block = SpectralNorm(norm, norm, norm, "dense", "", 0.0, (0.0, norm), 1)
        found = _largest(np.array([total / scale]), [block])
        exact = Fraction(total) / Fraction(scale) * Fraction(norm)
        assert Fraction(found.lower) <= exact <= Fraction(found.upper)
        off += Fraction(found.value) != exact
    assert off > 25


def test_the_certificate_says_what_is_granted_and_not_bounded():
    """What cancels inside of a function is not seen by an allowance relative to its Hessian."""

    def cancelling(w, x):
        return 1e9 * (w @ w) - 1e9 * (w @ w) + x[0] * w[0] ** 2

    part = SubFunction(cancelling, 2, DIM, name="cancels")
    function = numerics.instantiate(Assembly([part, NET], 2), seed=0)
    found = numerics.hessian_norm(function, np.ones(DIM))
    assert "granted, not bounded" in found.certificate
    assert "by the error model" in found.certificate  # that of the network beside it
