r"""How the curvature along a direction changes with the parameters: a third derivative.

For a direction V in parameter space (blocks V^l, and u for a trained readout) let
``phi(theta) = V . H(theta) V = d^2/dt^2 f(theta + t V)`` at t = 0. Where V is the unit eigenvector
of a simple eigenvalue of H, the gradient of phi is that of the eigenvalue (Hellmann and Feynman).

Derivation. Write alpha_k, z_k for the k-th t-derivative at 0 (alpha_1 = d alpha, and so on):

    z_1 = (V alpha + W alpha_1)/sqrt(m),        alpha_1 = sigma' z_1,
    z_2 = (2 V alpha_1 + W alpha_2)/sqrt(m),    alpha_2 = sigma'' z_1^2 + sigma' z_2,
    phi = (v . alpha_2 + 2 u . alpha_1)/sqrt(m_L).

Backwards, with bars for the derivatives of phi, starting from (0, 2u, v)/sqrt(m_L) for the bars of
(alpha, alpha_1, alpha_2) and from alpha_2/sqrt(m_L) for that of v:

    zbar_2 = sigma' abar_2,                     zbar_1 = sigma' abar_1 + 2 sigma'' z_1 abar_2,
    zbar   = sigma' abar + sigma'' z_1 abar_1 + (sigma''' z_1^2 + sigma'' z_2) abar_2,
    Wbar   = (zbar alpha^T + zbar_1 alpha_1^T + zbar_2 alpha_2^T)/sqrt(m),
    abar, abar_1, abar_2 <- (W^T zbar + V^T zbar_1, W^T zbar_1 + 2 V^T zbar_2, W^T zbar_2)/sqrt(m)

Two sweeps, in which each weight matrix is read twice and V as often.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from numerics.activations import derivatives, host_derivatives
from numerics.models import Activations, Model, Params, Trace

__all__ = ["curvature_gradient"]


class _Layer(NamedTuple):
    weight: Any  # W^l, (m_l, m_(l-1))
    move: Any  # V^l
    below: Any  # alpha, alpha_1, alpha_2 of layer l-1 as columns, (m_(l-1), 3)
    slopes: Any  # sigma', sigma'', sigma''' at z^l
    z1: Any
    z2: Any
    root: float  # sqrt(m_(l-1))


def curvature_gradient(
    model: Model, params: Params, passes: Trace, direction: Params
) -> tuple[float, Params]:
    """The curvature of f along a direction, and its gradient over the parameters.

    Args:
        model: the network.
        params: where, of the structure of `model.params`. With NumPy arrays everything happens in
            NumPy and nothing is compiled; JAX arrays are handled by compiled code.
        passes: of `numerics.trace` at that point and one input.
        direction: V, of the structure of `params`.

    Returns:
        ``V . H V`` and its gradient with V held fixed, of the structure of `params`.
    """
    compute = _sweeps if isinstance(params["W"][0], np.ndarray) else _compiled_sweeps
    value, gradient = compute(params, model.readout, passes, direction, model.net.activations)
    return float(value), gradient


def _sweeps(
    params: Params, readout: Any, passes: Trace, direction: Params, activations: Activations
) -> tuple[Any, Params]:
    xp: Any = np if isinstance(params["W"][0], np.ndarray) else jnp
    layers, top = _forward(params, passes, direction, activations, xp)
    v = params.get("v", xp.asarray(readout))
    u = direction.get("v", 0 * v)
    root = math.sqrt(v.shape[0])
    value = (v @ top[:, 2] + 2 * (u @ top[:, 1])) / root
    bars = xp.stack([0 * v, 2 * u, v], axis=1) / root
    gradient: Params = {"W": _backward(layers, bars, xp)}
    if "v" in params:
        gradient["v"] = top[:, 2] / root
    return value, gradient


_compiled_sweeps = partial(jax.jit, static_argnums=4)(_sweeps)


def _forward(
    params: Params, passes: Trace, direction: Params, activations: Activations, xp: Any
) -> tuple[list[_Layer], Any]:
    derive: Any = host_derivatives if xp is np else derivatives
    x = xp.asarray(passes.alpha[0])
    below = xp.stack([x, 0 * x, 0 * x], axis=1)
    layers = []
    for weight, move, z, activation in zip(
        params["W"], direction["W"], passes.z, activations, strict=True
    ):
        root = math.sqrt(weight.shape[1])
        value, first, second, third = derive(activation, xp.asarray(z), 3)
        pushed, carried = move @ below[:, :2] / root, weight @ below[:, 1:] / root
        z1, z2 = pushed[:, 0] + carried[:, 0], 2 * pushed[:, 1] + carried[:, 1]
        layers.append(_Layer(weight, move, below, (first, second, third), z1, z2, root))
        below = xp.stack([value, first * z1, second * z1**2 + first * z2], axis=1)
    return layers, below


def _backward(layers: list[_Layer], bars: Any, xp: Any) -> tuple[Any, ...]:
    gradients = []
    for layer in reversed(layers):
        (first, second, third), z1, z2 = layer.slopes, layer.z1, layer.z2
        a, a1, a2 = bars[:, 0], bars[:, 1], bars[:, 2]
        zbars = xp.stack(
            [
                first * a + second * z1 * a1 + (third * z1**2 + second * z2) * a2,
                first * a1 + 2 * second * z1 * a2,
                first * a2,
            ],
            axis=0,
        )
        gradients.append(zbars.T @ layer.below.T / layer.root)
        through, aside = zbars @ layer.weight, zbars[1:] @ layer.move
        bars = xp.stack([through[0] + aside[0], through[1] + 2 * aside[1], through[2]], axis=1)
        bars = bars / layer.root
    return tuple(reversed(gradients))
