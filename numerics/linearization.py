"""How far a network is from its linearization at a point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.activations import host_derivatives
from numerics.functions.kernels import function_gap
from numerics.functions.model import FunctionModel, as_model
from numerics.graphs.kernels import graph_gap
from numerics.graphs.model import GraphModel
from numerics.models import Model, Params, Trace, check_params, trace

__all__ = ["linearization_gap"]


def linearization_gap(
    model: Any,
    x: Any,
    params: Any,
    params0: Any = None,
    *,
    output: int = 0,
) -> float:
    """The gap ``|f(theta) - f(theta0) - grad f(theta0) . (theta - theta0)|``.

    LZB20's row A3 bounds it by ``eps |theta - theta0|^2 / 2``, eps the supremum of the spectral
    norm of the Hessian between the two points. It is a difference of outputs: its rounding error
    is that of the three terms (`numerics.tolerances.network`, relative to the largest), whatever
    its own size.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, shape (d,), or of the network's input shape; for a function what it takes.
        params: theta.
        params0: theta0; None means `model.params`. A function needs it.
        output: which output f is, where there are several.

    Returns:
        The gap, in the unit of the output.

    Raises:
        ValueError: x or a parameter has the wrong shape.
    """
    model = as_model(model, params0)
    if isinstance(model, FunctionModel):
        return function_gap(model, x, model.flattened(params), model.params, output)
    theta, theta0 = check_params(model, params), check_params(model, params0)
    output = model.checked_output(output)
    if isinstance(model, GraphModel):
        return graph_gap(model, model.checked_input(x, False), theta, theta0, output)
    here = trace(model, x, theta0)
    slope = _slope(model, here, theta, theta0)
    return abs(float(trace(model, x, theta).f) - float(here.f) - slope)


def _slope(model: Model, here: Trace, theta: Params, theta0: Params) -> float:
    """``grad f(theta0) . (theta - theta0)`` from one pass at theta0, without the gradient.

    As df/dW^l = b^l (alpha^(l-1))^T / sqrt(m_(l-1)), layer l contributes
    b^l . (W^l - W0^l) alpha^(l-1) / sqrt(m_(l-1)).
    """
    terms = []
    for after, before, alpha, z, delta, activation in zip(
        theta["W"],
        theta0["W"],
        here.alpha[:-1],
        here.z,
        here.delta,
        model.net.activations,
        strict=True,
    ):
        back = host_derivatives(activation, np.asarray(z), 1)[1] * np.asarray(delta)
        image = (np.asarray(after) - np.asarray(before)) @ np.asarray(alpha)
        terms.append(float(back @ image) / math.sqrt(alpha.size))
    if model.trained_readout:
        step = np.asarray(theta["v"]) - np.asarray(theta0["v"])
        terms.append(float(step @ np.asarray(here.alpha[-1])) / math.sqrt(step.size))
    return math.fsum(terms)
