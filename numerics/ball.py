"""Balls of parameters: points in them, and the largest Hessian norm found there.

The norm is the Euclidean one over all trainable parameters, and balls are closed. Membership is
kept in floating point: every point returned by `project` and `ball_search` has a computed
`distance` of at most the radius, not one that exceeds it by rounding.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from numerics.models import Model, Params, check_params
from numerics.tolerances import gamma

__all__ = ["BallError", "distance", "perturb", "project"]

_STREAM = 0x62616C6C  # separates these directions from the draws of `instantiate` at the same seed


class BallError(ValueError):
    """A radius or a point that makes no ball."""


def distance(params: Params, params0: Params) -> float:
    """Euclidean distance over all trainable parameters.

    Args:
        params: a point, of the structure of `Model.params`.
        params0: another.

    Returns:
        The distance; its relative rounding error is below
        `numerics.tolerances.inner_product` of the number of parameters.
    """
    return float(_norm(_step(params, params0)))


def perturb(
    model: Model, radius: float | int, seed: int | Array = 0, params0: Params | None = None
) -> Params:
    """A random point on the sphere around a point of parameter space.

    The direction is uniform: a Gaussian vector over all trainable parameters, normalised.

    Args:
        model: the network.
        radius: distance from the centre, finite, >= 0.
        seed: an integer or a JAX key.
        params0: the centre; None means `model.params`.

    Returns:
        Parameters whose computed distance from the centre is at most `radius`, and equal to it up
        to rounding.

    Raises:
        BallError: the radius is negative or not finite.
        ValueError: a parameter has the wrong shape.
    """
    params0 = check_params(model, params0)
    radius = check_radius(radius)
    key = jax.random.key(seed) if isinstance(seed, int) else seed
    leaves, structure = jax.tree.flatten(params0)
    keys = jax.random.split(jax.random.fold_in(key, _STREAM), len(leaves))
    direction = [
        jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves, strict=True)
    ]
    return towards(params0, jax.tree.unflatten(structure, direction), radius)


def project(params: Params, params0: Params, radius: float | int) -> Params:
    """The nearest point of the closed ball around `params0`.

    Args:
        params: a point.
        params0: the centre.
        radius: of the ball, finite, >= 0.

    Returns:
        `params` itself if its computed distance is at most `radius`; otherwise the point on the
        segment to the centre whose computed distance is at most `radius`, and equal to it up to
        rounding.

    Raises:
        BallError: the radius is negative or not finite, or `params` is.
    """
    radius = check_radius(radius)
    size = distance(params, params0)
    if size <= radius:
        return params
    if not math.isfinite(size):
        msg = f"the point is at distance {size!r} from the centre; give finite parameters"
        raise BallError(msg)
    return _inside(params0, _step(params, params0), radius / size, radius)


def towards(params0: Params, direction: Params, radius: float) -> Params:
    """The point of the sphere in a direction from the centre; the centre if that is zero."""
    size = float(_norm(direction))
    if size == 0 or radius == 0:
        return params0
    return _inside(params0, direction, radius / size, radius)


def check_radius(radius: float | int) -> float:
    """`radius` as a float.

    Raises:
        BallError: it is negative or not finite.
    """
    if not (math.isfinite(radius) and radius >= 0):
        msg = f"radius {radius!r} makes no ball; give a finite number >= 0"
        raise BallError(msg)
    return float(radius)


def _inside(params0: Params, step: Params, factor: float, radius: float) -> Params:
    """``params0 + factor * step``, the factor reduced until the computed distance fits."""
    dtype = jax.tree.leaves(params0)[0].dtype
    shrink = gamma(4, dtype)
    while factor > 0:
        point = _move(params0, step, factor)
        if distance(point, params0) <= radius:
            return point
        # Doubled each time: adding to the centre rounds too, by more than one step can undo if
        # the radius is tiny beside the centre.
        factor *= max(0.0, 1 - shrink)
        shrink *= 2
    return params0


@jax.jit
def _step(params: Params, params0: Params) -> Params:
    return jax.tree.map(jnp.subtract, params, params0)


@jax.jit
def _move(params0: Params, step: Params, factor: float) -> Params:
    return jax.tree.map(lambda p, s: p + jnp.asarray(factor, p.dtype) * s, params0, step)


@jax.jit
def _norm(direction: Params) -> Array:
    """Euclidean norm over all leaves, scaled against overflow and underflow of the squares."""
    leaves = jax.tree.leaves(direction)
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0) for leaf in leaves]))
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * jnp.sqrt(sum(jnp.sum((leaf / scale) ** 2) for leaf in leaves))
