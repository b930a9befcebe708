r"""The tangent kernel without a Jacobian, and how far it moves.

For a dense network the gradient by the weights of one layer is an outer product,

    df/dW^l = b^l (alpha^(l-1))^T / sqrt(m_(l-1)),      b^l = D^l delta^l = df/dz^l,

so the product of two such gradients is a product of two numbers, and with alpha', b' at z:

    K(x, z) = sum_l (alpha^(l-1) . alpha'^(l-1) / m_(l-1)) (b^l . b'^l)
              + [alpha^L . alpha'^L / m_L   if the readout is trained].

For n inputs that is L pairs of Gram matrices of sizes (n, m_l), never the (n, p) Jacobian. Each
term is an entrywise product of two Gram matrices, hence positive semi-definite (Schur).

Source:
    A. Jacot, F. Gabriel, C. Hongler, *Neural Tangent Kernel*, NeurIPS 2018, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.activations import derivatives
from numerics.models import Activations, Model, Params, backward, check_input, check_params
from numerics.tolerances import Numbers

__all__ = ["KernelChange", "kernel_change", "tangent_kernel"]

Factors = list[tuple[Array, Array | None]]
"""Pairs (alpha^(l-1)/sqrt(m_(l-1)), b^l) of shapes (n, m_(l-1)), (n, m_l); None stands for ones."""


@dataclass(frozen=True, eq=False)
class KernelChange:
    """The change ``K(theta) - K(theta0)`` of a tangent kernel on n inputs.

    Attributes:
        absolute: largest ``|K(x, z; theta) - K(x, z; theta0)|`` over pairs of inputs: what
            LZB20's row A2 bounds, entry by entry.
        relative: Frobenius norm of the change over the Frobenius norm of ``K(theta0)``; 0 if
            both vanish.
        spectral: spectral norm of the change.
        difference: the change itself, shape ``(n, n)``.
        reference: ``K(theta0)``, shape ``(n, n)``.
    """

    absolute: float
    relative: float
    spectral: float
    difference: Float[np.ndarray, "n n"]
    reference: Float[np.ndarray, "n n"]


def tangent_kernel(
    model: Model, X: Numbers, params: Params | None = None, Z: Numbers | None = None
) -> Float[Array, "n k"]:
    """Inner products of the gradients of f over all trainable parameters.

    Args:
        model: the network.
        X: inputs, shape (n, d); (d,) is one input.
        params: where; None means `model.params`.
        Z: other inputs, shape (k, d) or (d,); None means `X`.

    Returns:
        Shape (n, k). Without `Z`: (n, n), exactly symmetric, positive semi-definite up to
        rounding (`numerics.tolerances.spectrum`).

    Raises:
        ValueError: inputs or a parameter have the wrong shape.
    """
    params = check_params(model, params)
    left = _inputs(model, X)
    if Z is None:
        return _square(params, model.readout, left, model.net.activations)
    return _cross(params, model.readout, left, _inputs(model, Z), model.net.activations)


def kernel_change(
    model: Model, X: Numbers, params: Params, params0: Params | None = None
) -> KernelChange:
    """How far the tangent kernel moves between two points of parameter space.

    The change is a difference of two kernels: its rounding error is that of the kernels
    (`numerics.tolerances.network`, relative to their largest entry), whatever its own size.

    Args:
        model: the network.
        X: inputs, shape (n, d); (d,) is one input.
        params: theta.
        params0: theta0; None means `model.params`.

    Returns:
        The change, absolute and relative, each in a named norm.

    Raises:
        ValueError: inputs or a parameter have the wrong shape.
    """
    reference = np.asarray(tangent_kernel(model, X, params0))
    difference = np.asarray(tangent_kernel(model, X, params)) - reference
    moved, size = float(np.linalg.norm(difference)), float(np.linalg.norm(reference))
    return KernelChange(
        absolute=float(np.max(np.abs(difference), initial=0.0)),
        relative=moved / size if size else (np.inf if moved else 0.0),
        spectral=float(np.linalg.norm(difference, ord=2)) if difference.size else 0.0,
        difference=difference,
        reference=reference,
    )


def _inputs(model: Model, X: Numbers) -> Float[Array, "n d"]:
    return jnp.atleast_2d(check_input(model, X))


@partial(jax.jit, static_argnums=3)
def _square(
    params: Params, readout: Float[Array, " m_L"], X: Float[Array, "n d"], activations: Activations
) -> Float[Array, "n n"]:
    kernel = jnp.zeros((X.shape[0], X.shape[0]), X.dtype)
    for alpha, back in _factors(params, readout, X, activations):
        gram = alpha @ alpha.T
        kernel += gram if back is None else gram * (back @ back.T)
    return (kernel + kernel.T) / 2  # a matrix product need not be symmetric in its last bit


@partial(jax.jit, static_argnums=4)
def _cross(
    params: Params,
    readout: Float[Array, " m_L"],
    X: Float[Array, "n d"],
    Z: Float[Array, "k d"],
    activations: Activations,
) -> Float[Array, "n k"]:
    kernel = jnp.zeros((X.shape[0], Z.shape[0]), X.dtype)
    lefts = _factors(params, readout, X, activations)
    rights = _factors(params, readout, Z, activations)
    for (alpha, back), (other, forth) in zip(lefts, rights, strict=True):
        gram = alpha @ other.T
        kernel += gram if back is None or forth is None else gram * (back @ forth.T)
    return kernel


def _factors(
    params: Params, readout: Float[Array, " m_L"], X: Float[Array, "n d"], activations: Activations
) -> Factors:
    passes = jax.vmap(lambda x: backward(params, readout, x, activations))(X)
    scaled = [alpha / alpha.shape[1] ** 0.5 for alpha in passes.alpha]
    factors: Factors = []
    for alpha, z, delta, activation in zip(
        scaled[:-1], passes.z, passes.delta, activations, strict=True
    ):
        factors.append((alpha, derivatives(activation, z, 1)[1] * delta))
    if "v" in params:
        factors.append((scaled[-1], None))
    return factors
