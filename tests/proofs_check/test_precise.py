"""The high-precision witness agrees with itself, with JAX and with closed forms."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

import numerics
from proofs_check.measuring import precise
from theory.activations import ACTIVATIONS, ActivationError, T, activation
from theory.evaluation import MissingValueError
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.terms import add, eq, inv_root, make, mul, power, rat
from theory.vocabulary import RADIUS, symbol, width


def network(*names: str, trained: bool = True) -> numerics.Model:
    sizes = (3, 2, 3)
    parts = [p for n, s in zip(names, sizes, strict=False) for p in (Dense(s), Activation(n))]
    return numerics.instantiate(Network(Input(2), *parts, Readout(trainable=trained)), seed=5)


X = np.array([0.75, -1.25])
NAMES = [("tanh",), ("gelu", "sin"), ("silu", "erf", "softplus")]


def moved(model: numerics.Model, place: tuple[int, ...], by: float) -> dict[str, object]:
    layer, *entry = place
    weights = [np.array(w) for w in model.params["W"]]
    weights[layer][tuple(entry)] += by
    return {**model.params, "W": tuple(weights)}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("trained", [True, False])
def test_the_hessian_is_the_one_that_jax_finds(names: tuple[str, ...], trained: bool) -> None:
    model = network(*names, trained=trained)
    found = precise.measure(model, X)
    measured = numerics.measure(model, X)
    for key, value in measured.items():
        if key in found:
            assert float(found[key]) == pytest.approx(value, rel=1e-12, abs=1e-15), key
    assert {"hessian_norm", "gradient_norm", "output", ("s", 1), ("c", 1)} <= set(found)
    assert len(found.gradient) == model.num_params == len(found.theta)


def test_the_gradient_is_a_limit_of_differences_in_high_precision() -> None:
    model = network("tanh", "sigmoid")
    step = 2.0**-40  # exact in float64, error of the central difference about 2^-80
    for place, position in (((0, 1, 0), 2), ((1, 1, 2), 11)):
        low, high = (precise.measure(model, X, moved(model, place, s)) for s in (-step, step))
        here = precise.measure(model, X)
        with mpmath.workdps(100):
            slope = (high["output"] - low["output"]) / (2 * step)
            bend = (high.gradient - low.gradient) / (2 * step)
            assert abs(slope - here.gradient[position]) < 1e-22
            assert (
                max(abs(b - h) for b, h in zip(bend, here.hessian[position], strict=True)) < 1e-22
            )


def test_one_hidden_layer_has_the_closed_form() -> None:
    model = network("tanh", trained=False)
    found = precise.measure(model, X)
    with mpmath.workdps(60):
        z = [
            mpmath.fdot(map(float, row), map(float, X)) / mpmath.sqrt(2)
            for row in np.asarray(model.params["W"][0])
        ]
        bends = [
            float(v) * -2 * mpmath.tanh(t) * mpmath.sech(t) ** 2
            for v, t in zip(np.asarray(model.readout), z, strict=True)
        ]
        size = mpmath.fdot(map(float, X), map(float, X)) / 2
        exact = max(abs(b) for b in bends) * size / mpmath.sqrt(3)
        assert abs(found["hessian_norm"] - exact) < mpmath.mpf(10) ** -45


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_and_derivatives_have_the_values_sympy_gives(name: str) -> None:
    function = activation(name)
    with mpmath.workdps(40):
        for order in range(3):
            expr = function.derivative(order)
            for t in (sympy.Rational(-7, 3), sympy.Rational(1, 5), sympy.Integer(3)):
                exact = expr.subs(T, t)
                found = precise.at(expr, mpmath.mpf(t.p) / t.q)
                assert abs(found - mpmath.mpf(str(exact.evalf(45)))) < mpmath.mpf(10) ** -36


def test_a_function_without_a_counterpart_is_named() -> None:
    with pytest.raises(ActivationError, match=r"besselj.*has no value in high precision"):
        precise.at(sympy.besselj(0, sympy.Symbol("t")), mpmath.mpf(1))


def test_a_large_network_is_refused() -> None:
    net = Network(Input(20), Dense(30), Activation("tanh"), Readout())
    with pytest.raises(ValueError, match=r"600 parameters; high precision is for at most 400"):
        precise.measure(numerics.instantiate(net), np.ones(20))


def test_two_points() -> None:
    model = network("tanh", "gelu")
    far = numerics.perturb(model, 0.5, seed=2)
    gap = precise.linearization_gap(model, X, far)
    assert float(gap) == pytest.approx(numerics.linearization_gap(model, X, far), rel=1e-9)
    assert float(precise.distance(model, far)) == pytest.approx(0.5, rel=1e-14)
    other = np.array([1.0, 0.5])
    kernels = []
    for params in (far, model.params):
        kernel = numerics.tangent_kernel(model, np.stack([X, other]), params)
        kernels.append(float(kernel[0, 1]))
    change = precise.kernel_change(model, X, other, far)
    assert float(change) == pytest.approx(abs(kernels[0] - kernels[1]), rel=1e-9)


def test_real_terms_in_any_precision() -> None:
    term = mul(power(add(RADIUS, rat(1, 3)), 2), inv_root(width(1)))
    with mpmath.workdps(80):
        exact = (2 + mpmath.mpf(1) / 3) ** 2 / mpmath.sqrt(7)
        found = precise.evaluate_real(term, {RADIUS: 2, width(1): 7}, precision=80)
        assert abs(found - exact) < mpmath.mpf(10) ** -78
    bar = symbol("s_bar", 1)
    matrix = make("specnorm", 2, rat(1), bar, bar, rat(1))
    defined = (eq(bar, mul(RADIUS, RADIUS)),)
    value = precise.evaluate_real(matrix, {RADIUS: 3}, precision=60, definitions=defined)
    assert abs(value - 10) < mpmath.mpf(10) ** -55
    with pytest.raises(MissingValueError, match="s_bar"):
        precise.evaluate_real(matrix, {})
