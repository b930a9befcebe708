"""A Hessian in exact low-rank coordinates, ready to be measured, whatever the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.lanczos import Operator
from numerics.spectral import SpectralNorm, dense_norm, lanczos_norm, zero_norm

__all__ = ["HessianOperator", "consecutive"]

Vectors = Float[np.ndarray, "k n"]


@dataclass(frozen=True, eq=False)
class HessianOperator:
    """The n x n matrix of the Hessian of one output at one point, in some coordinates.

    Attributes:
        size: n.
        parameters: p, the number of parameters; the other p - n eigenvalues of the Hessian are 0.
        blocks: the coordinates of each parameter array, by name, as index arrays.
        dense: whether the matrix is written out to be measured.
        matrix: makes it.
        operator: (arguments, rows) -> its product with each row, for JAX.
        arguments: of `operator`.
        rounding: bound on the error of a product with a unit vector, and of the matrix.
        scale: rough size of the norm; 0 only if the matrix is zero.
        chance: with which `rounding` may fail.
        chance_of: what it rests on, in words.
        note: appended to certificates.
        nothing: why the matrix is zero, where `scale` is 0.
    """

    size: int
    parameters: int
    blocks: dict[str, np.ndarray]
    dense: bool
    matrix: Callable[[], Float[np.ndarray, "n n"]]
    operator: Operator
    arguments: Any
    rounding: float
    scale: float
    chance: float = 0.0
    chance_of: str = ""
    note: str = ""
    nothing: str = "every coefficient of the quadratic form is exactly zero"

    def norm(self, rtol: float, failure_probability: float, seed: int) -> SpectralNorm:
        """The spectral norm, enclosed; see `numerics.hessian.hessian_norm`."""
        if self.dense:
            return self.described(dense_norm(np.asarray(self.matrix()), self.rounding))
        if self.scale == 0:
            return self.described(zero_norm(self.size, self.nothing))
        return self.described(
            lanczos_norm(
                self.operator,
                self.arguments,
                self.size,
                magnitude=self.scale,
                rounding=self.rounding,
                rtol=rtol,
                failure_probability=failure_probability - self.chance,
                seed=seed,
            ),
            failure_probability,
        )

    def described(self, found: SpectralNorm, failure_probability: float = 0.0) -> SpectralNorm:
        """An enclosure with what the error model adds to its certificate."""
        if self.chance and failure_probability:
            found = found.with_chance(failure_probability, self.chance_of)
        return found.with_note(self.note) if self.note else found

    def multiply(self, rows: Vectors) -> Vectors:
        """The product with each row, float64."""
        return np.asarray(_product(self.operator, self.arguments, jnp.asarray(rows)))


@partial(jax.jit, static_argnums=0)
def _product(operator: Operator, arguments: Any, rows: Any) -> Any:
    return operator(arguments, rows)


def consecutive(named: Sequence[tuple[str, Sequence[int]]]) -> dict[str, np.ndarray]:
    """Index arrays of blocks that lie one after the other.

    Args:
        named: for each stretch of coordinates a name and its number of coordinates; stretches of
            the same name belong together.
    """
    found: dict[str, list[np.ndarray]] = {}
    start = 0
    for name, counts in named:
        for count in counts:
            found.setdefault(name, []).append(np.arange(start, start + count))
            start += count
    return {name: np.concatenate(parts) for name, parts in found.items()}
