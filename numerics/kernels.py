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

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.activations import derivatives, host_derivatives
from numerics.functions.kernels import function_kernel
from numerics.functions.model import FunctionModel, as_model
from numerics.graphs.kernels import graph_kernel
from numerics.graphs.model import GraphModel, check_inputs
from numerics.models import Activations, Params, check_params
from theory.activations import ActivationFunction

__all__ = ["KernelChange", "kernel_change", "tangent_kernel"]

SMALL = 1 << 17  # parameters; below, NumPy is faster than compiling

AnyArray: TypeAlias = Array | np.ndarray
Factors: TypeAlias = list[tuple[AnyArray, AnyArray | None]]
"""Pairs (alpha^(l-1)/sqrt(m_(l-1)), b^l) of shapes (m_(l-1), n), (m_l, n); None stands for ones."""


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
    model: Any,
    X: Any,
    params: Any = None,
    Z: Any = None,
    *,
    output: int = 0,
) -> Float[Array, "n k"]:
    """Inner products of the gradients of f over all trainable parameters.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        X: inputs, shape (n, d), or (n, *input shape); without the first axis it is one input. For a
            function always stacked along the first axis.
        params: where; None means `model.params`. A function needs them, a pytree of arrays.
        Z: other inputs, like `X`; None means `X`.
        output: which output f is, where there are several.

    Returns:
        Shape (n, k). Without `Z`: (n, n), exactly symmetric, positive semi-definite up to
        rounding (`numerics.tolerances.spectrum`).

    Raises:
        ValueError: inputs or a parameter have the wrong shape.
    """
    model = as_model(model, params)
    if isinstance(model, FunctionModel):
        return jnp.asarray(function_kernel(model, X, model.params, Z, output))
    params = check_params(model, params)
    output = model.checked_output(output)
    left = np.asarray(check_inputs(model, X))
    right = None if Z is None else np.asarray(check_inputs(model, Z))
    if isinstance(model, GraphModel):
        return jnp.asarray(graph_kernel(model, left, params, right, output))
    activations = model.net.activations
    if model.num_params <= SMALL:
        params = jax.tree.map(np.asarray, params)
        return jnp.asarray(_kernel(params, np.asarray(model.readout), left, right, activations))
    return _compiled_kernel(params, model.readout, left, right, activations)


def kernel_change(
    model: Any,
    X: Any,
    params: Any,
    params0: Any = None,
    *,
    output: int = 0,
) -> KernelChange:
    """How far the tangent kernel moves between two points of parameter space.

    The change is a difference of two kernels: its rounding error is that of the kernels
    (`numerics.tolerances.network`, relative to their largest entry), whatever its own size.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        X: inputs, as `tangent_kernel` takes them.
        params: theta.
        params0: theta0; None means `model.params`. A function needs it.
        output: which output f is, where there are several.

    Returns:
        The change, absolute and relative, each in a named norm.

    Raises:
        ValueError: inputs or a parameter have the wrong shape.
    """
    reference = np.asarray(tangent_kernel(model, X, params0, output=output))
    difference = np.asarray(tangent_kernel(model, X, params, output=output)) - reference
    moved, size = float(np.linalg.norm(difference)), float(np.linalg.norm(reference))
    finite = difference.size and math.isfinite(moved)
    return KernelChange(
        absolute=float(np.max(np.abs(difference), initial=0.0)),
        relative=moved / size if size else (np.inf if moved else 0.0),
        spectral=float(np.linalg.norm(difference, ord=2)) if finite else moved,
        difference=difference,
        reference=reference,
    )


def _kernel(
    params: Params, readout: AnyArray, X: AnyArray, Z: AnyArray | None, activations: Activations
) -> AnyArray:
    left = _factors(params, readout, X, activations)
    right = left if Z is None else _factors(params, readout, Z, activations)
    kernel: Any = 0
    for (alpha, back), (other, forth) in zip(left, right, strict=True):
        gram = alpha.T @ other
        kernel = kernel + (gram if back is None or forth is None else gram * (back.T @ forth))
    # A matrix product need not be symmetric in its last bit.
    return (kernel + kernel.T) / 2 if Z is None else kernel


_compiled_kernel = partial(jax.jit, static_argnums=4)(_kernel)


def _factors(params: Params, readout: AnyArray, X: AnyArray, activations: Activations) -> Factors:
    """One pass forward and one back for all inputs, which are columns here."""
    derive: Any = _host_slopes if isinstance(params["W"][0], np.ndarray) else derivatives
    alphas, slopes = [X.T], []
    for weight, activation in zip(params["W"], activations, strict=True):
        value, slope = derive(activation, weight @ alphas[-1] / math.sqrt(weight.shape[1]), 1)
        alphas.append(value)
        slopes.append(slope)
    v = params.get("v", readout)
    delta = v[:, None] / math.sqrt(v.shape[0])
    backs = []
    for weight, slope in zip(reversed(params["W"]), reversed(slopes), strict=True):
        backs.append(slope * delta)
        delta = (backs[-1].T @ weight).T / math.sqrt(weight.shape[1])
    scaled = [alpha / math.sqrt(alpha.shape[0]) for alpha in alphas]
    trained = [(scaled[-1], None)] if "v" in params else []
    return [*zip(scaled[:-1], reversed(backs), strict=True), *trained]


def _host_slopes(
    activation: ActivationFunction, z: Float[np.ndarray, "m n"], order: int
) -> list[Float[np.ndarray, "m n"]]:
    return [d.reshape(z.shape) for d in host_derivatives(activation, z.ravel(), order)]
