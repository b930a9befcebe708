"""The search of a ball for the largest Hessian norm, for networks of any architecture."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.ball import norm
from numerics.graphs import host, lowrank
from numerics.graphs.kernels import curvature_gradient
from numerics.graphs.model import GraphModel
from numerics.graphs.tracing import passes
from numerics.krylov import RitzPairs, ritz_pairs
from numerics.models import Params
from numerics.search import LANCZOS_STEPS, LANCZOS_TOLERANCE, Search

WRITTEN_OUT = 600
"""Up to this dimension the Hessian of a small network is written out rather than compiled."""


class GraphSearch(Search):
    """The search in the coordinates of `numerics.graphs.lowrank`; see `numerics.ball_search`."""

    model: GraphModel

    def __init__(
        self, model: GraphModel, x: Any, radius: float, params0: Params, seed: int, output: int
    ) -> None:
        self.output = output
        self.known: tuple[Params, lowrank.Frames] | None = None
        self.origin = lowrank.frames(model, passes(model, params0, x, output))
        super().__init__(model, x, radius, params0, seed)

    def dimension(self) -> int:
        """The number of coordinates, at every point the same."""
        return lowrank.dimension(self.model, self.origin)

    def coordinates(self, params: Params, passed: host.HostPass | None = None) -> lowrank.Frames:
        """The coordinates at a point, from a pass there if one has been made.

        Those of the last point are kept: a step that succeeds is followed by a look from there.
        """
        if self.known is None or self.known[0] is not params:
            trace = (
                passes(self.model, params, self.x, self.output)
                if passed is None
                else host.as_trace(self.model, passed, self.output)
            )
            self.known = params, lowrank.frames(self.model, trace)
        return self.known[1]

    def spectrum(self, params: Params, start: Float[np.ndarray, " n"]) -> RitzPairs:
        """The leading eigenpairs of the Hessian, in the coordinates at `params`."""
        self.evaluations += 1
        model, output = self.model, self.output
        if host.fits(model) and start.size <= WRITTEN_OUT:
            passed = host.run(model, params, self.x, output)
            H = host.hessian(model, passed, self.coordinates(params, passed))
            return ritz_pairs(
                lambda y: H @ y, start, steps=LANCZOS_STEPS, tolerance=LANCZOS_TOLERANCE
            )
        coordinates = self.coordinates(params)
        arguments = lowrank.Arguments(params, model.fixed, self.x, coordinates)

        def times(y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
            rows = y[None].astype(model.dtype)
            product = lowrank.multiply(model.walk, output, arguments, rows)[0]
            return np.asarray(product, np.float64)

        return ritz_pairs(times, start, steps=LANCZOS_STEPS, tolerance=LANCZOS_TOLERANCE)

    def slope(self, point: Any) -> tuple[Params, float] | None:
        """Where ``|u . H u|`` grows fastest, and the factor that makes it a unit vector."""
        model = self.model
        lifted = lowrank.embed(model, self.coordinates(point.params), point.direction)
        direction = jax.tree.map(lambda leaf: jnp.asarray(leaf, model.dtype), lifted)
        value, gradient = curvature_gradient(
            model.walk, self.output, point.params, model.fixed, self.x, direction
        )
        gradient = jax.tree.map(np.asarray, gradient)
        size = norm(gradient)
        if not 0 < size < np.inf:
            return None
        return gradient, (-1 if float(value) < 0 else 1) / size


__all__ = ["GraphSearch"]
