r"""The largest Hessian norm that can be found in a ball: the supremum from below.

The search maximises ``|u . H(theta) u|`` over parameters in a closed ball and unit vectors ``u``,
by turns. Given theta, the best u is the eigenvector of the eigenvalue largest in magnitude, found
by a few Lanczos steps in the coordinates of `numerics.lowrank`. Given u, the steepest ascent is the
third derivative of `numerics.curvature`, for that u the gradient of the eigenvalue. A step has the
length of the radius at first, is projected onto the ball, carries on half of the previous move, and
is halved until the norm grows. The best of all ascents is carried on.

Where it starts matters more than how it climbs, because many neurons compete: from the centre along
the gradients of its leading eigenvalues of both signs; from the points where single neurons curve
the most, whose curvature may vanish at the centre; and from random points of the sphere, which for
wide networks are hardly better than the centre: in so many dimensions almost all directions leave
the norm alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.activations import host_derivatives
from numerics.ball import check_radius, distance, moved, norm, perturb, project
from numerics.curvature import curvature_gradient
from numerics.functions.model import FunctionModel, as_model
from numerics.graphs.model import GraphModel
from numerics.hessian import hessian_norm
from numerics.krylov import RitzPairs, ritz_pairs
from numerics.lowrank import coefficients, dimension, embed, multiply, normalize
from numerics.models import (
    AbstractModel,
    Model,
    Params,
    Trace,
    check_input,
    check_params,
    device_trace,
    host_trace,
)
from numerics.spectral import SpectralError, SpectralNorm

__all__ = ["BallSearch", "SearchStep", "ball_search"]

SMALL = 1 << 17  # parameters; below, NumPy is faster than compiling
_compiled_multiply = partial(jax.jit, static_argnums=3)(multiply)

LANCZOS_STEPS = 60
LANCZOS_TOLERANCE = 1e-4  # of the residual; the value's own error is of the order of its square
KINDS = ("eigenvalue", "eigenvalue", "neuron", "random")
NEURONS = 8  # candidates per layer
NEAR_ZERO = np.linspace(-4, 4, 129)  # where activations bend most
ALONG = np.linspace(-1, 1, 33)
MOMENTUM = 0.5
NOISE = 0.01  # norm of what is added to a unit start vector
SHORTEST_STEP = 1e-4  # of the radius
LEAST_GAIN = 1e-7  # relative; below it a step counts as failed


class SearchStep(NamedTuple):
    """One improvement.

    Attributes:
        start: which start it belongs to, in words.
        value: ``|u . H u|``, a lower bound on the Hessian norm there.
        distance: from the centre.
        evaluations: Hessian norms estimated so far, over all starts.
    """

    start: str
    value: float
    distance: float
    evaluations: int


@dataclass(frozen=True, eq=False)
class BallSearch:
    """What was found: a lower bound on the supremum of the Hessian norm over the closed ball.

    Attributes:
        value: certified lower bound on the Hessian norm at `params`, hence on the supremum.
        norm: the enclosure of the Hessian norm at `params`.
        params: where; its computed distance from the centre is at most `radius`.
        distance: that distance.
        radius: of the ball.
        at_centre: estimate of the Hessian norm at the centre, where the search began.
        history: every improvement of every start, in order.
    """

    value: float
    norm: SpectralNorm
    params: Any
    distance: float
    radius: float
    at_centre: float
    history: tuple[SearchStep, ...]


class _Point(NamedTuple):
    params: Params
    direction: Float[np.ndarray, " n"]  # u, in the coordinates of numerics.lowrank at params
    value: float  # |u . H u|


def ball_search(
    model: Any,
    x: Any,
    radius: float | int,
    params0: Any = None,
    *,
    starts: int = 5,
    steps: int = 30,
    seed: int = 0,
    output: int = 0,
) -> BallSearch:
    """Search a ball of parameters for the largest Hessian norm.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        x: one input, shape (d,), or of the network's input shape; for a function what it takes.
        radius: of the ball, Euclidean over all trainable parameters, finite, >= 0.
        params0: the centre; None means `model.params`. A function needs it, a pytree of arrays.
        starts: how many ascents; two from leading eigenvalues of the centre, one from a neuron,
            one from a random point, and so on in turn; for networks that are not plain there are
            random points in place of neurons.
        steps: most Hessian norms estimated in each ascent, and in the last, which carries on from
            the best.
        seed: of the random points and Lanczos starts.
        output: which output f is, where there are several.

    Returns:
        The best point of all ascents and of the centre, its norm certified by `hessian_norm`.

    Raises:
        BallError: the radius is negative or not finite.
        SpectralError: the Hessian at the centre is not finite.
        ValueError: x or a parameter has the wrong shape, `starts` or `steps` is negative.
    """
    if starts < 0 or steps < 0:
        msg = f"starts={starts}, steps={steps}; both must be at least 0"
        raise ValueError(msg)
    model = as_model(model, params0)
    custom = isinstance(model, FunctionModel)
    params0, radius = check_params(model, None if custom else params0), check_radius(radius)
    x = check_input(model, x, batch=False)
    with np.errstate(all="ignore"):  # what overflows is refused by ritz_pairs
        search = _search(model, x, radius, params0, seed, output)
        best = search.best(starts, steps) if radius > 0 else search.centre
    reached = model.restored(best.params) if isinstance(model, FunctionModel) else best.params
    function = model.function if isinstance(model, FunctionModel) else model
    found = hessian_norm(function, x, reached, output=output)
    return BallSearch(
        value=found.lower,
        norm=found,
        params=reached,
        distance=distance(best.params, params0),
        radius=radius,
        at_centre=search.centre.value,
        history=tuple(search.history),
    )


def _search(
    model: AbstractModel, x: Any, radius: float, params0: Params, seed: int, output: int
) -> Search:
    output = model.checked_output(output)
    if isinstance(model, FunctionModel):
        from numerics.functions.search import FunctionSearch

        return FunctionSearch(model, x, radius, params0, seed, output)
    if isinstance(model, GraphModel):
        from numerics.graphs.search import GraphSearch

        return GraphSearch(model, x, radius, params0, seed, output)
    return _DenseSearch(model, x, radius, params0, seed)


class Search(ABC):
    """One search: what its ascents share, whatever the network.

    Args:
        model: the network.
        x: one input.
        radius: of the ball.
        params0: its centre.
        seed: of the random points and Lanczos starts.
    """

    def __init__(
        self, model: AbstractModel, x: Any, radius: float, params0: Params, seed: int
    ) -> None:
        self.model, self.x, self.radius, self.params0 = model, x, radius, params0
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.evaluations = 0
        self.history: list[SearchStep] = []
        self.size = self.dimension()
        self.pairs = self.spectrum(params0, self.rng.standard_normal(self.size))
        self.centre = _leading(params0, self.pairs)

    def best(self, starts: int, steps: int) -> _Point:
        """The best point of that many ascents, carried on."""
        best = self.centre
        for name, point in self.starts(starts):
            best = max(best, self.ascend(name, point, steps), key=lambda p: p.value)
        return self.ascend("the best so far", best, steps) if starts else best

    @abstractmethod
    def dimension(self) -> int:
        """The number of coordinates of a direction."""

    @abstractmethod
    def spectrum(self, params: Params, start: Float[np.ndarray, " n"]) -> RitzPairs:
        """The leading eigenpairs of the Hessian, in the coordinates at `params`."""

    @abstractmethod
    def slope(self, point: _Point) -> tuple[Params, float] | None:
        """Where ``|u . H u|`` grows fastest, and the factor that makes it a unit vector.

        None where it is stationary.
        """

    def neurons(self) -> Iterator[tuple[str, _Point]]:
        """Points where one neuron curves the most, if they are known."""
        return iter(())

    def leading(self, params: Params, start: Float[np.ndarray, " n"]) -> _Point:
        """A point with its leading eigenvector; of value 0 where the Hessian overflows."""
        try:
            pairs = self.spectrum(params, start)
        except SpectralError:
            return _Point(params, start, 0.0)
        return _leading(params, pairs)

    def starts(self, count: int) -> Iterator[tuple[str, _Point]]:
        """Points with a direction to climb along, `count` of them."""
        eigenvalues, neurons = iter(self.eigenvalues()), self.neurons()
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            found = next({"eigenvalue": eigenvalues, "neuron": neurons}.get(kind, iter(())), None)
            if found is None:
                params = perturb(self.model, self.radius, self.seed + number, self.params0)
                point = self.leading(params, self.rng.standard_normal(self.size))
                found = f"random point {number}", point
            yield found

    def eigenvalues(self) -> list[tuple[str, _Point]]:
        """The centre with its eigenvectors: the leading one of either sign, then by size."""
        values = self.pairs.values
        order = np.argsort(-np.abs(values), kind="stable")
        leaders = [next(iter(order[np.sign(values[order]) == sign]), None) for sign in (1, -1)]
        first = sorted((k for k in leaders if k is not None), key=lambda k: -abs(values[k]))
        return [
            (
                f"eigenvalue {values[k]:.3g} of the centre",
                _Point(self.params0, self.pairs.vectors[k], abs(float(values[k]))),
            )
            for k in [*first, *(k for k in order if k not in first)]
        ]

    def noise(self) -> Float[np.ndarray, " n"]:
        """Added to a start vector, which else might lack any component along a new leader."""
        return self.rng.standard_normal(self.size) * (NOISE / self.size**0.5)

    def ascend(self, name: str, point: _Point, steps: int) -> _Point:
        """Climb until `steps` norms have been estimated or no step gains."""
        stop = self.evaluations + steps
        previous, length = point.params, self.radius
        while self.evaluations < stop and length > SHORTEST_STEP * self.radius:
            slope = self.slope(point)
            if slope is None:
                break
            found = None
            while (
                found is None and self.evaluations < stop and length > SHORTEST_STEP * self.radius
            ):
                found = self.attempt(point, previous, slope, length)
                if found is None:
                    length, previous = length / 2, point.params
            if found is not None:
                previous, point = point.params, found
                length = min(2 * length, self.radius)
                away = distance(point.params, self.params0)
                self.history.append(SearchStep(name, point.value, away, self.evaluations))
        return point

    def attempt(
        self, point: _Point, previous: Params, slope: tuple[Params, float], length: float
    ) -> _Point | None:
        """A step along the slope and half the last move; None if the norm does not grow."""
        advance = _host_advance if isinstance(slope[0]["W"][0], np.ndarray) else _device_advance
        real = self.model.dtype.type
        params = advance(
            self.params0,
            real(self.radius),
            point.params,
            previous,
            real(MOMENTUM if previous is not point.params else 0.0),
            slope[0],
            real(length * slope[1]),
        )
        away = distance(params, self.params0)
        if not np.isfinite(away):
            return None
        if away > self.radius:  # by rounding
            params = project(params, self.params0, self.radius)
        params = jax.tree.map(jnp.asarray, params)
        found = self.leading(params, point.direction + self.noise())
        return found if found.value > point.value * (1 + LEAST_GAIN) else None


class _DenseSearch(Search):
    """The search for a plain fully connected network."""

    model: Model

    def dimension(self) -> int:
        """The dimension of the coordinates of `numerics.lowrank`."""
        return dimension(self.model.widths, self.model.trained_readout)

    def passes(self, params: Params) -> tuple[Params, Trace]:
        """The parameters where they are multiplied fastest, and the trace there."""
        if self.model.num_params <= SMALL:
            # Nothing is compiled then, which for small networks takes longer than the search.
            return jax.tree.map(np.asarray, params), host_trace(self.model, params, self.x)
        return params, device_trace(self.model, params, self.x)

    def spectrum(self, params: Params, start: Float[np.ndarray, " n"]) -> RitzPairs:
        """The leading eigenpairs of the Hessian, in the coordinates at `params`."""
        local, passes = self.passes(params)
        coefs = coefficients(passes, self.model.net.activations)
        product = multiply if isinstance(local["W"][0], np.ndarray) else _compiled_multiply
        trained = self.model.trained_readout

        def times(y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
            rows = y[None].astype(self.model.dtype)
            return np.asarray(product(local["W"], coefs, rows, trained)[0], np.float64)

        self.evaluations += 1
        return ritz_pairs(times, start, steps=LANCZOS_STEPS, tolerance=LANCZOS_TOLERANCE)

    def neurons(self) -> Iterator[tuple[str, _Point]]:
        """Points where one neuron curves the most, by moving its own weights alone.

        Along ``V = e_i a^T`` in layer l, a the unit vector of alpha^(l-1), the curvature holds the
        term ``c^2 delta_i sigma''(z_i)``, ``c = |alpha^(l-1)|/sqrt(m_(l-1))``; and a step of length
        ``r`` along V moves z_i by ``c r``. With one hidden layer there is nothing else, and
        the first of these points is the maximum (theory.md, row A4).
        """
        local, passes = self.passes(self.params0)
        ranked, offset = [], 0
        for layer, activation in enumerate(self.model.net.activations):
            alpha, z, delta = (
                np.asarray(part[layer]) for part in (passes.alpha, passes.z, passes.delta)
            )
            c = float(normalize(alpha)[0]) / alpha.size**0.5
            tried = _reachable(z, c * self.radius)
            bend = host_derivatives(activation, tried.ravel(), 2)[2].reshape(tried.shape)
            curved = c**2 * np.abs(delta[:, None] * bend)
            best = np.argmax(curved, axis=1)
            for unit in np.argsort(-np.max(curved, axis=1))[:NEURONS]:
                size = float(curved[unit, best[unit]])
                step = float(tried[unit, best[unit]] - z[unit]) / c if c else 0.0
                ranked.append((size, layer, int(unit), step, offset))
            offset += delta.size
        for _, layer, unit, step, offset in sorted(ranked, reverse=True):
            move = jax.tree.map(np.zeros_like, local)
            move["W"][layer][unit] = step * normalize(np.asarray(passes.alpha[layer]))[1]
            params = project(moved(self.params0, move, 1.0), self.params0, self.radius)
            start = np.eye(1, self.size, offset + unit)[0] + self.noise()
            yield f"neuron {unit} of layer {layer + 1}", self.leading(params, start)

    def slope(self, point: _Point) -> tuple[Params, float] | None:
        """Where ``|u . H u|`` grows fastest, and the factor that makes it a unit vector.

        None where it is stationary.
        """
        local, passes = self.passes(point.params)
        coefs = coefficients(passes, self.model.net.activations)
        direction = point.direction.astype(self.model.dtype)
        lifted = embed(coefs, direction, self.model.trained_readout)
        value, gradient = curvature_gradient(self.model, local, passes, lifted)
        size = norm(gradient)
        if not 0 < size < np.inf:
            return None
        return gradient, (-1 if value < 0 else 1) / size


def _advance(
    xp: Any,
    params0: Params,
    radius: Any,
    params: Params,
    previous: Params,
    momentum: Any,
    slope: Params,
    length: Any,
) -> Params:
    """``P(P(params + length slope) + momentum (params - previous))``, P the projection."""

    def nearest(point: Params) -> Params:
        step = jax.tree.map(lambda p, c: p - c, point, params0)
        size = xp.sqrt(sum(xp.sum(leaf**2) for leaf in jax.tree.leaves(step)))
        factor = radius / xp.maximum(size, radius)
        return jax.tree.map(lambda c, s: c + factor * s, params0, step)

    stepped = nearest(jax.tree.map(lambda p, s: p + length * s, params, slope))
    return nearest(
        jax.tree.map(lambda q, p, before: q + momentum * (p - before), stepped, params, previous)
    )


_host_advance = partial(_advance, np)
_device_advance = jax.jit(partial(_advance, jnp))


def _reachable(z: Float[np.ndarray, " m"], reach: float) -> Float[np.ndarray, "m g"]:
    """Values that each entry of z can be moved to: a grid on its segment, and near zero."""
    near = np.clip(NEAR_ZERO, z[:, None] - reach, z[:, None] + reach)
    return np.hstack([near, z[:, None] + reach * ALONG]).astype(z.dtype)


def _leading(params: Params, pairs: RitzPairs) -> _Point:
    return _Point(params, pairs.vectors[pairs.top], abs(float(pairs.values[pairs.top])))
