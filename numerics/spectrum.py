"""More of a Hessian's spectrum than its norm: eigenvalues, density, blocks.

All is computed in the exact low-rank coordinates, so that of p eigenvalues only n are left to find,
and the other p - n are known to be zero.

Source:
    L. Lin, Y. Saad, C. Yang, *Approximating spectral densities of large matrices*, SIAM Review 58
    (2016), section 3.2.1, for the stochastic Lanczos quadrature.
    B. N. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998: theorem 4.5.1 (residuals), 10.1.1
    (interlacing).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.hessian import hessian_operator
from numerics.krylov import RitzPairs, ritz_pairs
from numerics.lanczos import Operator
from numerics.operators import HessianOperator
from numerics.spectral import SpectralNorm, all_eigenvalues, dense_norm, lanczos_norm, zero_norm

__all__ = [
    "HessianBlocks",
    "HessianEigenvalues",
    "SpectralDensity",
    "hessian_blocks",
    "hessian_density",
    "hessian_eigenvalues",
]

STEPS = 512  # most Lanczos steps for eigenvalues
RESIDUAL = 1e-9  # relative to the norm, at which an eigenvalue counts as found


@dataclass(frozen=True)
class HessianEigenvalues:
    """Eigenvalues of largest magnitude.

    Attributes:
        values: by decreasing magnitude, shape (k,).
        errors: an eigenvalue is within `errors[i]` of `values[i]`, under the error model.
        complete: whether none is missing: all eigenvalues were computed. By Lanczos an eigenvalue
            is found once, whatever its multiplicity, and `values` of either sign, by magnitude,
            are lower bounds on the ordered eigenvalues' magnitudes.
        lowest: computed smallest eigenvalue of the Hessian, the zeros included.
        highest: computed largest.
        zeros: how many further eigenvalues are known to be 0.
    """

    values: Float[np.ndarray, " k"]
    errors: Float[np.ndarray, " k"]
    complete: bool
    lowest: float
    highest: float
    zeros: int


@dataclass(frozen=True)
class SpectralDensity:
    """The distribution of eigenvalues, as point masses that sum to 1.

    Attributes:
        nodes: where, shape (k,), increasing.
        weights: how much, shape (k,): all eigenvalues, or Gauss nodes of Lanczos runs.
        zero: the mass at 0 that is known exactly, (p - n) / p.
        exact: whether the nodes are the eigenvalues.
    """

    nodes: Float[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]
    zero: float
    exact: bool

    def moment(self, order: int) -> float:
        """The mean of that power of the eigenvalues, zeros included; exact if the nodes are."""
        return float(self.weights @ self.nodes**order) + (self.zero if order == 0 else 0.0)

    def smoothed(self, grid: Float[np.ndarray, " g"], width: float) -> Float[np.ndarray, " g"]:
        """The density convolved with a Gaussian, without the mass at 0 that is known exactly.

        Args:
            grid: where.
            width: standard deviation of the Gaussian, > 0.

        Raises:
            ValueError: the width is not positive.
        """
        if not width > 0:
            msg = f"width {width!r}; give the standard deviation of a Gaussian, > 0"
            raise ValueError(msg)
        bumps = np.exp(-(((grid[:, None] - self.nodes) / width) ** 2) / 2)
        return bumps @ self.weights / (width * np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class HessianBlocks:
    """The norms of the blocks of a Hessian, one parameter array against another.

    Attributes:
        names: of the parameter arrays.
        norms: enclosures by pair of names; the pairs (a, b) and (b, a) are the same.
    """

    names: tuple[str, ...]
    norms: dict[tuple[str, str], SpectralNorm] = field(repr=False)

    @property
    def values(self) -> Float[np.ndarray, "k k"]:
        """The computed norms as a symmetric matrix."""
        return np.array([[self.norms[a, b].value for b in self.names] for a in self.names])


def hessian_eigenvalues(
    model: Any,
    x: Any,
    params: Any = None,
    *,
    k: int = 6,
    output: int = 0,
    method: str = "auto",
    seed: int = 0,
) -> HessianEigenvalues:
    """The k eigenvalues of the Hessian of f of largest magnitude, and both ends of the spectrum.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, as `hessian_norm` takes it.
        params: where; None means `model.params`. A function needs them.
        k: how many, >= 1; fewer where the Hessian has fewer that can be non-zero.
        output: which output f is, where there are several.
        method: "dense", "lanczos" or "auto", as for `hessian_norm`.
        seed: of the random start, by Lanczos.

    Raises:
        ValueError: k is not positive, or what `hessian_norm` raises.
        SpectralError: a number on the way is not finite.
    """
    if k < 1:
        msg = f"k={k}; give how many eigenvalues, at least 1"
        raise ValueError(msg)
    found = hessian_operator(model, x, params, output=output, method=method, seed=seed)
    zeros = found.parameters - found.size
    if found.dense:
        values, norm = all_eigenvalues(np.asarray(found.matrix()), found.rounding)
        errors = np.full(values.shape, norm.upper - norm.value)
    elif found.scale == 0:
        values, errors = np.zeros((2, min(k, found.size)))
    else:
        pairs = _ritz(found, np.random.default_rng((seed, found.size)), STEPS, k)
        values, errors = pairs.values, pairs.residuals + found.rounding
    order = np.argsort(-np.abs(values), kind="stable")[:k]
    ends = [0.0] if zeros else []
    return HessianEigenvalues(
        values=values[order],
        errors=errors[order],
        complete=found.dense,
        lowest=float(min([*values, *ends])),
        highest=float(max([*values, *ends])),
        zeros=zeros,
    )


def hessian_density(
    model: Any,
    x: Any,
    params: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    probes: int = 8,
    steps: int = 64,
    seed: int = 0,
) -> SpectralDensity:
    """The distribution of all eigenvalues of the Hessian of f.

    Up to the size at which `hessian_norm` takes all eigenvalues these are the nodes. Beyond it is
    stochastic Lanczos quadrature: Gauss nodes and weights of Lanczos runs from random starts, an
    unbiased estimate of the mean of any polynomial of degree 2 `steps` - 1 over the eigenvalues.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, as `hessian_norm` takes it.
        params: where; None means `model.params`. A function needs them.
        output: which output f is, where there are several.
        method: "dense", "lanczos" or "auto", as for `hessian_norm`.
        probes: random starts, >= 1.
        steps: of each Lanczos run, >= 1.
        seed: of the starts.

    Raises:
        ValueError: `probes` or `steps` is not positive, or what `hessian_norm` raises.
        SpectralError: a number on the way is not finite.
    """
    if probes < 1 or steps < 1:
        msg = f"probes={probes}, steps={steps}; both must be at least 1"
        raise ValueError(msg)
    found = hessian_operator(model, x, params, output=output, method=method, seed=seed)
    share = found.size / found.parameters
    if found.dense or found.scale == 0:
        nodes = np.zeros(found.size)
        if found.dense:
            nodes, _ = all_eigenvalues(np.asarray(found.matrix()), found.rounding)
        weights = np.full(found.size, share / found.size)
        return SpectralDensity(nodes, weights, 1 - share, exact=True)
    rng = np.random.default_rng((seed, found.size))
    runs = [_ritz(found, rng, steps, found.size) for _ in range(probes)]
    nodes = np.concatenate([run.values for run in runs])
    weights = np.concatenate([run.weights for run in runs]) * (share / probes)
    order = np.argsort(nodes, kind="stable")
    return SpectralDensity(nodes[order], weights[order], 1 - share, exact=False)


def hessian_blocks(
    model: Any,
    x: Any,
    params: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    rtol: float = 1e-6,
    failure_probability: float = 1e-9,
    seed: int = 0,
) -> HessianBlocks:
    """The norms of all blocks of the Hessian of f, one parameter array against another.

    A block has the norm of its part of the matrix in coordinates, since these are taken for each
    parameter array apart. Off the diagonal it is that of the symmetric matrix with the block and
    its transpose in it.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, as `hessian_norm` takes it.
        params: where; None means `model.params`. A function needs them.
        output: which output f is, where there are several.
        method: "dense", "lanczos" or "auto", as for `hessian_norm`.
        rtol: as for `hessian_norm`.
        failure_probability: of each block's upper side, by Lanczos.
        seed: of the random starts, by Lanczos.

    Raises:
        ValueError: what `hessian_norm` raises.
        SpectralError: a number on the way is not finite.
    """
    found = hessian_operator(
        model, x, params, output=output, method=method, chance=failure_probability / 2, seed=seed
    )
    matrix = found.matrix() if found.dense else None
    norms: dict[tuple[str, str], SpectralNorm] = {}
    for i, (a, rows) in enumerate(found.blocks.items()):
        for b, cols in list(found.blocks.items())[i:]:
            if matrix is not None:
                norm = found.described(dense_norm(_part(matrix, rows, cols), 2 * found.rounding))
            else:
                norm = _block(found, rows, cols, rtol, failure_probability, seed)
            norms[a, b] = norms[b, a] = norm
    return HessianBlocks(tuple(found.blocks), norms)


def _part(
    matrix: Float[np.ndarray, "n n"], rows: np.ndarray, cols: np.ndarray
) -> Float[np.ndarray, "k k"]:
    """A symmetric matrix with the norm of a block."""
    block = matrix[np.ix_(rows, cols)]
    if np.array_equal(rows, cols):
        return block
    opposite = (block + matrix[np.ix_(cols, rows)].T) / 2
    upper = np.concatenate([np.zeros((rows.size, rows.size)), opposite], axis=1)
    lower = np.concatenate([opposite.T, np.zeros((cols.size, cols.size))], axis=1)
    return np.concatenate([upper, lower])


def _block(
    found: HessianOperator,
    rows: np.ndarray,
    cols: np.ndarray,
    rtol: float,
    failure_probability: float,
    seed: int,
) -> SpectralNorm:
    left, right = np.zeros((2, found.size))
    left[rows], right[cols] = 1, 1
    same = np.array_equal(rows, cols)
    operator = _restricted(found.operator, same)
    arguments = (found.arguments, left, right)
    probe = jnp.asarray(np.random.default_rng((seed, found.size)).standard_normal((1, found.size)))
    size = float(np.linalg.norm(np.asarray(operator(arguments, probe))))
    if size == 0:
        return found.described(zero_norm(found.size, "a random product with it is exactly zero"))
    norm = lanczos_norm(
        operator,
        arguments,
        found.size,
        magnitude=size,
        rounding=2 * found.rounding,
        rtol=rtol,
        failure_probability=failure_probability - found.chance,
        seed=seed,
    )
    return found.described(norm, failure_probability)


@lru_cache(maxsize=64)
def _restricted(operator: Operator, same: bool) -> Operator:
    """The product with a block, and its transpose; one object each, so that it is compiled once."""

    def restricted(arguments: Any, y: Any) -> Any:
        inner, left, right = arguments
        product = left * operator(inner, right * y)
        return product if same else product + right * operator(inner, left * y)

    return restricted


def _ritz(found: HessianOperator, rng: np.random.Generator, steps: int, wanted: int) -> RitzPairs:
    return ritz_pairs(
        lambda y: found.multiply(y[None])[0],
        rng.standard_normal(found.size),
        steps=steps,
        tolerance=RESIDUAL,
        wanted=wanted,
    )
