"""Enclosures of the spectral norm of a symmetric matrix, and how each was certified.

A bound is tested against the true norm, so what is needed is a number that the norm does *not*
exceed; Lanczos and power iteration only approach it from below. Two methods:

Dense: all eigenvalues. The enclosure holds for certain, under the error model of the matrix's
entries and LAPACK's backward error (`numerics.tolerances.spectrum`).

Lanczos, for both ends of the spectrum. Below: a Ritz value is a Rayleigh quotient. Above: with high
probability over the random start, from the overlap of the start with the eigenvector sought.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal
from threadpoolctl import ThreadpoolController

from numerics.certificates import a_posteriori_bound, a_priori_gap
from numerics.lanczos import Lanczos, Operator, Tridiagonal
from numerics.tolerances import spectrum

STARTS = 4
_VALUE = 1e-10  # relative residual of the value: an eigenvalue is that close
_CHECK = 8  # Lanczos steps between two looks at the enclosure


class SpectralError(ValueError):
    """The spectral norm is not defined or could not be enclosed."""


@dataclass(frozen=True)
class SpectralNorm:
    """An enclosure of a spectral norm (largest absolute eigenvalue).

    Attributes:
        value: the computed norm; lower <= value <= upper.
        lower: certain lower bound, under the error model of rounding.
        upper: upper bound; certain if `failure_probability` is 0, else with high probability.
        method: "dense", "lanczos" or "zero".
        certificate: in words: what was computed, by which method, and why the bounds hold.
        failure_probability: probability, over the random start vectors, that `upper` is exceeded.
        extremes: computed smallest and largest eigenvalue of the matrix. By Lanczos, the one of
            smaller magnitude is only as accurate as proving that it is the smaller took.
        dimension: number of rows of the matrix whose eigenvalues were taken.
        steps: Lanczos steps taken; 0 if dense.
    """

    value: float
    lower: float
    upper: float
    method: str
    certificate: str
    failure_probability: float
    extremes: tuple[float, float]
    dimension: int
    steps: int = 0

    def __float__(self) -> float:
        return self.value

    def with_chance(self, failure_probability: float, what: str) -> SpectralNorm:
        """The same enclosure, where a bound that it rests on may fail as well.

        Args:
            failure_probability: of both together.
            what: the bound that shares it, for the certificate.
        """
        words = (
            f"{self.certificate}; {what} share a failure probability of {failure_probability:.0e}"
        )
        return replace(self, failure_probability=failure_probability, certificate=words)

    def with_note(self, note: str) -> SpectralNorm:
        """The same enclosure with more in its certificate."""
        return replace(self, certificate=f"{self.certificate}; {note}")


def dense_norm(matrix: Float[np.ndarray, "n n"], rounding: float) -> SpectralNorm:
    """The spectral norm of a symmetric matrix from all its eigenvalues.

    Args:
        matrix: symmetric up to rounding, float64.
        rounding: bound on the spectral norm of the error already in `matrix`. Its measured
            asymmetry is used instead where that is larger.

    Returns:
        The enclosure, certain under the bound `rounding`.

    Raises:
        SpectralError: an entry is not finite.

    Source:
        LAPACK Users' Guide, section 4.7 (backward error); Weyl's inequality.
    """
    return all_eigenvalues(matrix, rounding)[1]


def all_eigenvalues(
    matrix: Float[np.ndarray, "n n"], rounding: float
) -> tuple[Float[np.ndarray, " n"], SpectralNorm]:
    """All eigenvalues of a symmetric matrix, increasing, and with them its spectral norm.

    By Weyl's inequality each is as accurate as the norm is.

    Args:
        matrix: as for `dense_norm`.
        rounding: as for `dense_norm`.

    Raises:
        SpectralError: an entry is not finite.
    """
    if not np.all(np.isfinite(matrix)):
        raise SpectralError(_not_finite("an entry of the matrix"))
    order = matrix.shape[0]
    largest = float(np.max(np.abs(matrix)))
    unit = _power_of_two(largest)
    scaled = matrix / unit
    asymmetry = float(np.linalg.norm(scaled - scaled.T)) * unit
    with _threads().limit(limits=1, user_api="blas"):
        values = np.linalg.eigvalsh((scaled + scaled.T) / 2) * unit
    value = float(np.max(np.abs(values)))
    solver = spectrum(order).margin(value)
    error = max(rounding, asymmetry) + solver + _underflow(order)
    return values, SpectralNorm(
        value=value,
        lower=max(0.0, value - error),
        upper=value + error,
        method="dense",
        certificate=(
            f"all {order} eigenvalues (LAPACK); error of the entries at most {rounding:.1e} by the "
            f"error model, measured asymmetry {asymmetry:.1e}, backward error of the solver at "
            f"most {solver:.1e} (Weyl)"
        ),
        failure_probability=0.0,
        extremes=(float(values[0]), float(values[-1])),
        dimension=order,
    )


def zero_norm(dimension: int, reason: str) -> SpectralNorm:
    """The enclosure of the norm of a matrix known to vanish up to underflow.

    Args:
        dimension: number of rows.
        reason: why, for the certificate.

    Returns:
        The value 0, with an upper bound for what underflowed.
    """
    return SpectralNorm(
        value=0.0,
        lower=0.0,
        upper=_underflow(dimension),
        method="zero",
        certificate=f"{reason}; the upper bound allows for underflow",
        failure_probability=0.0,
        extremes=(0.0, 0.0),
        dimension=dimension,
    )


def lanczos_norm(
    operator: Operator,
    arguments: Any,
    dimension: int,
    *,
    magnitude: float,
    rounding: float,
    rtol: float = 1e-6,
    failure_probability: float = 1e-9,
    seed: int = 0,
    max_steps: int = 512,
) -> SpectralNorm:
    """The spectral norm of a symmetric matrix from its products with vectors.

    Lanczos with full reorthogonalization from four independent random starts, for both ends of the
    spectrum. Below stands a Rayleigh quotient less rounding. Above stands, at each end, the smaller
    of the two bounds of `numerics.certificates`: the a-priori bound of Kuczynski and Wozniakowski
    and the a-posteriori one from the Lanczos polynomials. They fail only where *every* start fails,
    so each start may fail with the fourth root of the probability.

    Args:
        operator: (arguments, y) -> the product with each row of y, (k, n) to (k, n), float64.
        arguments: pytree of arrays handed to `operator`.
        dimension: n.
        magnitude: rough size of the norm, used for scaling only; > 0.
        rounding: bound on the norm of the error of a product with a unit vector.
        rtol: stop when the enclosure's relative width is below this, or as narrow as rounding lets
            it be.
        failure_probability: that `upper` is exceeded; shared by two bounds and both ends.
        seed: of the start vectors.
        max_steps: stop in any case; the enclosure may then be wider than `rtol`.

    Returns:
        The enclosure; `upper` holds with probability 1 - `failure_probability`.

    Raises:
        SpectralError: a product was not finite.

    Source:
        See `numerics.certificates`.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, dimension)))
    starts = rng.standard_normal((STARTS, dimension))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    scale = 1 / _power_of_two(magnitude)
    process = Lanczos(operator, arguments, starts, scale)
    chance = (failure_probability / 4) ** (1 / STARTS)  # two bounds, two ends
    limit = min(max_steps, dimension)
    while True:
        process.advance(min(_CHECK if process.steps else 3 * _CHECK, limit - process.steps))
        runs = process.tridiagonals()
        if not all(np.all(np.isfinite(run.alpha + run.beta)) for run in runs):
            raise SpectralError(_not_finite("a product with the matrix"))
        ends = _Ends(runs, dimension, chance, rounding * scale)
        if process.steps >= limit or all(run.exhausted for run in runs) or ends.close(rtol):
            break
    orthogonality = process.orthogonality()
    lower = max(0.0, ends.lower(orthogonality) / scale - _underflow(dimension))
    upper = ends.upper / scale + _underflow(dimension)
    return SpectralNorm(
        value=ends.value / scale,
        lower=lower,
        upper=upper,
        method="lanczos",
        certificate=(
            f"Lanczos, {STARTS} random starts, {process.steps} steps in dimension {dimension}, "
            f"full reorthogonalization (departure {orthogonality:.1e}); below: Rayleigh quotient, "
            f"residual {ends.residual / scale:.1e}, less rounding (a product errs by at most "
            f"{rounding:.1e} by the error model); above: with probability 1 - "
            f"{failure_probability:.0e} over the starts, a-posteriori bound "
            f"{ends.a_posteriori / scale:.6e} from the Lanczos polynomials (van Dorsselaer, "
            f"Hochstenbach, van der Vorst 2000), a-priori bound {ends.a_priori / scale:.6e} "
            f"(Kuczynski, Wozniakowski 1992)"
        ),
        failure_probability=failure_probability,
        extremes=(ends.extremes[0] / scale, ends.extremes[1] / scale),
        dimension=dimension,
        steps=process.steps,
    )


class _Ends:
    """What the tridiagonal matrices say about both ends of the spectrum."""

    def __init__(
        self, runs: list[Tridiagonal], dimension: int, chance: float, rounding: float
    ) -> None:
        count = len(runs)
        negatives = [replace(run, alpha=-run.alpha) for run in runs]
        self._runs = [*runs, *negatives]
        self._dimension, self._chance, self._rounding = dimension, chance, rounding
        ritz = [_top(run) for run in self._runs]
        self._theta = [value for value, _ in ritz]
        self.extremes = (-max(self._theta[count:]), max(self._theta[:count]))
        self._best = int(np.argmax(self._theta))
        self.value = max(self._theta[self._best], 0.0)
        self._residuals = [
            float(run.beta[-1] * abs(vector[-1]))
            for run, (_, vector) in zip(self._runs, ritz, strict=True)
        ]
        self.residual = self._residuals[self._best]
        self._noise = float(np.linalg.norm(self._runs[self._best].defect + rounding))

    def lower(self, orthogonality: float) -> float:
        """Rayleigh quotient of the best Ritz vector V s, |s| = 1, less rounding.

        y = V s has y.Ay / y.y = theta + (beta_k s_k y.v_(k+1) + y.F s) / y.y.
        """
        run = self._runs[self._best]
        slip = run.beta[-1] if run.exhausted else self.residual * orthogonality
        return self.value - (slip + self._noise) / math.sqrt(max(1 - orthogonality, 0.25))

    def close(self, rtol: float) -> bool:
        """Whether the enclosure is narrow enough, or as narrow as rounding lets it be."""
        if self.residual > max(_VALUE * self.value, self._noise):
            return False  # theta is not yet an eigenvalue to that accuracy: spare the bounds
        if all(residual <= 0.1 * self._noise for residual in self._residuals):
            return True
        return math.isfinite(self.upper) and self.upper - self.value <= rtol * self.upper

    @property
    def a_priori(self) -> float:
        """Upper bound of Kuczynski and Wozniakowski, both ends."""
        steps = min(run.alpha.size for run in self._runs)
        gap = a_priori_gap(self._dimension, steps, self._chance)
        spread = self.extremes[1] - self.extremes[0]
        # spread_true <= spread + 2 gap spread_true
        return self.value + gap * spread / (1 - 2 * gap) + self._noise if gap < 0.5 else math.inf

    @cached_property
    def a_posteriori(self) -> float:
        """Upper bound from the Lanczos polynomials: both ends, the worst start."""
        return max(
            a_posteriori_bound(run, theta, self._dimension, self._chance, self._rounding)
            for run, theta in zip(self._runs, self._theta, strict=True)
        )

    @property
    def upper(self) -> float:
        """The smaller of the two."""
        return max(self.value, min(self.a_priori, self.a_posteriori))


def _top(run: Tridiagonal) -> tuple[float, Float[np.ndarray, " k"]]:
    last = run.alpha.size - 1
    values, vectors = eigh_tridiagonal(
        run.alpha, run.beta[:-1], select="i", select_range=(last, last)
    )
    return float(values[0]), vectors[:, 0]


@cache
def _threads() -> ThreadpoolController:
    # One thread: up to the sizes taken here a second gains 30%, and where another program wants a
    # core, OpenBLAS's threads wait for each other in a busy loop: 7 s instead of 0.1 s were seen.
    return ThreadpoolController()


def _power_of_two(size: float) -> float:
    """A power of two near `size`: to divide by it is exact, and squares then stay in range."""
    return math.ldexp(1.0, min(max(math.frexp(size)[1], -1000), 1000))


def _underflow(order: int) -> float:
    return order * float(np.finfo(np.float64).tiny)


def _not_finite(what: str) -> str:
    return (
        f"{what} is infinite or NaN, so there is no spectral norm: look for NaN or huge numbers "
        f"in the parameters and the input, and for an activation that overflows there"
    )
