"""Tangent kernel, linearization and distances for any graph."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.graphs.lowrank import meeting
from numerics.graphs.model import GraphModel, NodeTrace, outputs
from numerics.graphs.tracing import passes
from numerics.graphs.walk import Walk
from numerics.models import Params


def graph_kernel(
    model: GraphModel, X: Any, params: Params, Z: Any | None, output: int
) -> Float[np.ndarray, "n k"]:
    """`numerics.tangent_kernel` for a graph, of what has been checked.

    The gradient by the weights of node n is ``scale R delta C^T`` with C = columns(alpha^p), so
    two gradients have the product ``scale^2 sum_{p,q} (C^T C')_{pq} (B^T B')_{pq}``, B = R delta;
    masked weights are taken entry by entry.
    """
    left = [_factors(model, params, x, output) for x in X]
    right = left if Z is None else [_factors(model, params, z, output) for z in Z]
    kernel = np.zeros((len(left), len(right)))
    for k, node in enumerate(model.graph.weighted):
        if node in model.walk.masks:
            one, other = (
                np.stack([_gradient(model.walk, node, f[k]).ravel() for f in side])
                for side in (left, right)
            )
            kernel += one @ other.T
            continue
        scale = float(model.walk.rules[node].scale) ** 2
        for i, (C, B) in enumerate(entry[k] for entry in left):
            for j, (D, E) in enumerate(entry[k] for entry in right):
                kernel[i, j] += scale * float(np.sum((C.T @ D) * (B.T @ E)))
    return (kernel + kernel.T) / 2 if Z is None else kernel


def _factors(
    model: GraphModel, params: Params, x: Any, output: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """C and R delta for each node with weights."""
    found: NodeTrace = passes(model, params, x, output)
    return [meeting(model.walk, node, found) for node in model.graph.weighted]


def _gradient(
    steps: Walk, node: int, factors: tuple[np.ndarray, np.ndarray]
) -> Float[np.ndarray, "rows cols"]:
    """The gradient of the output by the weights of a node."""
    C, B = factors
    return steps.masked(node, float(steps.rules[node].scale) * (B @ C.T))


def gradient(
    model: GraphModel, params: Params, found: NodeTrace
) -> tuple[Float[np.ndarray, "rows cols"], ...]:
    """The gradient of the output over the parameters, node by node, from a trace."""
    return tuple(
        _gradient(model.walk, node, meeting(model.walk, node, found))
        for node in model.graph.weighted
    )


def graph_gap(model: GraphModel, x: Any, params: Params, params0: Params, output: int) -> float:
    """`numerics.linearization_gap` for a graph, of what has been checked."""
    here = passes(model, params0, x, output)
    there = passes(model, params, x, output)
    slope = 0.0
    for G, after, before in zip(
        gradient(model, params0, here), params["W"], params0["W"], strict=True
    ):
        slope += float(np.sum(G * (np.asarray(after) - np.asarray(before))))
    return abs(float(there.f) - float(here.f) - slope)


@partial(jax.jit, static_argnums=(0, 1))
def curvature_gradient(
    steps: Walk, output: int, params: Params, fixed: Any, x: Any, direction: Params
) -> tuple[Any, Params]:
    """``V . H V`` along a direction V, and its gradient over the parameters with V held fixed."""

    def along(point: Params) -> Any:
        def value(t: Any) -> Any:
            moved = jax.tree.map(lambda p, v: p + t * v, point, direction)
            return jnp.reshape(outputs(steps, moved, fixed, x), (-1,))[output]

        zero = jnp.zeros((), x.dtype)
        one = jnp.ones((), x.dtype)
        return jax.jvp(lambda t: jax.jvp(value, (t,), (one,))[1], (zero,), (one,))[1]

    return jax.value_and_grad(along)(params)


__all__ = ["curvature_gradient", "gradient", "graph_gap", "graph_kernel"]
