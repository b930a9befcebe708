"""Models that meet every hypothesis of a statement but one, and what is measured on them.

The bound stays that of the statement as it stands; each model has a dial, a whole number from 1 up,
which says how far from the hypothesis it is.  :mod:`proofs_check.dropping` lists the hypotheses.

Source: theory.md, sections 2 (A9, B3) and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.flatten_util import ravel_pytree

import numerics
from numerics.activations import jax_function
from numerics.lowrank import dimension
from numerics.measure import Measurement
from numerics.models import Model, Params, forward, trace
from proofs_check.ledger.dense import spectral
from proofs_check.ledger.nonlinear import composed_hessian, outer_values, uphill
from proofs_check.strategies import Instance
from proofs_check.verification.architectures import shaped
from proofs_check.verification.judging import Check
from proofs_check.verification.statements import Sides
from proofs_check.verification.trials import CENTRE, Search, Trial
from theory.activations import ActivationFunction, activation
from theory.activations.functions import T
from theory.grammar import parse
from theory.graph import PointwiseRule
from theory.networks import Dense, Layer, Network

ERROR = 1e-7  # relative, granted to what is measured here: kernels and gaps are differences


@dataclass(frozen=True)
class Dropped:
    """An instance, and how far it is from the hypothesis.

    Attributes:
        instance: network, seed, inputs, radius.
        dial: from 1 up.
    """

    instance: Instance
    dial: int


# -- linear output --------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def sine(dial: int) -> ActivationFunction:
    """``sin(k t) / k``: its slope is at most 1, its curvature at most k."""
    return activation(sympy.sin(dial * T) / dial)


@dataclass(eq=False)
class _Outer(Trial):
    """A network whose output goes through phi; the bound is that of the network without it."""

    outer: ActivationFunction = field(default_factory=lambda: sine(1))

    @cached_property
    def places(self) -> dict[str, Params]:
        """The centre, the points of the ball, and the one along the gradient."""
        found = {CENTRE: self.model.params, **self.points}
        if self.radius:
            found["uphill"] = uphill(self.model, self.x, self.radius)
        return found

    def values(self, quantity: str, ball: bool) -> dict[str, Sides]:
        """What is held against the bound, from the chain rule."""
        measured = {
            "hessian_norm": self._hessian,
            "kernel_change": self._kernel_change,
            "linearization_gap": self._gap,
        }[quantity]
        places = self.places if ball else {CENTRE: self.model.params}
        return {name: _around(measured(params)) for name, params in places.items()}

    def _hessian(self, params: Params) -> float:
        return spectral(composed_hessian(self.model, self.x, self.outer, params))

    def _kernel(self, params: Params) -> float:
        inner = np.asarray(numerics.tangent_kernel(self.model, self.x, params, self.z))
        slopes = [
            outer_values(self.outer, float(trace(self.model, x, params).f))[1]
            for x in (self.x, self.z)
        ]
        return slopes[0] * slopes[1] * float(inner[0, 0])

    def _kernel_change(self, params: Params) -> float:
        return abs(self._kernel(params) - self._kernel(self.model.params))

    def _gap(self, params: Params) -> float:
        before, after = (float(trace(self.model, self.x, p).f) for p in (self.model.params, params))
        start, slope, _ = outer_values(self.outer, before)
        step = _linear_step(self.model, self.x, params)
        return abs(outer_values(self.outer, after)[0] - start - slope * step)


def _linear_step(model: Model, x: np.ndarray, params: Params) -> float:
    """``grad f(theta_0) . (theta - theta_0)``."""

    def output(p: Params) -> jax.Array:
        return forward(p, model.readout, jnp.asarray(x), model.net.activations)

    move = jax.tree.map(lambda a, b: jnp.asarray(a) - jnp.asarray(b), params, model.params)
    return float(jax.jvp(output, (model.params,), (move,))[1])


# -- the constants of the activation --------------------------------------------------------------


@dataclass(eq=False)
class _Claimed(Trial):
    """A network whose activations are not what the bound takes them for.

    Attributes:
        claimed: lambda and beta of each layer, or of each pointwise node of a graph.
    """

    claimed: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @cached_property
    def statistics(self) -> dict[str, Measurement]:
        """As measured, with the claimed lambda and beta of every layer."""
        measured = Trial.statistics.func(self)  # type: ignore[attr-defined]
        return {at: self._replaced(found) for at, found in measured.items()}

    def _replaced(self, found: Measurement) -> Measurement:
        entries, enclosures, absent = dict(found.entries), dict(found.enclosures), {}
        for layer, pair in self.claimed.items():
            for name, value in zip(("lambda", "beta"), pair, strict=True):
                entries[name, layer] = value
                enclosures.pop((name, layer), None)
        absent = {k: v for k, v in found.absent.items() if k not in entries}
        return replace(found, entries=entries, enclosures=enclosures, absent=absent)


def _written(expr: sympy.Expr) -> ActivationFunction:
    """The function in the form that a network file would give it back in."""
    return activation(parse(str(expr)))


@lru_cache(maxsize=256)
def steep(function: ActivationFunction, dial: int) -> ActivationFunction:
    """``k^2 sigma(t/k)``: the slopes times k, the curvature as it was."""
    return _written(dial**2 * function.expr.subs(T, T / dial))


@lru_cache(maxsize=256)
def sharp(function: ActivationFunction, dial: int) -> ActivationFunction:
    """``sigma(k t)/k``: the slopes as they were, the curvature times k."""
    return _written(function.expr.subs(T, dial * T) / dial)


@lru_cache(maxsize=64)
def nearly_relu(_: ActivationFunction, dial: int) -> ActivationFunction:
    """``softplus(k t)/k``, which is ReLU in the limit."""
    return activation(sympy.log(1 + sympy.exp(dial * T)) / dial)


def _with(net: Network, change: Callable[[ActivationFunction], ActivationFunction]) -> Network:
    return Network(*(_changed_within(layer, change) for layer in net.layers))


def _changed_within(part: Any, change: Callable[[ActivationFunction], ActivationFunction]) -> Any:
    """A layer with all activations in it changed, those of the layers it is made of too."""
    if isinstance(part, ActivationFunction):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_changed_within(p, change) for p in part)
    if not isinstance(part, Layer):
        return part
    new = object.__new__(type(part))
    for entry in fields(part):  # type: ignore[arg-type]
        value = _changed_within(getattr(part, entry.name), change)
        object.__setattr__(new, entry.name, value)
    return new


def _constants(net: Network) -> dict[int, tuple[float, float]]:
    """Lambda and beta of each layer, or of each pointwise node of a graph."""
    if net.is_dense:
        found = dict(enumerate(net.activations, 1))
    else:
        rules = ((n.index, n.rule) for n in net.graph.nodes)
        found = {n: rule.function for n, rule in rules if isinstance(rule, PointwiseRule)}
    return {n: (float(f.sup(1)), float(f.sup(2))) for n, f in found.items()}


# -- independent parameters -----------------------------------------------------------------------


@dataclass(eq=False)
class _Tied(Trial):
    """A network all of whose first-layer neurons have one and the same weight vector.

    The bound takes them for independent parameters; the Hessian is that by the parameters there
    are.
    """

    def values(self, quantity: str, ball: bool) -> dict[str, Sides]:
        """The Hessian norm at the centre."""
        size = dimension(self.model.widths, self.model.trained_readout)
        first = self.model.widths[1]
        tie = np.zeros((size, size - first + 1))
        tie[:first, 0] = 1.0
        tie[first:, 1:] = np.eye(size - first)
        free = composed_hessian(self.model, self.x, activation("identity"))
        return {CENTRE: _around(spectral(tie.T @ free @ tie))}


def _tied(model: Model) -> Model:
    first, *rest = model.params["W"]
    same = jnp.broadcast_to(first[:1], first.shape)
    return replace(model, params={**model.params, "W": (same, *rest)})


# -- the ball -------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Outside(Trial):
    """The bound for a ball, held against points of one that is larger."""

    reach: float = 0.0

    def values(self, quantity: str, ball: bool) -> dict[str, Sides]:
        """Measured at the points of the larger ball."""
        return Trial(self.model, self.x, self.z, self.reach, self.search).values(quantity, ball)


# -- from a dial to a trial ------------------------------------------------------------------------


def outer_trial(d: Dropped, radius: float | None, search: Search) -> Trial:
    """The network with ``sin(k f)/k`` for its output."""
    model = numerics.instantiate(d.instance.net, seed=d.instance.seed)
    return _Outer(model, *d.instance.inputs, radius, search, outer=sine(d.dial))


def changed(
    change: Callable[[ActivationFunction, int], ActivationFunction],
    claimed: tuple[float, float] | None = None,
) -> Callable[[Dropped, float | None, Search], Trial]:
    """Trials of the network with other activations, the bound with the constants of its own.

    Args:
        change: from an activation and the dial to another activation.
        claimed: lambda and beta in the bound, where they are not those of the network's own.
    """

    def build(d: Dropped, radius: float | None, search: Search) -> Trial:
        net = _with(d.instance.net, lambda f: change(f, d.dial))
        model = numerics.instantiate(net, seed=d.instance.seed)
        constants = _constants(d.instance.net)
        if claimed is not None:
            constants = dict.fromkeys(constants, claimed)
        return _Claimed(model, *d.instance.inputs, radius, search, claimed=constants)

    return build


def tied_trial(d: Dropped, radius: float | None, search: Search) -> Trial:
    """The network with a first layer whose neurons share their weights, wider by the dial."""
    layers = list(d.instance.net.layers)
    first = layers[1]
    if isinstance(first, Dense) and isinstance(first.width, int):
        layers[1] = Dense(first.width * min(d.dial, 8))
    model = _tied(numerics.instantiate(Network(*layers), seed=d.instance.seed))
    return _Tied(model, *d.instance.inputs, radius, search)


def outside_trial(d: Dropped, radius: float | None, search: Search) -> Trial:
    """The network at points as many times as far from the centre as the dial says."""
    model = numerics.instantiate(d.instance.net, seed=d.instance.seed)
    reach = d.dial * (radius or 0.0)
    return _Outside(model, *d.instance.inputs, radius, search, reach=reach)


# -- a second look --------------------------------------------------------------------------------


def measured_again(trial: Trial, check: Check) -> Sides:
    """The measured side once more, by automatic differentiation of the whole model.

    For small models: the Hessian is formed by all free parameters.
    """
    params = _point(trial, check.place)
    if check.quantity == "hessian_norm":
        return _around(_dense_norm(trial, params))
    function, other = _flat(trial, trial.x), _flat(trial, trial.z)
    theta0, theta = (ravel_pytree(p)[0] for p in (trial.model.params, params))
    if check.quantity == "linearization_gap":
        value, slope = jax.jvp(function, (theta0,), (theta - theta0,))
        return _around(abs(float(function(theta) - value - slope)))
    kernels = [float(jax.grad(function)(t) @ jax.grad(other)(t)) for t in (theta0, theta)]
    return _around(abs(kernels[1] - kernels[0]))


def _point(trial: Trial, place: str) -> Params:
    if place == CENTRE:
        return trial.model.params
    if isinstance(trial, _Outer):
        return trial.places[place]
    if isinstance(trial, _Outside):
        larger = Trial(trial.model, trial.x, trial.z, trial.reach, trial.search)
        return larger.points[place]
    return trial.points[place]


def _flat(trial: Trial, x: np.ndarray) -> Callable[[jax.Array], jax.Array]:
    """The model as a function of one vector of all its parameters."""
    model = trial.model
    _, unravel = ravel_pytree(model.params)
    outer = jax_function(trial.outer) if isinstance(trial, _Outer) else None

    def function(theta: jax.Array) -> jax.Array:
        value = model.apply(unravel(theta), shaped(model, x))
        return value if outer is None else outer(value)

    return function


def _dense_norm(trial: Trial, params: Params) -> float:
    function = _flat(trial, trial.x)
    theta = ravel_pytree(params)[0]
    matrix = np.asarray(jax.hessian(function)(theta))
    if isinstance(trial, _Tied):
        rows, columns = trial.model.widths[1], trial.model.widths[0]
        tie = np.zeros((len(theta), len(theta) - (rows - 1) * columns))
        tie[: rows * columns, :columns] = np.tile(np.eye(columns), (rows, 1))
        tie[rows * columns :, columns:] = np.eye(len(theta) - rows * columns)
        matrix = tie.T @ matrix @ tie
    return spectral((matrix + matrix.T) / 2)


def _around(value: float) -> Sides:
    return Sides.around(value, ERROR * abs(value))


__all__ = [
    "ERROR",
    "Dropped",
    "changed",
    "measured_again",
    "nearly_relu",
    "outer_trial",
    "outside_trial",
    "sharp",
    "sine",
    "steep",
    "tied_trial",
]
