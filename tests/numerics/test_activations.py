"""Activations as JAX functions: values and derivatives against SymPy's arbitrary precision."""

from __future__ import annotations

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

from numerics.activations import derivatives, host_derivatives, jax_function
from theory.activations import ACTIVATIONS, ActivationError, T, activation

POINTS = np.array([-700.0, -40.0, -20.0, -6.5, -1.0, -1e-3, 0.0, 1e-9, 0.7, 3.0, 19.5, 45.0, 300.0])

EXPRESSIONS = [
    "t/(1 + t^2)",
    "sin(t)*exp(-t^2/8)",
    "atan(t) + pi*t/7",
    "log(1 + t^2)/2",
    "sqrt(1 + t^2)",
    "sech(t)",
    "(1 + t^2)^(1/3)",
    "asinh(t)",
    "3/2",
]


def exact(function, order):
    """Derivatives at POINTS, from mpmath with more digits than the tails cancel."""
    evaluate = sympy.lambdify(T, function.derivative(order), "mpmath")
    with mpmath.workdps(700):
        return np.array([float(evaluate(mpmath.mpf(point))) for point in POINTS])


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_named_activations_are_as_accurate_as_their_argument(name):
    """The premise of the error model: a few ulp of |sigma^(k)(t)| + |t sigma^(k+1)(t)|."""
    function = activation(name)
    reference = [exact(function, order) for order in range(5)]
    computed = derivatives(function, jnp.asarray(POINTS), 3)
    for order, values in enumerate(computed):
        allowed = np.abs(reference[order]) + np.abs(POINTS * reference[order + 1])
        error = np.abs(np.asarray(values) - reference[order])
        assert np.all(error <= 16 * np.finfo(float).eps * allowed + 1e-300), order


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
def test_small_derivatives_are_accurate_relatively(name):
    function = activation(name)
    for order, values in enumerate(derivatives(function, jnp.asarray(POINTS), 3)):
        reference = exact(function, order)
        near = np.abs(reference) > 1e-300
        np.testing.assert_allclose(np.asarray(values)[near], reference[near], rtol=1e-13)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text):
    function = activation(text)
    inner = np.abs(POINTS) < 50
    for order, values in enumerate(derivatives(function, jnp.asarray(POINTS), 2)):
        reference = exact(function, order)
        np.testing.assert_allclose(
            np.asarray(values)[inner], reference[inner], rtol=1e-11, atol=1e-14
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["gelu", "t/(1 + t^2)", "3/2"])
def test_shape_and_dtype_are_kept(name, dtype):
    z = jnp.ones((2, 3), dtype)
    value = jax_function(activation(name))(z)
    assert value.shape == (2, 3)
    assert value.dtype == dtype


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_host_derivatives_are_the_same(size):
    z = np.linspace(-3, 3, size)
    function = activation("gelu_tanh")
    for host, device in zip(
        host_derivatives(function, z, 2), derivatives(function, jnp.asarray(z), 2), strict=True
    ):
        assert isinstance(host, np.ndarray)
        np.testing.assert_allclose(host, np.asarray(device), rtol=1e-12, atol=1e-15)


def test_what_cannot_be_evaluated_is_refused_by_name():
    class _Strange:
        name = "strange"
        expr = sympy.besselj(0, T)

    from numerics.activations import _evaluate

    with pytest.raises(ActivationError, match="no JAX counterpart of besselj"):
        _evaluate(_Strange.expr, None)
