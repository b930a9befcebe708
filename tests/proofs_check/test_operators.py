"""Linear maps without matrices agree with the matrices they stand for."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.measuring import norms, operators
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import Measured, product, total

RANDOM = np.random.default_rng(7)


def matrix(rows: int, cols: int) -> np.ndarray:
    return RANDOM.standard_normal((rows, cols))


def hidden(array: np.ndarray) -> Operator:
    """The matrix as a map that is known by its action alone."""
    op = operators.dense(array)
    free = Operator(array.shape, lambda x: array @ x, lambda y: array.T @ y, op.size)
    free.array = None
    return free


A, B, C = matrix(90, 80), matrix(80, 70), matrix(5, 3)
U = matrix(90, 1)
MAPS = {
    "product": (operators.composed([hidden(A), hidden(B)]), A @ B),
    "sum": (operators.added([hidden(A), hidden(2 * A)]), 3 * A),
    "multiple": (operators.scaled(Measured(0.5), hidden(A)), A / 2),
    "negative": (operators.negative(hidden(A)), -A),
    "transpose": (hidden(A).T, A.T),
    "diagonal": (operators.diagonal(operators.vector(U[:, 0])), np.diag(U[:, 0])),
    "kron": (operators.kron(hidden(A), operators.dense(C)), np.kron(A, C)),
    "kron with the identity": (
        operators.kron(operators.identity(70), operators.dense(C)),
        np.kron(np.eye(70), C),
    ),
    "selection": (operators.selection(2, 75, 80), np.eye(80)[2:75]),
    "zero": (operators.zero(70, 80), np.zeros((70, 80))),
    "narrow": (operators.composed([hidden(U), hidden(U.T)]), U @ U.T),
    "framed": (
        operators.composed([operators.selection(0, 80, 90), hidden(U), hidden(U.T), hidden(A)]),
        (U @ U.T @ A)[:80],
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_acts_as_its_matrix_from_both_sides(name: str) -> None:
    op, array = MAPS[name]
    assert op.shape == array.shape
    right, left = matrix(array.shape[1], 2), matrix(array.shape[0], 3)
    scale = np.linalg.norm(array) + 1
    assert np.linalg.norm(op @ right - array @ right) <= 1e-13 * scale * np.linalg.norm(right)
    assert np.linalg.norm(op.adjoint(left) - array.T @ left) <= 1e-13 * scale * np.linalg.norm(left)


@pytest.mark.parametrize("name", MAPS)
def test_the_norm_of_a_map_is_its_matrix_norm_within_the_stated_error(name: str) -> None:
    op, array = MAPS[name]
    found = norms.norm(op, "2")
    assert abs(found.value - np.linalg.norm(array, 2)) <= found.error + 1e-14 * found.value
    assert found.error <= 1e-9 * max(found.value, 1e-300)
    assert op.size >= (1 - 1e-12) * np.linalg.norm(array, 2)


def test_a_product_knows_its_waist_and_the_norm_through_it() -> None:
    left, right = matrix(300, 4), matrix(4, 280)
    ends = [hidden(matrix(290, 300)), hidden(left), hidden(right), hidden(matrix(280, 310))]
    op = operators.composed(ends)
    waist = op.waist()
    assert waist is not None
    assert waist[0].shape[1] == 4
    through = norms._by_waist(*waist)
    assert through.value == pytest.approx(norms.lanczos(op).value, rel=1e-9)
    turned = op.T.waist()
    assert turned is not None
    assert turned[0].shape == (310, 4)


def test_lanczos_finds_norms_of_maps_whose_singular_values_crowd() -> None:
    for values in (np.ones(150), np.linspace(0.99, 1.0, 150), 1 - 1e-9 * np.arange(150)):
        q, _ = np.linalg.qr(RANDOM.standard_normal((150, 150)))
        found = norms.lanczos(hidden(q * values))
        assert abs(found.value - values.max()) <= max(found.error, 1e-12)
        assert found.error <= 1e-6


def test_maps_that_are_not_finite_have_no_norm() -> None:
    assert math.isnan(norms.norm(operators.dense(np.full((3, 3), np.nan)), "2").value)
    with np.errstate(all="ignore"):
        assert math.isnan(norms.lanczos(hidden(np.full((80, 90), np.inf))).value)


@pytest.mark.parametrize("seed", range(5))
def test_the_tensor_norm_lies_between_local_maxima_and_the_upper_bound(seed: int) -> None:
    random = np.random.default_rng(seed)
    slices = random.standard_normal((4, 3, 5))
    found = norms.tensor_norm(operators.dense(slices.reshape(4, 15)), 3, 5)
    assert norms.ascend(slices) <= found.upper
    assert found.value <= norms.tensor_norm_upper(slices) * (1 + 1e-12)
    for _ in range(50):
        x, z = random.standard_normal(3), random.standard_normal(5)
        total_size = np.abs(np.einsum("i,kij,j->k", x, slices, z)).sum()
        assert total_size <= found.upper * np.linalg.norm(x) * np.linalg.norm(z)


def test_the_tensor_norm_of_a_layer_of_neurons_is_its_largest_slice() -> None:
    sizes = np.array([0.5, 3.0, 2.0, 1.0])
    slices = np.zeros((4, 4, 4))
    slices[range(4), range(4), range(4)] = sizes
    assert norms.tensor_norm(operators.dense(slices.reshape(4, 16)), 4, 4).value == 3.0
    many = np.zeros((20, 20, 20))
    many[range(20), range(20), range(20)] = np.linspace(1, 2, 20)
    found = norms.tensor_norm(operators.dense(many.reshape(20, 400)), 20, 20)
    assert found.value == pytest.approx(2.0, rel=1e-12)


# -- rounding errors ------------------------------------------------------------------------------

FRACTIONS = st.fractions(Fraction(1, 10**6), Fraction(10**6))


def close(found: Measured, exact: mpmath.mpf) -> bool:
    return bool(abs(mpmath.mpf(found.value) - exact) <= found.error)


@given(st.lists(FRACTIONS, min_size=1, max_size=6), st.sampled_from([-2, -0.5, 0.5, 1, 3]))
def test_stated_errors_cover_the_exact_result(terms: list[Fraction], exponent: float) -> None:
    given_terms = [Measured(float(t), float(t) * 2.0**-53) for t in terms]
    power = Fraction(exponent)
    with mpmath.workdps(60):
        exact = [mpmath.mpf(t.numerator) / t.denominator for t in terms]
        assert close(total(given_terms), mpmath.fsum(exact))
        assert close(product(given_terms), mpmath.fprod(exact))
        assert close(total(given_terms).power(power), mpmath.fsum(exact) ** exponent)
    assert total(given_terms).error <= 1e-14 * total(given_terms).value


def test_an_error_that_reaches_zero_leaves_nothing_known_of_a_negative_power() -> None:
    assert Measured(1e-20, 1e-19).power(Fraction(-1)).error == math.inf
    assert Measured(0.0).power(Fraction(-1)).value == math.inf
    assert (Measured(0.0) * Measured(math.inf)).value == 0.0


def test_one_rounding_is_counted_at_each_product_and_sum():
    """Of numbers that are exact: the error is that of the operation alone."""
    rounded, random = 0, np.random.default_rng(0)
    for _ in range(40):
        a, b = random.uniform(0.5, 2.0, 2).tolist()
        for found, exact in (
            (Measured(a) * Measured(b), Fraction(a) * Fraction(b)),
            (Measured(a) + Measured(b / 3), Fraction(a) + Fraction(b / 3)),
        ):
            gap = abs(Fraction(found.value) - exact)
            assert gap <= Fraction(found.error) <= Fraction(found.value) / 2**52
            rounded += gap > 0
    assert rounded > 40
