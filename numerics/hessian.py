"""The spectral norm of a network's Hessian at one input, enclosed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics import lowrank
from numerics.ceilings import ceiling, grown, starts
from numerics.functions.hessian import function_operator
from numerics.functions.model import FunctionModel, as_model
from numerics.graphs.hessian import graph_operator
from numerics.graphs.model import GraphModel
from numerics.lowrank import largest
from numerics.models import Model, Params, check_input, check_params, device_trace, host_trace
from numerics.operators import HessianOperator, consecutive
from numerics.products import Map, norm_of
from numerics.spectral import SpectralError, SpectralNorm
from numerics.tolerances import gamma, network

DENSE_LIMIT = 1600
"""Largest dimension n of the coordinates for which `hessian_norm` takes all eigenvalues.

Measured on two cores: there the dense way takes 0.4 s, building the matrix included, and grows like
n**3. Lanczos takes 0.05 s there, but 1.7 s to compile, and its upper bound is only probable."""

_SWEEPS = 4  # forward pass, backward pass, and the two sweeps of a product with the Hessian


def hessian_norm(
    model: Any,
    x: Any,
    params: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    rtol: float = 1e-6,
    failure_probability: float = 1e-9,
    seed: int = 0,
) -> SpectralNorm:
    """The spectral norm of the Hessian of f over all trainable parameters, enclosed.

    The Hessian is handled in the exact coordinates of `numerics.lowrank`, of dimension
    n = sum_l m_l + sum_{l>=2} (m_(l-1) - 1) (+ m_L if the readout is trained): by the rank bound
    proved there, its non-zero eigenvalues are those of an n x n matrix. Up to `DENSE_LIMIT` all
    eigenvalues of that matrix are computed and the enclosure is certain under the error model;
    beyond, Lanczos gives a `lower` that is certain under the error model and an `upper` that is
    exceeded with probability at most `failure_probability` over the random starts.

    Error model. A product with the computed Hessian errs by at most 4 gamma B in norm per unit
    vector. gamma is `numerics.tolerances.network`'s allowance for one pass through the network,
    four passes being made (forward, backward, and twice in the product); it rests on rounding
    errors adding up like sqrt(m) u (Higham and Mary 2019) and on activation derivatives accurate
    as `numerics.lowrank.sensitivity` says. B is the norm of the matrix of block norms of theory.md,
    section 3, in which every factor stands with an upper bound on its norm plus that sensitivity:
    certain where all eigenvalues are taken, else with half of `failure_probability`
    (`numerics.ceilings`). All is computed in float64, also for a float32 model, whose numbers are
    exact in float64: the norm is that of the Hessian at the parameters as they are.

    For networks of other architectures the coordinates are those of `numerics.graphs.lowrank`, and
    the error model is that of `numerics.graphs.hessian`. For a function of parameters they are
    those of `numerics.functions.lowrank`, and rounding is measured, see
    `numerics.functions.hessian`.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, shape (d,), or of the network's input shape; for a function what it takes.
        params: where; None means `model.params`. A function needs them, a pytree of arrays.
        output: which output f is, where there are several.
        method: "dense", "lanczos" or "auto".
        rtol: Lanczos stops when its enclosure has this relative width, or as narrow as rounding
            lets it be.
        failure_probability: of `upper`, by Lanczos.
        seed: of the random starts, by Lanczos.

    Returns:
        The enclosure, in units of f over squared parameter distance.

    Raises:
        ValueError: shapes do not fit, the method is unknown, or a tolerance is out of range.
        SpectralError: the input or a parameter, or then the Hessian, is not finite.

    Source:
        theory.md, sections 3 and 4; `numerics.lowrank`, `numerics.spectral`.
    """
    _check_options(rtol, failure_probability)
    found = hessian_operator(
        model, x, params, output=output, method=method, chance=failure_probability / 2, seed=seed
    )
    return found.norm(rtol, failure_probability, seed)


def hessian_operator(
    model: Any,
    x: Any,
    params: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    chance: float = 5e-10,
    seed: int = 0,
) -> HessianOperator:
    """The Hessian of f over all trainable parameters in its exact low-rank coordinates.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, as `hessian_norm` takes it.
        params: where; None means `model.params`. A function needs them, a pytree of arrays.
        output: which output f is, where there are several.
        method: "dense", "lanczos" or "auto": whether the matrix is to be written out.
        chance: with which the error model may fail, by Lanczos.
        seed: of a random vector, where rounding is measured.

    Raises:
        ValueError: shapes do not fit.
        SpectralError: a number on the way is not finite.
    """
    dense_limit = {"dense": math.inf, "lanczos": -1.0, "auto": float(DENSE_LIMIT)}.get(method)
    if dense_limit is None:
        msg = f"unknown method {method!r}: use 'dense', 'lanczos' or 'auto'"
        raise ValueError(msg)
    model = as_model(model, params)
    if isinstance(model, FunctionModel):
        return function_operator(*model.at(None, x, output), seed=seed, dense_limit=dense_limit)
    if isinstance(model, GraphModel):
        return graph_operator(
            model, x, params, output=output, chance=chance, dense_limit=dense_limit
        )
    model.checked_output(output)
    params = check_params(model, params)
    x = check_input(model, x, batch=False)
    trained = model.trained_readout
    size = lowrank.dimension(model.widths, trained)
    dense = size <= dense_limit
    model, params, x = _double(model, params, x)
    passes = (host_trace if dense else device_trace)(model, params, x)
    with np.errstate(all="ignore"):
        coefs = lowrank.coefficients(passes, model.net.activations)
        scale = _block_norm(params, coefs, trained, host=dense, chance=chance)
    leaves = [scale, *jax.tree.leaves(passes)]
    if not all(np.all(np.isfinite(np.asarray(leaf))) for leaf in leaves):
        raise SpectralError(_diagnosis(model, params, x))

    def matrix() -> Float[np.ndarray, "n n"]:
        weights = tuple(np.asarray(w) for w in params["W"])
        with np.errstate(all="ignore"):
            return np.asarray(lowrank.multiply(weights, coefs, np.eye(size), trained))

    return HessianOperator(
        size=size,
        parameters=model.num_params,
        blocks=_blocks(model.widths, trained),
        dense=dense,
        matrix=matrix,
        operator=_OPERATORS[trained],
        arguments=(params["W"], coefs),
        rounding=_SWEEPS * network(model.widths).margin(scale),
        scale=scale,
        chance=0.0 if dense else chance,
        chance_of="the norms of the weights in the error model",
    )


def _blocks(widths: tuple[int, ...], trained: bool) -> dict[str, np.ndarray]:
    """The coordinates of each layer: U^1, ..., U^L, p^2, ..., p^L, u."""
    depth = len(widths) - 1
    named = [(f"W{layer}", (widths[layer],)) for layer in range(1, depth + 1)]
    named += [(f"W{layer}", (widths[layer - 1] - 1,)) for layer in range(2, depth + 1)]
    return consecutive([*named, ("v", (widths[-1],))] if trained else named)


def _fixed(arguments: Any, y: Float[Array, "k n"]) -> Float[Array, "k n"]:
    weights, coefs = arguments
    return jnp.asarray(lowrank.multiply(weights, coefs, y, False))


def _trained(arguments: Any, y: Float[Array, "k n"]) -> Float[Array, "k n"]:
    weights, coefs = arguments
    return jnp.asarray(lowrank.multiply(weights, coefs, y, True))


_OPERATORS = {False: _fixed, True: _trained}


def _block_norm(
    params: Params,
    coefs: lowrank.Coefficients,
    trained: bool,
    *,
    host: bool,
    chance: float = 1e-9,
) -> float:
    """The norm B of the error model: |M| with M_kk' bounding the blocks of the Hessian.

    P_(l,k) = c_k prod_(j=k+1..l) s_j slope_(j-1) bounds |dz^l/dU^k|.  On the host that is certain;
    else the norms of the weights are exceeded with probability `chance` (`numerics.ceilings`).
    """
    depth = len(coefs.slope)
    reach = [float(c) for c in coefs.scale]
    slope = [largest(s) + e for s, e in zip(coefs.slope, coefs.slope_error, strict=True)]
    bend = [largest(c) + e for c, e in zip(coefs.bend, coefs.bend_error, strict=True)]
    root = [math.sqrt(unit.size) for unit in coefs.unit]
    P = np.diag(reach)
    M = np.zeros((depth + 1, depth + 1))
    for i in range(depth):
        if i:
            weight = params["W"][i]
            own = chance / (depth - 1)
            stretch = (
                _stretch(np.asarray(weight)) if host else _device_stretch(jnp.asarray(weight), own)
            )
            stretch /= root[i]
            P[i, :i] = stretch * slope[i - 1] * P[i - 1, :i]
            cross = float(coefs.delta_norm[i]) * slope[i] / root[i] * slope[i - 1] * P[i - 1, :i]
            M[i, :i] += cross
            M[:i, i] += cross
        M[:depth, :depth] += bend[i] * np.outer(P[i], P[i])
    if trained:
        M[depth, :depth] = slope[-1] * P[-1] / math.sqrt(coefs.slope[-1].size)
        M[:depth, depth] = M[depth, :depth]
    return float(np.linalg.norm(M, 2)) if np.all(np.isfinite(M)) else math.inf


def _stretch(weight: Float[np.ndarray, "m_out m_in"]) -> float:
    """The spectral norm of a weight matrix from above, from all its singular values."""
    norm = norm_of(
        Map(
            weight.shape,
            lambda x: weight @ x,
            lambda y: weight.T @ y,
            0.0,
            gamma(sum(weight.shape)),
        ),
        max(weight.shape),
    )
    return norm.upper


def _device_stretch(weight: Float[Array, "m_out m_in"], chance: float) -> float:
    """The same up to a factor of 1.6, which fails with a small probability."""
    rows, cols = weight.shape
    return ceiling(np.asarray(_growth(weight, jnp.asarray(starts(cols)))), (rows, cols), chance)


@jax.jit
def _growth(weight: Float[Array, "m_out m_in"], columns: Float[Array, "m_in k"]) -> Array:
    return grown(lambda x: weight @ x, lambda y: (y.T @ weight).T, columns)


def _double(model: Model, params: Params, x: Array) -> tuple[Model, Params, Array]:
    """Everything in float64, without a copy of what already is."""
    if model.dtype == np.float64:
        return model, params, x
    wide = partial(jnp.asarray, dtype=np.float64)
    readout = wide(model.readout)
    params = jax.tree.map(wide, params)
    return (
        replace(model, params=params, readout=readout, dtype=np.dtype(np.float64)),
        params,
        wide(x),
    )


def _diagnosis(model: Model, params: Params, x: Array) -> str:
    named = {"the input x": x, "the readout v": params.get("v", model.readout)}
    named |= {f"W{layer}": w for layer, w in enumerate(params["W"], start=1)}
    for name, array in named.items():
        if not np.all(np.asarray(jnp.isfinite(array))):
            return f"{name} contains infinity or NaN: the Hessian is not defined there"
    return (
        "the network overflows at this input: a pre-activation, a derivative or a block of the "
        "Hessian is infinite or NaN in float64; use smaller parameters or a smaller input "
        f"(largest |x_i| is {largest(np.asarray(x)):.1e})"
    )


def _check_options(rtol: float, failure_probability: float) -> None:
    for name, value in (("rtol", rtol), ("failure_probability", failure_probability)):
        if not 0 < value < 1:
            msg = f"{name} is {value}: give a number between 0 and 1"
            raise ValueError(msg)
