"""Enclosures of spectral norms of arbitrary symmetric matrices, and their certificates."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matfree import decomp
from scipy.stats import binomtest

from numerics import spectral
from numerics.certificates import a_posteriori_bound, a_priori_gap, overlap
from numerics.lanczos import Lanczos
from numerics.spectral import SpectralError, dense_norm, lanczos_norm

UNIT = np.finfo(np.float64).eps
SIZE = 120


def product(matrix, y):
    return y @ matrix


def symmetric(eigenvalues, seed=0):
    values = np.asarray(eigenvalues, dtype=np.float64)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((values.size,) * 2))[0]
    matrix = (basis * values) @ basis.T
    return (matrix + matrix.T) / 2, basis


def padded(*leading):
    """SIZE eigenvalues: the given ones, the rest small."""
    return [*leading, *np.linspace(-0.3, 0.3, SIZE - len(leading))]


SPECTRA = {
    "gap": padded(1.0),
    "negative": padded(-1.0),
    "equal ends": padded(1.0, -1.0),
    "clustered": padded(*(1 - 1e-9 * np.arange(5))),
    "close to equal": padded(1.0, 1 - 1e-6, -1 + 1e-7),
    "multiple": padded(*[1.0] * 20),
    "uniform": np.linspace(-1, 1, SIZE),
    "edge": np.sin(np.linspace(0, np.pi / 2, SIZE)),  # dense at the upper end
    "rank one": [1.0, *[0.0] * (SIZE - 1)],
    "rank two": [1.0, -1.0, *[0.0] * (SIZE - 2)],
    "identity": [1.0] * SIZE,
    "signs": [1.0, -1.0] * (SIZE // 2),
    "geometric": 0.5 ** np.arange(SIZE),
    "all negative": -np.linspace(1, 2, SIZE),
    "zero": [0.0] * SIZE,
}


@pytest.mark.parametrize("scale", [1e-140, 1.0, 1e140])
@pytest.mark.parametrize("name", SPECTRA)
def test_both_methods_enclose_the_norm(name, scale):
    matrix, _ = symmetric(SPECTRA[name])
    matrix = scale * matrix
    exact = scale * float(np.max(np.abs(SPECTRA[name])))
    own = 4 * SIZE * UNIT * scale  # the matrix is not exactly the one with these eigenvalues
    dense = dense_norm(matrix, 0.0)
    assert dense.lower - own <= exact <= dense.upper + own
    assert dense.upper - dense.lower <= 1e-12 * scale
    for seed in range(3):
        norm = lanczos_norm(
            product, matrix, SIZE, magnitude=scale, rounding=own, rtol=1e-6, seed=seed
        )
        assert norm.lower - own <= exact <= norm.upper + own
        assert norm.lower <= norm.value <= norm.upper
        # not merely valid but tight
        assert norm.upper - norm.lower <= 2e-6 * exact + 1e8 * own
        assert norm.value == pytest.approx(exact, rel=1e-10, abs=10 * own)
        assert norm.steps <= SIZE


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-290, 1e290, 1e308])
def test_the_ends_of_the_range_of_double_precision(scale):
    matrix = np.diag([1.0, -0.5, 0.25]) * scale
    dense = dense_norm(matrix, 0.0)
    lanczos = lanczos_norm(product, matrix, 3, magnitude=scale, rounding=0.0)
    for norm in (dense, lanczos):
        assert norm.lower <= scale <= norm.upper
        # XLA takes subnormal numbers for zero; the enclosure allows for it
        assert norm.value == pytest.approx(scale, rel=1e-12, abs=3e-308)


def test_a_probability_too_small_for_double_precision_leaves_the_a_priori_bound():
    matrix, _ = symmetric(SPECTRA["gap"])
    norm = lanczos_norm(
        product, matrix, SIZE, magnitude=1.0, rounding=1e-15, failure_probability=1e-80
    )
    assert norm.lower <= 1.0 <= norm.upper < 1.3


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_tiny_matrices(size):
    for seed in range(5):
        matrix, _ = symmetric(np.random.default_rng(seed).standard_normal(size), seed)
        exact = float(np.linalg.norm(matrix, 2))
        norm = lanczos_norm(product, matrix, size, magnitude=1.0, rounding=1e-15, seed=seed)
        assert norm.lower <= exact * (1 + 8 * UNIT)
        assert exact <= norm.upper * (1 + 8 * UNIT)
        assert norm.value == pytest.approx(exact, rel=1e-12)


def test_more_steps_than_the_first_allocation():
    values = np.linspace(-1, 1, 400)
    matrix = np.diag(values)
    norm = lanczos_norm(product, matrix, 400, magnitude=1.0, rounding=1e-15, rtol=1e-9)
    assert norm.steps > 128
    assert norm.value == pytest.approx(1.0, rel=1e-12)
    assert norm.lower <= 1.0 <= norm.upper <= 1 + 1e-7


def test_a_limit_on_the_steps_leaves_an_honest_wider_enclosure():
    matrix = np.diag(np.linspace(-1, 1, 400))
    norm = lanczos_norm(product, matrix, 400, magnitude=1.0, rounding=1e-15, max_steps=30)
    assert norm.steps == 30
    assert norm.lower < 1.0 < norm.upper
    assert norm.upper - norm.lower > 1e-3


def _start_with_overlap(basis, least, seed):
    """A unit vector whose overlap with the first column of the basis is `least`."""
    rest = np.random.default_rng(seed).standard_normal(basis.shape[0])
    rest -= basis[:, 0] * (basis[:, 0] @ rest)
    return least * basis[:, 0] + math.sqrt(1 - least**2) * rest / np.linalg.norm(rest)


@pytest.mark.parametrize("steps", [3, 10, 20, 40, 80])
@pytest.mark.parametrize("name", ["gap", "clustered", "close to equal", "uniform", "edge"])
def test_the_a_posteriori_bound_needs_no_more_than_the_overlap(name, steps):
    """Deterministic: starts nearly orthogonal to the eigenvector, just within what is assumed."""
    values = sorted(SPECTRA[name], reverse=True)
    matrix, basis = symmetric(values)
    for chance in (1e-2, 1e-6, 1e-9):
        starts = np.array(
            [_start_with_overlap(basis, 1.05 * overlap(SIZE, chance), seed) for seed in range(3)]
        )
        process = Lanczos(product, matrix, starts, 1.0)
        process.advance(steps)
        for run in process.tridiagonals():
            theta = float(np.linalg.eigvalsh(_dense(run))[-1])
            bound = a_posteriori_bound(run, theta, SIZE, chance, 4 * UNIT)
            assert bound >= values[0] * (1 - 8 * UNIT)


def _dense(run):
    off = run.beta[:-1]
    return np.diag(run.alpha) + np.diag(off, 1) + np.diag(off, -1)


def test_the_a_posteriori_bound_is_nearly_sharp():
    """With less overlap than assumed it may fail, and here does: it is not merely wide."""
    matrix, basis = symmetric(SPECTRA["gap"])
    start = _start_with_overlap(basis, 1e-3 * overlap(SIZE, 1e-6), 0)
    process = Lanczos(product, matrix, start[None], 1.0)
    process.advance(11)
    (run,) = process.tridiagonals()
    theta = float(np.linalg.eigvalsh(_dense(run))[-1])
    assert theta < 0.5  # the eigenvalue 1 has not been seen
    assert a_posteriori_bound(run, theta, SIZE, 1e-6, UNIT) < 1.0


@pytest.mark.parametrize("error", [1e-6, 1e-3])
def test_the_a_posteriori_bound_allows_for_errors_of_products(error):
    """Products that hide a part of the top eigenvalue as large as the error that is stated."""
    matrix, basis = symmetric(SPECTRA["gap"])
    top = basis[:, np.argmax(SPECTRA["gap"])]
    true = matrix + error * np.outer(top, top)
    start = np.random.default_rng(5).standard_normal(SIZE)
    process = Lanczos(product, matrix, start[None] / np.linalg.norm(start), 1.0)
    process.advance(40)
    (run,) = process.tridiagonals()
    theta = float(np.linalg.eigvalsh(_dense(run))[-1])
    bounds = [a_posteriori_bound(run, theta, SIZE, 1e-6, r) for r in (UNIT, error)]
    exact = float(np.linalg.eigvalsh(true)[-1])
    assert bounds[0] < exact * (1 - 8 * UNIT) <= bounds[1]


@pytest.mark.parametrize("dimension", [1, 2, 3, 10, 1000])
def test_the_overlap_is_as_likely_as_stated(dimension):
    rng = np.random.default_rng(1)
    start = rng.standard_normal((20000, dimension))
    first = np.abs(start[:, 0]) / np.linalg.norm(start, axis=1)
    for chance in (0.01, 0.1, 0.5, 0.9):
        failures = int(np.sum(first <= overlap(dimension, chance)))
        assert binomtest(failures, 20000, chance, alternative="greater").pvalue > 1e-6
        if dimension >= 10 and chance <= 0.1:  # and not far less
            assert binomtest(failures, 20000, chance / 1.3, alternative="less").pvalue > 1e-6


@pytest.mark.parametrize("bound", ["a posteriori", "a priori"])
def test_bounds_fail_no_more_often_than_stated(bound):
    values = np.linspace(-1, 1, SIZE)
    matrix, chance, steps, count = np.diag(values), 0.2, 6, 400
    starts = np.random.default_rng(2).standard_normal((count, SIZE))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    process = Lanczos(product, matrix, starts, 1.0)
    process.advance(steps)
    failures = 0
    for run in process.tridiagonals():
        theta = float(np.linalg.eigvalsh(_dense(run))[-1])
        if bound == "a priori":
            upper = theta + 2 * a_priori_gap(SIZE, steps, chance)
        else:
            upper = a_posteriori_bound(run, theta, SIZE, chance, UNIT)
        failures += upper < 1.0
    assert binomtest(failures, count, chance, alternative="greater").pvalue > 1e-6


def test_products_with_large_errors_widen_the_enclosure():
    """An operator that errs by 1e-7 per product: the stated error is enough."""
    matrix, _ = symmetric(SPECTRA["close to equal"])
    noise = np.random.default_rng(3).standard_normal((SIZE, SIZE))
    noise *= 1e-7 / np.linalg.norm(noise, 2)  # not even symmetric
    norm = lanczos_norm(product, matrix + noise, SIZE, magnitude=1.0, rounding=1e-7)
    assert norm.lower <= 1.0 <= norm.upper
    assert norm.upper - norm.lower >= 1e-7


@settings(max_examples=40)
@given(
    values=st.lists(st.floats(-1, 1), min_size=1, max_size=6),
    multiplicity=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_any_small_spectrum(values, multiplicity, seed):
    padding = [0.0] * (24 - len(values) * multiplicity)
    spectrum = [*(values * multiplicity), *padding]
    matrix, _ = symmetric(spectrum, seed)
    exact = float(np.max(np.abs(spectrum)))
    norm = lanczos_norm(product, matrix, 24, magnitude=1.0, rounding=1e-14, seed=seed)
    assert norm.lower - 1e-14 <= exact <= norm.upper + 1e-14
    assert norm.value == pytest.approx(exact, rel=1e-10, abs=1e-13)


def test_certificates_say_what_was_done():
    matrix, _ = symmetric(SPECTRA["gap"])
    norm = lanczos_norm(
        product, matrix, SIZE, magnitude=1.0, rounding=1e-15, failure_probability=1e-7
    )
    assert norm.method == "lanczos"
    assert norm.failure_probability == 1e-7
    for words in ("4 random starts", "residual", "1 - 1e-07", "Wozniakowski", "Hochstenbach"):
        assert words in norm.certificate
    dense = dense_norm(matrix, 1e-15)
    assert dense.failure_probability == 0
    assert "all 120 eigenvalues" in dense.certificate
    assert float(dense) == dense.value
    assert norm.extremes[1] == norm.value
    assert norm.extremes == pytest.approx(dense.extremes, rel=1e-2)


def test_asymmetry_is_counted_as_error():
    matrix, _ = symmetric(SPECTRA["gap"])
    matrix[0, 1] += 1e-6
    norm = dense_norm(matrix, 0.0)
    assert norm.upper - norm.value >= 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad):
    matrix, _ = symmetric(SPECTRA["gap"])
    matrix[3, 3] = bad
    with pytest.raises(SpectralError, match="an entry of the matrix is infinite or NaN"):
        dense_norm(matrix, 0.0)
    with pytest.raises(SpectralError, match="a product with the matrix is infinite or NaN"):
        lanczos_norm(product, matrix, SIZE, magnitude=1.0, rounding=1e-15)


def test_the_basis_stays_orthogonal():
    matrix, _ = symmetric(SPECTRA["geometric"])
    starts = np.random.default_rng(0).standard_normal((2, SIZE))
    process = Lanczos(
        product, jnp.asarray(matrix), starts / np.linalg.norm(starts, axis=1)[:, None], 1.0
    )
    process.advance(60)
    assert process.orthogonality() <= 1e-13


def test_the_zero_matrix_by_name():
    norm = spectral.zero_norm(5, "nothing there")
    assert norm.value == norm.lower == 0
    assert norm.upper > 0
    assert norm.certificate.startswith("nothing there")


def test_the_same_tridiagonal_matrix_as_matfree():
    matrix, _ = symmetric(SPECTRA["uniform"])
    starts = np.random.default_rng(0).standard_normal((2, SIZE))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    process = Lanczos(product, matrix, starts, 1.0)
    process.advance(20)
    peer = decomp.tridiag_sym(20)
    for start, run in zip(starts, process.tridiagonals(), strict=True):
        reference = peer(lambda v: matrix @ v, jnp.asarray(start)).J_small
        np.testing.assert_allclose(_dense(run), reference, atol=1e-12)
