"""The search of a ball for the largest Hessian norm of any traced function."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.ball import norm
from numerics.functions import lowrank
from numerics.functions.hessian import products
from numerics.functions.model import FunctionModel
from numerics.functions.program import Point, Program
from numerics.krylov import RitzPairs, ritz_pairs
from numerics.models import Params
from numerics.search import LANCZOS_STEPS, LANCZOS_TOLERANCE, Search

__all__ = ["FunctionSearch"]


class FunctionSearch(Search):
    """The search in the coordinates of `numerics.functions.lowrank`; see `numerics.ball_search`."""

    model: FunctionModel

    def __init__(
        self, model: FunctionModel, x: Any, radius: float, params0: Params, seed: int, output: int
    ) -> None:
        self.program, self.origin = model.at(params0, x, output)
        super().__init__(model, x, radius, params0, seed)

    def point(self, params: Params) -> Point:
        """The arguments of the program at a point of parameter space."""
        return self.origin._replace(leaves=list(params["W"]))

    def dimension(self) -> int:
        """The number of coordinates, at every point the same."""
        return lowrank.dimension(self.program, lowrank.frames(self.program, self.origin))

    def spectrum(self, params: Params, start: Float[np.ndarray, " n"]) -> RitzPairs:
        """The leading eigenpairs of the Hessian, in the coordinates at `params`."""
        self.evaluations += 1
        point = self.point(params)
        arguments = (point, lowrank.frames(self.program, point))
        operator = lowrank.operator(self.program)

        def times(y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
            return np.asarray(products(operator, arguments, y[None]))[0]

        return ritz_pairs(times, start, steps=LANCZOS_STEPS, tolerance=LANCZOS_TOLERANCE)

    def slope(self, point: Any) -> tuple[Params, float] | None:
        """Where ``|u . H u|`` grows fastest, and the factor that makes it a unit vector."""
        here = self.point(point.params)
        lifted = lowrank.embed(self.program, lowrank.frames(self.program, here), point.direction)
        value, leaves = _curvature_gradient(self.program, here, lifted)
        gradient = {"W": tuple(np.asarray(leaf) for leaf in leaves)}
        size = norm(gradient)
        if not 0 < size < np.inf:
            return None
        return gradient, (-1 if float(value) < 0 else 1) / size


@partial(jax.jit, static_argnums=0)
def _curvature_gradient(program: Program, point: Point, direction: Any) -> tuple[Any, Any]:
    """``V . H V`` along a direction V, and its gradient over the parameters with V held fixed."""

    def along(leaves: Any) -> Any:
        def value(t: Any) -> Any:
            moved = [leaf + t * v for leaf, v in zip(leaves, direction, strict=True)]
            return program.plain(point._replace(leaves=moved))

        zero, one = jnp.zeros(()), jnp.ones(())
        return jax.jvp(lambda t: jax.jvp(value, (t,), (one,))[1], (zero,), (one,))[1]

    return jax.value_and_grad(along)(point.leaves)
