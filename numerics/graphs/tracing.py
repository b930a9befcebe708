"""Values and signals of every node: in NumPy for small networks, compiled by JAX for others."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from numerics.graphs import host
from numerics.graphs.model import GraphModel, NodeTrace, device_trace
from numerics.models import Params
from numerics.tolerances import Numbers


def node_trace(
    model: GraphModel, x: Numbers, params: Params | None = None, output: int = 0
) -> NodeTrace:
    """Values and signals of every node at one input.

    Args:
        model: the network.
        x: one input, of the model's `input_shape`.
        params: where; None means `model.params`.
        output: which output f is.

    Returns:
        The trace, as JAX arrays.

    Raises:
        ValueError: x or a parameter has the wrong shape, or there is no such output.
    """
    params, output = model.checked_params(params), model.checked_output(output)
    return jax.tree.map(jnp.asarray, passes(model, params, model.checked_input(x, False), output))


def passes(model: GraphModel, params: Params, x: Any, output: int) -> NodeTrace:
    """`node_trace` of what has been checked, of NumPy arrays for small networks."""
    leaves = jax.tree.leaves((params, model.fixed, x))
    if host.fits(model) and not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return host.as_trace(model, host.run(model, params, x, output), output)
    return device_trace(model, params, x, output)


__all__ = ["node_trace", "passes"]
