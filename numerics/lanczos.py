"""Lanczos tridiagonalization with full reorthogonalization, several random starts in lockstep.

Why not matfree's `tridiag_sym`: it takes a fixed number of steps in one go, so that the number of
steps cannot be decided by the enclosure reached; it divides by the next norm, so that an exhausted
Krylov space (small or low-rank matrices, a zero Hessian) ends in NaN; and it returns no account of
what reorthogonalization removed, which the certificate of `numerics.spectral` needs. Several starts
are run at once because a product with a weight matrix is bound by memory: four vectors cost hardly
more than one, and the probability that *all* starts miss an eigenvector is the fourth power.

Everything here is float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.tolerances import unit_roundoff

Operator: TypeAlias = Callable[[Any, Array], Array]
"""(arguments, y) -> A y for each row of y, shape (k, n): static, so hashable and long-lived."""

_CHUNK = 32  # rows of the basis orthogonalized against at once
_CAPACITY = 96  # rows of the basis allocated at first


class _State(NamedTuple):
    basis: Array  # (starts, capacity, n): orthonormal rows per start, zero beyond the last
    alpha: Array  # (starts, capacity)
    beta: Array  # (starts, capacity): beta[j] couples v_j and v_(j+1)
    drift: Array  # (starts, capacity): norm of what reorthogonalization removed


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """One start's part: A V = V T + beta_k v_(k+1) e_k^T + F.

    Attributes:
        alpha: diagonal of T, shape (k,).
        beta: couplings, shape (k,): k - 1 off-diagonal entries of T, then the last residual.
        defect: bounds on the columns' norms |F_j| without the error of the products, shape (k,).
        exhausted: the Krylov space is invariant up to rounding: beta_k is noise.
    """

    alpha: Float[np.ndarray, " k"]
    beta: Float[np.ndarray, " k"]
    defect: Float[np.ndarray, " k"]
    exhausted: bool


class Lanczos:
    """A tridiagonalization that can be continued.

    Args:
        operator: the symmetric matrix A, as a static function of `arguments`.
        arguments: pytree of arrays, passed on as arguments of the compiled loop.
        starts: unit vectors v_1, one per row, shape (starts, n).
        scale: A is multiplied by this number, a power of two that brings its norm near 1.
    """

    def __init__(
        self,
        operator: Operator,
        arguments: Any,
        starts: Float[np.ndarray, "starts n"],
        scale: float,
    ) -> None:
        self._operator, self._arguments, self._scale = operator, arguments, scale
        self.steps = 0
        count, self.dimension = starts.shape
        capacity = min(_CAPACITY, -(-(self.dimension + 1) // _CHUNK) * _CHUNK)
        basis = jnp.pad(jnp.asarray(starts)[:, None], ((0, 0), (0, capacity - 1), (0, 0)))
        # Three arrays, not one thrice: the loop takes them over ("donates").
        zeros = [jnp.asarray(np.zeros((count, capacity))) for _ in range(3)]
        self._state = _State(basis, *zeros)

    def advance(self, steps: int) -> None:
        """Take that many more steps, never more than there are dimensions."""
        stop = min(self.steps + steps, self.dimension)
        while stop + 1 > self._state.alpha.shape[1]:
            self._state = _grow(self._state)
        self._state = _advance(
            self._operator, self._arguments, self._state, self.steps, stop, self._scale
        )
        self.steps = stop

    def tridiagonals(self) -> list[Tridiagonal]:
        """One per start, cut where the Krylov space is exhausted."""
        columns = [np.asarray(part)[:, : self.steps] for part in self._state[1:]]
        return [_cut(*rows) for rows in zip(*columns, strict=True)]

    def orthogonality(self) -> float:
        """Largest Frobenius norm |V V^T - 1| among the starts, v_(k+1) included unless noise."""
        worst = 0.0
        for gram, run in zip(
            np.asarray(_gram(self._state.basis)), self.tridiagonals(), strict=True
        ):
            size = run.alpha.size + (not run.exhausted)
            worst = max(worst, float(np.linalg.norm(gram[:size, :size] - np.eye(size))))
        return worst


def _cut(
    alpha: Float[np.ndarray, " k"], beta: Float[np.ndarray, " k"], drift: Float[np.ndarray, " k"]
) -> Tridiagonal:
    """Cut where the Krylov space is exhausted: from there on the vectors are noise."""
    size = np.abs(alpha) + beta + np.concatenate([[0.0], beta[:-1]])
    spent = np.flatnonzero(beta <= 64 * unit_roundoff(np.float64) * np.max(size))
    length = int(spent[0]) + 1 if spent.size else alpha.size
    # Three axpys, a division and a correction, each rounded once per entry.
    defect = drift + 16 * unit_roundoff(np.float64) * size
    return Tridiagonal(alpha[:length], beta[:length], defect[:length], bool(spent.size))


def _grow(state: _State) -> _State:
    def wider(array: Array) -> Array:
        padding = [(0, 0)] * array.ndim
        padding[1] = (0, array.shape[1])
        return jnp.pad(array, padding)

    return _State(*(wider(part) for part in state))


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def _advance(
    operator: Operator, arguments: Any, state: _State, start: Array, stop: Array, scale: Array
) -> _State:
    def body(j: Array, state: _State) -> _State:
        basis, alpha, beta, drift = state
        v = basis[:, j]
        coupling = jnp.where(j > 0, beta[:, j - 1], 0.0)
        w = operator(arguments, v) * scale - coupling[:, None] * basis[:, j - 1]
        diagonal = jnp.sum(w * v, axis=1)
        w = w - diagonal[:, None] * v
        clean, length = _orthogonalize(basis, w, j)
        unit = clean / jnp.where(length > 0, length, 1.0)[:, None]
        return _State(
            basis.at[:, j + 1].set(unit),
            alpha.at[:, j].set(diagonal),
            beta.at[:, j].set(length),
            drift.at[:, j].set(_norms(w - clean)),
        )

    return jax.lax.fori_loop(start, stop, body, state)


@jax.jit
def _gram(basis: Float[Array, "k capacity n"]) -> Float[Array, "k capacity capacity"]:
    return jnp.einsum("kin,kjn->kij", basis, basis)


def _norms(rows: Float[Array, "k n"]) -> Float[Array, " k"]:
    return jnp.sqrt(jnp.sum(rows * rows, axis=1))


def _orthogonalize(
    basis: Float[Array, "k capacity n"], w: Float[Array, "k n"], j: Array
) -> tuple[Float[Array, "k n"], Float[Array, " k"]]:
    """Each row of w minus its components along rows 0..j of its basis, and its norm then."""

    def against(chunk: Array, w: Array) -> Array:
        part = jax.lax.dynamic_slice_in_dim(basis, chunk * _CHUNK, _CHUNK, axis=1)
        return w - jnp.einsum("kc,kcn->kn", jnp.einsum("kcn,kn->kc", part, w), part)

    def once(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        w, length, _, passes = carry
        w = jax.lax.fori_loop(0, j // _CHUNK + 1, against, w)
        return w, _norms(w), length, passes + 1

    def again(carry: tuple[Array, Array, Array, Array]) -> Array:
        # Once is enough unless most of w cancels; then "twice is enough" (Parlett 1998).
        _, length, before, passes = carry
        return (passes == 0) | ((passes == 1) & jnp.any(length < 0.5 * before))

    length = _norms(w)
    w, length, _, _ = jax.lax.while_loop(again, once, (w, length, length, jnp.asarray(0)))
    return w, length
