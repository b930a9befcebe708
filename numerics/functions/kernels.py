"""Tangent kernel and linearization of any traced function."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.functions.model import FunctionModel, stacked
from numerics.functions.program import Point, Program
from numerics.models import Params

__all__ = ["function_gap", "function_kernel"]

_AT_ONCE = 1 << 25  # entries of gradients held at once


def function_kernel(
    model: FunctionModel, X: Any, params: Params, Z: Any | None, output: int
) -> Float[np.ndarray, "n k"]:
    """`numerics.tangent_kernel` for a function: inputs are stacked along the first axis of `X`.

    The gradient by a matrix that only meets activations is B^T X, of the positions of all its
    products, so that two gradients have the product ``sum_pq (X X'^T)_pq (B B'^T)_pq``. Where there
    are many positions the gradients themselves are fewer numbers, and are formed.
    """
    left = _Side(model, X, params, output)
    right = left if Z is None else _Side(model, Z, params, output)
    kernel = np.zeros((left.count, right.count))
    for leaf in range(len(left.program.shapes)):
        kernel += _part(left, right, leaf)
    return (kernel + kernel.T) / 2 if Z is None else kernel


class _Side:
    """Gradients at several inputs, as factors where they have them."""

    def __init__(self, model: FunctionModel, X: Any, params: Params, output: int) -> None:
        X = model.checked_input(X)
        self.count = stacked(X)
        self.program, point = model.at(params, jax.tree.map(lambda leaf: leaf[0], X), output)
        self.factors, self.whole = _gradients(
            self.program, point._replace(inputs=jax.tree.leaves(X))
        )

    def gradients(self, leaf: int) -> Any:
        """Shape (n, number of entries)."""
        if leaf in self.whole:
            return jnp.reshape(self.whole[leaf], (self.count, -1))
        X, B = self.factors[leaf]
        return jnp.reshape(jnp.einsum("npr,npc->nrc", B, X), (self.count, -1))


def _part(left: _Side, right: _Side, leaf: int) -> Float[np.ndarray, "n k"]:
    """What one parameter adds to the kernel."""
    if leaf not in left.factors:
        return np.asarray(left.gradients(leaf) @ right.gradients(leaf).T)
    (X, B), (Y, C) = left.factors[leaf], right.factors[leaf]
    positions, size = X.shape[1], math.prod(left.program.shapes[leaf])
    if positions == 1:
        return np.asarray((X[:, 0] @ Y[:, 0].T) * (B[:, 0] @ C[:, 0].T))
    held = max(left.count, right.count) * size
    if held <= _AT_ONCE and size <= positions * (X.shape[2] + B.shape[2]):
        return np.asarray(left.gradients(leaf) @ right.gradients(leaf).T)
    rows = [_products(x, b, Y, C) for x, b in zip(X, B, strict=True)]
    return np.stack([np.asarray(row) for row in rows])


@jax.jit
def _products(x: Any, b: Any, Y: Any, C: Any) -> Any:
    """Products of the gradient of factors x, b with several, from Gram matrices of positions."""
    return jnp.sum(jnp.einsum("pc,nqc->npq", x, Y) * jnp.einsum("pr,nqr->npq", b, C), (1, 2))


@partial(jax.jit, static_argnums=0)
def _gradients(program: Program, point: Point) -> tuple[dict[int, Any], dict[int, Any]]:
    """By leaf: X and B of all its products, (n, positions, .); and the other gradients, whole."""
    met = program.analysis.meetings
    factored = {meeting.leaf for meeting in met}
    kept = [k for k in range(len(program.shapes)) if k not in factored]

    def one(inputs: Any) -> tuple[dict[int, Any], dict[int, Any]]:
        pairs, slopes = program.meeting_gradients(point._replace(inputs=inputs), kept)
        gathered: dict[int, tuple[list[Any], list[Any]]] = {leaf: ([], []) for leaf in factored}
        for meeting, (columns, signal) in zip(met, pairs, strict=True):
            X, B = gathered[meeting.leaf]
            X.append(signal if meeting.transposed else columns)
            B.append(columns if meeting.transposed else signal)
        factors = {k: tuple(jnp.concatenate(part) for part in v) for k, v in gathered.items()}
        return factors, dict(zip(kept, slopes, strict=True))

    return jax.vmap(one)(point.inputs)


def function_gap(
    model: FunctionModel, x: Any, params: Params, params0: Params, output: int
) -> float:
    """`numerics.linearization_gap` for a function, of what has been checked."""
    program, here = model.at(params0, x, output)
    there = model.at(params, x, output)[1]
    step = [a - b for a, b in zip(there.leaves, here.leaves, strict=True)]
    value, slope, moved = _linear(program, here, step, there)
    return abs(float(moved) - float(value) - float(slope))


@partial(jax.jit, static_argnums=0)
def _linear(program: Program, here: Point, step: Any, there: Point) -> tuple[Any, Any, Any]:
    def value(leaves: Any) -> Any:
        return program.plain(here._replace(leaves=leaves))

    at, slope = jax.jvp(value, (here.leaves,), (step,))
    return at, slope, value(there.leaves)
