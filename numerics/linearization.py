"""How far a network is from its linearization at a point."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from numerics.models import Activations, Model, Params, check_input, check_params, forward
from numerics.tolerances import Numbers

__all__ = ["linearization_gap"]


def linearization_gap(
    model: Model, x: Numbers, params: Params, params0: Params | None = None
) -> float:
    """The gap ``|f(theta) - f(theta0) - grad f(theta0) . (theta - theta0)|``.

    LZB20's row A3 bounds it by ``eps |theta - theta0|^2 / 2``, eps the supremum of the spectral
    norm of the Hessian between the two points. It is a difference of outputs: its rounding error
    is that of the three terms (`numerics.tolerances.network`, relative to the largest), whatever
    its own size.

    Args:
        model: the network.
        x: one input, shape (d,).
        params: theta.
        params0: theta0; None means `model.params`.

    Returns:
        The gap, in the unit of the output.

    Raises:
        ValueError: x or a parameter has the wrong shape.
    """
    theta, theta0 = check_params(model, params), check_params(model, params0)
    point = check_input(model, x, batch=False)
    return float(_gap(theta, theta0, model.readout, point, model.net.activations))


@partial(jax.jit, static_argnums=4)
def _gap(
    theta: Params,
    theta0: Params,
    readout: Float[Array, " m_L"],
    x: Float[Array, " d"],
    activations: Activations,
) -> Float[Array, ""]:
    def output(params: Params) -> Float[Array, ""]:
        return forward(params, readout, x, activations)

    step = jax.tree.map(jnp.subtract, theta, theta0)
    start, slope = jax.jvp(output, (theta0,), (step,))
    return jnp.abs(output(theta) - start - slope)
