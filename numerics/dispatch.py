"""The functions of this package that take a description or a model of any kind.

Networks go to :mod:`numerics.models`, :mod:`numerics.hessian` and :mod:`numerics.kernels` (and
from there, if they are not plain, to :mod:`numerics.graphs`), assemblies to
:mod:`numerics.assemblies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import jax.numpy as jnp
import sympy
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from numerics import assemblies, hessian, kernels, models
from numerics.assemblies import AssemblyModel
from numerics.spectral import SpectralNorm
from theory.assemblies import Assembly
from theory.networks import Network

__all__ = ["hessian_norm", "instantiate", "tangent_kernel"]


@overload
def instantiate(
    net: Network,
    widths: Mapping[sympy.Symbol | str, int] | None = ...,
    seed: int = ...,
    dtype: DTypeLike = ...,
) -> Any: ...


@overload
def instantiate(
    net: Assembly,
    widths: Mapping[sympy.Symbol | str, int] | None = ...,
    seed: int = ...,
    dtype: DTypeLike = ...,
) -> AssemblyModel: ...


def instantiate(
    net: Network | Assembly,
    widths: Mapping[sympy.Symbol | str, int] | None = None,
    seed: int = 0,
    dtype: DTypeLike = jnp.float64,
) -> Any:
    """Draw the parameters of a network or of an assembly.

    Args:
        net: the description.
        widths: a value for every symbol of it; not needed if it has none.
        seed: an integer, seed >= 0.
        dtype: float64 (for verdicts) or float32.

    Returns:
        See :func:`numerics.models.instantiate` and :func:`numerics.assemblies.instantiate`.

    Raises:
        NetworkError: a symbol has no value, or a value names no symbol.
        ValueError: the seed or the dtype is not one of the above.
    """
    if isinstance(net, Assembly):
        return assemblies.instantiate(net, widths, seed, dtype)
    return models.instantiate(net, widths, seed, dtype)


def hessian_norm(model: Any, x: Any, params: Any = None, **options: Any) -> SpectralNorm:
    """The spectral norm of the Hessian of f over all trainable parameters, enclosed.

    Args:
        model: a network or an assembly with numbers in it, or a function f(params, x) that JAX can
            trace.
        x: one input, shape (d,); for a function what it takes.
        params: where; None means ``model.params``. A function needs them, a pytree of arrays.
        **options: of :func:`numerics.hessian.hessian_norm`, for networks and functions.

    Returns:
        The enclosure; for an assembly that of its largest diagonal block.

    Raises:
        ValueError: shapes do not fit, or an option is unknown.
    """
    if isinstance(model, AssemblyModel):
        if options:
            msg = f"an assembly's Hessian norm has no options; given: {', '.join(options)}"
            raise ValueError(msg)
        return assemblies.hessian_norm(model, x, params)
    return hessian.hessian_norm(model, x, params, **options)


def tangent_kernel(
    model: Any, X: Any, params: Any = None, Z: Any = None, *, output: int = 0
) -> Float[Array, "n k"]:
    """Inner products of the gradients of f over all trainable parameters.

    Args:
        model: a network or an assembly with numbers in it, or a function f(params, x) that JAX can
            trace.
        X: inputs, shape (n, d), or (n, *input shape); without the first axis it is one input. For a
            function always stacked along the first axis.
        params: where; None means ``model.params``. A function needs them, a pytree of arrays.
        Z: other inputs, like ``X``; None means ``X``.
        output: which output f is, where there are several.

    Raises:
        ValueError: inputs have the wrong shape, or there is no such output.
    """
    if not isinstance(model, AssemblyModel):
        return kernels.tangent_kernel(model, X, params, Z, output=output)
    if output != 0:
        msg = f"output={output}; an assembly has one output, number 0"
        raise ValueError(msg)
    if Z is None:
        return assemblies.tangent_kernel(model, X, params)
    shape = model.input_shape
    first, second = (model.check_input(v).reshape(-1, *shape) for v in (X, Z))
    both = jnp.concatenate([first, second])
    return assemblies.tangent_kernel(model, both, params)[: len(first), len(first) :]
