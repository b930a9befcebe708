"""The tolerances hold against exact rational arithmetic, and are not so wide as to mean nothing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics import tolerances
from numerics.tolerances import Tolerance, ToleranceError

FLOATS = [np.float32, np.float64]


def exact_dot(x, y):
    return sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, y, strict=True)))


@pytest.mark.parametrize("dtype", FLOATS)
@given(seed=st.integers(0, 2**32 - 1), terms=st.integers(1, 400))
def test_inner_products_stay_within_their_tolerance(dtype, seed, terms):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, terms)).astype(dtype)
    exact = exact_dot(x, y)
    condition = max(1.0, float(exact_dot(abs(x), abs(y)) / abs(exact)))
    allowed = tolerances.inner_product(terms, dtype, condition=condition)
    naive = dtype(0)
    for a, b in zip(x, y, strict=True):
        naive = dtype(naive + dtype(a * b))
    for computed in (x @ y, naive):
        assert abs(Fraction(float(computed)) - exact) <= Fraction(allowed.margin(float(exact)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_inner_product_tolerance_means_something(dtype):
    """The worst case is attained within a factor of 2: each addition loses its whole term."""
    terms = 300
    x = np.full(terms, dtype(tolerances.unit_roundoff(dtype) * 0.9))
    x[0] = dtype(1)
    naive = dtype(0)
    for a in x:
        naive = dtype(naive + a)
    exact = exact_dot(x, np.ones(terms))
    error = abs(Fraction(float(naive)) - exact)
    assert 2 * error >= Fraction(tolerances.inner_product(terms, dtype).margin(float(exact)))


@pytest.mark.parametrize("dtype", FLOATS)
@given(seed=st.integers(0, 2**32 - 1), order=st.integers(1, 60))
def test_eigenvalues_stay_within_their_tolerance(dtype, seed, order):
    """A matrix with a known spectrum: Q diag(d) Q^T, Q a Householder reflection."""
    rng = np.random.default_rng(seed)
    d = np.sort(rng.standard_normal(order))
    v = rng.standard_normal(order)
    Q = np.eye(order) - 2 * np.outer(v, v) / (v @ v)
    A = (Q * d) @ Q.T
    computed = np.linalg.eigvalsh(A.astype(dtype)).astype(np.float64)
    # A itself is formed in float64 (two products) and rounded once to dtype, entry by entry
    formed = tolerances.inner_product(4 * order, np.float64).amplified(max(1.0, order**0.5))
    rounded = Tolerance(tolerances.unit_roundoff(dtype) * order**0.5)
    assert (tolerances.spectrum(order, dtype) + formed + rounded).close(computed, d)


def test_precision_orders_the_tolerances():
    assert tolerances.unit_roundoff(np.float64) == 2.0**-53
    assert tolerances.unit_roundoff(np.float32) == 2.0**-24
    for make in (
        lambda t: tolerances.inner_product(100, t),
        lambda t: tolerances.spectrum(100, t),
        lambda t: tolerances.network([16, 64, 64], t),
    ):
        ratio = make(np.float32).relative / make(np.float64).relative
        assert ratio == pytest.approx(2.0**29, rel=1e-3)
    assert tolerances.network([64, 2048, 2048, 2048]).relative < 1e-12


def test_margin_close_and_at_most():
    tol = Tolerance(relative=1e-3, absolute=1e-6)
    assert tol.margin(2.0, [-5.0, 1.0]) == pytest.approx(5e-3 + 1e-6)
    assert tol.margin() == 1e-6
    assert tol.margin(np.zeros((0, 3))) == 1e-6
    assert tol.close([1.0, 1e-9], [1.0005, 5e-4])
    assert not tol.close([1.0, 0.0], [1.0, 2e-3])
    for undefined in (np.nan, np.inf, -np.inf):
        assert not tol.close(undefined, undefined)
        assert not tol.close(undefined, 1.0)
    assert tol.at_most(1.0, 1.0)
    assert tol.at_most(1.0005, 1.0)
    assert not tol.at_most(1.01, 1.0)
    assert tol.at_most(1.0, math.inf)
    for left, right in ((math.inf, 1.0), (1.0, -math.inf), (math.nan, 1.0), (1.0, math.nan)):
        assert not tol.at_most(left, right)
    assert (tol + tol).amplified(3.0) == Tolerance(6e-3, 6e-6)


def test_zero_tolerance_is_equality():
    exact = Tolerance(0.0)
    assert exact.close([1.0, 2.0], [1.0, 2.0])
    assert not exact.at_most(np.nextafter(1.0, 2.0), 1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Tolerance(-1.0), "finite relative part >= 0"),
        (lambda: Tolerance(0.0, math.inf), "finite absolute part >= 0"),
        (lambda: Tolerance(1e-9).amplified(0.5), "at least 1, got 0.5"),
        (lambda: Tolerance(1e-9).amplified(math.nan), "at least 1"),
        (lambda: Tolerance(1e-9).close([1.0], [1.0, 1.0]), r"shape \(1,\) with shape \(2,\)"),
        (lambda: tolerances.unit_roundoff(np.int64), "int64 is not a floating-point type"),
        (lambda: tolerances.gamma(2**25, np.float32), "use a wider type"),
        (lambda: tolerances.gamma(-1), "leave no digit"),
    ],
)
def test_errors_say_what_is_needed(call, says):
    with pytest.raises(ToleranceError, match=says):
        call()
