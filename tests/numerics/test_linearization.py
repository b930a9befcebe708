"""The linearization gap against the definition, Taylor's remainder and finite sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from numerics import tolerances
from numerics.ball import distance, perturb
from numerics.linearization import linearization_gap
from tests.numerics.sample_networks import (
    build,
    cases,
    dense_gradient,
    dense_hessian,
    flat_output,
    inputs,
)


@settings(max_examples=20)
@given(case=cases(), seed=st.integers(0, 2**32 - 1), radius=st.sampled_from([0.1, 1.0, 5.0]))
def test_equals_its_definition(case, seed, radius):
    model = build(**case)
    x = inputs(model, 1)[0]
    params = perturb(model, radius, seed)
    output, start, _ = flat_output(model, x)
    step = ravel_pytree(params)[0] - start
    slope = dense_gradient(model, x) @ step
    terms = [float(output(start + step)), float(output(start)), float(slope)]
    expected = abs(terms[0] - terms[1] - terms[2])
    margin = 8 * tolerances.network(model.widths).margin(terms, radius)
    assert linearization_gap(model, x, params) == pytest.approx(expected, abs=margin, rel=0)


@settings(max_examples=10)
@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_equals_the_integral_remainder(case, seed):
    """f - f_lin = int_0^1 (1-t) s.H(theta0 + t s)s dt, by Gauss-Legendre: no cancellation."""
    model = build(**case)
    x = inputs(model, 1)[0]
    params = perturb(model, 0.5, seed)
    _, start, unravel = flat_output(model, x)
    step = ravel_pytree(params)[0] - start
    nodes, weights = np.polynomial.legendre.leggauss(8)
    remainder = sum(
        w / 2 * (1 - t) * float(step @ dense_hessian(model, x, unravel(start + t * step)) @ step)
        for t, w in zip((nodes + 1) / 2, weights, strict=True)
    )
    assert linearization_gap(model, x, params) == pytest.approx(abs(remainder), rel=1e-6, abs=1e-12)


def test_a_linear_model_has_no_gap():
    """One hidden layer, identity, readout fixed: linear in its parameters."""
    model = build((4, 6), "identity")
    params = perturb(model, 3.0, 0)
    margin = tolerances.network(model.widths).margin(10.0)
    assert linearization_gap(model, inputs(model, 1)[0], params) <= margin


def test_between_two_points_other_than_the_start():
    model = build((4, 6, 5))
    x = inputs(model, 1)[0]
    here, there = perturb(model, 1.0, 1), perturb(model, 2.0, 2)
    output, _, _ = flat_output(model, x)
    a, b = ravel_pytree(here)[0], ravel_pytree(there)[0]
    expected = abs(float(output(b) - output(a) - dense_gradient(model, x, here) @ (b - a)))
    assert linearization_gap(model, x, there, here) == pytest.approx(expected, rel=1e-9)
    assert linearization_gap(model, x, here, here) == 0
    assert distance(here, there) > 0


def test_wrong_shapes_are_refused():
    model = build((4, 6))
    with pytest.raises(ValueError, match="one input at a time"):
        linearization_gap(model, inputs(model, 2), model.params)
    with pytest.raises(ValueError, match="W1 has shape"):
        linearization_gap(model, inputs(model, 1)[0], {"W": (np.ones((6, 3)),)})
