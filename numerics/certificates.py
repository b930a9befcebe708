"""Upper bounds on an extreme eigenvalue from a Lanczos run with a random start.

Below, lambda is the largest eigenvalue of the symmetric n x n matrix A, x a unit eigenvector to it,
v_1 the start, c_j = x . v_j, and theta the largest Ritz value after k steps.

A-priori bound (Kuczynski and Wozniakowski). Without any knowledge of the spectrum,

    P( lambda - theta > eps (lambda_max - lambda_min) ) <= 1.648 sqrt(n) exp(-sqrt(eps) (2k - 1)).

A-posteriori bound (van Dorsselaer, Hochstenbach and van der Vorst). The start overlaps with x,

    P( |c_1| <= s ) <= s sqrt(2n/pi),

for the density of one coordinate on the sphere is at most sqrt(n/(2pi)) (n >= 3; n = 2 by hand).
For n = 1, where |c_1| = 1, it is false of s = 1, and the bound for n = 2 is true and is taken.
Multiplying A v_j = beta_(j-1) v_(j-1) + alpha_j v_j + beta_j v_(j+1) + F_j by x gives

    beta_j c_(j+1) = (lambda - alpha_j) c_j - beta_(j-1) c_(j-1) - x.F_j,          |c_j| <= |v_j|.

Without F, c_j = c_1 P_j with the Lanczos polynomials P_1 = 1, beta_j P_(j+1) = (lambda - alpha_j)
P_j - beta_(j-1) P_(j-1), positive where lambda exceeds the Ritz values. So a lambda at which s P_j
exceeds |v_j| for some j is excluded: the smallest such number is the bound. It sees the actual gap
of the spectrum and is far sharper than the first. With rounding, put c_j = P_j y_j: the recurrence
becomes beta_j P_j P_(j+1) (y_(j+1) - y_j) = -sum_(i<=j) P_i x.F_i, hence

    |c_(j+1)| >= P_(j+1) (|c_1| - sum_(t<=j) sum_(i<=t) P_i |F_i| / (beta_t P_t P_(t+1))),

and lambda is excluded if the right side exceeds |v_(j+1)|. Nothing here assumes that the vectors
v_j stayed orthogonal. The right side grows with lambda (the P_j and the ratios P_j/P_i, i <= j, do:
their zeros interlace), so the excluded numbers are a half-line.

Source:
    J. Kuczynski, H. Wozniakowski, *Estimating the largest eigenvalue by the power and Lanczos
    algorithms with a random start*, SIAM J. Matrix Anal. Appl. 13 (1992), Theorem 4.2.
    J. L. M. van Dorsselaer, M. E. Hochstenbach, H. A. van der Vorst, *Computing probabilistic
    bounds for extreme eigenvalues of symmetric matrices with the Lanczos method*, SIAM J. Matrix
    Anal. Appl. 22 (2000), section 3. The treatment of rounding errors is ours.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from numerics.lanczos import Tridiagonal
from numerics.tolerances import unit_roundoff

_GRID = 64  # candidates tried at once
_ROUNDS = 2  # refinements of the grid
_U = unit_roundoff(np.float64)


def overlap(dimension: int, chance: float) -> float:
    """A number s with P(|c_1| <= s) <= chance for a start uniform on the sphere."""
    return chance * math.sqrt(math.pi / (2 * max(dimension, 2)))


def a_priori_gap(dimension: int, steps: int, chance: float) -> float:
    """The eps that `steps` Lanczos steps exceed with probability at most `chance`.

    Args:
        dimension: n.
        steps: k >= 1.
        chance: failure probability of one start, at one end of the spectrum.

    Returns:
        eps, relative to the spread lambda_max - lambda_min; may exceed 1.
    """
    return (math.log(1.648 * math.sqrt(dimension) / chance) / (2 * steps - 1)) ** 2


def a_posteriori_bound(
    run: Tridiagonal, theta: float, dimension: int, chance: float, rounding: float
) -> float:
    """An upper bound on the largest eigenvalue, from the Lanczos polynomials.

    Args:
        run: of the matrix, or of its negative for the other end.
        theta: the largest Ritz value of `run`.
        dimension: n.
        chance: failure probability.
        rounding: bound on the norm of the error of one product with a unit vector.

    Returns:
        The bound, >= theta; infinite if `chance` is too small for double precision.
    """
    least = overlap(dimension, chance) - 4 * _U
    if least <= 0:  # an overlap that small is within rounding of none
        return math.inf
    noise = run.defect + rounding
    longest = 1 + 2 * dimension * _U  # |v_j|
    size = float(np.max(np.abs(run.alpha) + 2 * run.beta))
    # Excluded by the first step alone; and no finer than the rounding of T's own entries.
    far = (longest * run.beta[0] + noise[0]) / least * (1 + 1e-9) + abs(run.alpha[0] - theta)
    low = 4 * _U * size + np.finfo(float).tiny
    high = 2 * max(far, 2 * low)
    for _ in range(_ROUNDS):
        gaps = np.geomspace(low, high, _GRID)
        failing = np.flatnonzero(~_excluded(theta + gaps, run, least, noise, longest))
        first = int(failing[-1]) + 1 if failing.size else 0
        if first == _GRID:
            return math.inf
        low, high = gaps[max(first - 1, 0)], gaps[first]
    return theta + float(high) + 4 * _U * size


def _excluded(
    candidates: Float[np.ndarray, " g"],
    run: Tridiagonal,
    least: float,
    noise: Float[np.ndarray, " k"],
    longest: float,
) -> np.ndarray:
    """Which candidates are not eigenvalues if |c_1| >= least. Pivots beta_j P_(j+1) / P_j."""
    polynomial = np.ones_like(candidates)  # P_j, capped: beyond the cap the decision has fallen
    gathered = np.full_like(candidates, noise[0])  # sum_(i<=j) P_i |F_i| / P_j
    lost = np.zeros_like(candidates)  # the double sum so far
    pivot = candidates - run.alpha[0]
    above = pivot > 0  # above the Ritz values of the leading block
    excluded = np.zeros(candidates.shape, bool)
    with np.errstate(all="ignore"):
        for j, coupling in enumerate(run.beta):
            if j:
                before = run.beta[j - 1]
                growth = pivot / before
                polynomial = np.minimum(polynomial * growth, 1e300)
                gathered = gathered / growth + noise[j]
                pivot = candidates - run.alpha[j] - before**2 / pivot
                above &= pivot > 0
            lost = lost + gathered / (pivot * polynomial)
            reach = pivot * polynomial * (least - lost)
            excluded |= above & (reach > coupling * longest)
    return excluded
