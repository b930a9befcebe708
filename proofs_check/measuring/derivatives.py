"""Values and derivatives of a network's layers as functions of its parameters, by JAX alone.

Nothing here knows a formula of the theory: Jacobians and Hessians are products with ``jax.jvp``
and ``jax.vjp`` of the network as :mod:`numerics.models` computes it, and the back-propagated signal
is the gradient of the layers above.  So a chain rule, a recursion or an identity of a proof is
tested against something that it was not used to compute.

Parameters are one flat vector here: vec(W^1), ..., vec(W^L) with rows stacked, then v if trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from numerics.activations import jax_function
from numerics.models import Activations, Model, Params, backward, forward

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Architecture:
    """What the compiled functions below depend on.

    Attributes:
        widths: m_0, ..., m_L.
        activations: sigma_1, ..., sigma_L.
        trained: whether v is among the parameters.
    """

    widths: tuple[int, ...]
    activations: Activations
    trained: bool

    @property
    def depth(self) -> int:
        """L, the number of hidden layers."""
        return len(self.widths) - 1

    @property
    def num_params(self) -> int:
        """Number of trainable parameters p."""
        return self.block(self.depth + 1)[1] if self.trained else self.block(self.depth)[1]

    def block(self, which: int) -> tuple[int, int]:
        """Where W^l (l = 1, ..., L) or v (L + 1) begins and ends among the parameters."""
        sizes = [m * n for n, m in pairwise(self.widths)] + [self.widths[-1]]
        start = sum(sizes[: which - 1])
        return start, start + sizes[which - 1]

    def slot(self, name: str, layer: int) -> tuple[int, int]:
        """Where alpha^l, z^l or f begins and ends among the outputs."""
        sizes = {("alpha", 0): self.widths[0]}
        for index, size in enumerate(self.widths[1:], start=1):
            sizes["z", index] = sizes["alpha", index] = size
        sizes["f", 0] = 1
        start = 0
        for key, size in sizes.items():
            if key == (name, layer):
                return start, start + size
            start += size
        msg = f"the network has no {name} of layer {layer}; its depth is {self.depth}"
        raise KeyError(msg)

    @property
    def num_outputs(self) -> int:
        """Number of all entries of alpha^0, z^1, alpha^1, ..., alpha^L and f."""
        return self.widths[0] + 2 * sum(self.widths[1:]) + 1

    def outputs(self, theta: jax.Array, readout: jax.Array, x: jax.Array) -> jax.Array:
        """alpha^0, z^1, alpha^1, ..., alpha^L and f one after the other (see :meth:`slot`)."""
        run = backward(unflatten(theta, self), readout, x, self.activations)
        layers = [run.alpha[0]]
        for z, alpha in zip(run.z, run.alpha[1:], strict=True):
            layers += [z, alpha]
        return jnp.concatenate([*layers, run.f[None]])


def architecture(model: Model) -> Architecture:
    """The architecture of a model."""
    return Architecture(model.widths, model.net.activations, model.trained_readout)


def flatten(params: Params) -> Vector:
    """The parameters as one vector, shape (p,)."""
    blocks = [*params["W"], *([params["v"]] if "v" in params else [])]
    return np.concatenate([np.asarray(b, dtype=np.float64).ravel() for b in blocks])


def unflatten(theta: jax.Array, arch: Architecture) -> Params:
    """The parameters of a vector, shape (p,)."""
    weights = []
    for layer, (below, above) in enumerate(pairwise(arch.widths), start=1):
        start, stop = arch.block(layer)
        weights.append(theta[start:stop].reshape(above, below))
    params: Params = {"W": tuple(weights)}
    if arch.trained:
        start, stop = arch.block(arch.depth + 1)
        params["v"] = theta[start:stop]
    return params


class Outputs(Protocol):
    """What is differentiated: an architecture of layers, or a graph of nodes."""

    def outputs(self, theta: Any, readout: Any, x: Any) -> Any:
        """All outputs one after the other, from parameters, fixed weights and input."""


def _outputs(theta: Any, readout: Any, x: Any, arch: Outputs) -> jax.Array:
    return jnp.asarray(arch.outputs(theta, jax.tree.map(jnp.asarray, readout), jnp.asarray(x)))


@partial(jax.jit, static_argnames="arch")
def values(
    theta: Vector, readout: Vector, x: Vector, arch: Architecture
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """All outputs, and the signals df/dalpha^l for l = 0, ..., L.

    Returns:
        alpha^0, z^1, alpha^1, ..., alpha^L, f one after the other (see :meth:`Architecture.slot`);
        and the gradient of f by each alpha^l, through the layers above l only.
    """
    params = unflatten(jnp.asarray(theta), arch)
    found = _outputs(jnp.asarray(theta), readout, x, arch)

    def signal(layer: int) -> jax.Array:
        rest = {**params, "W": params["W"][layer:]}

        def above(alpha: jax.Array) -> jax.Array:
            return forward(rest, jnp.asarray(readout), alpha, arch.activations[layer:])

        start, stop = arch.slot("alpha", layer)
        return jnp.asarray(jax.grad(above)(found[start:stop]))

    return found, tuple(signal(layer) for layer in range(arch.depth + 1))


@partial(jax.jit, static_argnames="arch")
def pushed(theta: Vector, readout: Any, x: Vector, direction: Vector, arch: Outputs) -> jax.Array:
    """The derivative of all outputs along a direction of parameter space."""

    def function(t: jax.Array) -> jax.Array:
        return _outputs(t, readout, x, arch)

    return jax.jvp(function, (jnp.asarray(theta),), (jnp.asarray(direction),))[1]


def _pulled(
    theta: jax.Array, readout: Any, x: Vector, covector: Vector, arch: Outputs
) -> jax.Array:
    def function(t: jax.Array) -> jax.Array:
        return _outputs(t, readout, x, arch)

    (gradient,) = jax.vjp(function, theta)[1](jnp.asarray(covector))
    return jnp.asarray(gradient)


@partial(jax.jit, static_argnames="arch")
def pulled(theta: Vector, readout: Any, x: Vector, covector: Vector, arch: Outputs) -> jax.Array:
    """The gradient by the parameters of a linear combination of all outputs."""
    return _pulled(jnp.asarray(theta), readout, x, covector, arch)


@partial(jax.jit, static_argnames="arch")
def curved(
    theta: Vector,
    readout: Any,
    x: Vector,
    covector: Vector,
    direction: Vector,
    arch: Outputs,
) -> jax.Array:
    """The Hessian by the parameters of a linear combination of all outputs, times a direction."""

    def gradient(t: jax.Array) -> jax.Array:
        return _pulled(t, readout, x, covector, arch)

    return jax.jvp(gradient, (jnp.asarray(theta),), (jnp.asarray(direction),))[1]


def transferred(state: Any, above: int, below: int) -> jax.Array:
    """dz^n/dalpha^k, shape (m_n, m_k), for k < n, by JAX through the layers between.

    Args:
        state: a network at a point and an input.
        above: n.
        below: k.
    """
    arch: Architecture = state.arch
    weights = unflatten(jnp.asarray(state.theta), arch)["W"][below:above]
    functions = arch.activations[below : above - 1]

    def upwards(alpha: jax.Array) -> jax.Array:
        z = weights[0] @ alpha / math.sqrt(weights[0].shape[1])
        for weight, function in zip(weights[1:], functions, strict=True):
            z = weight @ jax_function(function)(z) / math.sqrt(weight.shape[1])
        return z

    return jax.jacobian(upwards)(jnp.asarray(state.value("alpha", below)))
