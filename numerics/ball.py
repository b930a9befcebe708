"""Balls of parameters: points in them, and the largest Hessian norm found there.

The norm is the Euclidean one over all trainable parameters, and balls are closed. Membership is
kept in floating point: every point returned by `project` and `ball_search` has a computed
`distance` of at most the radius, not one that exceeds it by rounding.

All is computed with NumPy: sums and differences of arrays are not worth a compilation per shape.
"""

from __future__ import annotations

import math
import operator
from typing import Any, SupportsIndex

import jax
import numpy as np
from jaxtyping import Array

from numerics.models import AbstractModel, Params, check_params
from numerics.tolerances import gamma

__all__ = ["BallError", "distance", "moved", "norm", "perturb", "project", "towards"]

_STREAM = 0x62616C6C  # separates these directions from the draws of `instantiate` at the same seed

_SAFE = 1e-250  # no square that matters underflows in a sum above this, none overflows below 1/this


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
    return norm(_step(params, params0))


def perturb(
    model: AbstractModel,
    radius: float | int,
    seed: SupportsIndex = 0,
    params0: Params | None = None,
) -> Params:
    """A random point on the sphere around a point of parameter space.

    The direction is uniform: a Gaussian vector over all trainable parameters, normalised.

    Args:
        model: the network.
        radius: distance from the centre, finite, >= 0.
        seed: an integer >= 0.
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
    rng = np.random.default_rng((_STREAM, operator.index(seed)))
    direction = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape), params0)
    return towards(params0, model.masked(direction), radius)


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
    size = norm(direction)
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


def norm(direction: Params) -> float:
    """Euclidean norm of a direction, over all trainable parameters.

    Args:
        direction: of the structure of `Model.params`.
    """
    leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(direction)]
    with np.errstate(all="ignore"):
        # Not BLAS: a sum of squares gains nothing from its threads and waits for all of them.
        square = math.fsum(float(np.einsum("i,i->", leaf, leaf)) for leaf in leaves)
    if _SAFE < square < 1 / _SAFE:
        return math.sqrt(square)
    # Scaled: the squares could have overflowed or underflowed.
    largest = float(max(np.max(np.abs(leaf), initial=0.0) for leaf in leaves))
    if not (math.isfinite(largest) and largest > 0):
        return largest
    return largest * math.sqrt(math.fsum(float(np.sum((leaf / largest) ** 2)) for leaf in leaves))


def _inside(params0: Params, step: Params, factor: float, radius: float) -> Params:
    """``params0 + factor * step``, the factor reduced until the computed distance fits."""
    shrink = gamma(4, jax.tree.leaves(params0)[0].dtype)
    while factor > 0:
        point = moved(params0, step, factor)
        if distance(point, params0) <= radius:
            return point
        # Doubled each time: adding to the centre rounds too, by more than one step can undo if
        # the radius is tiny beside the centre.
        factor *= max(0.0, 1 - shrink)
        shrink *= 2
    return params0


def moved(params: Params, step: Params, factor: float) -> Params:
    """``params + factor * step``, in the precision of `params`."""

    def leaf(p: Any, s: Any) -> Array:
        # The sum is nobody else's: where the device is the CPU, JAX may use its memory.
        total = np.asarray(p) + (factor * np.asarray(s)).astype(p.dtype, copy=False)
        return jax.device_put(total, may_alias=True)

    return jax.tree.map(leaf, params, step)


def _step(params: Params, params0: Params) -> Params:
    return jax.tree.map(lambda p, q: np.asarray(p) - np.asarray(q), params, params0)
