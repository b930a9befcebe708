"""The partial derivatives of one layer, by its own weights and by its input, from JAX alone.

The layer is ``sigma(W a / sqrt(m))`` as the network computes it; W is taken out of all parameters,
so that the derivatives by it are by the parameters with the input a held fixed.  Dense arrays, for
small networks.
"""

from __future__ import annotations

import math
from functools import partial as with_arguments
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numerics.activations import derivatives
from numerics.tolerances import gamma
from proofs_check.measuring import operators
from proofs_check.measuring.derivatives import Architecture, Vector, unflatten
from proofs_check.measuring.environment import Environment, EvaluationError, State
from proofs_check.measuring.operators import Operator
from theory.terms import Term

NAMES = ("dw", "da", "dww", "dwa", "daa")
LARGEST = 1 << 22  # entries
ROUNDINGS = 64  # granted to each entry, in units of the sizes below


def measured(term: Term, env: Environment) -> Operator:
    """``dw``, ``da``, ``dww``, ``dwa`` or ``daa`` of a layer at a point and an input.

    Returns:
        For a first derivative its matrix, for a second one the map from the tensor product of the
        two spaces, rows stacked.

    Raises:
        EvaluationError: there is no such layer, or the network is too large for it.
    """
    by, _, _, layer, point, at = term.args
    state = env.state(point.args[0], at.args[0])
    arch = state.arch
    if type(layer) is not int or not 1 <= layer <= arch.depth:
        msg = f"{term} is of no layer of this network, whose depth is {arch.depth}"
        raise EvaluationError(msg)
    sizes = {"w": arch.num_params, "a": arch.widths[layer - 1]}
    cols = math.prod(sizes[letter] for letter in by[1:])
    if cols * arch.widths[layer] > LARGEST:
        msg = f"{term} has {cols * arch.widths[layer]} entries here; at most {LARGEST} are formed"
        raise EvaluationError(msg)
    below = state.value("alpha", layer - 1)
    array = _derivatives(state.theta, below, arch, layer)[by]
    matrix = np.asarray(array).reshape(arch.widths[layer], cols)
    return operators.dense(matrix, error=_error(by, layer, point.args[0], state, env))


@with_arguments(jax.jit, static_argnames=("arch", "layer"))
def _derivatives(
    theta: Vector, below: Vector, arch: Architecture, layer: int
) -> dict[str, jax.Array]:
    """All five at once, as compiling takes the time."""

    def function(t: jax.Array, a: jax.Array) -> jax.Array:
        weights = unflatten(t, arch)["W"][layer - 1]
        z = weights @ a / jnp.sqrt(float(arch.widths[layer - 1]))
        return derivatives(arch.activations[layer - 1], z, 0)[-1]

    found = {}
    for by in NAMES:
        result: Any = function
        for letter in by[1:]:
            result = jax.jacfwd(result, argnums=0 if letter == "w" else 1)
        found[by] = result(jnp.asarray(theta), jnp.asarray(below))
    return found


def _error(by: str, layer: int, point: str, state: State, env: Environment) -> float:
    """A bound on the rounding error, from the sizes of what the derivative is made of.

    With e the error of z: ``sigma^(k)(z)`` is off by ``e sup|sigma^(k+1)|``, and the rest by a few
    roundings.
    """
    shift = state.jets["z", layer].value.error
    _, *sizes = env.sizes(layer, state.value("z", layer))
    scale = 1.0 / math.sqrt(state.arch.widths[layer - 1])
    factors = {
        "w": float(np.linalg.norm(state.value("alpha", layer - 1))) * scale,
        "a": env.weights(layer, point).size * scale,
    }
    order = len(by) - 1
    product = math.prod(factors[letter] for letter in by[1:])
    loss = gamma(ROUNDINGS)
    error = (sizes[order] * shift + loss * sizes[order - 1]) * product
    if by == "dwa":
        error += (sizes[1] * shift + loss * sizes[0]) * scale
    moved = state.jets["alpha", layer - 1].value.error * scale
    if "w" in by:
        error += sizes[order - 1] * moved * max(factors["w"], factors["a"], 1.0) ** (order - 1)
    return error * math.sqrt(state.arch.widths[layer])
